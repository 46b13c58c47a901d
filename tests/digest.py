"""A digest of the whole database, to check that something changed nothing."""

from collections.abc import Collection

from tests.harness import Latchkey

RESTLESS = frozenset(
    {"catch_up", "chores", "idempotency_keys", "prices", "stripe_connection", "stripe_products"}
    | {"processes", "wakeups", "webhook_refusals", "audit_log", "sent_events", "signing_keys"}
    | {"oauth_logouts", "stripe_rate", "events"}
    | {"webhook_facts", "webhook_events", "webhook_deliveries", "webhook_attempts"}
)
"""Tables that background work writes to at any time, and counts of refusals. Whatever it asks of
Stripe comes back as an event later. The relay empties `wakeups`; what adds to it also changes
another table, which the digest sees."""

READINGS = ("ticket", "read_at", "wake_at")
"""Columns that record a read from Stripe, not a change."""


async def digest(site: Latchkey, *, without: Collection[str] = ()) -> dict[str, str]:
    """Digest each table, regardless of row order, once every event of Stripe's has been handled:
    tests that shared the site may have left some."""
    await site.settled()
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
