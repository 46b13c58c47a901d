"""Grants: who may open what, and complimentary access given by hand."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.rules.access import Reason
from latchkey.rules.identity import email_key
from latchkey.store.effects import Fact, write_facts
from latchkey.store.pool import Connection, Pool

_ACCESS = """
select p.id as product_id, p.access_mode, u.id as user_id, g.id, g.source, g.source_id, g.since,
       g.until
  from products p
  left join users u on {who}
  left join grants g on g.product_id = p.id and g.user_id = u.id and g.ended_at is null
       and (g.until is null or g.until > now())
 where p.id = $1 or p.slug = $1
"""
_BY_EMAIL = _ACCESS.format(who="u.email_key = $2")
_BY_USER = _ACCESS.format(who="u.id = $2")


class UnknownProduct(Exception):
    """There is no such product."""


@dataclass(frozen=True)
class Grant:
    """`until` and `ended_at` are aware datetimes in UTC; `source_id` is Stripe's id."""

    id: int
    user_id: int
    email: str
    name: str | None
    product_id: str
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    cause: str
    reason: str | None

    @property
    def state(self) -> str:
        """live, ending (an end is set) or ended."""
        return grant_state(self.until, self.ended_at)


def grant_state(until: datetime | None, ended_at: datetime | None = None) -> str:
    if ended_at is not None or (until is not None and until <= datetime.now(UTC)):
        return "ended"
    return "live" if until is None else "ending"


async def access_rows(
    pool: Pool, product: str, *, email: str | None = None, user_id: int | None = None
) -> list[Any]:
    """One query: the product, the user and their live grants of it; no rows for an unknown
    product."""
    if email is not None:
        return await pool.fetch(_BY_EMAIL, product, email_key(email))
    return await pool.fetch(_BY_USER, product, user_id)


def may_open(rows: list[Any]) -> tuple[bool, datetime | None]:
    """Whether the rows of `access_rows` give access, and until when (None: no end known)."""
    first = rows[0]
    if first["user_id"] is None:
        return False, None
    if first["access_mode"] != "assigned":
        return True, None
    grants = [row for row in rows if row["id"] is not None]
    ends = [row["until"] for row in grants]
    return bool(grants), None if None in ends or not ends else max(ends)


async def of_product(
    connection: Connection, product_id: str, *, after: int | None = None, limit: int = 50
) -> list[Grant]:
    """A product's live grants, newest first, from the one after id `after`."""
    return await _fetch(
        connection,
        """
        g.product_id = $1 and g.ended_at is null and (g.until is null or g.until > now())
        and ($2::bigint is null or g.id < $2) order by g.id desc limit $3
        """,
        product_id,
        after,
        limit,
    )


async def of_user(connection: Connection, user_id: int, *, limit: int = 200) -> list[Grant]:
    """Every grant a user has or had, newest first."""
    return await _fetch(connection, "g.user_id = $1 order by g.id desc limit $2", user_id, limit)


async def give(
    connection: Connection,
    *,
    product_id: str,
    email: str,
    until: datetime | None,
    reason: str | None,
    actor: int | None,
) -> Grant:
    """Complimentary access for one person, who is created where unknown. Given again it changes
    the end and the reason. Raises `UnknownProduct`. The caller opens the transaction."""
    from latchkey.store import users

    known = await connection.fetchval("select true from products where id = $1", product_id)
    if not known:
        raise UnknownProduct(f"there is no product {product_id}")
    user, created = await users.find_or_create(connection, email)
    row = await connection.fetchrow(
        """
        insert into grants (user_id, product_id, source, source_id, since, until, cause, reason,
                            granted_by)
        values ($1, $2, 'manual', '', now(), $3, 'admin', $4, $5)
        on conflict (user_id, product_id, source, source_id) where ended_at is null
           do update set until = excluded.until, reason = excluded.reason
        returning id, (xmax = 0) as inserted
        """,
        user.id,
        product_id,
        until,
        reason,
        actor,
    )
    assert row is not None, "the upsert returns its row"
    facts = []
    if created:
        facts.append(_fact(f"user_created:{user.id}", "user_created", user.id, None, actor))
    if row["inserted"]:
        facts.append(
            _fact(f"access_granted:{row['id']}", "manual_grant", user.id, product_id, actor)
        )
    await write_facts(connection, facts)
    return (await _fetch(connection, "g.id = $1", row["id"]))[0]


async def end(connection: Connection, grant_id: int, *, actor: int | None) -> Grant | None:
    """End a grant by hand, whatever its source; None where there is no such grant. Ending it
    again changes nothing. The caller opens the transaction."""
    row = await connection.fetchrow(
        """
        update grants set ended_at = now(), end_reason = $2
         where id = $1 and ended_at is null returning user_id, product_id
        """,
        grant_id,
        Reason.BY_HAND.value,
    )
    if row:
        fact = _fact(
            f"access_ended:{grant_id}", "access_ended", row["user_id"], row["product_id"], actor
        )
        await write_facts(connection, [fact])
    found = await _fetch(connection, "g.id = $1", grant_id)
    return found[0] if found else None


def _fact(key: str, type_: str, user_id: int, product_id: str | None, actor: int | None) -> Fact:
    return Fact(
        key=key,
        type=type_,
        at=datetime.now(UTC),
        cause="admin",
        user_id=user_id,
        product_id=product_id,
        actor_id=actor,
    )


async def _fetch(connection: Connection, where: str, *values: object) -> list[Grant]:
    rows = await connection.fetch(
        f"""
        select g.id, g.user_id, u.email, u.name, g.product_id, g.source, g.source_id, g.since,
               g.until, g.ended_at, g.end_reason, g.cause, g.reason
          from grants g join users u on u.id = g.user_id where {where}
        """,
        *values,
    )
    return [Grant(**dict(row)) for row in rows]
