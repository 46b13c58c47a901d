"""Categories, which group products for members and admins."""

from dataclasses import dataclass

import asyncpg

from latchkey.languages import _
from latchkey.store.pool import Connection


class NameTakenError(Exception):
    """Another category has this name."""


@dataclass(frozen=True)
class Category:
    """`products` includes drafts."""

    id: int
    name: str
    products: int


async def listed(connection: Connection) -> list[Category]:
    """All categories in their order."""
    rows = await connection.fetch(
        """
        select c.id, c.name, count(pc.product_id) as products
          from categories c left join product_categories pc on pc.category_id = c.id
         group by c.id order by c.position, c.id
        """
    )
    return [Category(**dict(row)) for row in rows]


async def create(connection: Connection, name: str) -> int:
    """Create a category at the end. Raises `NameTakenError`."""
    try:
        made: int = await connection.fetchval(
            """
            insert into categories (name, position)
            values ($1, (select coalesce(max(position), 0) + 1 from categories)) returning id
            """,
            name,
        )
    except asyncpg.UniqueViolationError:
        raise NameTakenError(_("There is a category %(name)s already.", name=name)) from None
    return made


async def rename(connection: Connection, category_id: int, name: str) -> bool:
    """Rename a category; False if there is no such category. Raises `NameTakenError`."""
    try:
        return bool(
            await connection.fetchval(
                "update categories set name = $2 where id = $1 returning true", category_id, name
            )
        )
    except asyncpg.UniqueViolationError:
        raise NameTakenError(_("There is a category %(name)s already.", name=name)) from None


async def delete(connection: Connection, category_id: int) -> bool:
    """Delete a category. Its products stay."""
    return bool(
        await connection.fetchval(
            "delete from categories where id = $1 returning true", category_id
        )
    )


async def move(connection: Connection, category_id: int, *, down: bool) -> None:
    """Move a category by one place. The caller opens the transaction."""
    rows = await connection.fetch("select id from categories order by position, id for update")
    order = [row["id"] for row in rows]
    if category_id not in order:
        return
    here = order.index(category_id)
    there = min(max(here + (1 if down else -1), 0), len(order) - 1)
    order[here], order[there] = order[there], order[here]
    await connection.execute(
        """
        update categories c set position = g.position
          from unnest($1::bigint[]) with ordinality as g (id, position) where g.id = c.id
        """,
        order,
    )


async def of_product(connection: Connection, product_id: str) -> list[int]:
    """The ids of a product's categories."""
    rows = await connection.fetch(
        "select category_id from product_categories where product_id = $1", product_id
    )
    return [row["category_id"] for row in rows]


async def assign(connection: Connection, product_id: str, category_ids: list[int]) -> None:
    """Set the product's categories. Unknown ids are ignored."""
    await connection.execute(
        """
        delete from product_categories where product_id = $1 and category_id <> all($2::bigint[])
        """,
        product_id,
        category_ids,
    )
    await connection.execute(
        """
        insert into product_categories (product_id, category_id)
        select $1, id from categories where id = any($2::bigint[]) on conflict do nothing
        """,
        product_id,
        category_ids,
    )
