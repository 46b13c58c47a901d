"""The control API under `/_sandbox/`; importing this registers all of its calls."""

from sandbox.control import account, buying, money, objects, subscriptions
from sandbox.control.registry import documented, routes

__all__ = ["account", "buying", "documented", "money", "objects", "routes", "subscriptions"]
