"""The naive model: what access and which lines should follow from what Stripe showed, and when.

Latchkey reads when an event tells it to, so it may miss what came and went between two readings;
but it always sees the last state. So each source has *possible pasts*: every way of having looked
at some of its states, ending with the last. At a settled moment the real lines and grants must be
those of one of them, and the others are forgotten. Brute force, and no rule shared with Latchkey.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tests.hostile.truth import Reading

GRACE = 14 * 86400

Lines = tuple[tuple[tuple[str, str], int], ...]
"""How many lines of which type about which product."""


@dataclass(frozen=True)
class Links:
    """Which product opens with which Stripe product: `on` grants, `kept` only lets run out.

    `fresh` are the products whose link was made since the last settled moment, and when.
    """

    on: frozenset[tuple[str, str]] = frozenset()
    kept: frozenset[tuple[str, str]] = frozenset()
    fresh: tuple[tuple[str, float], ...] = ()

    def opened_by(self, stripe_products: Iterable[str]) -> dict[str, bool]:
        """Products that these Stripe products open; True where newcomers get in too."""
        wanted = set(stripe_products)
        found = {product: False for product, source in self.kept if source in wanted}
        return found | {product: True for product, source in self.on if source in wanted}

    def linked_at(self, product: str) -> float | None:
        return dict(self.fresh).get(product)


@dataclass(frozen=True)
class Past:
    """One possible past of a source: what it gives, what it ever gave, what was last seen. `late`:
    when it was first seen to owe, the days of grace were over."""

    live: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    cancelled: bool = False
    scheduled: bool = False
    owing: bool = False
    late: bool = False
    refunded: int = 0
    lines: Lines = ()

    @property
    def known(self) -> bool:
        return bool(self.begun)

    def plus(self, type_: str, products: Iterable[str]) -> "Past":
        counts = dict(self.lines)
        for product in products:
            counts[type_, product] = counts.get((type_, product), 0) + 1
        return replace(self, lines=tuple(sorted(counts.items())))


@dataclass(frozen=True)
class Look:
    """A state of a source under the links of that moment (Unix time). Latchkey must have looked at
    the last one that it was `told` of, or at a later one that is the same."""

    reading: Reading
    links: Links
    at: float
    told: bool


@dataclass
class Source:
    """A subscription or an order of one person, and what was seen of it since it settled."""

    id: str
    owner: str
    pasts: set[Past] = field(default_factory=lambda: {Past()})
    seen: list["Look"] = field(default_factory=list)
    last: Reading | None = None

    def see(self, reading: Reading, links: Links, *, told: bool = True) -> None:
        """A state that Latchkey may read from now on, and that Stripe tells of where `told`."""
        self.last = reading
        self.seen.append(Look(reading, links, time.time(), told=told))

    def relinked(self, links: Links) -> None:
        """The links changed under the last state: an import looks at it."""
        if self.last is not None:
            self.see(self.last, links)

    def cut(self, product: str) -> None:
        """Its grants of a product were ended by hand, at a settled moment."""
        assert not self.seen, "links are removed at settled moments only"
        self.pasts = {_cut(past, product) for past in self.pasts}

    def settle(self, links: Links) -> set[Past]:
        """Every past that ends with a look at the last state."""
        if self.last is None:
            return self.pasts
        self.seen.append(Look(self.last, links, time.time(), told=False))
        told = [number for number, look in enumerate(self.seen) if look.told]
        final = told[-1] if told else None
        found = set(self.pasts)
        for number, look in enumerate(self.seen):
            after = {past for before in found for past in _look(before, look)}
            found = after if number == final else found | after
        self.pasts, self.seen = found, []
        return self.pasts


def _cut(past: Past, product: str) -> Past:
    if product not in past.live:
        return past
    return replace(past.plus("access_ended", [product]), live=past.live - {product})


def gives(reading: Reading, past: Past, at: float) -> bool:
    """The default policy: past due has its days of grace, counted from the oldest open bill, as it
    was dated at the first sight of this spell: Latchkey's dates don't move with the clock's."""
    if not reading.pays or (reading.ends is not None and reading.ends <= at):
        return False
    if reading.status == "past_due":
        return not past.late if past.owing else not _late(reading, at)
    return True


def _late(reading: Reading, at: float) -> bool:
    return (reading.unpaid_since or at) + GRACE <= at


def _look(past: Past, look: Look) -> list[Past]:
    """What a look at a state leads to; several outcomes where a choice is Latchkey's to make."""
    reading, links, at = look.reading, look.links, look.at
    opened = links.opened_by(reading.products)
    was_known = past.known
    running = gives(reading, past, at)
    ended = {p for p in past.live if not running or p not in opened}
    begins = {p for p, newcomers in opened.items() if running and newcomers} - past.live
    after = replace(past.plus("access_ended", ended), live=past.live - ended | begins)
    after = after.plus("access_granted", begins)
    outcomes = [after]
    for product in sorted(begins - past.begun):
        outcomes = [
            begun
            for outcome in outcomes
            for begun in _begin(outcome, product, look, first=not was_known)
        ]
    return [
        told
        for outcome in outcomes
        for told in _tell(outcome, past, look, frozenset(opened), was_known=was_known)
    ]


def _begin(past: Past, product: str, look: Look, *, first: bool) -> list[Past]:
    """A source begins to give a product: bought before the link it is imported, since then
    purchased. A subscription that changes its items doesn't start anew."""
    reading, linked_at = look.reading, look.links.linked_at(product)
    begun = past.begun | {product}
    bought = replace(past.plus("product_purchased", [product]), begun=begun)
    if reading.kind == "subscription" and first:
        bought = bought.plus("subscription_started", [product])
    brought = replace(
        past.plus("imported", [product]), begun=begun, imported=past.imported | {product}
    )
    if linked_at is None:
        return [bought]
    if reading.created < linked_at - 2:
        return [brought]
    return [bought, brought]


def _tell(
    past: Past, before: Past, look: Look, opened: frozenset[str], *, was_known: bool
) -> list[Past]:
    """Lines about the source itself, for the products it carries. Whether money that went back for
    what never gave anything is told of depends on whether the buyer is a user for other reasons."""
    reading = look.reading
    if reading.kind == "order":
        if not opened and not was_known:
            return [past]
        noted = replace(past, refunded=reading.refunded)
        more = reading.paid and opened and reading.refunded > before.refunded
        told = [noted.plus("refunded", opened)] if more else [noted]
        return told if was_known or not more else [noted, past, *told]
    if not past.known:
        return [past]
    scheduled = reading.ends is not None
    newly = reading.cancelled and not before.cancelled
    if newly and (was_known or not past.imported):
        past = past.plus("subscription_cancelled", opened)
    if before.scheduled and not scheduled and not reading.over:
        past = past.plus("cancellation_withdrawn", opened)
    owing = reading.status in ("past_due", "unpaid")
    if owing and was_known and not before.owing:
        past = past.plus("payment_failed", opened)
    if before.owing and reading.status == "active":
        past = past.plus("payment_recovered", opened)
    late = before.late if before.owing else owing and _late(reading, look.at)
    cancelled = reading.cancelled
    return [replace(past, cancelled=cancelled, scheduled=scheduled, owing=owing, late=late)]
