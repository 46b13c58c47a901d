"""Reads from Stripe what a product sells, since an event about it may have been lost."""

import structlog

from activities import list_pages
from activities.base import ActivityDeps
from latchkey.rules import reading
from latchkey.store.pool import Connection
from latchkey.store.products import checkout
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.context import Account
from latchkey.stripe_api import Json, StripeApi, StripeError

log = structlog.get_logger("on-sale")

GONE: Json = {"deleted": True}


async def look(deps: ActivityDeps, api: StripeApi, product_id: str, *, account: Account) -> None:
    """Read and mirror the Stripe product, its prices and the chosen payment link, if a look is due.
    A key that may not read them isn't an obstacle: the key check reports that."""
    async with deps.pool.acquire() as connection:
        on_sale = await checkout.to_look_at(connection, product_id, account=account)
        ticket = await connections.next_ticket(connection)
    if on_sale is None:
        return
    try:
        product = await _read(api, "products", on_sale.stripe_product)
        prices = [] if product.get("deleted") else await api.prices_of(on_sale.stripe_product)
        links = {link: await _read(api, "payment_links", link) for link in on_sale.payment_links}
    except StripeError as error:
        if not error.refused:
            raise
        log.warning("what is on sale can't be read", product=product_id, error=str(error))
        async with deps.pool.acquire() as connection:
            await checkout.looked(connection, product_id)
        return
    async with deps.pool.acquire() as connection, connection.transaction():
        await _mirror(connection, product, prices, on_sale.stripe_product, account, ticket)
        for link, source in links.items():
            await checkout.mirror_link(
                connection,
                link,
                active=reading.payment_link_active(source),
                spent=reading.payment_link_spent(source),
                ticket=ticket,
            )
        await checkout.looked(connection, product_id)


async def _mirror(
    connection: Connection,
    product: Json,
    prices: list[Json],
    stripe_product: str,
    account: Account,
    ticket: int,
) -> None:
    if product.get("deleted"):
        await catalog.mark_product_deleted(connection, stripe_product, ticket=ticket)
    else:
        readable = list_pages.readable([product], reading.stripe_product)
        await catalog.mirror_products(connection, readable, account=account, ticket=ticket)
    readings = list_pages.readable(prices, reading.price)
    await catalog.mirror_prices(connection, readings, account=account, ticket=ticket)
    kept = [price["id"] for price in prices]
    await catalog.mark_other_prices_deleted(connection, stripe_product, kept, ticket=ticket)


async def _read(api: StripeApi, kind: str, object_id: str) -> Json:
    """The object, or `GONE`."""
    try:
        return await api.retrieve(kind, object_id)
    except StripeError as error:
        if not error.missing:
            raise
        return GONE
