"""Stripe's side of the database: connection, inbox, catch-up, wakeups, mirror of the catalog."""
