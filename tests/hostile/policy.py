"""The access policy as a site's owner reads it: in which states a purchase gives access.

Written from the product's description; it shares nothing with Latchkey's own rules.
"""

from dataclasses import dataclass, field

from tests.hostile.truth import Json, Reading

DAY = 86400
DEFAULTS: Json = {
    "trialing": True,
    "past_due_days": 14,
    "unpaid": False,
    "paused": False,
    "incomplete": False,
    "collection_paused": True,
    "full_refund": False,
    "partial_refund": True,
    "dispute_opened": True,
    "dispute_lost": False,
}
GRACES = (0, 3, 14, 60, None)


@dataclass(frozen=True)
class Rules:
    """The site's cells, and the cells that products override."""

    site: Json = field(default_factory=dict)
    own: dict[str, Json] = field(default_factory=dict)

    def of(self, product: str) -> Json:
        return DEFAULTS | self.site | self.own.get(product, {})

    def with_site(self, cells: Json) -> "Rules":
        return Rules(cells, self.own)

    def with_own(self, product: str, cells: Json) -> "Rules":
        return Rules(self.site, self.own | {product: cells})


def gives(reading: Reading, cells: Json, unpaid_since: int | None, at: float) -> bool:
    """Whether a purchase in this state gives access at a moment (Unix time)."""
    if reading.ends is not None and reading.ends <= at:
        return False
    if reading.kind == "order":
        return reading.paid and _money_is_right(reading, cells)
    if reading.collection_paused and not cells["collection_paused"]:
        return False
    match reading.status:
        case "active":
            return True
        case "past_due":
            days = cells["past_due_days"]
            return days is None or (unpaid_since or at) + days * DAY > at
        case "trialing" | "unpaid" | "paused" | "incomplete":
            return bool(cells[reading.status])
    return False


def _money_is_right(reading: Reading, cells: Json) -> bool:
    if reading.fully:
        money = bool(cells["full_refund"])
    else:
        partly = reading.refunded > 0 or reading.credited > 0
        money = bool(cells["partial_refund"]) or not partly
    match reading.dispute:
        case "open":
            return money and bool(cells["dispute_opened"])
        case "lost":
            return money and bool(cells["dispute_lost"])
    return money
