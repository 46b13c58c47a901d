"""Decisions without a database, a network or a clock: pure functions of what was read.

`reading` reduces Stripe's objects to what matters, `routing` says which workflow an event belongs
to, `access` decides who has access until when, by the `policy`.
"""
