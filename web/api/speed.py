"""How fast purchases opened what was bought, against what is promised."""

from datetime import date, datetime
from typing import Any

from latchkey.rules.objective import GOAL_PER_MILLE, WITHIN_SECONDS, InTime
from latchkey.store.checks import purchase_speed
from web.api.registry import Call, Output, endpoint


class SpeedCounts(Output):
    """Purchases, how many of them opened in time, and their share in percent (null where there were
    none)."""

    purchases: int
    in_time: int
    share: float | None


class SpeedWindow(SpeedCounts):
    """The last days together. `late_left` is how many more purchases may be late while the goal is
    still met."""

    days: int
    goal_met: bool
    late_left: int


class SpeedDay(SpeedCounts):
    """A day in UTC. Half of its purchases opened within `median_seconds`, 95 in a hundred within
    `p95_seconds`; null where no event reported them."""

    day: date
    median_seconds: float | None
    p95_seconds: float | None


class SlowPurchase(Output):
    """A purchase that was late. `seconds` is null if no event reported it, and a comparison found
    it."""

    at: datetime
    seconds: float | None
    event: str | None
    user_id: int | None
    product: str | None


class PurchaseSpeed(Output):
    """`goal` is the share in percent that has to open within `within_seconds`. `windows` are the
    last day, 7 and 28 days, `days` begin with the latest, `slowest` are at most ten of 28 days."""

    within_seconds: float
    goal: float
    windows: list[SpeedWindow]
    days: list[SpeedDay]
    slowest: list[SlowPurchase]


@endpoint("GET", "/speed", answer=PurchaseSpeed)
async def get_speed(call: Call) -> PurchaseSpeed:
    """Get how many purchases of the last four weeks opened what was bought in time."""
    async with call.site.pool.acquire() as connection:
        found = await purchase_speed.read(connection)
    return PurchaseSpeed(
        within_seconds=WITHIN_SECONDS,
        goal=GOAL_PER_MILLE / 10,
        windows=[
            SpeedWindow(days=days, goal_met=kept.met, late_left=kept.left, **_counts(kept))
            for days, kept in found.windows.items()
        ],
        days=[
            SpeedDay(
                day=one.day, median_seconds=one.half, p95_seconds=one.most, **_counts(one.kept)
            )
            for one in found.days
        ],
        slowest=[
            SlowPurchase(
                at=one.at,
                seconds=one.seconds,
                event=one.event_id,
                user_id=one.user_id,
                product=one.product_id,
            )
            for one in found.slowest
        ],
    )


def _counts(kept: InTime) -> dict[str, Any]:
    return {"purchases": kept.total, "in_time": kept.in_time, "share": kept.share}
