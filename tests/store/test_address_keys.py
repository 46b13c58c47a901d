"""The key of an address is stored, also for users from before migration 0040."""

import asyncpg
import pytest

from latchkey.addresses import email_key
from latchkey.store import migrate
from latchkey.store.pool import Pool
from latchkey.store.users import users
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
    before = [one for one in everything if one[0] < "0040"]
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
    monkeypatch.setattr(migrate, "migrations", lambda: everything)
    assert "0040_address_keys" in await migrate.migrate(dsn)

    keys = {r["email"]: r["email_key"] for r in await connection.fetch("select * from users")}
    proposed = await connection.fetch("select user_id, other_id, state from matches order by 2")
    further = await connection.fetch("select email_key from user_addresses order by 1")
    await connection.close()
    doubtful = {"bea@xn--mnchen-3ya.example", "ANNA@xn--mnchen-3ya.example"}
    assert {email for email, key in keys.items() if key != email_key(email)} == doubtful
    assert [tuple(row) for row in proposed] == [(1, 2, "open"), (3, 4, "open")]
    assert [row["email_key"] for row in further] == ["bea@münchen.example", "zoe@club.example"]
