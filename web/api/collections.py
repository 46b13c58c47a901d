"""Collections of products, and complimentary access for many at once."""

from datetime import datetime

from pydantic import Field

from latchkey.store.access import collections, complimentary
from latchkey.store.access.collections import CollectionError
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.pool import Connection
from latchkey.store.products.products import UnknownProductError
from web import numbers
from web.api.cursors import cursor, number, sliced
from web.api.lookup import product_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Email, Input, Name, NewCollection, NewGrant, Text, Until

MOST_GIFTS = 1000


class CollectionChanges(Input):
    """The fields to change; omitted ones stay as they are. `products` and `sold_as` replace the
    whole lists."""

    name: Name | None = None
    description: Text | None = None
    products: list[str] | None = Field(None, max_length=500)
    sold_as: list[str] | None = Field(None, max_length=50)


class Collection(Output):
    """`products` are in the collection; those of `sold_as` open it: whoever has one of them has the
    collection as long. `holders` counts the people whom it was given to, `buyers` those who have
    it by a product."""

    id: str
    name: str
    description: str
    products: list[str]
    sold_as: list[str]
    holders: int
    buyers: int
    created_at: datetime


class CollectionList(Output):
    data: list[Collection]
    next: str | None


class Holder(Output):
    """A person who has the collection."""

    id: int
    user_id: int
    email: str
    since: datetime
    until: datetime | None
    reason: str | None


class HolderList(Output):
    data: list[Holder]
    next: str | None


class OneGift(Input):
    email: Email
    until: Until | None = None
    reason: str | None = Field(None, max_length=1000)


class Gifts(Input):
    """Access for many people. If an address is given twice, its last entry counts."""

    grants: list[OneGift] = Field(min_length=1, max_length=MOST_GIFTS)
    mail: bool = True


class GiftsDone(Output):
    """How many people got access, how many had theirs changed, and how many users are new."""

    granted: int
    changed: int
    users_created: int


@endpoint("GET", "/collections", query=Paging, answer=CollectionList)
async def list_collections(call: Call) -> CollectionList:
    """List the site's collections by name."""
    async with call.site.pool.acquire() as connection:
        rows = await collections.listed(connection)
    page, after = sliced(rows, lambda row: row.id, call.query)
    return CollectionList(data=[_shown(row) for row in page], next=after)


@endpoint("POST", "/collections", body=NewCollection, answer=Collection, status=201)
async def create_collection(call: Call) -> Collection:
    """Create a collection."""
    wanted: NewCollection = call.body
    async with call.site.pool.acquire() as connection, connection.transaction():
        try:
            made = await collections.create(
                connection,
                name=wanted.name,
                description=wanted.description,
                products=wanted.products,
            )
        except UnknownProductError as error:
            raise ApiError(422, "unknown_product", str(error)) from None
        except CollectionError as error:
            raise ApiError(409, "not_possible", str(error)) from None
    return _shown(made)


@endpoint("GET", "/collections/{id}", answer=Collection)
async def get_collection(call: Call) -> Collection:
    """Get one collection."""
    async with call.site.pool.acquire() as connection:
        return _shown(await _found(connection, call))


@endpoint("PATCH", "/collections/{id}", body=CollectionChanges, answer=Collection)
async def change_collection(call: Call) -> Collection:
    """Change a collection. Whoever has it gains added products and loses removed ones.

    A product that opens a collection can't be in one. It opens one at most.
    """
    wanted: CollectionChanges = call.body
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await _found(connection, call)
        await collections.rename(
            connection, found.id, name=wanted.name, description=wanted.description
        )
        try:
            await _change(connection, found, wanted)
        except UnknownProductError as error:
            raise ApiError(422, "unknown_product", str(error)) from None
        except CollectionError as error:
            raise ApiError(409, "not_possible", str(error)) from None
        return _shown(await _found(connection, call))


async def _change(
    connection: Connection, found: collections.Collection, wanted: CollectionChanges
) -> None:
    """Products that no longer open it first, so that one of them may get into it."""
    for product_id in found.sold_as:
        if wanted.sold_as is not None and product_id not in wanted.sold_as:
            await collections.stop_selling(connection, found.id, product_id, actor=None)
    if wanted.products is not None:
        await collections.set_products(connection, found.id, wanted.products, actor=None)
    for product_id in wanted.sold_as or ():
        await collections.sell_as(connection, found.id, product_id, actor=None)


@endpoint("DELETE", "/collections/{id}", answer=None)
async def delete_collection(call: Call) -> None:
    """Delete a collection. The access it gave ends.

    It can't be deleted while a product opens it.
    """
    async with call.site.pool.acquire() as connection, connection.transaction():
        try:
            await collections.delete(connection, (await _found(connection, call)).id, actor=None)
        except CollectionError as error:
            raise ApiError(409, "not_possible", str(error)) from None


@endpoint("GET", "/collections/{id}/grants", query=Paging, answer=HolderList)
async def list_holders(call: Call) -> HolderList:
    """List the people who have a collection, newest first."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        found = await _found(connection, call)
        rows = await collections.holders(
            connection, found.id, after=number(paging.after), limit=paging.limit + 1
        )
    page = rows[: paging.limit]
    more = len(rows) > paging.limit
    return HolderList(
        data=[Holder.model_validate(vars(row)) for row in page],
        next=cursor(page[-1].id) if more else None,
    )


@endpoint("POST", "/collections/{id}/grants", body=NewGrant, answer=Holder, status=201)
async def give_collection(call: Call) -> Holder:
    """Give a person a collection. Giving it again changes its end and reason."""
    wanted: NewGrant = call.body
    async with call.site.changing() as connection:
        found = await _found(connection, call)
        gift = ComplimentaryGrant(wanted.email, wanted.until, wanted.reason)
        await collections.give(connection, found.id, [gift], actor=None, mail=wanted.mail)
        row = await collections.holder(connection, found.id, wanted.email)
    assert row is not None, "the collection was given above"
    return Holder.model_validate(vars(row))


@endpoint("DELETE", "/collections/{id}/grants/{holder}", answer=None)
async def end_collection(call: Call) -> None:
    """Take a collection from a person, with the access it gave."""
    holder = numbers.number(call.path["holder"])
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await _found(connection, call)
        if not holder or not await collections.end(connection, found.id, holder, actor=None):
            raise not_found("holder", call.path["holder"])


@endpoint("POST", "/products/{id}/grants/bulk", body=Gifts, answer=GiftsDone)
async def give_many(call: Call) -> GiftsDone:
    """Give many people complimentary access, up to 1,000 at once.

    If one entry is invalid, nobody gets access.
    """
    wanted: Gifts = call.body
    gifts = [ComplimentaryGrant(one.email, one.until, one.reason) for one in wanted.grants]
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        done = await complimentary.give(connection, product.id, gifts, actor=None, mail=wanted.mail)
    return GiftsDone(granted=done.granted, changed=done.changed, users_created=done.users_created)


async def _found(connection: Connection, call: Call) -> collections.Collection:
    found = await collections.find(connection, call.path["id"])
    if found is None:
        raise not_found("collection", call.path["id"])
    return found


def _shown(found: collections.Collection) -> Collection:
    return Collection.model_validate(vars(found))
