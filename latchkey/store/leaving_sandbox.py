"""What a site that leaves the sandbox takes along, and what stays behind in the rehearsal."""

from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from latchkey.rules.vocabulary import AuditAction, AuditActor
from latchkey.store import audit_draft, site_identity
from latchkey.store.audit import Actor
from latchkey.store.pool import Connection, create_pool
from latchkey.store.site_identity import SiteRole

Dsn = Callable[[str], str]
"""The address of a database of a server, by its name."""

KEY = "sandbox"
"""The setting that says that a database was used with the sandbox."""

SET_UP = frozenset(
    {
        "api_tokens",
        "authenticator_apps",
        "communities",
        "mail_server",
        "mail_texts",
        "oauth_client_secrets",
        "oauth_clients",
        "page_texts",
        "passkeys",
        "picture_files",
        "pictures",
        "protected_sites",
        "recovery_codes",
        "schema_migrations",
        "sessions",
        "site_settings",
        "user_addresses",
        "users",
        "webhook_endpoints",
    }
)
"""Tables that go along: how the site is set up, and of the users the team alone."""

PRODUCTS = frozenset(
    {
        "categories",
        "collection_products",
        "collections",
        "community_roles",
        "lesson_file_parts",
        "lesson_files",
        "lessons",
        "product_categories",
        "products",
        "protected_site_products",
        "sales_pages",
    }
)
"""Tables that go along if the products do."""

SINGLE = frozenset({"figure_counts", "stripe_connection", "stripe_rate"})
"""Tables of one row, which is as in a new database afterwards."""

_SETTINGS = ("access_policy", "go_live", "identity", "site")


@dataclass(frozen=True)
class Rehearsal:
    """What a database holds: what can go along, and what stays behind in any case."""

    team: int
    products: int
    links: int
    members: int
    subscriptions: int
    purchases: int


async def found(connection: Connection) -> Rehearsal:
    """Count what the page shows before anything happens."""
    row = await connection.fetchrow(
        """
        select (select count(*) from users where role <> 'member') as team,
               (select count(*) from products) as products,
               (select count(*) from links where removed_at is null) as links,
               (select count(*) from users where role = 'member') as members,
               (select count(*) from subscriptions) as subscriptions,
               (select count(*) from orders) as purchases
        """
    )
    assert row is not None, "a query without a table has one row"
    return Rehearsal(**dict(row))


async def note_use(connection: Connection) -> None:
    """Record that the database is used with the sandbox."""
    await connection.execute(
        "insert into site_settings (key, value) values ($1, '{}') on conflict (key) do nothing", KEY
    )


async def is_tied(connection: Connection) -> bool:
    """Whether products are linked to the sandbox's, so that a Stripe account would mix with it."""
    tied: bool = await connection.fetchval(
        """
        select exists (select from site_settings where key = $1) and exists (select from links)
        """,
        KEY,
    )
    return tied


async def divide(dsn: Dsn, database: str, *, products: bool, actor: int, public_url: str) -> None:
    """Give the database of the rehearsal another name, and the site a copy of it, of which only the
    set-up is left; `actor` is the user who wants it so. Begins again if an earlier call was
    interrupted, and does nothing after one that wasn't. Whoever is connected is cut off, since such
    a database can be neither copied nor renamed."""
    rehearsal, following = f"{database}_rehearsal", f"{database}_next"
    server = await asyncpg.connect(dsn("postgres"))
    try:
        if not await _exists(server, rehearsal):
            await server.execute(f"drop database if exists {following} with (force)")
            await _cut_off(server, database)
            await server.execute(f"create database {following} template {database}", timeout=600)
            await _begin(dsn(following), products=products, actor=actor, public_url=public_url)
            await _cut_off(server, database)
            async with server.transaction():
                await server.execute(f"alter database {database} rename to {rehearsal}")
                await server.execute(f"alter database {following} rename to {database}")
    finally:
        await server.close()


async def _exists(server: Connection, database: str) -> bool:
    found: bool = await server.fetchval(
        "select exists (select from pg_database where datname = $1)", database
    )
    return found


async def _cut_off(server: Connection, database: str) -> None:
    await server.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", database
    )


async def _begin(dsn: str, *, products: bool, actor: int, public_url: str) -> None:
    """Empty the copy, and have it act for the site's address."""
    pool = await create_pool(dsn, max_size=1)
    draft = audit_draft.of_command("latchkey up", AuditAction.SITE_ADOPTED)
    draft.actor = Actor(AuditActor.USER, actor)
    try:
        with audit_draft.recording(draft):
            async with pool.acquire() as connection, connection.transaction():
                await empty(connection, products=products)
                await site_identity.choose(connection, public_url, SiteRole.ORIGINAL)
    finally:
        await pool.close()


async def empty(connection: Connection, *, products: bool) -> None:
    """Leave of a copy of the rehearsal how the site is set up, the team, and with `products` these,
    without their links and prices. The caller opens the transaction; nothing else may be connected.
    """
    rows = await connection.fetch(
        "select tablename from pg_tables where schemaname = current_schema()"
    )
    kept = SET_UP | SINGLE | PRODUCTS
    gone = sorted(row["tablename"] for row in rows if row["tablename"] not in kept)
    await connection.execute("set local statement_timeout = 0")
    await connection.execute("select set_config('latchkey.audit_upkeep', 'on', true)")
    await connection.execute(f"truncate {', '.join(gone)}")
    await connection.execute("select set_config('latchkey.audit_upkeep', 'off', true)")
    for name in sorted(SINGLE):
        await connection.execute(f"delete from {name}")
        await connection.execute(f"insert into {name} default values")
    await connection.execute("delete from users where role = 'member'")
    await connection.execute(
        "delete from site_settings where key <> all ($1::text[])", list(_SETTINGS)
    )
    if products:
        await connection.execute(
            "update products set purchase_method = 'none', checkout_target = 'stripe'"
            " where checkout_target <> 'external'"
        )
        return
    for name in ("products", "collections", "categories"):
        await connection.execute(f"delete from {name}")
