"""Whose billing is open after the update: that of customers whose address was proven before."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from latchkey.rules.identity import Reference
from latchkey.rules.vocabulary import Cause, GrantSource
from latchkey.store import migrate
from latchkey.store.pool import Pool
from latchkey.store.purchases import buyers
from latchkey.store.purchases.buyers import Buyer
from latchkey.store.stripe.context import Account, ApplyContext
from latchkey.store.users import erasure, users
from tests.harness import Postgres

pytestmark = pytest.mark.anyio

BEFORE = """
insert into users (email, last_seen_at) values
    ('seen@x.example', now()), ('typed@x.example', null), ('changed@x.example', now());
insert into user_addresses (email_key, email, user_id, source) values
    ('claimed@x.example', 'claimed@x.example', 1, 'claim'),
    ('merged@x.example', 'merged@x.example', 1, 'merge'),
    ('visited@x.example', 'visited@x.example', 1, 'merge');
insert into user_merges (from_user, into_user, email, email_key, kept) values
    (90, 1, 'merged@x.example', 'merged@x.example',
     '{"user": {"last_seen_at": null}, "moved": {"customers.user_id": [{"id": "cus_merged"}]}}'),
    (91, 1, 'visited@x.example', 'visited@x.example',
     '{"user": {"last_seen_at": "2026-01-01T00:00:00Z"},
       "moved": {"customers.user_id": [{"id": "cus_visited"}]}}');
insert into customers (id, account_id, livemode, user_id, bound_by, email) values
    ('cus_own', 'acct_1', false, 1, 'email', 'Seen@x.example'),
    ('cus_claimed', 'acct_1', false, 1, 'email', 'claimed@x.example'),
    ('cus_merged', 'acct_1', false, 1, 'created', 'merged@x.example'),
    ('cus_visited', 'acct_1', false, 1, 'created', 'visited@x.example'),
    ('cus_payer', 'acct_1', false, 1, 'reference', 'payer@x.example'),
    ('cus_by_hand', 'acct_1', false, 1, 'admin', null),
    ('cus_typed', 'acct_1', false, 2, 'created', 'typed@x.example'),
    ('cus_changed', 'acct_1', false, 3, 'created', 'before@x.example'),
    ('cus_nobodys', 'acct_1', false, null, null, 'nobody@x.example')
"""


async def test_the_update_opens_what_was_proven(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await asyncpg.connect(postgres.dsn("postgres"))
    await admin.execute("create database before_proven_addresses")
    await admin.close()
    dsn, everything = postgres.dsn("before_proven_addresses"), migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: [m for m in everything if m.name < "0075"])
    await migrate.migrate(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute(BEFORE)
    monkeypatch.setattr(migrate, "migrations", lambda: everything)
    await migrate.migrate(dsn)
    rows = await connection.fetch("select id from customers where billing_user = user_id")
    proven = await connection.fetch(
        "select email_key from user_addresses where proven_at > '-infinity'"
    )
    seen = await connection.fetch("select email from users where proven_at is not null")
    await connection.execute(
        "insert into customers (id, account_id, livemode, user_id, email)"
        " values ('cus_later', 'acct_1', false, 2, 'Typed@x.example'),"
        " ('cus_other', 'acct_1', false, 2, 'other@x.example')"
    )
    later = await connection.fetch(
        "select id from customers where id in ('cus_later', 'cus_other') and billing_user = 2"
    )
    await connection.close()
    assert {row["id"].removeprefix("cus_") for row in rows} == {
        "own", "claimed", "visited", "typed", "changed",
    }  # fmt: skip
    assert {row["email_key"].partition("@")[0] for row in proven} == {"claimed", "visited"}
    assert {row["email"].partition("@")[0] for row in seen} == {"seen", "changed"}
    assert [row["id"] for row in later] == ["cus_later"], "as the release before inserts them"


async def test_an_erasure_leaves_neither_payers_nor_requests(pool: Pool) -> None:
    await pool.execute(
        """
        insert into users (email, role) values
            ('boss@x.example', 'owner'), ('gone@x.example', 'member'), ('b@x.example', 'member');
        insert into merge_requests (into_user, other_user, into_epoch, other_epoch, reason)
            values (3, 2, 0, 0, 'Gone called us');
        insert into other_payers (source_id, user_id, email, email_key) values
            ('cs_1', 2, 'p@x.example', 'p@x.example'),
            ('cs_2', 3, 'gone@x.example', 'gone@x.example'),
            ('cs_3', 3, 'c@x.example', 'c@x.example');
        insert into passkeys (user_id, credential_id, public_key, sign_count, name)
            values (2, 'gone', 'x', 0, 'phone'), (3, 'stays', 'x', 0, 'phone')
        """
    )
    async with pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, 2, actor=1)
    assert await pool.fetchval("select count(*) from merge_requests") == 0
    assert [r[0] for r in await pool.fetch("select source_id from other_payers")] == ["cs_3"]
    assert [r[0] for r in await pool.fetch("select user_id from passkeys")] == [3]


@pytest.mark.parametrize("proven", [True, False])
async def test_paying_with_another_address_of_ones_own_opens_billing_once_it_is_proven(
    pool: Pool, proven: bool
) -> None:
    """A merge without asking adds an address that nobody has proven."""
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        member, _ = await users.find_or_create(connection, "member@x.example")
        await connection.execute(
            """
            insert into user_addresses (email_key, email, user_id, source, proven_at)
            values ('second@x.example', 'second@x.example', $1, 'merge',
                    case when $2 then now() end)
            """,
            member.id,
            proven,
        )
        buyer = Buyer(
            "sub_1",
            GrantSource.SUBSCRIPTION,
            "cus_1",
            "second@x.example",
            None,
            reference=Reference(member.id, "prd_1", now + timedelta(days=1)),
            products=("prd_1",),
            begun=now,
        )
        context = ApplyContext(Account("acct_1", False), 1, now, Cause.CUSTOMER)
        found = await buyers.resolve(connection, [buyer], context=context)
        assert found["sub_1"].user_id == member.id
        opened = await connection.fetchval("select billing_user from customers")
        asked = await connection.fetchval("select count(*) from other_payers")
    assert (opened, asked) == ((member.id, 0) if proven else (None, 1))
