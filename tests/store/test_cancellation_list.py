"""The list of cancellations: filters, counts of reasons, who came back, and its index."""

import pytest

from latchkey.rules.vocabulary import CancelReason
from latchkey.store.pool import Pool
from latchkey.store.purchases import cancellation_list
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.cancellation_list import CANCELLATIONS
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

CANCELLED = """
update subscriptions set canceled_at = now() - interval '2 days', cancel_feedback = 'unused',
       cancel_comment = 'No time' where id = 'sub_3';
update subscriptions set canceled_at = now() - interval '1 day', cancel_reason = 'payment_failed'
 where id = 'sub_4';
update subscriptions set canceled_at = now() - interval '5 days', ended_at = now(),
       cancel_feedback = 'a_new_word' where id = 'sub_5';
update subscriptions set canceled_at = now() - interval '6 days', cancel_feedback = 'unused'
 where id = 'sub_2';
"""


async def test_each_filter_and_the_counts_of_reasons(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + CANCELLED)
        for wanted, found in (
            ({}, ["sub_4", "sub_3", "sub_5", "sub_2"]),
            ({"states": (CancelReason.UNUSED,)}, ["sub_3", "sub_2"]),
            ({"states": (CancelReason.PAYMENT_FAILED,)}, ["sub_4"]),
            ({"product": "prd_b"}, ["sub_2"]),
            ({"price": "price_y"}, ["sub_3", "sub_5"]),
            ({"livemode": False}, ["sub_3"]),
            ({"search": "cus_4"}, ["sub_4"]),
            ({"search": "sub_5"}, ["sub_5"]),
            ({"search": "nameless"}, ["sub_3"]),
        ):
            rows = await CANCELLATIONS.page(connection, BillingFilter(**wanted), limit=100)
            assert [row.id for row in rows] == found, wanted
            counts = await cancellation_list.reasons(connection, BillingFilter(**wanted))
            assert sum(counts.values()) == len(found), wanted
        counts = await cancellation_list.reasons(connection, BillingFilter())
        assert counts == {"unused": 2, "a_new_word": 1, "payment_failed": 1}
        rows = await CANCELLATIONS.page(connection, BillingFilter(), limit=100)
    known = {row.id: row for row in rows}
    assert known["sub_5"].back, "Anna has a subscription that began later"
    assert not known["sub_2"].back
    assert (known["sub_3"].comment, known["sub_3"].over, known["sub_5"].over) == (
        "No time",
        False,
        True,
    )


async def test_a_page_is_read_from_an_index_in_its_order(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into customers (id, account_id, livemode)
            select 'cus_' || n, 'acct_1', true from generate_series(1, 3000) n;
            insert into subscriptions (id, account_id, livemode, customer_id, status, created_at,
                                       ticket, canceled_at)
            select 'sub_' || n, 'acct_1', true, 'cus_' || n, 'active', now(), 1,
                   case when n % 3 = 0 then now() - n * interval '1 hour' end
              from generate_series(1, 3000) n;
            analyze customers, subscriptions;
            """
        )
        query, values = await CANCELLATIONS.query(connection, BillingFilter(), after=None, limit=51)
        lines = await connection.fetch(f"explain {query}", *values)
    plan = "\n".join(line[0] for line in lines)
    assert "subscriptions_by_cancellation" in plan, plan
