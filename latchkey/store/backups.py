"""What a backup says about the database that it was made of, and what a restore changes in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from latchkey.store import site_identity
from latchkey.store.pool import Connection

RESTORING = "latchkey_restoring"
"""A schema that exists while a database is being restored: nothing may start on it."""


@dataclass(frozen=True)
class Described:
    """`postgres` is the server's major release, `snapshot` what others see the same rows by, for as
    long as the transaction lasts. `home`, `account` and `livemode` are None where there is none."""

    postgres: int
    snapshot: str
    home: str | None
    account: str | None
    livemode: bool | None
    migrations: Mapping[str, str | None]
    counts: Mapping[str, int]


async def describe(connection: Connection) -> Described:
    """Describe the database and count its rows. The caller has opened a repeatable read."""
    row = await connection.fetchrow(
        """
        select pg_export_snapshot() as snapshot,
               (select value ->> 'home' from site_settings where key = $1) as home,
               (select account_id from stripe_connection) as account,
               (select livemode from stripe_connection) as livemode
        """,
        site_identity.KEY,
    )
    assert row is not None, "a select without a table has one row"
    applied = await connection.fetch(
        "select name, to_jsonb(m) ->> 'oldest_release' as oldest_release from schema_migrations m"
        " order by name"
    )
    return Described(
        postgres=await server_release(connection),
        migrations={each["name"]: each["oldest_release"] for each in applied},
        counts=await counts(connection),
        **dict(row),
    )


async def note(connection: Connection, made_at: datetime, size: int) -> None:
    """Remember when a backup of the database was made, and its size in bytes."""
    await connection.execute(
        """
        insert into chores (name, position, done_at) values ('backup', $1, $2)
        on conflict (name) do update set position = excluded.position, done_at = excluded.done_at
        """,
        size,
        made_at,
    )


async def server_release(connection: Connection) -> int:
    """The major release of the server."""
    return int(await connection.fetchval("show server_version_num")) // 10_000


async def counts(connection: Connection) -> dict[str, int]:
    """The number of rows of each table."""
    tables = await connection.fetch(
        """
        select relname as name, oid::regclass::text as quoted from pg_class
         where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p')
         order by relname
        """
    )
    return {
        table["name"]: await connection.fetchval(f"select count(*) from {table['quoted']}")
        for table in tables
    }


async def is_empty(connection: Connection) -> bool:
    """Whether nobody has made anything in this database."""
    found: bool = await connection.fetchval(
        """
        select not exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
               and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f'))
           and to_regnamespace($1) is null
        """,
        RESTORING,
    )
    return found


async def begin(connection: Connection) -> None:
    """Keep everything from starting on the database until `finish`."""
    await connection.execute(f"create schema {RESTORING}")


async def abandon(connection: Connection) -> None:
    """Take back `begin`, since nothing was restored."""
    await connection.execute(f"drop schema {RESTORING}")


async def finish(connection: Connection, address: str, made_at: str) -> None:
    """Make the restored site a copy that stays silent until it is adopted, and let it start. The
    caller opens the transaction."""
    await site_identity.silence(connection, address, made_at)
    await connection.execute(f"drop schema {RESTORING}")
