"""The admin's product list, with each product's link, members and prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.pool import Connection

MOST_COUNTED = 200


@dataclass(frozen=True)
class ListedProduct:
    """`lowest` and `highest` are the active prices in `currency`, in its minor unit; None if there
    are no prices or several currencies. `members` is counted up to `MOST_COUNTED` + 1."""

    id: str
    slug: str
    name: str
    image_url: str | None
    status: str
    members: int
    categories: list[str]
    link_state: str | None
    link_error: str | None
    stripe_product_name: str | None
    listening_at: datetime | None
    progress: dict[str, Any] | None
    lowest: int | None
    highest: int | None
    currency: str | None


@dataclass(frozen=True)
class ProductCursor:
    """The cursor of a page of the list: the product before it."""

    name: str
    id: str


_ROWS = f"""
with page as (
    select p.* from products p
     where ($1::text is null or (lower(p.name), p.id) > ($1, $2))
       and ($4::text is null or position(lower($4) in lower(p.name || ' ' || p.slug)) > 0)
       and ($5::bigint is null or exists (
            select from product_categories c where c.product_id = p.id and c.category_id = $5))
       and ($6::text is null or p.status = $6)
     order by lower(p.name), p.id limit $3
)
select p.id, p.slug, p.name, p.image_url, p.status, m.members,
       array(select c.name from categories c join product_categories pc on pc.category_id = c.id
              where pc.product_id = p.id order by c.position) as categories,
       l.state as link_state, l.error as link_error, l.listening_at, l.progress,
       s.name as stripe_product_name, r.lowest, r.highest, r.currency
  from page p
  cross join lateral (
       select count(*) as members from (
              select distinct g.user_id from live_grants g
               where g.product_id = p.id
               limit {MOST_COUNTED} + 1) counted) m
  left join links l on l.product_id = p.id and l.removed_at is null
  left join stripe_products s on s.id = l.stripe_product
  left join lateral (
       select min(unit_amount) as lowest, max(unit_amount) as highest, min(currency) as currency
         from prices where stripe_product = l.stripe_product and active
       having min(currency) = max(currency)) r on true
 order by lower(p.name), p.id
"""


async def listed(
    connection: Connection,
    *,
    after: ProductCursor | None = None,
    limit: int,
    search: str | None = None,
    category: int | None = None,
    status: str | None = None,
) -> list[ListedProduct]:
    """Products by name; `search` matches the name and slug."""
    rows = await connection.fetch(
        _ROWS,
        after.name.lower() if after else None,
        after.id if after else None,
        limit,
        search,
        category,
        status,
    )
    return [ListedProduct(**dict(row)) for row in rows]


async def member_counts(connection: Connection, product_ids: Sequence[str]) -> dict[str, int]:
    """Exact member counts of products with more members than the list counts. Reads all their
    grants."""
    rows = await connection.fetch(
        """
        select product_id, count(*) as members from (
               select distinct product_id, user_id from live_grants
                where product_id = any($1::text[])) member
         group by product_id
        """,
        list(product_ids),
    )
    return {row["product_id"]: row["members"] for row in rows}


async def names(connection: Connection, *, limit: int = 500) -> list[tuple[str, str]]:
    """Ids and names of products, for choosing one."""
    rows = await connection.fetch(
        "select id, name from products order by lower(name), id limit $1", limit
    )
    return [(row["id"], row["name"]) for row in rows]


async def live_slugs(connection: Connection, *, limit: int = 500) -> list[tuple[str, str]]:
    """Slugs and names of the live products, by name."""
    rows = await connection.fetch(
        "select slug, name from products where status = 'live' order by lower(name), id limit $1",
        limit,
    )
    return [(row["slug"], row["name"]) for row in rows]
