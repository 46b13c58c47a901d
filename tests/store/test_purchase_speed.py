"""The share of purchases that opened within a second is counted from the feed and the inbox."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.objective import InTime
from latchkey.store.checks import purchase_speed
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio


async def bought(
    pool: Pool,
    name: str,
    *,
    at: datetime,
    took: float | None,
    source: str = "webhook",
    type_: str = "product_purchased",
) -> None:
    """A purchase that opened at a moment; without `took`, no event reported it."""
    event = None if took is None else f"evt_{name}"
    await pool.execute(
        """
        insert into activities (fact, type, at, recorded_at, cause, user_id, product_id, event_id)
        values ($1, $2, $3, $3, 'customer', (select max(id) from users), 'prd_1', $4)
        """,
        f"{type_}:{name}",
        type_,
        at,
        event,
    )
    if took is not None:
        begun = at - timedelta(seconds=took)
        await pool.execute(
            """
            insert into events (id, livemode, type, object_id, thin, created_at, received_at,
                                target_kind, target_id, state, source)
            values ($1, false, 'checkout.session.completed', 'cs_1', false, $2, $3, 'purchase',
                    'cs_1', 'handled', $4)
            """,
            event,
            begun,
            at if source == "catch_up" else begun,
            source,
        )


@pytest.fixture
async def buyer(pool: Pool) -> str:
    await pool.execute("insert into users (email) values ('buyer@speed.example')")
    await pool.execute(
        "insert into products (id, slug, name, status) values ('prd_1', 'one', 'One', 'live')"
    )
    return "buyer@speed.example"


async def read(pool: Pool) -> purchase_speed.Speed:
    async with pool.acquire() as connection:
        return await purchase_speed.read(connection)


async def test_a_site_without_purchases_has_no_figures(pool: Pool) -> None:
    speed = await read(pool)
    assert speed.windows == {1: InTime(0, 0), 7: InTime(0, 0), 28: InTime(0, 0)}
    assert (speed.days, speed.slowest) == ([], [])


async def test_purchases_are_counted_by_when_they_opened(pool: Pool, buyer: str) -> None:
    now = datetime.now(UTC)
    await bought(pool, "fast", at=now, took=0.2)
    await bought(pool, "slow", at=now, took=1.5)
    await bought(pool, "before", at=now - timedelta(days=3), took=0.3)
    await bought(pool, "long ago", at=now - timedelta(days=20), took=0.3)
    await bought(pool, "too long ago", at=now - timedelta(days=29), took=9)
    await bought(pool, "imported", at=now, took=9, type_="imported")
    speed = await read(pool)
    assert speed.windows == {1: InTime(2, 1), 7: InTime(3, 2), 28: InTime(4, 3)}
    assert [day.kept for day in speed.days] == [InTime(2, 1), InTime(1, 1), InTime(1, 1)]
    assert speed.days[0].half == pytest.approx(0.85, abs=0.001)
    [slow] = speed.slowest
    assert (slow.event_id, slow.email, slow.product) == ("evt_slow", buyer, "One")
    assert slow.seconds == pytest.approx(1.5, abs=0.001)


async def test_what_no_webhook_delivered_counts_from_when_stripe_made_it(
    pool: Pool, buyer: str
) -> None:
    now = datetime.now(UTC)
    await bought(pool, "missed", at=now, took=400, source="catch_up")
    await bought(pool, "found", at=now, took=None)
    speed = await read(pool)
    assert speed.windows[1] == InTime(2, 0)
    assert [slow.seconds for slow in speed.slowest] == [pytest.approx(400, abs=0.001), None]
