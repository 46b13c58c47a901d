"""`python -m bench.numbers`: Numbers and the people behind its points, money at risk and
cancellations, with 50,000 users and five years of subscriptions, trials and purchases, and as many
subscriptions again that had ended before they were known; and how long counting takes."""

import asyncio
import statistics
import sys
import time

import httpx

from bench.lists import seed
from bench.pages import sign_in
from bench.stack import Stack, fetch, stack, wait
from tests.harness import ADMIN, PASSWORD, TOKEN

USERS, YEARS, PRODUCTS = 50_000, 5, 10
ROUNDS, WANTED_MS = 15, 100.0

ROWS = f"""
update stripe_connection set account_id = 'acct_bench', livemode = true;
insert into stripe_connection (account_id, livemode)
select 'acct_bench', true where not exists (select from stripe_connection);
insert into products (id, slug, name)
select 'prd_' || n, 'bench-' || n, 'Bench ' || n from generate_series(1, {PRODUCTS}) n;
insert into prices (id, account_id, livemode, stripe_product, active, type, currency, unit_amount,
                    interval, interval_count, created_at, ticket)
select 'price_' || k || '_' || n, 'acct_bench', true, 'prod_' || n, true, 'recurring',
       case when n = {PRODUCTS} then 'usd' else 'eur' end, 900 * k,
       case k when 1 then 'month' else 'year' end, 1, now(), 1
  from generate_series(1, {PRODUCTS}) n cross join generate_series(1, 2) k;
insert into links (product_id, account_id, livemode, stripe_product, state)
select 'prd_' || n, 'acct_bench', true, 'prod_' || n, 'listening'
  from generate_series(1, {PRODUCTS}) n;
insert into users (email, name)
select 'user' || n || '@bench.example', 'Bench Person ' || n from generate_series(1, {USERS}) n;
insert into customers (id, account_id, livemode, user_id, email, name)
select 'cus_' || id, 'acct_bench', true, id, email, name from users
 where email like '%@bench.example';
insert into subscriptions (id, account_id, livemode, customer_id, user_id, status, created_at,
                           trial_end, ended_at, ticket)
select 'sub_' || n || '_' || k, 'acct_bench', true, c.id, c.user_id,
       case when ended < now() then 'canceled' else 'active' end, began,
       case when n % 3 = 0 then began + interval '14 days' end,
       case when ended < now() then ended end, 1
  from customers c
 cross join lateral (select substr(c.id, 5)::bigint as n) t
 cross join generate_series(0, 1) k
 cross join lateral (
       select now() - sqrt((n * 7919 % {USERS})::float8 / {USERS}) * {YEARS * 365}
                      * interval '1 day' + k * interval '400 days' as began) b
 cross join lateral (
       select case n % 5 when 0 then began + interval '14 days'
                         when 1 then began + n % 300 * interval '1 day'
                         else began + interval '20 years' end as ended) e
 where began < now() and (k = 0 or n % 5 = 0);
insert into subscription_items (subscription_id, id, stripe_product, price_id, quantity)
select id, 'si_' || id, 'prod_' || g.product, 'price_' || 1 + n % 2 || '_' || g.product, 1
  from subscriptions
 cross join lateral (select split_part(id, '_', 2)::bigint as n) t
 cross join lateral (select 1 + n % {PRODUCTS} as product) g;
insert into grants (user_id, product_id, source, source_id, since, ended_at, cause)
select s.user_id, 'prd_' || 1 + split_part(s.id, '_', 2)::bigint % {PRODUCTS}, 'subscription', s.id,
       s.created_at, s.ended_at, 'import' from subscriptions s;
insert into orders (id, account_id, livemode, customer_id, user_id, state, currency, amount,
                    charged, amount_refunded, created_at, paid_at, ticket)
select 'cs_' || id, account_id, livemode, customer_id, user_id, 'paid', 'eur', 3000, 3000,
       case when split_part(id, '_', 2)::bigint % 50 = 0 then 3000 else 0 end, created_at,
       created_at, 1 from subscriptions;
insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
select 'cs_' || subscription_id, 'li', stripe_product, price_id, 1, 3000 from subscription_items;
update subscriptions s
   set status = case when n % 50 = 4 then 'past_due' else status end,
       past_due_since = case when n % 50 = 4 then now() - n % 20 * interval '1 day' end,
       open_amount = case when n % 50 = 4 then 900 end,
       open_currency = case when n % 50 = 4 then 'eur' end,
       scheduled_end = case when n % 50 = 2 then now() + n % 30 * interval '1 day' end,
       period_end = now() + (1 + n % 30) * interval '1 day', card_id = 'pm_' || id,
       card_brand = 'visa', card_last4 = '4242',
       card_expires = now() + (n % 1000 - 10) * interval '1 day'
  from (select id as key, split_part(id, '_', 2)::bigint as n from subscriptions) k
 where k.key = s.id and s.ended_at is null;
update subscriptions
   set canceled_at = coalesce(ended_at, now()) - interval '9 days',
       cancel_feedback = (array['unused', 'too_expensive', 'other', null])
                         [1 + split_part(id, '_', 2)::bigint % 4]
 where ended_at is not null or scheduled_end is not null;
insert into past_spans (subscription_id, item_id, account_id, livemode, customer_id,
                        stripe_product, price_id, quantity, trial, since, until)
select 'past_' || n, 'si_past_' || n, 'acct_bench', true, c.id, 'prod_' || 1 + n % {PRODUCTS},
       'price_' || 1 + n % 2 || '_' || 1 + n % {PRODUCTS}, 1, trial,
       case when trial then began else began + interval '14 days' end,
       case when trial then began + interval '14 days'
            else began + (20 + n % 300) * interval '1 day' end
  from customers c
 cross join lateral (select substr(c.id, 5)::bigint as n) t
 cross join lateral (
       select now() - (330 + n * 6151 % {(YEARS - 1) * 365}) * interval '1 day' as began) b
 cross join (values (true), (false)) v (trial);
insert into bills (id, subscription_id, dispute_status, dispute_amount, dispute_currency)
select 'in_' || id, id, 'needs_response', 900, 'eur' from subscriptions
 where split_part(id, '_', 2)::bigint % 500 = 3;
vacuum analyze
"""
PAGES = (
    "/admin",
    "/admin/at-risk",
    "/admin/at-risk?state=card",
    "/admin/cancellations",
    "/admin/numbers",
    "/admin/numbers?period=30d",
    "/admin/numbers?period=90d",
    "/admin/numbers?period=all",
    "/admin/numbers?period=all&product=prd_3",
    "/admin/numbers?period=all&currency=usd",
    "/admin/numbers.csv?period=all",
)
KINDS = (
    *("members", "subscribers", "trials", "joined", "left", "new", "reactivated", "churned"),
    *("trial_started", "trial_converted", "trial_lost", "sold"),
    *("revenue_lost", "first_paid", "stayed"),
)
API = ("/api/v1/metrics", "/api/v1/metrics?interval=day")


def main() -> None:
    """Print the medians of `ROUNDS` and the CPU time of all processes for each; with `--serve`,
    leave the site running to look at."""
    with stack(temporal=False, worker=False) as running:
        prepare(running)
        with httpx.Client(base_url=running.url, timeout=60) as client:
            sign_in(client, "/login", email=ADMIN, password=PASSWORD)
            found = {path: measured(running, client, path) for path in paths()}
        for path, (took, used) in found.items():
            print(f"{took:7.1f} ms  CPU {used:7.1f} ms  {path}")
        slow = [path for path, (took, _) in found.items() if took > WANTED_MS]
        print(f"{len(slow)} of {len(found)} pages over {WANTED_MS:.0f} ms")
        if "--serve" in sys.argv:
            print(running.url, flush=True)
            input()


def prepare(running: Stack) -> None:
    """Fill the database and start the site, which counts as soon as it runs."""
    running.environment |= {"LATCHKEY_ADMIN_EMAIL": ADMIN, "LATCHKEY_ADMIN_PASSWORD": PASSWORD}
    running.processes["web"].terminate()
    running.processes["web"].wait(20)
    asyncio.run(seed(running.dsn, ROWS))
    asyncio.run(fetch(running.dsn, "update figure_counts set counted_at = null"))
    running.spawn("web", "-m", "latchkey.cli", "web")
    wait(f"{running.url}/healthz")
    counted = "select took from figure_counts where counted_at is not null"
    while not (found := asyncio.run(fetch(running.dsn, counted))):
        time.sleep(0.2)
    print(f"counting took {found[0]['took'].total_seconds():.1f} s")


def paths() -> list[str]:
    """The pages, and the people behind each kind of point in the last whole month."""
    days = time.gmtime(time.time() - time.gmtime().tm_mday * 86_400)
    month = f"from={days.tm_year}-{days.tm_mon:02}-01&to={days.tm_year}-{days.tm_mon:02}-28"
    people = [f"/admin/numbers/people?kind={kind}&{month}&currency=eur" for kind in KINDS]
    return [*PAGES, *people, *API]


def measured(running: Stack, client: httpx.Client, path: str) -> tuple[float, float]:
    """The median of a path, and the CPU time of web and Postgres for each call, in
    milliseconds."""
    times = []
    before = sum(running.cpu().values())
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    used = sum(running.cpu().values()) - before
    return statistics.median(times), used * 1000 / ROUNDS


if __name__ == "__main__":
    main()
