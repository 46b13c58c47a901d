"""Subscriptions and their whole life cycle, in both billing modes."""

from sandbox.subscriptions.changes import update
from sandbox.subscriptions.creation import create
from sandbox.subscriptions.endings import cancel
from sandbox.subscriptions.items import LIVE

__all__ = ["LIVE", "cancel", "create", "update"]
