"""A digest of the whole database, to check that something changed nothing."""

from collections.abc import Collection

from tests.harness import Latchkey, until

RESTLESS = frozenset(
    {"catch_up", "chores", "idempotency_keys", "prices", "stripe_connection", "stripe_products"}
    | {"processes", "wakeups", "webhook_refusals", "audit_log", "sent_events", "signing_keys"}
    | {"oauth_logouts", "stripe_rate", "events", "address_proofs"}
    | {"figure_cohorts", "figure_counts", "figure_days"}
    | {"webhook_facts", "webhook_events", "webhook_deliveries", "webhook_attempts"}
)
"""Tables that background work writes to at any time, and counts of refusals. Whatever it asks of
Stripe comes back as an event later. The relay empties `wakeups`; what adds to it also changes
another table, which the digest sees."""

WORKING = frozenset(
    {"CatchUp", "Checkout", "Connection", "Errand", "GrantEndings", "PolicyChange"}
    | {"Reconciliation", "StripeObject"}
)
"""Workflows that write without an event of Stripe's: what tests have set off goes on after them."""

READINGS = ("ticket", "read_at", "wake_at", "card_brand", "card_last4", "card_expires")
"""Columns that record a read from Stripe, not a change: what a list of Stripe's leaves out of a
card, a later reading of the same subscription brings."""


async def digest(site: Latchkey, *, without: Collection[str] = ()) -> dict[str, str]:
    """Digest each table, regardless of row order, once the site is at rest."""
    await at_rest(site)
    rows = await site.pool.fetch(
        "select tablename from pg_tables where schemaname = 'public' order by tablename"
    )
    tables = [row["tablename"] for row in rows if row["tablename"] not in RESTLESS | set(without)]
    parts = " union all ".join(
        f"""
        select '{table}', md5(coalesce(string_agg(row, '|' order by row), ''))
          from (select (to_jsonb(t) - $1::text[])::text as row from {table} t) rows
         where row not like '%"key": "catalog"%'
        """
        for table in tables
    )
    return {row[0]: row[1] for row in await site.pool.fetch(parts, list(READINGS))}


async def at_rest(site: Latchkey) -> None:
    """Wait until what earlier tests on a shared site have left is done: events of Stripe's, what
    the relay has yet to tell workflows, and their work."""
    await until(lambda: _told(site), "the relay has told all workflows")
    await site.quiet(WORKING)


async def _told(site: Latchkey) -> bool:
    """Whether no workflow has yet to hear of a committed change, and no new link is imported."""
    waiting: bool = await site.pool.fetchval(
        """
        select exists (select from wakeups)
            or exists (select from payment_links where not settled and told_at is null)
            or exists (select from reconciliations where dispatched_at is null)
            or exists (select from links where dispatched_at is null
                           or (state = 'importing' and created_at > now() - interval '1 minute'))
        """
    )
    return not waiting
