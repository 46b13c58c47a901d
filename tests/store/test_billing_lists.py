"""The lists of subscriptions, purchases and customers: which rows a filter holds, in which order,
and by which index."""

import itertools
import random
from typing import Any

import pytest

from latchkey.rules.vocabulary import CustomerState, MoneyState, SubscriptionPhase
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import billing_lists, customer_list
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, ListOrder, ListPlace
from latchkey.store.purchases.customer_list import CUSTOMERS
from latchkey.store.purchases.purchase_list import COMPLETED, PURCHASES, RETURNED
from latchkey.store.purchases.subscription_list import RUNNING, SUBSCRIPTIONS
from web import places
from web.pages.admin import customers, purchases, subscriptions
from web.pages.admin.billing_lists import AdminList

pytestmark = pytest.mark.anyio

SHOP = """
insert into users (email, email_key, name)
values ('anna@x.example', 'anna@x.example', 'Anna Ärmel'),
       ('joanna@x.example', 'joanna@x.example', 'Jo'),
       ('bo@x.example', 'bo@x.example', null);
insert into user_addresses (email, email_key, user_id, source)
select 'second@y.example', 'second@y.example', id, 'claim' from users where name = 'Jo';
insert into products (id, slug, name) values ('prd_a', 'a', 'A'), ('prd_b', 'b', 'B');
insert into links (product_id, account_id, livemode, stripe_product, state)
values ('prd_a', 'acct_1', true, 'prod_a', 'listening'),
       ('prd_b', 'acct_1', true, 'prod_b', 'listening');
insert into stripe_products (id, account_id, livemode, name, active, created_at, ticket)
values ('prod_a', 'acct_1', true, 'Course', true, now(), 1);
insert into prices (id, account_id, livemode, stripe_product, active, type, currency, unit_amount,
                    interval, interval_count, created_at, ticket)
values ('price_m', 'acct_1', true, 'prod_a', true, 'recurring', 'eur', 2900, 'month', 1, now(), 1),
       ('price_y', 'acct_1', true, 'prod_a', true, 'recurring', 'eur', 9900, 'year', 1, now(), 1);
insert into customers (id, account_id, livemode, user_id, email, name, added_at, deleted)
select g.id, 'acct_1', g.livemode, u.id, g.email, g.name, now() - g.n * interval '1 day', g.deleted
  from (values ('cus_1', true, 'anna@x.example', 'anna@x.example', 'Anna at Stripe', 1, false),
               ('cus_2', true, 'joanna@x.example', 'work@z.example', null, 2, true),
               ('cus_3', false, 'bo@x.example', null, 'Nameless', 3, false),
               ('cus_4', true, null, 'lone@x.example', 'Lone', 4, false))
       g (id, livemode, owner, email, name, n, deleted)
  left join users u on u.email_key = g.owner;
insert into subscriptions (id, account_id, livemode, customer_id, user_id, status, created_at,
                           ticket, scheduled_end, ended_at, checkout_session)
select g.id, 'acct_1', c.livemode, c.id, c.user_id, g.status, now() - g.n * interval '1 day', 1,
       case when g.ends then now() + interval '5 days' end, case when g.over then now() end,
       'cs_of_' || g.id
  from (values ('sub_1', 'cus_1', 'active', 1, false, false),
               ('sub_2', 'cus_2', 'past_due', 2, false, false),
               ('sub_3', 'cus_3', 'trialing', 3, true, false),
               ('sub_4', 'cus_4', 'canceled', 4, false, true),
               ('sub_5', 'cus_1', 'unpaid', 5, false, false))
       g (id, customer, status, n, ends, over)
  join customers c on c.id = g.customer;
insert into subscription_items (subscription_id, id, stripe_product, price_id, quantity)
values ('sub_1', 'si_1', 'prod_a', 'price_m', 3), ('sub_2', 'si_2', 'prod_b', 'price_b', 1),
       ('sub_3', 'si_3', 'prod_a', 'price_y', 1), ('sub_4', 'si_4', 'prod_a', 'price_m', 1),
       ('sub_5', 'si_5', 'prod_a', 'price_m', 1), ('sub_5', 'si_6', 'prod_a', 'price_y', 1);
"""


ORDERS = """
insert into orders (id, account_id, livemode, customer_id, user_id, email, email_key, name, state,
                    payment_intent, invoice, currency, amount, charged, amount_refunded,
                    credited_after, created_at, ticket)
select g.id, 'acct_1', g.n <> 3, c.id, c.user_id, g.email, g.email, g.name, g.state, 'pi_' || g.id,
       'in_' || g.id, 'jpy', 2900, case when g.state = 'paid' then 2900 else 0 end, g.refunded,
       g.credited, now() - g.n * interval '1 day', 1
  from (values ('cs_1', 'cus_1', null, null, 'paid', 0, 0, 1),
               ('cs_2', 'cus_2', 'else@w.example', 'Elsa', 'paid', 2900, 0, 2),
               ('cs_3', null, 'guest@w.example', 'Guest', 'paid', 500, 0, 3),
               ('cs_4', 'cus_1', null, null, 'failed', 0, 0, 4),
               ('cs_5', 'cus_1', null, null, 'paid', 0, 2900, 5))
       g (id, customer, email, name, state, refunded, credited, n)
  left join customers c on c.id = g.customer;
insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
select id, 'li_' || id, case id when 'cs_2' then 'prod_b' else 'prod_a' end,
       case id when 'cs_5' then 'price_once' else 'price_m' end, 1, 2900
  from orders;
"""


async def test_each_filter_of_purchases(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + ORDERS)
        anna = await connection.fetchval("select id from users where email_key = 'anna@x.example'")
        day_3 = await connection.fetchval("select created_at from orders where id = 'cs_3'")
        for wanted, found in (
            ({}, "12345"),
            ({"states": COMPLETED}, "1235"),
            ({"states": RETURNED}, "235"),
            ({"states": (MoneyState.REFUNDED,)}, "2"),
            ({"states": (MoneyState.PARTLY_REFUNDED,), "since": day_3}, "3"),
            ({"states": (MoneyState.PARTLY_REFUNDED,), "until": day_3}, ""),
            ({"product": "prd_b"}, "2"),
            ({"price": "price_once"}, "5"),
            ({"livemode": False}, "3"),
            ({"user_id": anna}, "145"),
            ({"customer_id": "cus_2"}, "2"),
            ({"search": "cs_4"}, "4"),
            ({"search": "pi_cs_3"}, "3"),
            ({"search": "in_cs_5"}, "5"),
            ({"search": "cus_1"}, "145"),
            ({"search": "anna@x.example"}, "145"),
            ({"search": "Guest@W.example"}, "3"),
            ({"search": "else@w.example"}, "2"),
            ({"search": "joanna"}, "2"),
        ):
            assert await ids(connection, PURCHASES, **wanted) == found, wanted
        assert await ids(connection, CUSTOMERS, price="price_once") == "1"
        guest = await PURCHASES.find(connection, "cs_3")
        assert guest is not None
        assert (guest.customer_id, guest.customer_email, guest.customer_name) == (
            None,
            "guest@w.example",
            "Guest",
        )
        assert [(line.stripe_product, line.amount) for line in guest.lines] == [("prod_a", 2900)]


async def ids(connection: Connection, source: BillingList[Any], **wanted: Any) -> str:
    """What a filter finds: the numbers in the rows' ids, which are those of their days."""
    filtered = BillingFilter(**wanted)
    rows = await source.page(connection, filtered, limit=100)
    assert await source.count(connection, filtered) == len(rows)
    return "".join(row.place.id[-1] for row in rows)


async def test_each_filter_of_subscriptions(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        anna = await connection.fetchval("select id from users where email_key = 'anna@x.example'")
        day_3 = await connection.fetchval("select created_at from subscriptions where id = 'sub_3'")
        for wanted, found in (
            ({}, "12345"),
            ({"states": RUNNING}, "1235"),
            ({"states": (SubscriptionPhase.PAYMENT_PROBLEM,)}, "25"),
            ({"states": (SubscriptionPhase.ENDING,)}, "3"),
            ({"states": (SubscriptionPhase.ENDED,)}, "4"),
            ({"product": "prd_a"}, "1345"),
            ({"product": "prd_b"}, "2"),
            ({"product": "prd_unknown"}, ""),
            ({"price": "price_y"}, "35"),
            ({"product": "prd_a", "states": (SubscriptionPhase.PAYMENT_PROBLEM,)}, "5"),
            ({"livemode": False}, "3"),
            ({"since": day_3}, "123"),
            ({"until": day_3}, "45"),
            ({"user_id": anna}, "15"),
            ({"customer_id": "cus_4"}, "4"),
            ({"search": "sub_2"}, "2"),
            ({"search": "cus_1"}, "15"),
            ({"search": "cs_of_sub_5"}, "5"),
            ({"search": "cus_none"}, ""),
            ({"search": "anna@x.example"}, "15"),
            ({"search": "ANNA@X.example"}, "15"),
            ({"search": "anna"}, "125"),
            ({"search": "ärmel"}, "15"),
            ({"search": "at stripe"}, "15"),
            ({"search": "second@y.example"}, "2"),
            ({"search": "work@z"}, "2"),
            ({"search": "nameless"}, "3"),
            ({"search": "lone@x.example"}, "4"),
            ({"search": "b"}, "3"),
            ({"search": "anna", "price": "price_y"}, "5"),
        ):
            assert await ids(connection, SUBSCRIPTIONS, **wanted) == found, wanted


async def test_each_filter_of_customers(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        day_3 = await connection.fetchval("select added_at from customers where id = 'cus_3'")
        for few in (True, False):
            monkeypatch.setattr(customer_list, "MOST_BUYERS", 5000 if few else 0)
            for wanted, found in (
                ({}, "1234"),
                ({"states": (CustomerState.KNOWN,)}, "123"),
                ({"states": (CustomerState.UNKNOWN,)}, "4"),
                ({"states": (CustomerState.DELETED,)}, "2"),
                ({"product": "prd_a"}, "134"),
                ({"product": "prd_b"}, "2"),
                ({"price": "price_y"}, "13"),
                ({"livemode": True}, "124"),
                ({"until": day_3}, "4"),
                ({"search": "cus_3"}, "3"),
                ({"search": "sub_5"}, "1"),
                ({"search": "cs_of_sub_4"}, "4"),
                ({"search": "work@z.example"}, "2"),
                ({"search": "lone"}, "4"),
                ({"search": "jo"}, "2"),
            ):
                assert await ids(connection, CUSTOMERS, **wanted) == found, wanted


@pytest.mark.parametrize("most", [billing_lists.MOST_FOUND, 0])
@pytest.mark.parametrize("many", [text_search._MANY, 0])
async def test_however_many_people_match_their_rows_are_found(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, most: int, many: int
) -> None:
    monkeypatch.setattr(billing_lists, "MOST_FOUND", most)
    monkeypatch.setattr(text_search, "_MANY", many)
    oldest = ListOrder("created_at", ascending=True)
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        for search, found in (("x.example", "12345"), ("anna", "125"), ("nameless", "3")):
            wanted = BillingFilter(search=search)
            assert await ids(connection, SUBSCRIPTIONS, search=search) == found
            rows = await SUBSCRIPTIONS.page(connection, wanted, limit=9, order=oldest)
            assert "".join(row.id[-1] for row in reversed(rows)) == found
        assert await ids(connection, CUSTOMERS, search="joanna") == "2"


async def test_amounts_are_those_of_all_items_where_they_can_be_added(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        rows = await SUBSCRIPTIONS.page(connection, BillingFilter(), limit=10)
        costs = {row.id: (row.amount, row.currency, row.interval) for row in rows}
        assert costs["sub_1"] == (8700, "eur", "month")
        assert costs["sub_3"] == (9900, "eur", "year")
        assert costs["sub_2"][0] is None, "its price isn't known"
        assert costs["sub_5"][0] is None, "monthly and yearly"
        assert await SUBSCRIPTIONS.find(connection, "sub_5") == rows[4]
        assert [item.price for item in rows[4].items] == ["price_m", "price_y"]
        assert await SUBSCRIPTIONS.find(connection, "sub_none") is None
        first = await CUSTOMERS.find(connection, "cus_1")
        assert first is not None
        assert (first.subscriptions, first.running_subscriptions, first.products) == (
            2,
            2,
            "Course",
        )


def phase(status: str, *, ends: bool, over: bool, paused: bool) -> str:
    """The phase by a naive model."""
    if over or status in ("canceled", "incomplete_expired"):
        return "ended"
    if status in ("past_due", "unpaid"):
        return "payment_problem"
    if status in ("incomplete", "paused"):
        return status
    if status not in ("active", "trialing"):
        return "other"
    return "paused" if paused else "ending" if ends else status


async def test_every_subscription_has_one_phase(pool: Pool) -> None:
    statuses = (
        "incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid",
        "paused", "from_the_future",
    )  # fmt: skip
    both = (False, True)
    cases = list(itertools.product(statuses, both, both, both))
    async with pool.acquire() as connection:
        await connection.execute(
            "insert into customers (id, account_id, livemode) values ('cus_1', 'acct_1', true)"
        )
        rows = await connection.fetch(
            """
            insert into subscriptions (id, account_id, livemode, customer_id, status, created_at,
                                       ticket, scheduled_end, ended_at, collection_paused)
            select n, 'acct_1', true, 'cus_1', status, now(), 1, case when ends then now() end,
                   case when over then now() end, paused
              from unnest($1::text[], $2::text[], $3::bool[], $4::bool[], $5::bool[])
                   as g (n, status, ends, over, paused)
            returning id, phase
            """,
            [str(n) for n in range(len(cases))],
            *(list(column) for column in zip(*cases, strict=True)),
        )
    for row in rows:
        status, ends, over, paused = cases[int(row["id"])]
        assert row["phase"] == phase(status, ends=ends, over=over, paused=paused)
    assert {row["phase"] for row in rows} == set(SubscriptionPhase)


async def test_pages_have_every_row_once_whatever_their_size(pool: Pool) -> None:
    """Many begin in the same second, as after an import."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, added_at)
            select 'cus_' || n, 'acct_1', true, now() - n / 5 * interval '1 s'
              from generate_series(1, 23) n
            """
        )
        every = await CUSTOMERS.page(connection, BillingFilter(), limit=100)
        assert len(every) == 23
        for size in (1, 4, 22):
            found, after = [], None
            while rows := await CUSTOMERS.page(
                connection, BillingFilter(), after=after, limit=size
            ):
                found += rows
                after = places.place_of(places.written(rows[-1].place))
                assert after == rows[-1].place
            assert found == every
    chunks = [row async for rows in CUSTOMERS.everything(pool, BillingFilter()) for row in rows]
    assert chunks == every


@pytest.mark.parametrize(
    "text", [None, "", "12", "12.", "x.cus_1", "-1.cus_1", ".cus_1", "9" * 18 + ".cus_1", "1.\0"]
)
def test_a_place_that_no_page_named_is_none(text: str | None) -> None:
    assert places.place_of(text) is None


async def test_a_page_is_read_from_an_index_in_its_order(pool: Pool) -> None:
    """So that it costs the same however long the list is: nothing is sorted."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, added_at)
            select 'cus_' || n, 'acct_1', true, now() - n * interval '1 hour'
              from generate_series(1, 3000) n;
            insert into subscriptions (id, account_id, livemode, customer_id, status, created_at,
                                       ticket)
            select 'sub_' || n, 'acct_1', true, 'cus_' || n,
                   case when n % 50 = 0 then 'past_due' else 'active' end,
                   now() - n * interval '1 hour', 1
              from generate_series(1, 3000) n;
            insert into orders (id, account_id, livemode, state, created_at, ticket)
            select 'cs_' || n, 'acct_1', true, case when n % 50 = 0 then 'failed' else 'paid' end,
                   now() - n * interval '1 hour', 1
              from generate_series(1, 3000) n;
            analyze customers, subscriptions, orders;
            """
        )
        place = await SUBSCRIPTIONS.page(connection, BillingFilter(), limit=2000)
        problem = BillingFilter(states=(SubscriptionPhase.PAYMENT_PROBLEM,))
        plans = (
            (SUBSCRIPTIONS, BillingFilter(), None, "subscriptions_by_time"),
            (SUBSCRIPTIONS, BillingFilter(livemode=True), place[-1].place, "subscriptions_by_time"),
            (SUBSCRIPTIONS, problem, None, "subscriptions_by_phase"),
            (CUSTOMERS, BillingFilter(), None, "customers_by_time"),
            (PURCHASES, BillingFilter(), None, "orders_by_time"),
            (PURCHASES, BillingFilter(states=(MoneyState.FAILED,)), None, "orders_by_money_state"),
        )
        for source, wanted, after, index in plans:
            plan = await planned(connection, source, wanted, after)
            assert index in plan, plan


async def planned(
    connection: Connection, source: BillingList[Any], wanted: BillingFilter, after: ListPlace | None
) -> str:
    """How Postgres finds the rows of a page."""
    query, values = await source.query(connection, wanted, after=after, limit=51)
    rows = await connection.fetch(f"explain {query}", *values)
    return "\n".join(row[0] for row in rows)


def bought(chance: random.Random, number: int, customer: str) -> dict[str, Any]:
    """An order with money that came and went."""
    state = chance.choice(("paid", "paid", "paid", "pending", "failed", "none"))
    charged = chance.choice((0, 900, 5000, 2**63 - 1)) if state == "paid" else 0
    return {
        "id": f"cs_{number}",
        "customer_id": customer,
        "currency": chance.choice(("eur", "jpy", "eur", None)),
        "state": state,
        "amount": max(charged, chance.choice((0, 1000, 5000))),
        "charged": charged,
        "amount_refunded": chance.choice((0, 0, charged // 3, charged)),
        "credited_before": chance.choice((0, 0, 700)),
        "credited_after": chance.choice((0, 0, 300, 9000)),
        "dispute_status": chance.choice((None, None, "lost", "won", "needs_response")),
    }


def came_in(order: dict[str, Any]) -> int | None:
    """What an order brought, by a naive model; None for one that isn't complete."""
    amount: int = order["amount"]
    charged: int = order["charged"]
    after: int = order["credited_after"]
    credited = order["credited_before"] + after
    settled = amount > 0 and credited > 0 and amount <= credited + order["amount_refunded"]
    if order["state"] != "paid" and not settled:
        return None
    if order["state"] == "paid" and order["dispute_status"] == "lost":
        return 0
    refunded: int = order["amount_refunded"]
    left = charged - refunded - after if charged else amount - credited
    return max(0, left)


async def test_a_customers_amounts_are_what_came_in_less_what_went_back(pool: Pool) -> None:
    """For any orders, per currency; and nobody's are another one's."""
    chance = random.Random(7)
    customers = [f"cus_{n}" for n in range(80)]
    owners = [owner for owner in customers for _ in range(chance.randrange(12))]
    orders = [bought(chance, n, owner) for n, owner in enumerate(owners)]
    async with pool.acquire() as connection:
        await connection.execute(
            "insert into customers (id, account_id, livemode)"
            " select id, 'acct_1', true from unnest($1::text[]) as g (id)",
            customers,
        )
        await connection.execute(
            """
            insert into orders (id, account_id, livemode, customer_id, currency, state, amount,
                                charged, amount_refunded, credited_before, credited_after,
                                disputed, dispute_status, created_at, ticket)
            select g.id, 'acct_1', true, g.customer_id, g.currency, g.state, g.amount, g.charged,
                   g.amount_refunded, g.credited_before, g.credited_after,
                   g.dispute_status is not null, g.dispute_status, now(), 1
              from jsonb_to_recordset($1::jsonb) as g (id text, customer_id text, currency text,
                   state text, amount bigint, charged bigint, amount_refunded bigint,
                   credited_before bigint, credited_after bigint, dispute_status text)
            """,
            orders,
        )
        rows = await CUSTOMERS.page(connection, BillingFilter(), limit=100)
    assert len(rows) == len(customers)
    for row in rows:
        expected: dict[str, int] = {}
        for order in orders:
            part = came_in(order)
            if order["customer_id"] == row.id and order["currency"] and part is not None:
                expected[order["currency"]] = expected.get(order["currency"], 0) + part
        found = {part.currency: part.amount for part in row.paid}
        assert found == {key: min(value, 2**63 - 1) for key, value in expected.items()}


async def test_a_customers_running_subscriptions_have_their_amounts(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        rows = await CUSTOMERS.page(connection, BillingFilter(), limit=10)
    assert {
        row.id: [(part.amount, part.currency, part.interval) for part in row.recurring]
        for row in rows
    } == {
        "cus_1": [(8700, "eur", "month")],  # the other one is monthly and yearly
        "cus_2": [],  # its price isn't known
        "cus_3": [(9900, "eur", "year")],
        "cus_4": [],  # it is over
    }


@pytest.mark.parametrize("of", [subscriptions.LIST, purchases.LIST, customers.LIST])
async def test_each_order_is_kept_through_pages_and_the_csv(
    pool: Pool, of: AdminList[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing_lists, "CHUNK", 2)
    async with pool.acquire() as connection:
        await connection.execute(SHOP + ORDERS)
        await connection.execute("update orders set amount = 100 + 50 * (right(id, 1)::int % 3)")
        everything = await of.source.page(connection, BillingFilter(), limit=100)
    assert len(everything) >= 4
    for choice in of.orders.values():
        order = choice.order or ListOrder(of.source.at)
        wanted = sorted(
            everything,
            key=lambda row: (getattr(row, order.column), row.id),
            reverse=not order.ascending,
        )
        found: list[Any] = []
        async for rows in of.source.everything(pool, BillingFilter(), order=choice.order):
            assert len(rows) <= 2
            found += rows
        assert found == wanted, choice
        if choice.order:
            place = of.source.place_of(found[1], order)
            of_amount = order.column == "amount"
            assert places.place_of(places.written(place), of_amount=of_amount) == place
