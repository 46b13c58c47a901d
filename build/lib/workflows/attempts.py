"""How long one attempt at a Temporal activity may take; attempts themselves have no limit."""

from datetime import timedelta

ONE_ATTEMPT = timedelta(seconds=120)
HEARTBEAT = timedelta(seconds=9)
"""After this silence the worker counts as dead and another one takes over."""
