"""Users: people known to the site, their roles and passwords."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.addresses import email_key, shown
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection

ADMIN_ROLES = ("support", "admin", "owner")
_FIELDS = "id, email, name, role, password_hash, link_epoch, locale, created_at, last_seen_at"


@dataclass(frozen=True)
class User:
    """`role` is member, support, admin or owner. `link_epoch` is part of every link that signs the
    user in. `locale` is the code of the language that they read, if it is known. `acted_by` is the
    address of the admin who is impersonating this user."""

    id: int
    email: str
    name: str | None
    role: str
    password_hash: str | None
    link_epoch: int
    locale: str | None
    created_at: datetime
    last_seen_at: datetime | None
    acted_by: str | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the user may make changes in the admin pages."""
        return self.role in ("admin", "owner")

    @property
    def is_staff(self) -> bool:
        """Whether the user may see the admin pages; support can read and resend, but not grant or
        delete."""
        return self.role in ADMIN_ROLES


@dataclass(frozen=True)
class StripeCustomer:
    id: str
    email: str | None
    name: str | None
    livemode: bool
    deleted: bool


def fields_of(alias: str) -> str:
    """The columns of a `User`, but `acted_by`, in a query where the table has this alias."""
    return ", ".join(f"{alias}.{field}" for field in _FIELDS.split(", "))


async def by_id(connection: Connection, user_id: int) -> User | None:
    """The user with this id, or the one it was merged into."""
    row = await connection.fetchrow(
        f"""
        select {_FIELDS} from users
         where id = coalesce((select into_user from user_merges where from_user = $1), $1)
        """,
        user_id,
    )
    return User(**dict(row)) if row else None


async def by_email(connection: Connection, email: str) -> User | None:
    """The user with this main or additional address."""
    row = await connection.fetchrow(
        f"""
        select {_FIELDS} from users
         where id = coalesce((select id from users where email_key = $1),
                             (select user_id from user_addresses where email_key = $1))
        """,
        email_key(email),
    )
    return User(**dict(row)) if row else None


async def find_or_create(
    connection: Connection, email: str, *, name: str | None = None
) -> tuple[User, bool]:
    """The user with this address, created if unknown, and whether they were created."""
    row = await connection.fetchrow(
        f"""
        insert into users (email, email_key, name)
        select $1, $2, $3 where not exists (select from user_addresses where email_key = $2)
        on conflict (email_key) do nothing returning {_FIELDS}
        """,
        shown(email),
        email_key(email),
        name,
    )
    if row:
        return User(**dict(row)), True
    found = await by_email(connection, email)
    assert found is not None, "the insert found them"
    return found, False


async def listed(
    connection: Connection,
    *,
    after: int | None = None,
    limit: int = 50,
    search: str | None = None,
    label: str | None = None,
) -> list[User]:
    """Users, newest first, starting after id `after`; `search` matches the address and name."""
    search = text_search.text_of(search) if search else None
    found = f"and {text_search.matches('users', '$3', search)}" if search else ""
    if label is not None:
        place = "$4" if search else "$3"
        found += f" and id in (select user_id from user_labels where label = {place})"
    rows = await text_search.fetch_planned(
        connection,
        f"""
        select {_FIELDS} from users where ($1::bigint is null or id < $1) {found}
         order by id desc limit $2
        """,
        after,
        limit,
        *([search] if search else []),
        *([label] if label is not None else []),
    )
    return [User(**dict(row)) for row in rows]


async def customers(connection: Connection, user_ids: list[int]) -> dict[int, list[StripeCustomer]]:
    """The Stripe customers of each user."""
    rows = await connection.fetch(
        """
        select user_id, id, email, name, livemode, deleted from customers
         where user_id = any($1::bigint[]) order by id
        """,
        user_ids,
    )
    found: dict[int, list[StripeCustomer]] = {user_id: [] for user_id in user_ids}
    for row in rows:
        fields = {key: row[key] for key in StripeCustomer.__dataclass_fields__}
        found[row["user_id"]].append(StripeCustomer(**fields))
    return found


async def staff(connection: Connection) -> list[User]:
    """Owners, admins and support, in that order."""
    rows = await connection.fetch(
        f"""
        select {_FIELDS} from users where role <> 'member'
         order by array_position(array['owner', 'admin', 'support'], role), id
        """
    )
    return [User(**dict(row)) for row in rows]


async def set_password(connection: Connection, user_id: int, password_hash: str) -> None:
    """Set a password and end all sessions of the user."""
    await connection.execute(
        "update users set password_hash = $2 where id = $1", user_id, password_hash
    )
    await connection.execute("delete from sessions where user_id = $1", user_id)


async def lock(connection: Connection, user_ids: Sequence[int]) -> None:
    """Lock users until the transaction ends, in the order in which merging does. Whoever changes
    what a merge moves does this first, or each could wait for the other."""
    await connection.execute(
        "select from users where id = any($1::bigint[]) order by id for update", list(user_ids)
    )


async def lock_unchanged(connection: Connection, user: User) -> bool:
    """Hold a user as they were read until the transaction ends; False if their address, password or
    role has changed since, or if they were erased. What proved who they are may no longer do so."""
    return bool(
        await connection.fetchval(
            "select true from users where id = $1 and link_epoch = $2 for no key update",
            user.id,
            user.link_epoch,
        )
    )
