"""Who had access when: a product's members on a day, a user's access over time."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.store.pool import Connection

_SPANS = """
select g.id, g.user_id, u.email, u.name, g.product_id, p.name as product_name, g.source,
       g.source_id, g.since, least(g.ended_at, g.until) as ended, g.due_at,
       g.end_reason, g.cause, g.reason
  from grants g
  join users u on u.id = g.user_id
  join products p on p.id = g.product_id
"""


@dataclass(frozen=True)
class Span:
    """One grant as a period from `since` up to but excluding `ended`, which is None if no end is
    known. `due_at` is when an end that has come was due."""

    id: int
    user_id: int
    email: str
    name: str | None
    product_id: str
    product_name: str
    source: str
    source_id: str
    since: datetime
    ended: datetime | None
    due_at: datetime | None
    end_reason: str | None
    cause: str
    reason: str | None


async def of_product(
    connection: Connection,
    product_id: str,
    *,
    start: datetime,
    end: datetime,
    after: int | None = None,
    limit: int = 50,
) -> list[Span]:
    """The grants that gave access at any time from `start` up to `end`, oldest first, starting
    after id `after`."""
    rows = await connection.fetch(
        f"""
        {_SPANS}
         where g.product_id = $1 and g.since < $3 and (g.until is null or g.until > $2)
           and (g.ended_at is null or g.ended_at > $2) and ($4::bigint is null or g.id > $4)
         order by g.id limit $5
        """,
        product_id,
        start,
        end,
        after,
        limit,
    )
    return [Span(**dict(row)) for row in rows]


async def of_user(
    connection: Connection,
    user_id: int,
    *,
    product_id: str | None = None,
    after: int | None = None,
    limit: int = 200,
) -> list[Span]:
    """Every grant that a user has or had, newest first, starting after id `after`."""
    rows = await connection.fetch(
        f"""
        {_SPANS}
         where g.user_id = $1 and ($2::text is null or g.product_id = $2)
           and ($3::bigint is null or g.id < $3)
         order by g.id desc limit $4
        """,
        user_id,
        product_id,
        after,
        limit,
    )
    return [Span(**dict(row)) for row in rows]


@dataclass(frozen=True)
class Stretch:
    """A period of uninterrupted access to a product, through any grants."""

    product_id: str
    product_name: str
    since: datetime
    ended: datetime | None
    grants: tuple[int, ...]


def stretches(spans: list[Span]) -> list[Stretch]:
    """The union of grants per product, newest stretch first."""
    found: list[Stretch] = []
    for span in sorted(spans, key=lambda span: (span.product_id, span.since, span.id)):
        last = found[-1] if found and found[-1].product_id == span.product_id else None
        if last and (last.ended is None or last.ended >= span.since):
            ended = None if None in (last.ended, span.ended) else max(last.ended, span.ended)  # type: ignore[type-var]
            found[-1] = Stretch(
                last.product_id, last.product_name, last.since, ended, (*last.grants, span.id)
            )
        else:
            found.append(
                Stretch(span.product_id, span.product_name, span.since, span.ended, (span.id,))
            )
    return sorted(found, key=lambda stretch: stretch.since, reverse=True)
