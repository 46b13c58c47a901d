"""How long one attempt at a Temporal activity may take. Attempts have no limit by themselves."""

from datetime import timedelta

ONE_ATTEMPT = timedelta(seconds=120)
HEARTBEAT = timedelta(seconds=9)
"""After this silence the worker counts as dead and another one takes over."""
