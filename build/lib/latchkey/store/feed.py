"""Reading the activity feed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Line:
    """One fact: when, who, which product, what caused it, and where to look further."""

    id: int
    type: str
    at: datetime
    cause: str
    user_id: int | None
    email: str | None
    user_name: str | None
    product_id: str | None
    product_name: str | None
    source_id: str | None
    event_id: str | None
    workflow_id: str | None
    data: dict[str, Any]


async def lines(
    connection: Connection,
    *,
    types: list[str] | None = None,
    user_id: int | None = None,
    product_id: str | None = None,
    cause: str | None = None,
    since: datetime | None = None,
    source_id: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Line]:
    """Lines of the feed, the newest recorded first, from the one after id `after`."""
    wanted = {
        "a.type = any({})": types or None,
        "a.user_id = {}": user_id,
        "a.product_id = {}": product_id,
        "a.cause = {}": cause,
        "a.at >= {}": since,
        "a.source_id = {}": source_id,
        "a.id < {}": after,
    }
    given = {text: value for text, value in wanted.items() if value is not None}
    where = " and ".join(text.format(f"${n}") for n, text in enumerate(given, start=2)) or "true"
    rows = await connection.fetch(
        f"""
        select a.id, a.type, a.at, a.cause, a.user_id, u.email, u.name as user_name, a.product_id,
               p.name as product_name, a.source_id, a.event_id, a.workflow_id, a.data
          from activities a
          left join users u on u.id = a.user_id
          left join products p on p.id = a.product_id
         where {where} order by a.id desc limit $1
        """,
        limit,
        *given.values(),
    )
    return [Line(**dict(row)) for row in rows]
