"""What a sold collection looks like to the people who buy: what a product opens, and where else a
product can be had."""

from dataclasses import dataclass

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class IncludedProduct:
    """A live product that another one opens; `yours` says whether the reader can open it."""

    slug: str
    name: str
    description: str
    yours: bool


@dataclass(frozen=True)
class Whole:
    """A live product that is on sale and opens what is asked about."""

    slug: str
    name: str


async def of_product(
    connection: Connection, product_id: str, user_id: int | None
) -> list[IncludedProduct]:
    """The live products of the collection that a product opens, in the order in which they came
    into it; none if it opens no collection."""
    rows = await connection.fetch(
        """
        select q.slug, q.name, q.description,
               q.access_mode = 'public' or q.access_mode = 'signed_in' and $2::bigint is not null
               or exists (select from live_grants g
                           where g.user_id = $2 and g.product_id = q.id) as yours
          from products p
          join collection_products i on i.collection_id = p.opens_collection
          join products q on q.id = i.product_id and q.status = 'live'
         where p.id = $1 order by i.added_at, q.id
        """,
        product_id,
        user_id,
    )
    return [IncludedProduct(**dict(row)) for row in rows]


async def wholes(connection: Connection, product_id: str) -> list[Whole]:
    """The live products on sale that open a collection with this one, by name."""
    rows = await connection.fetch(
        """
        select p.slug, p.name from collection_products i
          join products p on p.opens_collection = i.collection_id
         where i.product_id = $1 and p.status = 'live' and p.purchase_method <> 'none'
         order by lower(p.name), p.id limit 5
        """,
        product_id,
    )
    return [Whole(**dict(row)) for row in rows]
