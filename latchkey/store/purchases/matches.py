"""Doubts about who is who, raised once and kept until a person decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from latchkey.addresses import email_key
from latchkey.store.pool import Connection


class DoubtKind(StrEnum):
    """What is doubtful. A doubt's `user_id` has (or keeps) the purchase, `other_id` is the other
    person it might be."""

    NO_ADDRESS = "no_address"
    REFERENCE_AND_CUSTOMER = "reference_and_customer"
    REFERENCE_AND_ADDRESS = "reference_and_address"
    ADDRESS_CHANGED = "address_changed"
    SIMILAR_ADDRESS = "similar_address"
    SHARED_ADDRESS = "shared_address"
    STAFF_ADDRESS = "staff_address"
    OTHER_PAYER = "other_payer"
    REFERENCE_FORGED = "reference_forged"
    REFERENCE_EXPIRED = "reference_expired"
    REFERENCE_OTHER_PRODUCT = "reference_other_product"


@dataclass(frozen=True)
class Doubt:
    """One doubt. The same `key` is raised only once. `source_id` is the purchase concerned."""

    key: str
    kind: DoubtKind
    user_id: int | None = None
    other_id: int | None = None
    customer_id: str | None = None
    source: str | None = None
    source_id: str | None = None
    email: str | None = None


@dataclass(frozen=True)
class Match:
    """A doubt as shown to people. `state` is open, accepted, dismissed, or settled if it resolved
    itself; times in UTC."""

    id: int
    kind: str
    user_id: int | None
    user_email: str | None
    other_id: int | None
    other_email: str | None
    user_proven: bool
    other_proven: bool
    customer_id: str | None
    customer_email: str | None
    customer_name: str | None
    source: str | None
    source_id: str | None
    email: str | None
    state: str
    created_at: datetime
    decided_at: datetime | None

    @property
    def merges(self) -> bool:
        """Whether accepting merges two users."""
        return self.user_id is not None and self.other_id is not None


_SELECT = """
select m.id, m.kind, m.user_id, u.email as user_email, m.other_id, o.email as other_email,
       u.proven_at is not null as user_proven, o.proven_at is not null as other_proven,
       m.customer_id, c.email as customer_email, c.name as customer_name, m.source, m.source_id,
       m.email, m.state, m.created_at, m.decided_at
  from matches m
  left join users u on u.id = m.user_id
  left join users o on o.id = m.other_id
  left join customers c on c.id = m.customer_id
"""


async def raise_doubts(connection: Connection, doubts: Sequence[Doubt]) -> None:
    """Queue doubts. One that was raised before keeps its decision."""
    if not doubts:
        return
    rows: list[dict[str, Any]] = [
        dict(vars(doubt), email_key=email_key(doubt.email) if doubt.email else None)
        for doubt in doubts
    ]
    await connection.execute(
        """
        insert into matches (key, kind, user_id, other_id, customer_id, source, source_id, email,
                             email_key)
        select * from jsonb_to_recordset($1::jsonb) as given (
            key text, kind text, user_id bigint, other_id bigint, customer_id text, source text,
            source_id text, email text, email_key text)
        on conflict (key) do nothing
        """,
        rows,
    )


async def settled(connection: Connection, source_ids: Sequence[str]) -> None:
    """Close the doubts about purchases whose buyer was unknown until now."""
    await connection.execute(
        """
        update matches set state = 'settled', decided_at = now()
         where source_id = any($1::text[]) and kind = 'no_address' and state = 'open'
        """,
        list(source_ids),
    )


async def listed(
    connection: Connection, *, state: str | None, after: int | None = None, limit: int = 50
) -> list[Match]:
    """Matches, newest first, starting after id `after`."""
    rows = await connection.fetch(
        f"""
        {_SELECT} where ($1::text is null or m.state = $1) and ($2::bigint is null or m.id < $2)
         order by m.id desc limit $3
        """,
        state,
        after,
        limit,
    )
    return [Match(**dict(row)) for row in rows]


async def find(connection: Connection, match_id: int) -> Match | None:
    row = await connection.fetchrow(f"{_SELECT} where m.id = $1", match_id)
    return Match(**dict(row)) if row else None


async def count_open(connection: Connection) -> int:
    found: int = await connection.fetchval("select count(*) from matches where state = 'open'")
    return found


async def decide(connection: Connection, match_id: int, state: str, *, actor: int | None) -> bool:
    """Close an open match as `accepted` or `dismissed`; False if it isn't open."""
    return bool(
        await connection.fetchval(
            """
            update matches set state = $2, decided_at = now(), decided_by = $3
             where id = $1 and state = 'open' returning true
            """,
            match_id,
            state,
            actor,
        )
    )
