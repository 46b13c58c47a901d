"""What the dashboard counts is what the lists behind its tiles hold."""

import re
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request

from activities.connection import prefix_problem
from latchkey.store.access.standings import StandingGroup
from latchkey.store.checks import dashboard
from latchkey.store.pool import Pool
from latchkey.store.users import listing
from latchkey.store.users.listing import UserFilter
from web import pages
from web.pages.admin import purchases, subscriptions

pytestmark = pytest.mark.anyio

TEMPLATES = Path(pages.__file__).parent.with_name("templates")


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
            insert into orders (id, account_id, livemode, user_id, state, created_at, ticket,
                                amount, charged, amount_refunded)
            select 'cs_' || n, 'acct_1', false, u.id, o.state, d.day + o.after, 1, 2900, 2900,
                   o.refunded
              from (select date_trunc('day', now(), 'UTC') - interval '30 days' as day) d
             cross join (values (1, 'paid', interval '0', 0), (2, 'paid', '-1 second', 0),
                                (3, 'paid', '29 days', 2900), (4, 'failed', '1 day', 0))
                   o (n, state, after, refunded)
              join users u on u.email = '1@tiles.example';
            update subscriptions set created_at = now() - interval '90 days'
             where id in ('sub_1', 'sub_5');
            update subscriptions set created_at = now() - interval '45 days' where id = 'sub_2';
            update subscriptions set ended_at = now() - interval '2 days' where id = 'sub_5';
            """
        )
        counted = await dashboard.numbers(connection)
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
        counts = {
            "/admin/users?group=access": counted.members,
            "/admin/users?group=ending": counted.ending,
            "/admin/subscriptions?state=running": counted.subscriptions,
            "/admin/subscriptions?state=payment_problem": counted.payment_problems,
            f"/admin/subscriptions?from={counted.since}": counted.new_subscriptions,
            f"/admin/purchases?state=completed&from={counted.since}": counted.purchases,
        }
        assert list(counts.values()) == [3, 1, 5, 2, 3, 2]
        assert (
            counted.subscriptions_before,
            counted.new_subscriptions_before,
            counted.purchases_before,
        ) == (3, 1, 1), "sub_5 ran then"
        assert set(counts) == tiles(counted.since)
        lists = {part.LIST.name: part.LIST for part in (subscriptions, purchases)}
        for address, number in counts.items():
            parts = urlsplit(address)
            name = parts.path.rpartition("/")[2]
            if name in lists:
                scope: dict[str, Any] = {"type": "http", "headers": [], "path": parts.path}
                scope["query_string"] = parts.query.encode()
                _, wanted, _ = lists[name].wanted(Request(scope))
                assert len(await lists[name].source.page(connection, wanted, limit=99)) == number
            else:
                assert number == len(found[StandingGroup(parts.query.partition("=")[2])])


def tiles(since: date) -> set[str]:
    """Where the dashboard's tiles lead to."""
    text = (TEMPLATES / "admin" / "dashboard.html").read_text()
    text = text.replace("{{ numbers.since }}", str(since))
    return {unescape(link) for link in re.findall(r'class="stat[^>]* href="([^"]+)"', text)}
