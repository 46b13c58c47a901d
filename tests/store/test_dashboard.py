"""What the dashboard counts is what the lists behind its tiles hold."""

import pytest

from activities.connection import prefix_problem
from latchkey.store.access.standings import StandingGroup
from latchkey.store.checks import dashboard
from latchkey.store.pool import Pool
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.subscription_list import RUNNING, SUBSCRIPTIONS
from latchkey.store.users import listing
from latchkey.store.users.listing import UserFilter
from web.pages.admin.dashboard import first_steps

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("endpoint", "done"),
    [("registered", True), ("manual", True), ("missing", False), ("failed", False)],
)
async def test_stripe_is_connected_once_its_events_can_arrive(
    pool: Pool, endpoint: str, done: bool
) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            "update stripe_connection set state = 'connected', endpoint_state = $1", endpoint
        )
        first = first_steps(await dashboard.begun(connection))[0]
    assert first.done is done
    assert ("no webhook endpoint" in first.text) is not done


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("sk_org_live_x", "aren't supported"),
        ("pk_test_x", "publishable key"),
        ("secret", "isn't a Stripe API key"),
        ("rk_live_x", None),
    ],
)
def test_a_key_of_the_wrong_kind_is_named(key: str, sentence: str | None) -> None:
    problem = prefix_problem(key)
    assert problem is None if sentence is None else sentence in (problem or "")


async def test_each_tile_counts_what_its_list_holds(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into users (email) select n || '@tiles.example' from generate_series(1, 6) n;
            insert into products (id, slug, name) values ('prd_a', 'a', 'A'), ('prd_b', 'b', 'B');
            insert into grants (user_id, product_id, source, cause, since, until)
            select u.id, p.id, 'manual', 'admin', now() - interval '40 days', now() + e.ends
              from users u cross join products p
              join (values ('1@tiles.example', null::interval), ('2@tiles.example', '3 days'),
                           ('3@tiles.example', '20 days'), ('4@tiles.example', '-1 day'))
                   e (email, ends) on e.email = u.email;
            insert into customers (id, account_id, livemode) values ('cus_1', 'acct_1', false);
            insert into subscriptions
                   (id, account_id, livemode, customer_id, user_id, status, created_at, ticket)
            select 'sub_' || n, 'acct_1', false, 'cus_1', u.id, s.status, now(), 1
              from (values (1, '1@tiles.example', 'active'), (2, '1@tiles.example', 'trialing'),
                           (3, '2@tiles.example', 'past_due'), (4, '2@tiles.example', 'unpaid'),
                           (5, '5@tiles.example', 'canceled'), (6, null, 'active'))
                   s (n, email, status) left join users u on u.email = s.email;
            insert into activities (fact, type, at, cause)
            select 'fact:' || n, 'product_purchased', d.day + s.after, 'stripe'
              from (select date_trunc('day', now(), 'UTC') - interval '30 days' as day) d
             cross join (values (1, interval '0'), (2, '-1 second'), (3, '29 days'))
                   s (n, after);
            """
        )
        counted = await dashboard.numbers(connection)
        assert counted.purchases == 2
        found = {}
        for group in StandingGroup:
            rows = await listing.listed(connection, UserFilter(group=group), limit=100)
            found[group] = sorted(row.email[0] for row in rows)
        assert found == {
            StandingGroup.ACCESS: ["1", "2", "3"],
            StandingGroup.ENDING: ["2"],
            StandingGroup.SUBSCRIBED: ["1", "2"],
            StandingGroup.PAYMENT_PROBLEM: ["2"],
        }
        assert (counted.members, counted.ending) == (3, 1)
        assert (counted.subscriptions, counted.payment_problems) == (5, 2)
        running = BillingFilter(states=RUNNING)
        assert len(await SUBSCRIPTIONS.page(connection, running, limit=100)) == 5
