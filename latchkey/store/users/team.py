"""The site's team: owners, admins and support."""

from datetime import UTC, datetime

from latchkey.addresses import email_key, shown
from latchkey.languages import A_
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store import audit_draft
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.users import factors, sessions, users
from latchkey.store.users.users import User

_OWNERS = 0x6F776E65
"""Advisory lock: while one process makes the first owner, no other does."""


class RoleRefusedError(Exception):
    """The role can't be given or removed. The message says why."""


async def has_owner(connection: Connection) -> bool:
    """Whether somebody owns the site."""
    found: bool = await connection.fetchval(
        "select exists (select from users where role = 'owner')"
    )
    return found


async def make_first_owner(connection: Connection, email: str, password_hash: str | None) -> bool:
    """Make the owner of a site that has none; without a password, they need another way in. False
    where there is one, or where somebody has this address already: settings never raise a role. The
    caller opens the transaction."""
    await connection.execute("select pg_advisory_xact_lock($1)", _OWNERS)
    if await has_owner(connection):
        return False
    user_id = await connection.fetchval(
        """
        insert into users (email, email_key, role, password_hash) values ($1, $2, 'owner', $3)
        on conflict (email_key) do nothing returning id
        """,
        shown(email),
        email_key(email),
        password_hash,
    )
    if user_id is None:
        return False
    audit_draft.note(target=("user", user_id), after={"role": "owner"})
    await write_facts(connection, [_role_changed(user_id, "member", "owner", actor=None)])
    return True


async def recover_owner(connection: Connection, email: str) -> User:
    """Make somebody an owner, creating the account if needed, and end everything that signs them
    in: sessions, password, second factors and emailed links. The caller opens the transaction."""
    known, created = await users.find_or_create(connection, email)
    await sessions.end_all(connection, known.id)
    await factors.remove_factors(connection, known.id, actor=None)
    await connection.execute(
        """
        update users set role = 'owner', password_hash = null, link_epoch = link_epoch + 1
         where id = $1
        """,
        known.id,
    )
    owner = await users.by_id(connection, known.id)
    assert owner is not None, "the transaction holds the user"
    before = None if created else known.role
    audit_draft.note(target=("user", owner.id), before={"role": before}, after={"role": owner.role})
    now = datetime.now(UTC)
    fact = Fact(
        key=f"owner_recovered:{owner.id}:{now.isoformat()}",
        type=ActivityType.OWNER_RECOVERED,
        at=now,
        cause=Cause.ADMIN,
        user_id=owner.id,
        data={"before": before, "after": owner.role},
    )
    await write_facts(connection, [fact])
    return owner


async def invite(connection: Connection, email: str, role: str, *, actor: User) -> User:
    """Give someone a role by their address, and email them how to sign in.

    Raises `RoleRefusedError`. The caller opens the transaction.
    """
    await connection.execute("select from users where role = 'owner' for update")
    known = await users.by_email(connection, email)
    if known is not None and known.is_staff:
        raise RoleRefusedError(
            A_("%(email)s is already on the team: change their role below.", email=known.email)
        )
    user, _ = await users.find_or_create(connection, email)
    await change(connection, user.id, role, actor=actor)
    mail = Mail(
        key=f"login_instructions:{user.id}:team:{datetime.now(UTC).isoformat()}",
        kind="login_instructions",
        user_id=user.id,
        data={"next": "/admin"},
        asked_for=True,
    )
    await write_mails(connection, [mail])
    return user


async def change(connection: Connection, user_id: int, role: str, *, actor: User) -> None:
    """Give a user a role; `member` removes it. Raises `RoleRefusedError`.

    Only owners can appoint or change owners, and one owner must remain. The caller opens the
    transaction.
    """
    owners = [
        row["id"]
        for row in await connection.fetch("select id from users where role = 'owner' for update")
    ]
    user = await users.by_id(connection, user_id)
    if user is None or user.role == role:
        return
    if "owner" in (user.role, role) and actor.role != "owner":
        raise RoleRefusedError(A_("Only an owner can make someone an owner or remove that role."))
    if owners == [user_id]:
        raise RoleRefusedError(A_("The site needs an owner: make someone else an owner first."))
    audit_draft.note(target=("user", user_id), before={"role": user.role}, after={"role": role})
    await connection.execute("update users set role = $2 where id = $1", user_id, role)
    await write_facts(connection, [_role_changed(user_id, user.role, role, actor=actor.id)])


def _role_changed(user_id: int, before: str, after: str, *, actor: int | None) -> Fact:
    now = datetime.now(UTC)
    return Fact(
        key=f"role_changed:{user_id}:{now.isoformat()}",
        type=ActivityType.ROLE_CHANGED,
        at=now,
        cause=Cause.ADMIN,
        user_id=user_id,
        actor_id=actor,
        data={"before": before, "after": after},
    )
