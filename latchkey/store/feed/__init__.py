"""The activity feed and the email outbox: what happened, and what people are sent about it.

`facts` is the only writer of activity lines and decides which of them send an email.
"""
