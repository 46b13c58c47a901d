"""Products and the account's Stripe products."""

from datetime import datetime
from typing import Any

from pydantic import Field

from latchkey import dispatch
from latchkey.rules.pictures import absolute, of_address, relative
from latchkey.store import pictures
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import products
from latchkey.store.stripe import catalog
from web.api.cursors import cursor, text
from web.api.lookup import product_of
from web.api.problems import ApiError
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import NewProduct, ProductChanges


class Product(Output):
    """A product on the site. `content` is Markdown.

    `/buy/<slug>` leads wherever `purchase_method` and `checkout_target` point. With `show_locked`,
    people without access see a locked card once there is a way to buy the product. With
    `one_trial`, whoever had free days of the product isn't given any again.
    `opens_collection` is the collection that whoever has the product has, too.
    """

    id: str
    slug: str
    name: str
    description: str
    image_url: str | None
    status: str
    access_mode: str
    access_mail: bool
    content: str
    content_url: str | None
    purchase_method: str
    checkout_target: str
    external_url: str | None
    show_locked: bool
    one_trial: bool
    opens_collection: str | None
    created_at: datetime
    updated_at: datetime


class ProductList(Output):
    data: list[Product]
    next: str | None


def _shown(call: Call, product: products.Product) -> Product:
    image = absolute(product.image_url, public_url=call.site.public_url)
    return Product.model_validate(vars(product) | {"image_url": image})


async def _keep_image(call: Call, connection: Connection, given: dict[str, Any]) -> None:
    """Store an uploaded picture by its path. Raises `ApiError` if it isn't here."""
    address = relative(given.get("image_url"), public_url=call.site.public_url)
    if known := of_address(address):
        if not await pictures.use(connection, known.digest):
            raise ApiError(422, "invalid", "body: image_url: this picture isn't here any more")
        given["image_url"] = address


@endpoint("GET", "/products", query=Paging, answer=ProductList)
async def list_products(call: Call) -> ProductList:
    """List the site's products."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        rows = await products.listed(connection, after=text(paging.after), limit=paging.limit + 1)
    more = len(rows) > paging.limit
    shown = [_shown(call, row.product) for row in rows[: paging.limit]]
    return ProductList(data=shown, next=cursor(shown[-1].id) if more else None)


@endpoint("POST", "/products", body=NewProduct, answer=Product, status=201)
async def create_product(call: Call) -> Product:
    """Create a product."""
    given = call.body.model_dump(exclude_none=True)
    name, slug = given.pop("name"), given.pop("slug", None)
    async with call.site.pool.acquire() as connection, connection.transaction():
        try:
            await _keep_image(call, connection, given)
            made = await products.create(connection, name=name, slug=slug, **given)
        except products.SlugTakenError as error:
            raise ApiError(409, "slug_taken", str(error)) from None
    return _shown(call, made)


@endpoint("GET", "/products/{id}", answer=Product)
async def get_product(call: Call) -> Product:
    """Get one product by id or slug."""
    async with call.site.pool.acquire() as connection:
        found = await product_of(connection, call.path["id"])
    return _shown(call, found)


@endpoint("PATCH", "/products/{id}", body=ProductChanges, answer=Product)
async def change_product(call: Call) -> Product:
    """Change a product. Null clears the image, the content URL or the external checkout URL."""
    given = call.body.model_dump(exclude_unset=True)
    clearable = ("image_url", "content_url", "external_url")
    empty = [key for key, value in given.items() if value is None and key not in clearable]
    if empty:
        raise ApiError(422, "invalid", f"body: {empty[0]}: must not be null")
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await product_of(connection, call.path["id"])
        await _keep_image(call, connection, given)
        try:
            return _shown(call, await products.update(connection, found.id, given))
        except products.SlugTakenError as error:
            raise ApiError(409, "slug_taken", str(error)) from None


@endpoint("DELETE", "/products/{id}", answer=None)
async def delete_product(call: Call) -> None:
    """Delete a product and its grants. Its link must be removed first."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await product_of(connection, call.path["id"])
        try:
            await products.delete(connection, found.id)
        except products.StillLinkedError as error:
            raise ApiError(409, "linked", str(error)) from None


class StripePrice(Output):
    """`unit_amount` is in the currency's minor unit, null if the buyer or tiers set the amount."""

    id: str
    active: bool
    type: str
    currency: str
    unit_amount: int | None
    interval: str | None
    interval_count: int | None
    nickname: str | None


class StripeProduct(Output):
    """A product in the Stripe account. `linked_to` holds ids of the site's products."""

    id: str
    name: str
    description: str | None
    image_url: str | None
    active: bool
    active_subscriptions: int
    counted_at: datetime | None
    linked_to: list[str]
    prices: list[StripePrice]


class StripeProductList(Output):
    data: list[StripeProduct]
    next: str | None


class StripeSearch(Paging):
    search: str | None = Field(None, max_length=200, description="part of the name, or the full id")
    refresh: bool = Field(False, description="read the account from Stripe again before answering")


@endpoint("GET", "/stripe/products", query=StripeSearch, answer=StripeProductList)
async def stripe_products(call: Call) -> StripeProductList:
    """List the account's Stripe products with their active subscriptions.

    If the list is empty, or with `refresh`, the account is read from Stripe first.
    """
    search: StripeSearch = call.query
    pool = call.site.pool
    rows = []
    if not search.refresh:
        rows = await _matching(pool, search)
    if search.refresh or not (rows or search.search or search.after):
        await dispatch.refresh_catalog(call.site.temporal)
        rows = await _matching(pool, search)
    page = rows[: search.limit]
    return StripeProductList(
        data=[
            StripeProduct.model_validate(
                {**vars(row), "prices": [vars(price) for price in row.prices]}
            )
            for row in page
        ],
        next=cursor(page[-1].id) if len(rows) > search.limit else None,
    )


async def _matching(pool: Pool, search: StripeSearch) -> list[catalog.CatalogProduct]:
    async with pool.acquire() as connection:
        return await catalog.stripe_products(
            connection, search=search.search, after=text(search.after), limit=search.limit + 1
        )
