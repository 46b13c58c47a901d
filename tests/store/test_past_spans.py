"""What had ended before it was known is counted as if it had been known, and nothing else is."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from latchkey.rules.past_spans import PAST
from latchkey.rules.reading import Customer, Item, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.figures import past
from latchkey.store.figures.movements import values
from latchkey.store.pool import Connection, Pool
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_recurring_spans import ACCOUNT, DAY, NOW, apply, item, reading

pytestmark = pytest.mark.anyio

CONTEXT = ApplyContext(ACCOUNT, 1, NOW, Cause.RECONCILIATION)
SPANS = f"""
with {values()}
select subscription_id, item_id, customer_id, stripe_product, price_id, quantity, discount, trial,
       since, until
  from spans order by 1, 2, trial desc
"""


def ended(*items: Item, days: float = 50, **changes: Any) -> Subscription:
    """A subscription that began a hundred days ago and ended `days` later."""
    at = NOW - 100 * DAY + timedelta(days=days)
    return reading("canceled", *items, **{"ended_at": at, **changes})


async def linked(connection: Connection) -> None:
    await connection.execute(
        """
        insert into products (id, slug, name) values ('p', 'p', 'P');
        insert into links (product_id, account_id, livemode, stripe_product, state)
        values ('p', 'acct_1', false, 'prod_1', 'listening');
        """
    )


async def counted(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(SPANS)]


class UndoneError(Exception):
    """Rolls an example back."""


@settings(
    max_examples=30,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(
    days=st.floats(-5, 120),
    trial=st.none() | st.floats(-5, 120),
    quantities=st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=3),
    discount=st.none() | st.integers(0, 900),
)
async def test_the_past_counts_as_it_would_had_it_been_known(
    pool: Pool,
    days: float,
    trial: float | None,
    quantities: list[int | None],
    discount: int | None,
) -> None:
    def later(given: float) -> datetime:
        return NOW - 100 * DAY + timedelta(days=given)

    items = [
        replace(item(f"si_{n}", quantity=quantity), discount=discount)
        for n, quantity in enumerate(quantities)
    ]
    read = ended(*items, ended_at=later(days), trial_end=None if trial is None else later(trial))
    try:
        async with pool.acquire() as connection, connection.transaction():
            await linked(connection)
            now = await connection.fetchval("select now()")
            await past.record(connection, [read], context=replace(CONTEXT, as_of=now))
            found = await counted(connection)
            await connection.execute("delete from past_spans")
            await apply(connection, read)
            assert found == await counted(connection)
            raise UndoneError
    except UndoneError:
        pass


async def test_only_what_is_over_and_sold_here_is_recorded(pool: Pool) -> None:
    other = replace(item(), stripe_product="prod_other")
    async with pool.acquire() as connection:
        await linked(connection)
        left_out = [
            reading(),
            reading("past_due"),
            reading("incomplete_expired", ended_at=NOW - DAY),
            ended(other),
            ended(created=NOW - PAST - 9 * DAY, ended_at=NOW - PAST - DAY),
            ended(item(quantity=0)),
        ]
        await past.record(connection, left_out, context=CONTEXT)
        assert await counted(connection) == []
        mine = ended(item(), replace(other, id="si_2"), created=NOW - 2 * PAST)
        for _ in range(2):
            await past.record(connection, [mine], context=CONTEXT)
        assert [row[1] for row in await counted(connection)] == ["si_1", "si_2"], "all its items"
        for table in ("subscriptions", "customers", "users", "grants", "activities", "mails"):
            assert await connection.fetchval(f"select count(*) from {table}") == 0, table


async def test_what_is_known_counts_once(pool: Pool) -> None:
    """Whichever of both was first."""
    async with pool.acquire() as connection:
        await linked(connection)
        await past.record(connection, [ended(id="sub_1")], context=CONTEXT)
        await apply(connection, ended(days=60))
        await past.record(connection, [ended()], context=CONTEXT)
        [row] = await counted(connection)
    assert row[-1] == NOW - 40 * DAY


async def test_a_discount_is_learned_later_and_not_forgotten(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection)
        for off in (None, 300, None):
            read = ended(replace(item(), discount=off))
            await past.record(connection, [read], context=CONTEXT)
        [row] = await counted(connection)
    assert row[6] == 300


async def test_a_customer_counts_under_the_id_that_is_known(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection)
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, customer_account)
            values ('cus_1', 'acct_1', false, 'acct_person')
            """
        )
        read = ended(customer=Customer("acct_person", account="acct_person"))
        await past.record(connection, [read], context=CONTEXT)
        [row] = await counted(connection)
    assert row[2] == "cus_1"
