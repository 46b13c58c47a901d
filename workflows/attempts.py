"""How long one attempt at a Temporal activity may take. By default, attempts aren't limited."""

from datetime import timedelta

ONE_ATTEMPT = timedelta(seconds=120)
HEARTBEAT = timedelta(seconds=9)
"""After this long without a heartbeat, the worker counts as dead and another one takes over."""
AT_ONCE = timedelta(seconds=9)
"""How long a Temporal activity may hold up a workflow task, whose own limit is ten seconds. It
gives up sooner itself where Stripe is slow."""
