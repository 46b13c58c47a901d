"""Money at risk: who is on the list and why, against a plain recomputation, and at which cost."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.rules.access import DISPUTE_OPEN
from latchkey.rules.vocabulary import Risk
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import at_risk
from latchkey.store.purchases.at_risk import AT_RISK, PAYMENT_PROBLEMS
from latchkey.store.purchases.billing_lists import BillingFilter
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

STATUSES = ("active", "trialing", "past_due", "unpaid", "canceled", "paused")
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def life(chance: random.Random, number: int) -> dict[str, Any]:
    """A subscription with its grants and a bill."""
    over = chance.random() < 0.2
    return {
        "id": f"sub_{number}",
        "status": chance.choice(STATUSES),
        "scheduled_end": chance.choice((None, None, NOW + 5 * DAY)),
        "ended_at": NOW - DAY if over else None,
        "past_due_since": NOW - 3 * DAY,
        "paused": chance.random() < 0.1,
        "price": chance.choice(("price_m", "price_y", "price_unknown")),
        "grants": [
            (chance.choice((None, NOW + 2 * DAY, NOW + 9 * DAY, NOW - DAY)), chance.random() < 0.2)
            for _ in range(chance.randrange(3))
        ],
        "dispute": chance.choice((None, None, "needs_response", "under_review", "won", "lost")),
        "disputed": chance.choice((None, 700)),
        "open_amount": chance.choice((None, 1234)),
        "period_start": chance.choice((None, NOW - 25 * DAY)),
        "period_end": NOW + chance.choice((-1, 5, 44, 46)) * DAY,
        "card_expires": chance.choice((None, NOW - 30 * DAY, NOW - DAY, NOW + 4 * DAY)),
    }


def kind_of(one: dict[str, Any]) -> tuple[Risk, datetime | None] | None:
    """Why a subscription is at risk, and when it ends, by a naive model."""
    if one["ended_at"] or one["status"] == "canceled":
        return None
    if one["status"] in ("past_due", "unpaid"):
        lasting = [until for until, ended in one["grants"] if not ended]
        lasting = [until for until in lasting if until is None or until > NOW]
        if not lasting:
            return Risk.PAST_DUE, None
        return Risk.GRACE, None if None in lasting else max(lasting)
    if one["paused"] or one["status"] not in ("active", "trialing"):
        return None
    if one["scheduled_end"]:
        return Risk.ENDING, one["scheduled_end"]
    soon = NOW < one["period_end"] <= NOW + 45 * DAY
    expires = one["card_expires"]
    paid_before = one["period_start"] and expires and expires <= one["period_start"]
    if soon and expires and expires <= one["period_end"] and not paid_before:
        return Risk.CARD, one["period_end"]
    return None


async def fill(connection: Connection, lives: list[dict[str, Any]]) -> None:
    await connection.execute(SHOP + "delete from subscriptions;")
    await connection.execute(
        """
        insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                   created_at, ticket, scheduled_end, ended_at, past_due_since,
                                   collection_paused, read_at, period_end, card_expires,
                                   open_amount, open_currency)
        select g.id, 'acct_1', true, 'cus_1', (select user_id from customers where id = 'cus_1'),
               g.status, $2, 1, g.scheduled_end, g.ended_at, g.past_due_since, g.paused, $2,
               g.period_end, g.card_expires, g.open_amount,
               case when g.open_amount is not null then 'eur' end
          from jsonb_to_recordset($1::jsonb) as g (id text, status text, scheduled_end timestamptz,
               ended_at timestamptz, past_due_since timestamptz, paused boolean,
               period_end timestamptz, card_expires timestamptz, open_amount bigint)
        """,
        json.loads(json.dumps(lives, default=str)),
        NOW,
    )
    for one in lives:
        await connection.execute(
            "insert into subscription_items (subscription_id, id, stripe_product, price_id,"
            " quantity, period_start) values ($1, $1 || '_i', 'prod_a', $2, 1, $3)",
            one["id"],
            one["price"],
            one["period_start"],
        )
        if one["dispute"]:
            await connection.execute(
                "insert into bills (id, subscription_id, dispute_status, dispute_amount,"
                " dispute_currency) values ($1, $2, $3, $4, 'eur')",
                f"in_{one['id']}",
                one["id"],
                one["dispute"],
                one["disputed"],
            )
        for number, (until, ended) in enumerate(one["grants"]):
            await connection.execute(
                """
                insert into grants (user_id, product_id, source, source_id, since, until, ended_at,
                                    cause)
                select c.user_id, $2, 'subscription', $1, $3, $4, $5, 'stripe'
                  from customers c where c.id = 'cus_1'
                """,
                one["id"],
                ("prd_a", "prd_b")[number],
                NOW - 9 * DAY,
                until,
                NOW - DAY if ended else None,
            )


@pytest.mark.parametrize("seed", range(3))
async def test_the_list_is_that_of_a_plain_recomputation(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    lives = [life(chance, number) for number in range(80)]
    wanted: dict[str, tuple[Risk, datetime | None]] = {}
    sums: dict[Risk, list[int | None]] = {}
    worth = {"price_m": 2900, "price_y": 9900, "price_unknown": None}
    for one in lives:
        if found := kind_of(one):
            wanted[one["id"]] = found
            is_open = one["open_amount"] if found[0] in PAYMENT_PROBLEMS else None
            sums.setdefault(found[0], []).append(is_open or worth[one["price"]])
        if one["dispute"] in DISPUTE_OPEN:
            wanted[f"in_{one['id']}"] = (Risk.DISPUTED, None)
            sums.setdefault(Risk.DISPUTED, []).append(one["disputed"] or worth[one["price"]])
    async with pool.acquire() as connection:
        await fill(connection, lives)
        rows = await AT_RISK.page(connection, BillingFilter(), limit=1000)
        totals = await at_risk.totals(connection, BillingFilter())
        problems = await AT_RISK.count(connection, BillingFilter(states=PAYMENT_PROBLEMS))
    assert {row.id: (row.kind, row.ends_at) for row in rows} == wanted
    assert [row.place for row in rows] == sorted(
        (row.place for row in rows), key=lambda place: (place.at, place.id), reverse=True
    )
    assert problems == sum(kind in PAYMENT_PROBLEMS for kind, _ in wanted.values())
    for kind, amounts in sums.items():
        ours = [total for total in totals if total.kind == kind]
        assert sum(total.count for total in ours) == len(amounts)
        assert sum(total.amount for total in ours) == sum(a for a in amounts if a is not None)
        assert sum(total.varying for total in ours) == amounts.count(None)
    [(currency, live, amount)] = at_risk.together(totals)
    assert (currency, live) == ("eur", True)
    assert amount == sum(a for amounts in sums.values() for a in amounts if a is not None)
    for row in rows:
        if row.kind == Risk.CARD:
            assert not row.exact


ORDERS = """
insert into orders (id, account_id, livemode, customer_id, user_id, state, currency, amount,
                    charged, amount_refunded, disputed, dispute_status, created_at, ticket)
select 'cs_' || g.status, 'acct_1', true, c.id, c.user_id, 'paid', 'jpy', 5000, 5000, 1000, true,
       g.status, now() - interval '9 days', 1
  from customers c, (values ('needs_response'), ('won'), ('lost')) g (status)
 where c.id = 'cus_1';
insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
select id, 'li_' || id, 'prod_a', 'price_m', 1, 5000 from orders;
insert into mails (key, kind, user_id, data, state)
select 'one', 'payment_problem', user_id, '{"source_id": "sub_5"}', 'sent' from customers
 where id = 'cus_1';
insert into mails (key, kind, user_id, data, state)
select 'two', 'payment_reminder', user_id, '{"source_id": "sub_5"}', 'suppressed' from customers
 where id = 'cus_1';
insert into mails (key, kind, user_id, data, state)
select 'three', 'product_access', user_id, '{"source_id": "sub_5"}', 'sent' from customers
 where id = 'cus_1';
"""


async def test_each_filter_and_what_a_row_says(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + ORDERS)
        for wanted, found in (
            ({}, {"sub_2", "sub_3", "sub_5", "cs_needs_response"}),
            ({"states": PAYMENT_PROBLEMS}, {"sub_2", "sub_5"}),
            ({"states": (Risk.ENDING,)}, {"sub_3"}),
            ({"product": "prd_a"}, {"sub_3", "sub_5", "cs_needs_response"}),
            ({"product": "prd_b"}, {"sub_2"}),
            ({"price": "price_y"}, {"sub_3", "sub_5"}),
            ({"livemode": False}, {"sub_3"}),
            ({"search": "cus_1"}, {"sub_5", "cs_needs_response"}),
            ({"search": "sub_2"}, {"sub_2"}),
            ({"search": "nameless"}, {"sub_3"}),
            ({"search": "nobody at all"}, set()),
        ):
            rows = await AT_RISK.page(connection, BillingFilter(**wanted), limit=100)
            assert {row.id for row in rows} == found, wanted
        rows = await AT_RISK.page(connection, BillingFilter(), limit=100)
    known = {row.id: row for row in rows}
    disputed = known["cs_needs_response"]
    assert (disputed.amount, disputed.currency, disputed.products) == (4000, "jpy", "Course")
    assert (known["sub_5"].mail_kind, known["sub_2"].mail_kind) == ("payment_problem", None)


async def test_only_what_is_at_risk_is_read(pool: Pool) -> None:
    """So that the page costs what is at risk, not what there is: no table is read as a whole."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into customers (id, account_id, livemode)
            select 'cus_' || n, 'acct_1', true from generate_series(1, 5000) n;
            insert into subscriptions (id, account_id, livemode, customer_id, status, created_at,
                                       ticket)
            select 'sub_' || n, 'acct_1', true, 'cus_' || n,
                   case when n % 100 = 0 then 'past_due' else 'active' end,
                   now() - n * interval '1 hour', 1
              from generate_series(1, 5000) n;
            insert into bills (id, subscription_id, dispute_status)
            select 'in_' || n, 'sub_' || n, case when n % 1000 = 0 then 'needs_response' end
              from generate_series(1, 5000) n;
            insert into orders (id, account_id, livemode, state, created_at, ticket)
            select 'cs_' || n, 'acct_1', true, 'paid', now() - n * interval '1 hour', 1
              from generate_series(1, 5000) n;
            analyze customers, subscriptions, orders, bills;
            """
        )
        query, values = await AT_RISK.query(connection, BillingFilter(), after=None, limit=51)
        lines = await connection.fetch(f"explain {query}", *values)
    plan = "\n".join(line[0] for line in lines)
    for index in (
        "subscriptions_by_phase",
        "subscriptions_card_expiring",
        "orders_by_money_state",
        "bills_disputed",
    ):
        assert index in plan, plan
    for table in ("subscriptions", "orders", "bills"):
        assert f"Seq Scan on {table} " not in plan, plan
