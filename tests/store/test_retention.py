"""Old events go in batches; what still has to be done, and the newest, stay."""

from datetime import timedelta

import pytest

from latchkey.store.checks import retention
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio

LIFE = timedelta(days=400)


async def store(pool: Pool, *, count: int, days: int, state: str = "handled") -> None:
    """Events that were received so many days ago, after all that are stored."""
    await pool.execute(
        """
        insert into events (id, account_id, livemode, type, object_id, thin, created_at,
                            received_at, target_kind, target_id, state, body)
        select 'evt_' || n + (select count(*) from events), 'acct_1', false, 'invoice.paid', 'in_1',
               false, now() - $2::interval, now() - $2::interval, 'object', 'invoice/in_1', $3, '{}'
          from generate_series(1, $1::int) n
        """,
        count,
        timedelta(days=days),
        state,
    )


async def left(pool: Pool) -> list[tuple[int, str]]:
    rows = await pool.fetch(
        """
        select date_part('day', now() - received_at)::int as days, state from events order by seq
        """
    )
    return [(row["days"], row["state"]) for row in rows]


async def test_settled_events_go_once_they_are_old(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    await store(pool, count=9, days=500)
    await store(pool, count=1, days=490, state="failed")
    await store(pool, count=1, days=480, state="waiting")
    await store(pool, count=6, days=450, state="ignored")
    await store(pool, count=2, days=399)
    kept = [(490, "failed"), (480, "waiting"), (399, "handled"), (399, "handled")]
    assert await retention.forget_events(pool, older_than=LIFE) == 15
    assert await left(pool) == kept
    assert await retention.forget_events(pool, older_than=LIFE) == 0
    assert await left(pool) == kept


async def test_years_of_events_go_little_by_little(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_EVENTS", 4)
    await store(pool, count=7, days=500)
    gone = [await retention.forget_events(pool, older_than=LIFE) for _ in range(3)]
    assert gone == [4, 2, 0], "the newest stays"
    assert await left(pool) == [(500, "handled")]
