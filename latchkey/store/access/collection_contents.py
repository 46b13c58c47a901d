"""What a sold collection looks like to the people who buy: what a product opens, and where else a
product can be had."""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.store.pool import Connection

_YOURS = """
    (q.access_mode = 'public' or q.access_mode = 'signed_in' and $2::bigint is not null
     or exists (select from live_grants g where g.user_id = $2 and g.product_id = q.id))
"""
"""Whether the reader, $2, can open the product `q`."""


@dataclass(frozen=True)
class IncludedProduct:
    """A live product that another one opens; `yours` says whether the reader can open it."""

    slug: str
    name: str
    description: str
    yours: bool


@dataclass(frozen=True)
class Share:
    """How many of the live products in a collection somebody can open, and how many there are."""

    yours: int
    of: int

    @property
    def partial(self) -> bool:
        return 0 < self.yours < self.of


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
        f"""
        select q.slug, q.name, q.description, {_YOURS} as yours
          from products p
          join collection_products i on i.collection_id = p.opens_collection
          join products q on q.id = i.product_id and q.status = 'live'
         where p.id = $1 order by i.added_at, q.id
        """,
        product_id,
        user_id,
    )
    return [IncludedProduct(**dict(row)) for row in rows]


async def shares(
    connection: Connection, product_ids: Sequence[str], user_id: int
) -> dict[str, Share]:
    """How much of what each of these products opens a person has; only of those that open a
    collection with a live product in it."""
    rows = await connection.fetch(
        f"""
        select p.id, count(*) as of, count(*) filter (where {_YOURS}) as yours
          from products p
          join collection_products i on i.collection_id = p.opens_collection
          join products q on q.id = i.product_id and q.status = 'live'
         where p.id = any($1) group by p.id
        """,
        product_ids,
        user_id,
    )
    return {row["id"]: Share(row["yours"], row["of"]) for row in rows}


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
