"""A naive model of complimentary access and of one collection."""

import time
from collections import Counter
from dataclasses import dataclass, field

End = float | None
"""When access ends, in Unix time. None if it doesn't."""

Held = dict[tuple[str, str], End]
"""Who has which product, and until when."""


@dataclass
class ByHand:
    """What was given by hand.

    `lines` are the activity lines to expect: by type, owner, product, and whether the collection
    gave it. `shelf` holds the collection's products, `holders` those who have the collection.
    """

    gifts: Held = field(default_factory=dict)
    collection: str | None = None
    shelf: set[str] = field(default_factory=set)
    holders: dict[str, End] = field(default_factory=dict)
    lines: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)

    def give(self, owner: str, product: str, until: End, *, by: str = "manual_grant") -> None:
        """Give a product, or change the end of what was given."""
        if (owner, product) not in self.gifts:
            self.lines[by, owner, product, False] += 1
        self.gifts[owner, product] = until

    def take(self, owner: str, product: str) -> None:
        del self.gifts[owner, product]
        self.lines["access_ended", owner, product, False] += 1

    def hand_over(self, owner: str, until: End) -> None:
        """Give somebody the collection."""
        if owner not in self.holders:
            for product in self.shelf:
                self.lines["access_granted", owner, product, True] += 1
        self.holders[owner] = until

    def take_back(self, owner: str) -> None:
        del self.holders[owner]
        for product in self.shelf:
            self.lines["access_ended", owner, product, True] += 1

    def restock(self, shelf: set[str]) -> None:
        """Change the collection's products. Its holders get the new ones and lose the others."""
        for owner in self.holders:
            for product in shelf - self.shelf:
                self.lines["access_granted", owner, product, True] += 1
            for product in self.shelf - shelf:
                self.lines["access_ended", owner, product, True] += 1
        self.shelf = shelf

    def merge(self, into: str, other: str) -> None:
        """Move everything to one of two users. What both have ends at the later time, and that ends
        nobody's access."""
        for owner, product in [key for key in self.gifts if key[0] == other]:
            until = self.gifts.pop((owner, product))
            mine = self.gifts.get((into, product), until)
            self.gifts[into, product] = _longer(mine, until)
        if other in self.holders:
            until = self.holders.pop(other)
            self.holders[into] = _longer(self.holders.get(into, until), until)
        for type_, owner, product, shelved in [key for key in self.lines if key[1] == other]:
            count = self.lines.pop((type_, owner, product, shelved))
            self.lines[type_, into, product, shelved] += count

    def pass_time(self) -> None:
        """End what is due."""
        now = time.time()
        for owner, product in [key for key, until in self.gifts.items() if _over(until, now)]:
            self.take(owner, product)
        for owner in [owner for owner, until in self.holders.items() if _over(until, now)]:
            self.take_back(owner)

    def ends_within(self, seconds: float) -> list[float]:
        """The moments within the next few seconds at which access ends."""
        last = time.time() + seconds
        ends = [*self.gifts.values(), *self.holders.values()]
        return [until for until in ends if until is not None and until <= last]

    def on_shelf(self) -> Held:
        """The products that the collection gives now."""
        return {
            (owner, product): until
            for owner, until in self.holders.items()
            for product in self.shelf
        }


def _longer(one: End, other: End) -> End:
    return None if one is None or other is None else max(one, other)


def _over(until: End, now: float) -> bool:
    return until is not None and until <= now
