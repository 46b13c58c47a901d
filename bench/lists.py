"""`python -m bench.lists`: a page of each list of subscriptions, purchases and customers, with few
rows and with ten times as many."""

import asyncio
import statistics
import time
from urllib.parse import urlsplit

import httpx

from bench.pages import sign_in
from bench.stack import fetch, stack, wait
from tests.harness import ADMIN, PASSWORD, TOKEN

FEW, MANY = 5_000, 50_000
PRODUCTS = 40
ROUNDS, WANTED_MS = 15, 100.0

CATALOG = f"""
insert into products (id, slug, name)
select 'prd_' || n, 'bench-' || n, 'Bench ' || n from generate_series(1, {PRODUCTS}) n;
insert into stripe_products (id, account_id, livemode, name, active, created_at, ticket)
select 'prod_' || n, 'acct_bench', true, 'Bench ' || n, true, now(), 1
  from generate_series(1, {PRODUCTS}) n;
insert into prices (id, account_id, livemode, stripe_product, active, type, currency, unit_amount,
                    interval, interval_count, created_at, ticket)
select 'price_' || k || '_' || n, 'acct_bench', true, 'prod_' || n, true, 'recurring', 'eur',
       1000 * k, case k when 1 then 'month' else 'year' end, 1, now(), 1
  from generate_series(1, {PRODUCTS}) n cross join generate_series(1, 2) k;
insert into links (product_id, account_id, livemode, stripe_product, state)
select 'prd_' || n, 'acct_bench', true, 'prod_' || n, 'listening'
  from generate_series(1, {PRODUCTS}) n
"""
ROWS = """
insert into users (email, name)
select 'user' || n || '@bench.example', 'Bench Person ' || n from generate_series({0}, {1}) n;
insert into customers (id, account_id, livemode, user_id, email, name, added_at)
select 'cus_' || id, 'acct_bench', id % 1000 > 0, case when id % 500 > 0 then id end, email, name,
       now() - id * interval '7 minutes'
  from users where email like '%@bench.example'
on conflict do nothing;
insert into subscriptions (id, account_id, livemode, customer_id, user_id, status, created_at,
                           ticket, period_end, ended_at)
select 'sub_' || substr(id, 5), account_id, livemode, id, user_id,
       case when substr(id, 5)::int % 50 = 0 then 'past_due'
            when substr(id, 5)::int % 3 = 0 then 'canceled' else 'active' end,
       added_at, 1, now() + interval '20 days',
       case when substr(id, 5)::int % 3 = 0 then now() end
  from customers on conflict do nothing;
insert into subscription_items (subscription_id, id, stripe_product, price_id, quantity)
select s.id, 'si', 'prod_' || g.product, 'price_' || 1 + g.n % 2 || '_' || g.product, 1
  from subscriptions s
 cross join lateral (select substr(s.id, 5)::int as n) t
 cross join lateral (
       select t.n, case when t.n % 2 = 0 then 1 else 2 + t.n * 7 % 39 end as product) g
on conflict do nothing;
insert into orders (id, account_id, livemode, customer_id, user_id, state, payment_intent, currency,
                    amount, charged, amount_refunded, created_at, ticket)
select 'cs_' || substr(id, 5), account_id, livemode, customer_id, user_id, 'paid',
       'pi_' || substr(id, 5), 'eur', 3000, 3000,
       case when substr(id, 5)::int % 100 = 0 then 3000 else 0 end, created_at, 1
  from subscriptions on conflict do nothing;
insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
select 'cs_' || substr(subscription_id, 5), 'li', stripe_product, price_id, 1, 3000
  from subscription_items on conflict do nothing;
insert into user_labels (user_id, label)
select id, case when id % 4 = 0 then 'often' else 'rare' end from users
 where email like '%@bench.example' and (id % 4 = 0 or id % 2501 = 0) on conflict do nothing;
vacuum analyze
"""
AS_IN_PRODUCTION = "alter database {0} set plan_cache_mode = auto; alter database {0} set jit = on"
"""The tests' Postgres plans each statement for any values; what is searched for makes a difference
here."""
FILTERS = (
    "",
    "sort=oldest",
    "product=prd_1",
    "product=prd_7",
    "price=price_2_7",
    "mode=test",
    "to={old}",
    "q=user49",
    "q=user4999@bench.example",
    "q=bench",
    "q=nobody-at-all",
)
OF_STATES = {
    "subscriptions": (
        *("state=running", "state=payment_problem", "state=ending", "q=cus_4999"),
        *("sort=oldest&q=user49", "sort=oldest&product=prd_7&q=user49"),
    ),
    "purchases": (
        *("state=completed", "state=refunded", "state=disputed", "q=pi_4999"),
        *("sort=highest", "sort=lowest&product=prd_7", "sort=highest&state=refunded"),
        *("sort=lowest&q=user49", "sort=lowest&product=prd_7&q=user49"),
        *("sort=oldest&mode=test&q=bench", "sort=highest&q=bench"),
    ),
    "customers": (
        *("state=known", "state=unknown", "state=deleted", "q=sub_4999"),
        *("sort=oldest&q=user49", "product=prd_7&q=user49"),
    ),
}
USERS = tuple(
    f"/admin/users?sort={order}{chosen}"
    for order in ("", "email", "email-desc", "seen", "unseen")
    for chosen in (
        *("", "&product=prd_1", "&group=subscribed", "&seen=never", "&label=often"),
        *("&label=often&q=bench", "&group=subscribed&q=bench"),
    )
)
API = (
    "/api/v1/subscriptions?state=payment_problem",
    "/api/v1/purchases?state=returned&limit=200",
    "/api/v1/customers?search=bench",
)


def main() -> None:
    """Print the medians of `ROUNDS` with few and with many rows."""
    with stack(temporal=False, worker=False) as running:
        running.environment |= {"LATCHKEY_ADMIN_EMAIL": ADMIN, "LATCHKEY_ADMIN_PASSWORD": PASSWORD}
        database = urlsplit(running.dsn).path.removeprefix("/")
        asyncio.run(seed(running.dsn, AS_IN_PRODUCTION.format(database)))
        running.processes["web"].terminate()
        running.processes["web"].wait(20)
        running.spawn("web", "-m", "latchkey.cli", "web")
        wait(f"{running.url}/healthz")
        asyncio.run(seed(running.dsn, CATALOG))
        asyncio.run(seed(running.dsn, ROWS.format(1, FEW)))
        with httpx.Client(base_url=running.url, timeout=60) as client:
            sign_in(client, "/login", email=ADMIN, password=PASSWORD)
            few = measured(client)
            asyncio.run(seed(running.dsn, ROWS.format(FEW + 1, MANY)))
            many = measured(client)
    print(f"{FEW:>8,} {MANY:>9,} rows")
    for path, after in many.items():
        print(f"{few[path]:7.1f} {after:8.1f} ms  {path}")
    slow = [path for path, after in many.items() if after > WANTED_MS]
    print(f"{len(slow)} of {len(many)} pages over {WANTED_MS:.0f} ms")


async def seed(dsn: str, statements: str) -> None:
    for statement in statements.split(";"):
        await fetch(dsn, statement)


def paths() -> list[str]:
    """Each list with each of its filters."""
    old = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 20 * 86_400))
    pages = [
        f"/admin/{name}?{chosen.format(old=old)}".rstrip("?")
        for name, states in OF_STATES.items()
        for chosen in (*FILTERS, *states)
    ]
    return ["/admin", *USERS, *pages, *API]


def measured(client: httpx.Client) -> dict[str, float]:
    """The median of each path, in milliseconds."""
    found = {}
    for path in paths():
        times = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            answer = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
        found[path] = statistics.median(times)
    return found


if __name__ == "__main__":
    main()
