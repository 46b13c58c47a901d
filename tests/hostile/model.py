"""The naive model: which access and which activity lines should follow from what Stripe showed, and
when.

Latchkey reads when an event arrives, so it may miss what happens between two readings, but it
always sees the last state. So each source has *possible pasts*: every way of having looked at some
of its states, ending with the last one. At a settled moment the real lines and grants must match
one of them, and the others are dropped. It is brute force, and shares no rule with Latchkey.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.hostile.policy import Rules, gives
from tests.hostile.truth import Reading

HOUR = 3600

Lines = tuple[tuple[tuple[str, str], int], ...]
"""How many lines there are of each type about each product."""


@dataclass(frozen=True)
class Links:
    """Which product is linked to which Stripe product: a link in `on` gives access, one in `kept`
    only lets existing access run out.

    `fresh` are the products that were linked since the last settled moment, and when.
    """

    on: frozenset[tuple[str, str]] = frozenset()
    kept: frozenset[tuple[str, str]] = frozenset()
    fresh: tuple[tuple[str, float], ...] = ()

    def opened_by(self, stripe_products: Iterable[str]) -> dict[str, bool]:
        """The products that these Stripe products give access to. True for those that still admit
        new members."""
        wanted = set(stripe_products)
        found = {product: False for product, source in self.kept if source in wanted}
        return found | {product: True for product, source in self.on if source in wanted}

    def linked_at(self, product: str) -> float | None:
        return dict(self.fresh).get(product)


@dataclass(frozen=True)
class Past:
    """One possible past of a source: what it gives, what it ever gave, and what was last seen.

    `begun` are the products whose purchase was reported, `held` those that an admin ended. `met`
    says whether Latchkey keeps the source at all, `gave` whether it ever gave anything, and
    `unpaid_since` (Unix time) when payments stopped.
    """

    live: frozenset[str] = frozenset()
    begun: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()
    met: bool = False
    gave: bool = False
    cancelled: bool = False
    scheduled: bool = False
    unpaid_since: int | None = None
    refunded: int = 0
    dispute: str = ""
    lines: Lines = ()

    def plus(self, type_: str, products: Iterable[str]) -> "Past":
        counts = dict(self.lines)
        for product in products:
            counts[type_, product] = counts.get((type_, product), 0) + 1
        return replace(self, lines=tuple(sorted(counts.items())))


@dataclass(frozen=True)
class Look:
    """A state of a source, under the links and the policy of that moment (Unix time).

    Latchkey must have looked at the last state that it was `told` of, or at a later one that is the
    same. After a change of policy (`by_rule`) it judges what it last read; that isn't a new
    purchase. `before_link` is the source's state when a product was recently linked.
    """

    reading: Reading
    links: Links
    rules: Rules
    at: float
    told: bool
    by_rule: bool = False
    before_link: Mapping[str, Reading] = field(default_factory=dict)


@dataclass
class Source:
    """A person's subscription or order, and its states since the last settled moment."""

    id: str
    owner: str
    pasts: set[Past] = field(default_factory=lambda: {Past()})
    seen: list[Look] = field(default_factory=list)
    last: Reading | None = None
    before_link: dict[str, Reading] = field(default_factory=dict)

    def redirect(self, reading: Reading, links: Links, rules: Rules, *, told: bool = True) -> None:
        """Add a state that Latchkey may read from now on, announced by Stripe's events if
        `told`."""
        self.last = reading
        self._note(links, rules, told=told)

    def relinked(self, links: Links, rules: Rules, product: str) -> None:
        """A product was linked in the last state: an import looks at it."""
        if self.last is not None:
            self.before_link[product] = self.last
            self._note(links, rules, told=True)

    def ruled(self, links: Links, rules: Rules) -> None:
        """The policy changed at a settled moment: what was last read is judged again."""
        assert all(look.by_rule for look in self.seen), "policies change at settled moments only"
        if self.last is not None:
            self._note(links, rules, told=True, by_rule=True)

    def cut(self, product: str, *, hold: bool = False) -> None:
        """Its grants of a product were ended by hand at a settled moment. With `hold` they aren't
        given again."""
        assert not self.seen, "access is ended by hand at settled moments only"
        self.pasts = {_cut(past, product, hold=hold) for past in self.pasts}

    def lift(self, product: str, links: Links, rules: Rules) -> None:
        """The hold on a product was lifted at a settled moment: it is judged again at once."""
        assert not self.seen, "holds are lifted at settled moments only"
        assert self.last is not None, "it has given something"
        look = Look(self.last, links, rules, time.time(), told=True)
        free = {replace(past, held=past.held - {product}) for past in self.pasts}
        self.pasts = {after for past in free for after in _look(past, look)}

    def settle(self, links: Links, rules: Rules) -> set[Past]:
        """Every past that ends with a look at the last state."""
        if self.last is None:
            return self.pasts
        self._note(links, rules, told=False)
        told = [number for number, look in enumerate(self.seen) if look.told]
        final = told[-1] if told else None
        found = set(self.pasts)
        for number, look in enumerate(self.seen):
            after = {past for before in found for past in _look(before, look)}
            found = after if number == final else found | after
        self.pasts, self.seen, self.before_link = found, [], {}
        return self.pasts

    def _note(self, links: Links, rules: Rules, *, told: bool, by_rule: bool = False) -> None:
        assert self.last is not None, "there is a state to look at"
        before_link = dict(self.before_link)
        self.seen.append(
            Look(self.last, links, rules, time.time(), told, by_rule, before_link=before_link)
        )


def _cut(past: Past, product: str, *, hold: bool) -> Past:
    if product not in past.live:
        return past
    held = past.held | {product} if hold else past.held
    return replace(past.plus("access_ended", [product]), live=past.live - {product}, held=held)


def _unpaid_since(past: Past, look: Look) -> int | None:
    """When the current period of open invoices began: the date of the oldest one when it was first
    seen. Latchkey's dates don't move with the clock's."""
    if look.reading.status not in ("past_due", "unpaid"):
        return None
    if past.unpaid_since is not None:
        return past.unpaid_since
    now = int(look.at) // HOUR * HOUR
    return min(look.reading.unpaid_since or now, now)


def _met(past: Past, look: Look, opened: dict[str, bool]) -> bool:
    """Whether Latchkey keeps the source: from the first look at which it has a linked product and
    may give something."""
    reading = look.reading
    alive = reading.paid or reading.pending if reading.kind == "order" else not reading.over
    return past.met or (alive and any(opened.values()) and not look.by_rule)


def _look(past: Past, look: Look) -> list[Past]:
    """What follows from looking at a state. Several outcomes if Latchkey may choose."""
    if look.by_rule and not past.met:
        return [past]
    opened = look.links.opened_by(look.reading.products)
    since = _unpaid_since(past, look)
    runs = {p for p in opened if gives(look.reading, look.rules.of(p), since, look.at)}
    ended = past.live - runs
    begins = {p for p in runs if opened[p]} - past.live - past.held
    met = _met(past, look, opened)
    after = replace(
        past.plus("access_ended", ended).plus("access_granted", begins),
        live=past.live - ended | begins,
        met=met,
        gave=past.gave or bool(begins),
        unpaid_since=since if met else None,
    )
    if look.by_rule:
        return [after]
    outcomes = [after]
    for product in sorted(begins - past.begun):
        outcomes = [
            begun
            for outcome in outcomes
            for begun in _begin(outcome, product, look, first=not past.begun)
        ]
    tell = _tell_order if look.reading.kind == "order" else _tell_subscription
    return [told for outcome in outcomes for told in tell(outcome, past, look.reading, opened)]


def _begin(past: Past, product: str, look: Look, *, first: bool) -> list[Past]:
    """A source starts to give a product: what gave access when it was linked is imported, what was
    bought later is a purchase.

    A subscription whose items change doesn't start again. If an import for another product finds an
    order, the order may be older than the link, because the clock was moved.
    """
    reading, linked_at = look.reading, look.links.linked_at(product)
    begun = past.begun | {product}
    bought = replace(past.plus("product_purchased", [product]), begun=begun)
    if reading.kind == "subscription" and first:
        bought = bought.plus("subscription_started", [product])
    brought = replace(
        past.plus("imported", [product]), begun=begun, imported=past.imported | {product}
    )
    if linked_at is None:
        others = look.links.opened_by(reading.products)
        met = reading.kind == "order" and any(look.links.linked_at(other) for other in others)
        return [bought, brought] if met else [bought]
    then = look.before_link.get(product)
    gave = (
        then is not None
        and product in look.links.opened_by(then.products)
        and gives(then, look.rules.of(product), then.unpaid_since, look.at)
    )
    if reading.created < linked_at - 2 and gave:
        return [brought]
    return [bought, brought]


def _tell_order(past: Past, before: Past, reading: Reading, opened: dict[str, bool]) -> list[Past]:
    """A refund of something that never gave access is reported only if the buyer is a user for
    another reason."""
    if reading.failed and past.met:
        untold = [p for p in opened if (("payment_failed", p), 1) not in past.lines]
        return [past.plus("payment_failed", untold)]
    if not opened and not before.gave:
        return [past]
    noted = told = replace(past, refunded=reading.refunded, dispute=reading.dispute)
    if reading.paid and reading.refunded > before.refunded:
        told = told.plus("refunded", opened)
    if reading.paid and reading.refunded < before.refunded:
        told = told.plus("refund_failed", opened)
    if reading.paid and reading.dispute not in ("", before.dispute):
        told = told.plus("disputed", opened)
    return [told] if before.gave or told == noted else [noted, past, told]


def _tell_subscription(
    past: Past, before: Past, reading: Reading, opened: dict[str, bool]
) -> list[Past]:
    """What happens to a subscription that gives nothing (yet) is reported only if its buyer is a
    user for another reason."""
    if not past.met:
        return [past]
    scheduled = reading.ends is not None
    noted = told = replace(past, cancelled=reading.cancelled, scheduled=scheduled)
    newly = reading.cancelled and not before.cancelled
    if newly and (before.met or not past.imported):
        told = told.plus("subscription_cancelled", opened)
    if before.scheduled and not scheduled and not reading.over:
        told = told.plus("cancellation_withdrawn", opened)
    if past.unpaid_since is not None and before.met and before.unpaid_since is None:
        told = told.plus("payment_failed", opened)
    if before.unpaid_since is not None and reading.status == "active":
        told = told.plus("payment_recovered", opened)
    return [told] if past.gave or told == noted else [noted, told]
