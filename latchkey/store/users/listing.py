"""The admin's user list: search, filters, export, and import from a file."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from latchkey.addresses import email_key, shown
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.access.standings import StandingGroup, users_in
from latchkey.store.feed import bulk, text_search
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import billing_lists

CHUNK = 2000
SEEN = ("never", "month", "longer")
_SEEN = {
    "never": "u.last_seen_at is null",
    "month": "u.last_seen_at >= now() - interval '30 days'",
    "longer": "u.last_seen_at < now() - interval '30 days'",
}
_MEMBER = """
u.id in (select g.user_id from live_grants g where g.product_id = {})
"""


@dataclass(frozen=True)
class ListedUser:
    """`products` are the names of products they have a live grant for."""

    id: int
    email: str
    name: str | None
    role: str
    created_at: datetime
    last_seen_at: datetime | None
    erased_at: datetime | None
    products: list[str]


@dataclass(frozen=True)
class UserFilter:
    """`search` is part of the address or name, or a whole Stripe id; `seen` is one of `SEEN`
    (never, within a month, longer ago); `product` is the id of a product they have a live grant
    for; `group` is one that the dashboard counts."""

    search: str | None = None
    product: str | None = None
    role: str | None = None
    seen: str | None = None
    group: StandingGroup | None = None


@dataclass(frozen=True)
class NewUser:
    email: str
    name: str | None


@dataclass(frozen=True)
class Imported:
    """`known` were already users; only missing names were added."""

    created: int
    known: int


async def listed(
    connection: Connection, wanted: UserFilter, *, after: int | None = None, limit: int
) -> list[ListedUser]:
    """Users, newest first, starting after id `after`."""
    given: list[object] = [limit]
    bought = await billing_lists.users_of(connection, wanted.search) if wanted.search else []
    rows = await text_search.fetch_planned(
        connection,
        f"""
        with page as (
            select u.* from users u where {_conditions(wanted, after, given, bought)}
             order by u.id desc limit $1)
        select p.id, p.email, p.name, p.role, p.created_at, p.last_seen_at, p.erased_at,
               array(select distinct o.name from live_grants g
                        join products o on o.id = g.product_id
                      where g.user_id = p.id
                      order by o.name) as products
          from page p order by p.id desc
        """,
        *given,
    )
    return [ListedUser(**dict(row)) for row in rows]


def _conditions(
    wanted: UserFilter, after: int | None, given: list[object], bought: list[int]
) -> str:
    """The conditions of a filter; their values are added to `given`. `bought` are the users whom a
    search for a Stripe id finds."""
    texts = [_SEEN[wanted.seen]] if wanted.seen else []
    if wanted.group:
        texts.append(f"u.id in ({users_in(wanted.group)})")

    def add(value: object, text: str) -> None:
        if value is not None:
            given.append(value)
            texts.append(text.format(f"${len(given)}"))

    add(after, "u.id < {}")
    add(wanted.role, "u.role = {}")
    add(wanted.product, _MEMBER)
    if bought:
        add(bought, "u.id = any({}::bigint[])")
    elif wanted.search:
        search = text_search.text_of(wanted.search)
        given.append(search)
        texts.append(text_search.matches("u", f"${len(given)}", search))
    return " and ".join(texts) or "true"


async def everybody(pool: Pool, wanted: UserFilter) -> AsyncIterator[list[ListedUser]]:
    """All users matching a filter in chunks, newest first. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await listed(connection, wanted, after=after, limit=CHUNK)
        if not rows:
            return
        yield rows
        after = rows[-1].id


async def known(connection: Connection, emails: Sequence[str]) -> set[str]:
    """Which of these addresses already belong to users, by key."""
    rows = await connection.fetch(
        "select email_key from users where email_key = any($1::text[])",
        [email_key(email) for email in emails],
    )
    return {row["email_key"] for row in rows}


async def keep_import(connection: Connection, rows: Sequence[NewUser], *, actor: int) -> str:
    """Store a parsed file until its import is confirmed; returns the id to confirm it with."""
    await connection.execute(
        "delete from user_imports where created_at < now() - interval '1 day' or created_by = $1",
        actor,
    )
    import_id = f"imp_{secrets.token_hex(8)}"
    await connection.execute(
        "insert into user_imports (id, created_by, rows) values ($1, $2, $3::jsonb)",
        import_id,
        actor,
        [asdict(row) for row in rows],
    )
    return import_id


async def run_import(connection: Connection, import_id: str, *, actor: int) -> Imported | None:
    """Create users from a stored file; None if it doesn't exist (any more).

    Importing is idempotent. The caller opens the transaction.
    """
    rows = await connection.fetchval(
        "delete from user_imports where id = $1 and created_by = $2 returning rows",
        import_id,
        actor,
    )
    if rows is None:
        return None
    rows = [
        {"email": shown(row["email"]), "key": email_key(row["email"]), "name": row["name"]}
        for row in rows
    ]
    created = await connection.fetch(
        """
        insert into users (email, email_key, name)
        select email, key, name
          from jsonb_to_recordset($1::jsonb) as g (email text, key text, name text)
         order by key
        on conflict (email_key) do nothing returning id
        """,
        rows,
    )
    await connection.execute(
        """
        update users u set name = g.name
          from jsonb_to_recordset($1::jsonb) as g (key text, name text)
         where u.email_key = g.key and u.name is null and g.name is not null
        """,
        rows,
    )
    now = datetime.now(UTC)
    bulk_id = bulk.new_id()
    facts = [
        Fact(
            key=f"user_created:{row['id']}",
            type=ActivityType.USER_CREATED,
            at=now,
            cause=Cause.BULK,
            user_id=row["id"],
            source_id=bulk_id,
            actor_id=actor,
        )
        for row in created
    ]
    await write_facts(connection, facts)
    await bulk.add(
        connection,
        bulk_id,
        BulkCounts(created=len(created)),
        type_=ActivityType.USERS_IMPORTED,
        actor=actor,
    )
    return Imported(created=len(created), known=len(rows) - len(created))
