"""Bulk changes: what many people get or lose at once is one line for each product, which sums up
the lines of its people. They share its `source_id`, and have the cause `bulk`."""

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class BulkCounts:
    """How many people got access, had it and got another end or reason, or lost it, and how many
    users were created for that, or deleted."""

    granted: int = 0
    changed: int = 0
    ended: int = 0
    created: int = 0
    deleted: int = 0


def new_id() -> str:
    return f"bulk_{secrets.token_hex(8)}"


def id_for(people: int) -> str | None:
    """The id of a bulk change of so many people; what happens to one person is none."""
    return new_id() if people > 1 else None


def cause_of(bulk_id: str | None) -> Cause:
    """The cause of what an admin does, in bulk or not."""
    return Cause.BULK if bulk_id else Cause.ADMIN


async def add(
    connection: Connection,
    bulk_id: str,
    counts: BulkCounts,
    *,
    type_: ActivityType = ActivityType.BULK_CHANGE,
    product_id: str | None = None,
    actor: int | None = None,
) -> None:
    """Add to the line of a bulk change and product, which is written by the first call. Nobody
    counts twice if each person is part of one call."""
    key = f"bulk:{bulk_id}:{product_id or ''}"
    head = Fact(
        key=key,
        type=type_,
        at=datetime.now(UTC),
        cause=Cause.ADMIN,
        product_id=product_id,
        source_id=bulk_id,
        actor_id=actor,
    )
    await write_facts(connection, [head])
    await connection.execute(
        """
        update activities a
           set data = a.data || (
               select jsonb_object_agg(key, value::int + coalesce((a.data ->> key)::int, 0))
                 from jsonb_each_text($2::jsonb))
         where fact = $1
        """,
        key,
        asdict(counts),
    )
