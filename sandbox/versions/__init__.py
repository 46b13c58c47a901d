"""Stripe's API versions: which ones the sandbox speaks, and how older ones differ from ours.

The sandbox thinks in the version of the installed SDK. A request of an older version is translated
to ours (`requests`), and every answer and event is translated back (`answers`), one family of
versions at a time. Versions between two families only add to the older one: what a version doesn't
have yet (`added`) isn't shown.
"""

from sandbox.versions.answers import event_in, shaped
from sandbox.versions.families import CURRENT, Family, Version, version_of
from sandbox.versions.requests import moved, upgrade

__all__ = [
    "CURRENT",
    "Family",
    "Version",
    "event_in",
    "moved",
    "shaped",
    "upgrade",
    "version_of",
]
