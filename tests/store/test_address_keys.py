"""The key of an address is stored, also for users from before migration 0040."""

import json
import unicodedata
from datetime import UTC, datetime

import asyncpg
import pytest

from latchkey.addresses import email_key
from latchkey.rules.reading import Customer
from latchkey.rules.vocabulary import Cause, GrantSource
from latchkey.store import migrate
from latchkey.store.address_keys import _ELSEWHERE, recompute_elsewhere
from latchkey.store.feed import lanes
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import buyers, matches
from latchkey.store.purchases.buyers import Buyer
from latchkey.store.purchases.matches import Doubt, DoubtKind
from latchkey.store.stripe.context import Account, ApplyContext
from latchkey.store.users import (
    account,
    claims,
    erasure,
    identity,
    listing,
    merging,
    unmerging,
    users,
)
from latchkey.store.users.listing import UserFilter
from tests.harness import Postgres
from tests.rules.test_addresses import SAME

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("one", "other"), SAME)
async def test_spellings_of_one_mailbox_are_one_user(pool: Pool, one: str, other: str) -> None:
    async with pool.acquire() as connection:
        first, created = await users.find_or_create(connection, one)
        second, again = await users.find_or_create(connection, other)
        found = await users.by_email(connection, other)
    assert (created, again) == (True, False)
    assert first.id == second.id
    assert found is not None
    assert found.id == first.id


async def test_code_of_the_release_before_still_creates_users(pool: Pool) -> None:
    user = await pool.fetchval("insert into users (email) values ('Ada@x.example') returning id")
    await pool.execute("update users set email = 'Bea@x.example' where id = $1", user)
    assert await pool.fetchval("select email_key from users") == "bea@x.example"


async def test_stored_addresses_get_their_keys_and_shared_mailboxes_are_proposed(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await asyncpg.connect(postgres.dsn("postgres"))
    await admin.execute("create database before_address_keys")
    await admin.close()
    dsn, everything = postgres.dsn("before_address_keys"), migrate.migrations()
    before = [m for m in everything if m.name < "0040"]
    monkeypatch.setattr(migrate, "migrations", lambda: before)
    await migrate.migrate(dsn)
    connection = await asyncpg.connect(dsn)
    stored = [
        "Ada@x.example",
        "bea@xn--mnchen-3ya.example",
        "anna@münchen.example",
        "ANNA@xn--mnchen-3ya.example",
        "two@a.test,three@b.test.",
    ]
    for email in stored:
        await connection.execute("insert into users (email) values ($1)", email)
    await connection.execute(
        "insert into user_addresses (email_key, email, user_id, source)"
        " values ('zoe@club.example.', 'zoe@club.example.', 1, 'claim'),"
        " ('bea@münchen.example', 'bea@münchen.example', 1, 'claim')"
    )
    await connection.execute(
        """
        insert into customers (id, account_id, livemode, email) values
            ('cus_1', 'acct_1', false, 'Ada@x.example'),
            ('cus_2', 'acct_1', false, 'anna@xn--mnchen-3ya.example');
        insert into mails (key, kind, user_id, to_email) values
            ('claim:1', 'claim', 1, 'anna＠münchen．example');
        """
    )
    monkeypatch.setattr(migrate, "migrations", lambda: everything)
    assert "0040_address_keys" in await migrate.migrate(dsn)

    keys = {r["email"]: r["email_key"] for r in await connection.fetch("select * from users")}
    proposed = await connection.fetch("select user_id, other_id, state from matches order by 2")
    further = await connection.fetch("select email_key from user_addresses order by 1")
    elsewhere = await connection.fetch(
        "select email_key from customers union all select to_email_key from mails order by 1"
    )
    await connection.close()
    assert [row[0] for row in elsewhere] == [
        "ada@x.example",
        "anna@münchen.example",
        "anna@münchen.example",
    ]
    doubtful = {"bea@xn--mnchen-3ya.example", "ANNA@xn--mnchen-3ya.example"}
    assert {email for email, key in keys.items() if key != email_key(email)} == doubtful
    assert [tuple(row) for row in proposed] == [(1, 2, "open"), (3, 4, "open")]
    assert [row["email_key"] for row in further] == ["bea@münchen.example", "zoe@club.example"]


async def test_every_table_with_an_address_stores_its_key(pool: Pool) -> None:
    rows = await pool.fetch(
        """
        select table_name, column_name from information_schema.columns c
          join information_schema.tables using (table_schema, table_name)
         where table_schema = 'public' and column_name in ('email', 'to_email')
           and table_type = 'BASE TABLE'
           and not exists (select from information_schema.columns k
                            where k.table_schema = 'public' and k.table_name = c.table_name
                              and k.column_name = c.column_name || '_key')
        """
    )
    assert [tuple(row) for row in rows] == []


async def test_existing_rows_of_every_table_get_their_keys(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            insert into users (email) values ('member@x.example');
            insert into products (id, slug, name) values ('prd_1', 'a', 'A');
            insert into reconciliations (id, repair, cause, state)
            values ('rec_1', false, 'admin', 'running');
            insert into previews (id, product_id, stripe_product) values ('pre_1', 'prd_1', 'p');
            """
        )
        for table, (columns, values) in OTHER_COLUMNS.items():
            column = _ELSEWHERE[table]
            await connection.execute(
                f"insert into {table} ({columns}, {column}, {column}_key)"
                f" values ({values}, $1, 'stale')",
                PUNYCODE,
            )
        await recompute_elsewhere(connection)
        for table, column in _ELSEWHERE.items():
            assert await connection.fetchval(f"select {column}_key from {table}") == KEY, table
        stored = await connection.fetch(
            "select table_name from information_schema.columns"
            " join information_schema.tables using (table_schema, table_name)"
            " where table_schema = 'public' and table_type = 'BASE TABLE'"
            " and column_name in ('email_key', 'to_email_key')"
        )
    since = {"other_payers", "member_import_lines"}
    assert {row[0] for row in stored} == {*OTHER_COLUMNS, *since, "users", "user_addresses"}


async def test_a_key_follows_an_address_that_the_release_before_changes(pool: Pool) -> None:
    await pool.execute(
        """
        insert into customers (id, account_id, livemode, email, email_key)
        values ('cus_1', 'acct_1', false, 'a@münze.example', 'a@münze.example');
        update customers set email = 'B@x.example' where id = 'cus_1';
        """
    )
    assert await pool.fetchval("select email_key from customers") == "b@x.example"
    await pool.execute("update customers set email = null where id = 'cus_1'")
    assert await pool.fetchval("select email_key from customers") is None


FULL_WIDTH = "ＢＵＹＥＲ＠münze．example"
DECOMPOSED = unicodedata.normalize("NFD", "buyer@münze.example")
PUNYCODE = "Buyer@xn--mnze-0ra.example."
KEY = "buyer@münze.example"
OTHER_COLUMNS = {
    "customers": ("id, account_id, livemode", "'cus_1', 'acct_1', false"),
    "orders": (
        "id, account_id, livemode, state, created_at, ticket",
        "'cs_1', 'acct_1', false, 'paid', now(), 1",
    ),
    "claims": ("user_id", "1"),
    "email_changes": ("user_id", "1"),
    "matches": ("key, kind", "'no_address:cs_1', 'no_address'"),
    "differences": (
        "reconciliation_id, kind, class, reason",
        "'rec_1', 'missing_grant', 'safe', 'r'",
    ),
    "preview_records": ("preview_id, source_id, outcome, reason", "'pre_1', 'cs_1', 'gets', 'r'"),
    "user_merges": ("from_user, into_user, kept", "9, 1, '{}'"),
    "mails": ("key, kind, user_id", "'claim:1', 'claim', 1"),
}
"""What a row of each table with addresses needs besides."""


async def customers(connection: Connection, *emails: str, create: bool = True) -> None:
    """Store customers as purchases bring them."""
    account = Account("acct_1", False)
    await buyers.resolve(
        connection,
        [
            Buyer(f"sub_{n}", GrantSource.SUBSCRIPTION, f"cus_{n}", email, None, create=create)
            for n, email in enumerate(emails)
        ],
        context=ApplyContext(account, 1, datetime.now(UTC), Cause.CUSTOMER),
    )


async def test_a_customer_is_claimed_however_stripe_has_the_address(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await customers(connection, FULL_WIDTH, DECOMPOSED, PUNYCODE, create=False)
        await buyers.mirror_customer(
            connection,
            Customer("cus_0", known=True, email=DECOMPOSED),
            context=ApplyContext(Account("acct_1", False), 2, datetime.now(UTC), Cause.CUSTOMER),
        )
        keys = await connection.fetch("select distinct email_key from customers")
        assert [row["email_key"] for row in keys] == [KEY]
        member, _ = await users.find_or_create(connection, "member@x.example")
        await identity.add_address(connection, member.id, KEY, source="claim")
        owners = await connection.fetch("select distinct user_id from customers")
    assert [row["user_id"] for row in owners] == [member.id]


async def test_undoing_a_merge_gives_back_what_came_however_it_was_written(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        member, _ = await users.find_or_create(connection, "member@x.example")
        other, _ = await users.find_or_create(connection, PUNYCODE)
        await merging.merge(connection, into=member.id, other=other.id, reason=None, actor=None)
        await customers(connection, FULL_WIDTH, DECOMPOSED)
        bound = await connection.fetch("select distinct user_id from customers")
        assert [row["user_id"] for row in bound] == [member.id]
        await unmerging.undo(connection, from_user=other.id, actor=member.id)
        back = await connection.fetch("select distinct user_id from customers")
    assert [row["user_id"] for row in back] == [other.id]


async def test_erasing_finds_an_address_however_it_was_written(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await customers(connection, PUNYCODE)
        person = await connection.fetchval("select user_id from customers")
        other, _ = await users.find_or_create(connection, "other@x.example")
        for n, written in enumerate((FULL_WIDTH, DECOMPOSED, PUNYCODE)):
            await matches.raise_doubts(
                connection,
                [Doubt(f"doubt:{n}", DoubtKind.NO_ADDRESS, user_id=other.id, email=written)],
            )
            await connection.execute(
                """
                insert into events (id, livemode, type, object_id, thin, created_at, target_kind,
                                    target_id, state, body)
                values ($1, false, 'charge.succeeded', $1, false, now(), 'none', '', 'ignored', $2)
                """,
                f"evt_{n}",
                json.dumps({"email": (KEY, DECOMPOSED, PUNYCODE)[n]}, ensure_ascii=n == 1),
            )
        await erasure.erase(connection, person, actor=other.id)
        assert await connection.fetchval("select count(*) from matches") == 0
        bodies = await connection.fetch("select body from events")
        user = await connection.fetchval("select email_key from users where id = $1", person)
    assert all("email" not in row["body"] for row in bodies)
    assert user == f"erased-{person}@erased.invalid"


async def test_erasing_reaches_what_others_did_with_the_address(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await customers(connection, PUNYCODE)
        person = await connection.fetchval("select user_id from customers")
        other, _ = await users.find_or_create(connection, "other@x.example")
        await claims.ask(connection, other.id, FULL_WIDTH)
        await account.ask_change(connection, other.id, DECOMPOSED)
        await claims.ask(connection, other.id, "third@x.example")
        await connection.execute(
            f"""
            insert into products (id, slug, name) values ('prd_1', 'a', 'A');
            insert into reconciliations (id, repair, cause, state)
            values ('rec_1', false, 'admin', 'running');
            insert into previews (id, product_id, stripe_product) values ('pre_1', 'prd_1', 'p');
            insert into orders (id, account_id, livemode, state, created_at, ticket, email,
                                email_key)
            values ('cs_1', 'acct_1', false, 'paid', now(), 1, '{PUNYCODE}', '{KEY}');
            insert into differences (reconciliation_id, kind, class, reason, email, email_key)
            values ('rec_1', 'missing_grant', 'safe', 'r', '{PUNYCODE}', '{KEY}');
            insert into preview_records (preview_id, source_id, outcome, reason, email, email_key)
            values ('pre_1', 'cs_1', 'gets', 'r', '{PUNYCODE}', '{KEY}');
            """
        )
        await erasure.erase(connection, person, actor=other.id)
        left = await connection.fetch(
            """
            select email from claims union all select email from email_changes
            union all select to_email from mails
            union all select email from orders where email is not null
            union all select email from differences where email is not null
            union all select email from preview_records
            """
        )
    assert {row["email"] for row in left} == {"third@x.example"}


async def test_erasing_leaves_alone_what_is_also_anothers_address(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await customers(connection, "first@x.example")
        person = await connection.fetchval("select user_id from customers")
        spouse, _ = await users.find_or_create(connection, "spouse@x.example")
        await connection.execute("update customers set email = 'spouse@x.example'")
        doubt = Doubt("doubt", DoubtKind.NO_ADDRESS, user_id=spouse.id, email="Spouse@x.example")
        await matches.raise_doubts(connection, [doubt])
        await erasure.erase(connection, person, actor=spouse.id)
        assert await connection.fetchval("select count(*) from matches") == 1
        assert await connection.fetchval("select email from customers") is None


@pytest.mark.parametrize("search", [FULL_WIDTH, DECOMPOSED, PUNYCODE, "ＹＥＲ＠mün"])
async def test_searching_finds_an_address_however_it_is_written(pool: Pool, search: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await customers(connection, PUNYCODE)
        found = await users.listed(connection, search=search)
        listed = await listing.listed(connection, UserFilter(search=search), limit=9)
        lines = await lanes.found(connection, FeedFilter(search=search), after=None, limit=9)
    assert (len(found), len(listed), len(lines)) == (1, 1, 1)
