"""When a signing key signs, when the next one is made, and how long old ones stay published."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SIGNS = timedelta(days=90)
"""How long a key signs, if the next one is made in time."""
AHEAD = timedelta(days=7)
"""How long a key is published before it signs, so that whoever verifies knows it by then."""
KEPT = timedelta(days=1)
"""How long a key stays published after it has signed for the last time: longer than anything that
it signed is valid."""


@dataclass(frozen=True)
class KeyTime:
    """A key's id, and the time from which it signs."""

    id: str
    signs_from: datetime


@dataclass(frozen=True)
class KeyPlan:
    """What to do at some time: the `current` key, which signs (None: there is none yet), those that
    are `published` and `over`, and from when the next key is to sign, if it is due to be made."""

    current: str | None
    published: tuple[str, ...]
    over: tuple[str, ...]
    next_from: datetime | None


def plan(keys: Sequence[KeyTime], now: datetime) -> KeyPlan:
    """What to do with the keys at `now`. A key signs until the next one does, however late that is
    made."""
    ordered = sorted(keys, key=lambda key: (key.signs_from, key.id))
    begun = [key for key in ordered if key.signs_from <= now]
    over = tuple(
        key.id
        for key, successor in itertools.pairwise(ordered)
        if successor.signs_from + KEPT <= now
    )
    published = tuple(key.id for key in ordered if key.id not in over)
    if not begun:
        return KeyPlan(None, published, over, now)
    current = begun[-1]
    due = len(begun) == len(ordered) and now >= current.signs_from + SIGNS - AHEAD
    next_from = max(now + AHEAD, current.signs_from + SIGNS) if due else None
    return KeyPlan(current.id, published, over, next_from)
