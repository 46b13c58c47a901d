"""Lists that are in an order."""

from collections.abc import Sequence


def shifted(order: Sequence[str], one: str, *, by: int) -> list[str]:
    """The order with one of it so many places further down or, below zero, up; at most to the end.
    One that isn't there changes nothing."""
    changed = [*order]
    if one in changed:
        here = changed.index(one)
        changed.insert(min(max(here + by, 0), len(changed) - 1), changed.pop(here))
    return changed
