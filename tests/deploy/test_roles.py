"""`deploy/postgres` gives each database an owner that may do nothing else, in a new cluster and in
one whose tables the superuser made."""

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from latchkey.embedded import postgres_binaries
from latchkey.store.migrate import migrate, pending
from tests.harness import Postgres

pytestmark = pytest.mark.anyio

ROLES = Path(__file__).parents[2] / "deploy" / "postgres" / "roles.sql"
REFUSED = (
    "create role intruder",
    "create database intruder",
    "alter role latchkey_app superuser",
    "alter role temporal password 'known'",
    "select pg_read_file('/etc/passwd')",
    "copy users to program 'cat'",
    "create extension file_fdw",
    "select rolpassword from pg_authid",
)


def give_roles(dsn: str) -> None:
    """Run the script as Compose does."""
    passwords = {
        f"{name}_POSTGRES_PASSWORD": "it's a password" for name in ("LATCHKEY", "TEMPORAL")
    }
    psql = [str(postgres_binaries() / "psql"), "--no-psqlrc", "--quiet", "--file", str(ROLES), dsn]
    done = subprocess.run(psql, env=os.environ | passwords, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "ERROR" not in done.stderr


async def test_each_database_gets_an_owner_without_other_rights(postgres: Postgres) -> None:
    admin = await asyncpg.connect(postgres.dsn("postgres"))
    await admin.execute("create database latchkey template template_latchkey")
    await admin.execute("create database temporal")
    temporal = await asyncpg.connect(postgres.dsn("temporal"))
    await temporal.execute(
        """
        create type colour as enum ('red');
        create table executions (id bigserial primary key, colour colour);
        create function one() returns int language sql return 1;
        create extension btree_gin;
        """
    )
    await temporal.close()
    give_roles(postgres.dsn("postgres"))
    apart = await asyncpg.connect(postgres.dsn("latchkey"))
    await apart.execute("create role audit_owner nologin")
    await apart.execute("alter table audit_log owner to audit_owner")
    give_roles(postgres.dsn("postgres"))
    owner = "select relowner::regrole::text from pg_class where relname = 'audit_log'"
    assert await apart.fetchval(owner) == "audit_owner", "what was given to another role stays"
    await apart.execute("alter table audit_log owner to latchkey_app")
    await apart.execute("drop role audit_owner")
    await apart.close()

    rights = await admin.fetch(
        """
        select rolname, rolcanlogin, rolsuper or rolcreatedb or rolcreaterole or rolreplication
               or rolbypassrls as more from pg_roles where rolname in ('latchkey_app', 'temporal')
        """
    )
    assert {tuple(row) for row in rights} == {
        ("latchkey_app", True, False),
        ("temporal", True, False),
    }
    await admin.close()

    mine = as_role(postgres.dsn("latchkey"), "latchkey_app")
    assert await pending(mine) == []
    connection = await asyncpg.connect(mine)
    foreign = await connection.fetchval(
        """
        select string_agg(relname, ', ') from pg_class
         where relnamespace = 'public'::regnamespace and relowner <> 'latchkey_app'::regrole
        """
    )
    assert foreign is None
    await connection.execute("alter table users add column probe int")
    await connection.execute("drop table schema_migrations cascade")
    await connection.execute("create table schema_migrations (name text, applied_at timestamptz)")
    for statement in REFUSED:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()

    theirs = await asyncpg.connect(as_role(postgres.dsn("temporal"), "temporal"))
    await theirs.execute("alter table executions add column more int; drop function one()")
    await theirs.execute("alter type colour add value 'green'")
    await theirs.close()
    for database, role in (("latchkey", "temporal"), ("temporal", "latchkey_app")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(as_role(postgres.dsn(database), role))


async def test_the_owner_can_migrate_a_new_database(postgres: Postgres) -> None:
    admin = await asyncpg.connect(postgres.dsn("postgres"))
    for name in ("latchkey", "temporal", "temporal_visibility"):
        await admin.execute(f"drop database if exists {name}")
    give_roles(postgres.dsn("postgres"))
    mine = as_role(postgres.dsn("latchkey"), "latchkey_app")
    assert await migrate(mine)
    assert await pending(mine) == []
    for name in ("latchkey", "temporal", "temporal_visibility"):
        await admin.execute(f"drop database {name}")
    await admin.close()


def as_role(dsn: str, role: str) -> str:
    host = urlsplit(dsn).netloc.rpartition("@")[2]
    return dsn.replace(urlsplit(dsn).netloc, f"{role}@{host}", 1)
