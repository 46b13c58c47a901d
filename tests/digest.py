"""A digest of everything in the database, to show that something changed nothing."""

from collections.abc import Collection

from latchkey.store.pool import Pool

RESTLESS = frozenset(
    {"catch_up", "chores", "idempotency_keys", "prices", "stripe_connection", "stripe_products"}
    | {"webhook_refusals"}
)
"""Tables that work in the background writes to without being asked, and counts of refusals."""

READINGS = ("ticket", "read_at", "wake_at")
"""Columns that tell of a look at Stripe, not of a change."""


async def digest(pool: Pool, *, without: Collection[str] = ()) -> dict[str, str]:
    """Table by table, whatever the order of the rows."""
    rows = await pool.fetch(
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
    return {row[0]: row[1] for row in await pool.fetch(parts, list(READINGS))}
