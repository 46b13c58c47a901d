"""Old events and lines of the feed go in batches; what is still needed stays."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.checks import retention
from latchkey.store.feed.facts import Fact, write_facts
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


SHOP = """
insert into users (id, email, email_key) overriding system value
       values (1, 'in@x.example', 'in@x.example'), (2, 'out@x.example', 'out@x.example');
insert into products (id, slug, name) values ('prd_1', 'a', 'A');
insert into customers (id, account_id, livemode, ticket) values ('cus_1', 'acct_1', false, 1);
insert into subscriptions (id, account_id, livemode, customer_id, status, created_at, ticket,
                           ended_at)
       values ('sub_open', 'acct_1', false, 'cus_1', 'past_due', now(), 1, null),
              ('sub_over', 'acct_1', false, 'cus_1', 'canceled', now(), 1, now());
insert into grants (user_id, product_id, source, source_id, since, cause, ended_at)
       values (1, 'prd_1', 'order', 'pi_live', now(), 'stripe', null),
              (2, 'prd_1', 'order', 'pi_over', now(), 'stripe', now());
"""


def fact(key: str, type_: ActivityType, user: int | None = None, source: str | None = None) -> Fact:
    return Fact(
        key=key,
        type=type_,
        at=datetime.now(UTC),
        cause=Cause.STRIPE,
        user_id=user,
        product_id="prd_1" if user else None,
        source_id=source,
    )


OLD = [
    fact("granted", ActivityType.ACCESS_GRANTED, 1, "another"),
    fact("gift ended", ActivityType.ACCESS_ENDED, 2),
    fact("paid", ActivityType.PRODUCT_PURCHASED, 2, "pi_over"),
    fact("paid later", ActivityType.PRODUCT_PURCHASED, 2, "pi_over"),
    fact("refunded", ActivityType.REFUNDED, None, "pi_live"),
    fact("open", ActivityType.SUBSCRIPTION_STARTED, None, "sub_open"),
    fact("over", ActivityType.SUBSCRIPTION_STARTED, None, "sub_over"),
    fact("cancelled", ActivityType.SUBSCRIPTION_CANCELLED, None, "sub_over"),
    fact("failed", ActivityType.PAYMENT_FAILED, None, "sub_open"),
    fact("signed in", ActivityType.SIGNED_IN, 1),
    fact("promoted", ActivityType.ROLE_CHANGED, 2),
]
"""Half of them say why somebody has access, or are a record."""
STAYING = {"granted", "paid later", "refunded", "open", "cancelled", "promoted"}


@pytest.fixture
async def fed(pool: Pool) -> Pool:
    """A feed that is 500 days old, and a line of today."""
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        await write_facts(connection, OLD)
        await connection.execute("update activities set recorded_at = now() - interval '500 days'")
        await write_facts(connection, [fact("today", ActivityType.SIGNED_IN, 2)])
    return pool


async def facts(pool: Pool) -> set[str]:
    return {row["fact"] for row in await pool.fetch("select fact from activities")}


@pytest.mark.parametrize("batch", [2, 1000])
async def test_old_lines_go_that_explain_no_access(
    fed: Pool, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(retention, "BATCH", batch)
    assert await retention.forget_lines(fed, older_than=LIFE) == len(OLD) - len(STAYING)
    assert await facts(fed) == STAYING | {"today"}
    assert await retention.forget_lines(fed, older_than=LIFE) == 0


async def test_what_was_kept_goes_once_nobody_has_access_by_it(fed: Pool) -> None:
    await retention.forget_lines(fed, older_than=LIFE)
    await fed.execute("update grants set ended_at = now()")
    await retention.forget_lines(fed, older_than=LIFE)
    assert await facts(fed) == STAYING - {"granted", "refunded"} | {"today"}


async def test_deleted_lines_are_not_written_again(fed: Pool) -> None:
    """An object is read again years later: that writes no line, and so no email and no webhook."""
    await retention.forget_lines(fed, older_than=LIFE)
    async with fed.acquire() as connection:
        await write_facts(connection, [*OLD, fact("new", ActivityType.SIGNED_IN, 1)])
    assert await facts(fed) == STAYING | {"today", "new"}


async def test_a_long_feed_is_looked_through_little_by_little(
    fed: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(retention, "MOST_LINES", 3)
    gone = [await retention.forget_lines(fed, older_than=LIFE) for _ in range(5)]
    assert gone == [2, 0, 2, 1, 0]
    assert await facts(fed) == STAYING | {"today"}
