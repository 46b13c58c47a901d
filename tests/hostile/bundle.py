"""A collection that one of a life's products opens: whoever has the product has what is in it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

Opened = Counter[tuple[str, str, datetime | None]]
"""Who has which product by another one, until when, and how many times."""


@dataclass
class Bundle:
    """`contents` are all products that may be in it, `inside` those that are, and `opened` says
    whether the product `opener` opens it at present."""

    collection: str
    opener: str
    contents: list[str]
    inside: set[str] = field(default_factory=set)
    opened: bool = True

    def gives(self, ends: Iterable[tuple[str, datetime | None]]) -> Opened:
        """What follows from the grants of the opener: owner and end of each."""
        if not self.opened:
            return Counter()
        return Counter((owner, product, until) for owner, until in ends for product in self.inside)
