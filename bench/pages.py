"""`python -m bench.pages`: all admin and member pages with a full-size database."""

import asyncio
import re
import statistics
import time
from datetime import date, timedelta

import httpx

from bench.stack import fetch, stack, wait
from latchkey import signin_links
from tests.harness import ADMIN, PASSWORD, SECRETS

USERS, LINES, PRODUCTS, EVENTS = 50_000, 1_000_000, 40, 100_000
ROUNDS, WANTED_MS = 9, 100.0

SEED = f"""
insert into products (id, slug, name, status)
select 'prd_' || lpad(to_hex(n), 16, '0'), 'bench-' || n, 'Bench ' || n, 'live'
  from generate_series(1, {PRODUCTS}) n;
insert into users (email, name, last_seen_at)
select 'user' || n || '@bench.example', 'Bench Person ' || n,
       case when n % 3 > 0 then now() - n * interval '1 minute' end
  from generate_series(1, {USERS}) n;
insert into customers (id, account_id, livemode, user_id, email)
select 'cus_' || id, 'acct_bench', false, id, email from users;
insert into subscriptions (id, account_id, livemode, customer_id, user_id, status, created_at,
                           ticket, period_end)
select 'sub_' || id, 'acct_bench', false, 'cus_' || id, id,
       case when id % 50 = 0 then 'past_due' else 'active' end, now(), 1,
       now() + interval '20 days'
  from users;
insert into grants (user_id, product_id, source, source_id, since, until, cause)
select id,
       'prd_' || lpad(to_hex(case when id % 2 = 0 then 1 else 1 + id % {PRODUCTS} end), 16, '0'),
       'subscription', 'sub_' || id, now(),
       case when id % 20 = 0 then now() + (id % 60) * interval '1 day' end, 'import'
  from users;
insert into activities (fact, type, at, cause, user_id, product_id, source_id)
select 'bench:' || n,
       (array['access_granted', 'imported', 'product_purchased', 'subscription_started',
              'payment_failed'])[1 + n % 5],
       now() - ({LINES} - n) * interval '20 seconds',
       (array['customer', 'import', 'stripe', 'timer'])[1 + n % 4],
       1 + n % {USERS}, 'prd_' || lpad(to_hex(1 + n % {PRODUCTS}), 16, '0'),
       'sub_' || (1 + n % {USERS})
  from generate_series(1, {LINES}) n;
insert into activities (fact, type, at, cause, user_id)
select 'rare:' || n, 'disputed', now() - interval '200 days', 'stripe', n
  from generate_series(1, 3) n;
insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id, state,
                    body)
select 'evt_' || n, false, 'customer.subscription.updated', 'sub_' || n, false, now(),
       'subscription', 'sub_' || n, 'handled', '{{}}'
  from generate_series(1, {EVENTS}) n;
insert into mails (key, kind, user_id, state)
select 'bench:' || n, 'product_access', 1 + n % {USERS}, 'sent' from generate_series(1, {USERS}) n;
analyze;
"""
LONG_AGO = date.today() - timedelta(days=150)
BIG = "prd_0000000000000001"
PATHS = (
    "/admin",
    "/admin/products",
    f"/admin/products/{BIG}",
    f"/admin/products/{BIG}/members",
    f"/admin/products/{BIG}/members?q=user49",
    f"/admin/products/{BIG}/members?ending=yes",
    f"/admin/products/{BIG}/activity",
    "/admin/users",
    "/admin/users?q=user4999",
    "/admin/users?q=nobody-at-all",
    "/admin/users?q=49",
    "/admin/users?q=q",
    f"/admin/users?q=user49&product={BIG}&seen=never",
    f"/admin/users?product={BIG}",
    "/admin/users?seen=never",
    "/admin/users?after=25000",
    "/admin/users/25000",
    "/admin/activity",
    "/admin/activity?after=500000",
    "/admin/activity?type=disputed",
    "/admin/activity?type=disputed&type=access_granted&type=refunded",
    f"/admin/activity?product={BIG}&type=disputed",
    f"/admin/activity?product={BIG}&cause=timer",
    "/admin/activity?q=user4999@bench.example",
    "/admin/activity?q=sub_4999",
    "/admin/activity?q=nobody-at-all",
    "/admin/activity?from=2020-01-01&to=2020-01-31",
    f"/admin/activity?to={LONG_AGO}",
    f"/admin/activity?to={LONG_AGO}&type=access_granted&type=imported&type=disputed",
    f"/admin/activity?to={LONG_AGO}&cause=timer",
    f"/admin/activity?to={LONG_AGO}&product={BIG}&type=imported",
    f"/admin/activity?product={BIG}&type=imported&cause=admin",
    "/admin/activity?q=bench",
    "/admin/activity?q=user49",
    "/admin/activity?q=user49&type=disputed",
    f"/admin/activity?q=bench&to={LONG_AGO}&cause=timer",
    "/admin/activity?user=4999",
    "/admin/mails",
    "/admin/inbox",
    "/admin/inbox?state=failed",
)
MEMBER_PATHS = ("/library", "/account", "/products/bench-1")


def main() -> None:
    """Seed the database with SQL, then open each page in turn and print medians of `ROUNDS`."""
    with stack(temporal=False, worker=False) as running:
        running.environment |= {"LATCHKEY_ADMIN_EMAIL": ADMIN, "LATCHKEY_ADMIN_PASSWORD": PASSWORD}
        running.processes["web"].terminate()
        running.processes["web"].wait(20)
        running.spawn("web", "-m", "latchkey.cli", "web")
        asyncio.run(seed(running.dsn))
        wait(f"{running.url}/healthz")
        slow = []
        with httpx.Client(base_url=running.url, timeout=60) as client:
            sign_in(client, "/login", email=ADMIN, password=PASSWORD)
            slow += [path for path in PATHS if _measure(client, path) > WANTED_MS]
        with httpx.Client(base_url=running.url, timeout=60) as client:
            link = f"/login/{signin_links.sign(2, 'bench', secrets=SECRETS)}"
            sign_in(client, link)
            slow += [path for path in MEMBER_PATHS if _measure(client, path) > WANTED_MS]
        print(f"{len(slow)} of {len(PATHS) + len(MEMBER_PATHS)} pages over {WANTED_MS:.0f} ms")


async def seed(dsn: str) -> None:
    for statement in SEED.split(";"):
        if statement.strip():
            await fetch(dsn, statement)


def sign_in(client: httpx.Client, path: str, **fields: str) -> None:
    found = re.search(r'name="csrf_token" value="(\w+)"', client.get(path).text)
    assert found, "the page has a form"
    answer = client.post(path, data={"csrf_token": found[1], **fields})
    assert answer.status_code == 303, answer.text


def _measure(client: httpx.Client, path: str) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    middle = statistics.median(times)
    print(f"{middle:7.1f} ms  worst {max(times):7.1f}  {path}", flush=True)
    return middle


if __name__ == "__main__":
    main()
