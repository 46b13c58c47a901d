"""What each subscription item was worth, and when: recorded as subscriptions are applied."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from latchkey.rules.reading import Customer, Item, Subscription
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import subscription_mirror
from latchkey.store.stripe.context import Account

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", livemode=False)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    item: str
    price: str
    quantity: int
    trial: bool
    since: datetime
    until: datetime | None


def item(name: str = "si_1", price: str = "price_1", quantity: int | None = 1) -> Item:
    return Item(name, "prod_1", price, quantity, NOW, NOW + 30 * DAY)


def reading(status: str = "active", *items: Item, **changes: Any) -> Subscription:
    made = Subscription(
        id="sub_1",
        livemode=False,
        customer=Customer("cus_1", "p@x.example", known=True),
        status=status,
        items=items or (item(),),
        items_complete=True,
        created=NOW - 100 * DAY,
        cancel_at=None,
        cancel_at_period_end=False,
        canceled_at=None,
        ended_at=None,
        cancel_reason=None,
        cancelled_by_customer=False,
        trial_end=None,
        collection_paused=False,
        resumes_at=None,
    )
    return replace(made, **changes)


async def apply(connection: Connection, read: Subscription, *, ticket: int = 1) -> datetime:
    """Store a reading in a transaction of its own; returns when that was."""
    async with connection.transaction():
        await connection.execute(
            "insert into customers (id, account_id, livemode) values ('cus_1', 'acct_1', false)"
            " on conflict do nothing"
        )
        await subscription_mirror.make(connection, [read], users={}, account=ACCOUNT)
        row = subscription_mirror.row_of(
            read,
            state="",
            wake_at=None,
            wake=None,
            past_due_since=None,
            cancellations=0,
            checkout_session=None,
        )
        await subscription_mirror.write(connection, [row], [read], ticket=ticket)
        at: datetime = await connection.fetchval("select now()")
    return at


async def recorded(connection: Connection) -> list[Span]:
    rows = await connection.fetch(
        """
        select item_id as item, price_id as price, quantity, trial, since, until
          from recurring_spans order by item_id, since, id
        """
    )
    return [Span(**dict(row)) for row in rows]


async def test_a_change_of_plan_ends_one_stretch_and_begins_the_next(pool: Pool) -> None:
    created = NOW - 100 * DAY
    async with pool.acquire() as connection:
        await apply(connection, reading())
        again = await apply(connection, reading())
        changed = await apply(connection, reading("past_due", item(price="price_2", quantity=3)))
        ended = NOW - timedelta(seconds=3)
        await apply(connection, reading("canceled", item(price="price_2"), ended_at=ended))
        found = await recorded(connection)
    assert again < changed
    assert found == [
        Span("si_1", "price_1", 1, False, created, changed),
        Span("si_1", "price_2", 3, False, changed, max(changed, ended)),
    ]


async def discounts(connection: Connection) -> list[tuple[int | None, datetime, datetime | None]]:
    rows = await connection.fetch(
        "select discount, since, until from recurring_spans order by since, id"
    )
    return [tuple(row) for row in rows]


def off(amount: int | None, **changes: Any) -> Subscription:
    return reading("active", replace(item(**changes), discount=amount))


async def test_another_discount_ends_one_stretch_and_begins_the_next(pool: Pool) -> None:
    began = NOW - 100 * DAY
    async with pool.acquire() as connection:
        await apply(connection, off(500))
        await apply(connection, off(500))
        less = await apply(connection, off(200))
        none = await apply(connection, off(0))
        found = await discounts(connection)
    assert found == [(500, began, less), (200, less, none), (0, none, None)]


async def test_a_discount_that_is_learned_later_counts_from_the_beginning(pool: Pool) -> None:
    """As after an update, or once the key may read coupons: nothing has changed in Stripe."""
    async with pool.acquire() as connection:
        await apply(connection, off(None))
        await apply(connection, off(None))
        await apply(connection, off(300))
        assert await discounts(connection) == [(300, NOW - 100 * DAY, None)]


async def test_a_read_that_does_not_know_the_discount_changes_none(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await apply(connection, off(300))
        await apply(connection, off(None))
        assert await discounts(connection) == [(300, NOW - 100 * DAY, None)]
        moved = await apply(connection, off(None, price="price_2"))
        found = await discounts(connection)
    assert found == [(300, NOW - 100 * DAY, moved), (None, moved, None)]


async def test_an_item_that_is_gone_and_a_metered_one_bring_nothing(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await apply(
            connection, reading("active", item(), item("si_2"), item("si_3", quantity=None))
        )
        gone = await apply(connection, reading("active", item("si_2", quantity=0)))
        found = await recorded(connection)
    assert [(span.item, span.until) for span in found] == [("si_1", gone), ("si_2", gone)]


async def test_a_trial_that_is_paid_for_begins_to_count_when_it_ends(pool: Pool) -> None:
    over = NOW - timedelta(minutes=1)
    async with pool.acquire() as connection:
        await apply(connection, reading("trialing", trial_end=NOW + DAY))
        await apply(connection, reading("active", trial_end=over))
        found = await recorded(connection)
    began = NOW - 100 * DAY
    assert found == [
        Span("si_1", "price_1", 1, True, began, over),
        Span("si_1", "price_1", 1, False, over, None),
    ]


@pytest.mark.parametrize("status", ["unpaid", "paused", "incomplete"])
async def test_nothing_counts_while_it_is_not_paid(pool: Pool, status: str) -> None:
    async with pool.acquire() as connection:
        await apply(connection, reading())
        stopped = await apply(connection, reading(status))
        back = await apply(connection, reading())
        found = await recorded(connection)
    assert [(span.since, span.until) for span in found[1:]] == [(back, None)]
    assert found[0].until == stopped


async def test_a_paused_collection_brings_nothing(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await apply(connection, reading())
        paused = await apply(connection, reading(collection_paused=True))
        found = await recorded(connection)
    assert [span.until for span in found] == [paused]


CREATED = NOW - 100 * DAY
PAST: list[tuple[Subscription, list[tuple[bool, int, int | None]]]] = [
    (reading(), [(False, 0, None)]),
    (reading(trial_end=CREATED + 7 * DAY), [(True, 0, 7), (False, 7, None)]),
    (reading("trialing", trial_end=NOW + DAY), [(True, 0, None)]),
    (reading("canceled", ended_at=CREATED + 50 * DAY), [(False, 0, 50)]),
    (
        reading("canceled", trial_end=CREATED + 7 * DAY, ended_at=CREATED + 50 * DAY),
        [(True, 0, 7), (False, 7, 50)],
    ),
    (
        reading("canceled", trial_end=CREATED + 7 * DAY, ended_at=CREATED + 7 * DAY),
        [(True, 0, 7)],
    ),
    (
        reading("canceled", trial_end=CREATED + 7 * DAY, ended_at=CREATED + 3 * DAY),
        [(True, 0, 3)],
    ),
    (reading("paused", trial_end=CREATED + 7 * DAY), [(True, 0, 7)]),
    (reading("incomplete"), []),
    (reading("incomplete_expired", ended_at=CREATED + DAY), []),
]


@pytest.mark.parametrize(("read", "expected"), PAST)
async def test_what_is_imported_brings_its_past_along(
    pool: Pool, read: Subscription, expected: list[tuple[bool, int, int | None]]
) -> None:
    async with pool.acquire() as connection:
        await apply(connection, read)
        found = await recorded(connection)
        imported = await connection.fetchval("select bool_and(imported) from recurring_spans")
    assert [(span.trial, span.since, span.until) for span in found] == [
        (trial, CREATED + since * DAY, None if until is None else CREATED + until * DAY)
        for trial, since, until in expected
    ]
    assert imported in (True, None)


async def test_a_new_subscription_is_exact_from_its_first_day(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await apply(connection, reading(created=NOW))
        assert not await connection.fetchval("select imported from recurring_spans")


async def test_a_reading_whose_transaction_began_earlier_follows_the_last_change(
    pool: Pool,
) -> None:
    """Two readings of a subscription at once: what the second one ends doesn't go on beside it."""
    async with pool.acquire() as early, pool.acquire() as late:
        await apply(late, reading())
        async with early.transaction():
            began = await early.fetchval("select now()")
            changed = await apply(late, reading("active", item(price="price_2")))
            await apply(early, reading("active", item(price="price_3")))
        paused = await apply(late, reading(collection_paused=True))
        async with early.transaction():
            await early.fetchval("select now()")
            again = await apply(late, reading())
            stopped = await apply(late, reading("unpaid"))
            await apply(early, reading())
        found = await recorded(late)
    assert began < changed
    assert [(span.price, span.since, span.until) for span in found] == [
        ("price_1", NOW - 100 * DAY, changed),
        ("price_2", changed, changed),
        ("price_3", changed, paused),
        ("price_1", again, stopped),
        ("price_1", stopped, None),
    ]


async def test_recording_reads_only_the_rows_of_its_subscriptions(pool: Pool) -> None:
    """Whatever Postgres believes about tables that were never analyzed."""
    async with pool.acquire() as connection, pool.acquire() as fresh:
        for n in range(12):
            await apply(connection, reading("active", item(f"si_{n}"), id=f"sub_{n}"))
        async with fresh.transaction():
            await fresh.execute("select record_recurring_spans('{sub_1, sub_2}')")
            scans = await fresh.fetch(
                """
                select relname from pg_stat_xact_user_tables where seq_scan > 0
                union all
                select indexrelname from pg_stat_user_indexes
                 where relname = 'recurring_spans' and pg_stat_get_xact_numscans(indexrelid) > 0
                """
            )
    assert [row["relname"] for row in scans] == ["recurring_spans_by_subscription"]


READINGS = st.lists(
    st.builds(
        reading,
        st.sampled_from(
            ("active", "active", "past_due", "trialing", "unpaid", "paused", "canceled")
        ),
        st.builds(
            item,
            st.just("si_1"),
            st.sampled_from(("price_1", "price_2")),
            st.sampled_from((1, 2, 0, None)),
        ),
        st.builds(item, st.just("si_2"), st.just("price_1"), st.sampled_from((1, 2, 0, None))),
        trial_end=st.sampled_from((None, CREATED + 7 * DAY, NOW + 7 * DAY)),
        ended_at=st.sampled_from((None, None, None, NOW - DAY)),
        collection_paused=st.sampled_from((False, False, True)),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=60,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(readings=READINGS)
async def test_what_is_open_is_what_was_read_last(pool: Pool, readings: list[Subscription]) -> None:
    """Whatever comes after whatever: what counts now is what the last reading says, and the
    stretches of an item follow one another without overlapping."""
    async with pool.acquire() as connection:
        await connection.execute("delete from subscriptions")
        for read in readings:
            await apply(connection, read)
            pays = (
                read.status in ("active", "past_due", "trialing")
                and not read.ended_at
                and not read.collection_paused
            )
            found = await recorded(connection)
            now = [(s.item, s.price, s.quantity, s.trial) for s in found if s.until is None]
            assert now == [
                (i.id, i.price_id, i.quantity, read.status == "trialing")
                for i in read.items
                if pays and i.quantity
            ]
            for name in ("si_1", "si_2"):
                own = [span for span in found if span.item == name]
                for earlier, later in pairwise(own):
                    assert earlier.until is not None
                    assert earlier.since <= earlier.until <= later.since
