"""Emails: what each kind says (`letters`), how it looks, and sending it (`outbox`).

Which activity line queues which email is decided in `latchkey/store/feed/facts.py`.
"""
