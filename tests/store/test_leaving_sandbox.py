"""What leaves the sandbox with a site, and that it can be done after an interruption."""

import asyncpg
import pytest

from latchkey.store import leaving_sandbox, site_identity
from latchkey.store.leaving_sandbox import PRODUCTS, SET_UP, SINGLE
from latchkey.store.pool import Connection, Pool, create_pool
from latchkey.store.site_identity import SiteRole
from tests.harness import Postgres

pytestmark = pytest.mark.anyio

HOME = "http://127.0.0.1:8000"
REHEARSED = """
    insert into users (email, email_key, role) values
        ('owner@sandbox.example', 'owner@sandbox.example', 'owner'),
        ('buyer@sandbox.example', 'buyer@sandbox.example', 'member');
    insert into user_addresses (user_id, email, email_key, source)
        select id, 'second.' || email, 'second.' || email, 'admin' from users;
    insert into recovery_codes (user_id, code_hash) select id, 'a' from users;
    insert into products (id, slug, name, purchase_method, checkout_target, policy_overrides)
        values ('prod_1', 'club', 'Club', 'sales_page', 'stripe', '{"refunded": "keep"}'),
               ('prod_2', 'shop', 'Shop', 'checkout', 'external', '{}');
    insert into lessons (id, product_id, position, title) values ('les_1', 'prod_1', 1, 'First');
    insert into lesson_marks (lesson_id, user_id) select 'les_1', id from users;
    insert into collections (id, name) values ('col_1', 'All');
    insert into collection_products (collection_id, product_id) values ('col_1', 'prod_1');
    insert into links (product_id, account_id, livemode, stripe_product, state)
        values ('prod_1', 'acct_sandbox', false, 'prod_sandbox', 'listening');
    insert into grants (user_id, product_id, source, source_id, link_id, since, cause)
        select u.id, 'prod_1', 'subscription', 'sub_1', l.id, now(), 'customer'
          from users u, links l;
    insert into activities (fact, type, at, cause) values ('f', 't', now(), 'c');
    insert into audit_log (action, outcome, actor_kind) values ('signed_in', 'done', 'visitor');
    insert into events (id, account_id, livemode, type, object_id, thin, created_at, target_kind,
            target_id)
        values ('evt_1', 'acct_sandbox', false, 'invoice.paid', 'in_1', false, now(), 'o', 'o');
    insert into site_settings (key, value) values
        ('site', '{"name": "The club"}'), ('access_policy', '{"past_due": "keep"}'),
        ('catalog', '{}'), ('sandbox', '{}'), ('first_steps', '{"put_away": true}');
    update stripe_connection set state = 'connected', account_id = 'acct_sandbox',
        livemode = false, key_encrypted = 'x', findings = '[{}]';
    update figure_counts set counted_at = now();
"""

STAYS = """
    abandoned_checkouts activities address_proofs audit_log bills catch_up checkout_attempts
    chores claims collection_holders community_accounts community_given customers differences
    email_changes events figure_cohorts figure_days forgotten_facts grants idempotency_keys
    lesson_marks links mails matches member_import_lines member_imports merge_requests
    oauth_authorizations oauth_consents oauth_logouts oauth_requests oauth_tokens offers
    order_lines orders other_payers passed_over passkey_challenges past_spans
    payment_links policy_changes
    portal_configurations preview_records previews prices processes reconciliation_seen
    reconciliations recurring_spans second_subscriptions sent_events signing_keys site_entries
    stripe_products subscription_items subscriptions tries unsubscribed_addresses used_links
    user_imports user_labels user_merges user_notes wakeups webhook_attempts webhook_deliveries
    webhook_events webhook_facts webhook_refusals
"""
"""Tables that stay behind. A new table belongs here or into a list of what goes along."""


async def rows(connection: Connection) -> dict[str, int]:
    names = await connection.fetch(
        "select tablename from pg_tables where schemaname = current_schema()"
    )
    return {name[0]: await connection.fetchval(f"select count(*) from {name[0]}") for name in names}


async def test_of_every_table_it_is_known_whether_it_goes_along(pool: Pool) -> None:
    async with pool.acquire() as connection:
        names = await connection.fetch(
            """
            select relname from pg_class
             where relnamespace = current_schema()::regnamespace
               and relkind in ('r', 'p') and not relispartition
            """
        )
    assert {name[0] for name in names} == SET_UP | PRODUCTS | SINGLE | set(STAYS.split())


@pytest.mark.parametrize("products", [True, False])
async def test_only_the_set_up_and_the_team_go_along(pool: Pool, products: bool) -> None:
    async with pool.acquire() as connection:
        untouched = {name: await connection.fetch(f"select * from {name}") for name in SINGLE}
        await connection.execute(REHEARSED)
        found = await leaving_sandbox.found(connection)
        assert (found.team, found.members, found.products, found.links) == (1, 1, 2, 1)
        async with connection.transaction():
            await leaving_sandbox.empty(connection, products=products)
        left = {name: count for name, count in (await rows(connection)).items() if count}
        assert left.keys() - SET_UP - SINGLE - PRODUCTS == set()
        assert (left["users"], left["user_addresses"], left["recovery_codes"]) == (1, 1, 1)
        settings = await connection.fetch("select key from site_settings order by key")
        assert [row["key"] for row in settings] == ["access_policy", "site"]
        for name in SINGLE:
            now = await connection.fetch(f"select * from {name}")
            assert [_plain(row) for row in now] == [_plain(row) for row in untouched[name]]
        sold = await connection.fetch(
            "select purchase_method, checkout_target from products order by id"
        )
        assert [tuple(row) for row in sold] == (
            [("none", "stripe"), ("checkout", "external")] if products else []
        )
        assert left.keys() & PRODUCTS == (
            {"products", "lessons", "collections", "collection_products"} if products else set()
        )


def _plain(row: asyncpg.Record) -> dict[str, object]:
    """A row without the times at which it was made."""
    return {name: value for name, value in row.items() if name not in ("updated_at", "refilled_at")}


@pytest.mark.parametrize("crashed", [False, True])
async def test_the_rehearsal_keeps_its_database_under_another_name(
    postgres: Postgres, crashed: bool
) -> None:
    name = (await postgres.create()).partition("?")[0].rpartition("/")[2]
    server = await asyncpg.connect(postgres.dsn("postgres"))
    async with await create_pool(postgres.dsn(name), max_size=1) as pool:
        await pool.execute(REHEARSED)
        async with pool.acquire() as connection, connection.transaction():
            await site_identity.settle(connection, HOME)
        owner = await pool.fetchval("select id from users where role = 'owner'")
    if crashed:
        await server.execute(f"create database {name}_next")
    asked = {"products": True, "actor": owner, "public_url": HOME}
    onlooker = await asyncpg.connect(postgres.dsn(name))
    await leaving_sandbox.divide(postgres.dsn, name, **asked)
    await leaving_sandbox.divide(postgres.dsn, name, **asked)
    assert onlooker.is_closed()
    await server.close()

    async with await create_pool(postgres.dsn(name), max_size=1) as pool:
        assert await pool.fetchval("select count(*) from links") == 0
        lines = await pool.fetch("select action, actor_kind, actor_id from audit_log")
        assert [tuple(line) for line in lines] == [("site_adopted", "user", owner)]
        async with pool.acquire() as connection:
            identity = await site_identity.read(connection, HOME)
            assert identity.role is SiteRole.ORIGINAL
            assert not await leaving_sandbox.is_tied(connection)
    async with await create_pool(postgres.dsn(f"{name}_rehearsal"), max_size=1) as pool:
        assert await pool.fetchval("select count(*) from links") == 1
        async with pool.acquire() as connection:
            assert await leaving_sandbox.is_tied(connection)
            before = await site_identity.read(connection, HOME)
    assert before.instance != identity.instance
