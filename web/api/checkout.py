"""Selling: a product's checkout, and customer portal sessions."""

from contextlib import suppress

from pydantic import Field, model_validator

from latchkey import dispatch
from latchkey.store import site_settings
from latchkey.store.products import checkout
from latchkey.store.products.offers import MOST_OFFERS, NewOffer, Offer
from latchkey.store.stripe import portal
from latchkey.store.users import users
from web import billing
from web.api.lookup import product_of
from web.api.problems import ApiError
from web.api.registry import Call, Output, endpoint
from web.inputs import Email, Input, Line

WAIT_SECONDS = 20.0


class CheckoutChoice(Input):
    """Whether the product has a checkout, and which price of its Stripe product it sells.
    `payment_link` asks for a payment link of that price as well."""

    enabled: bool
    price: str | None = Field(None, min_length=1, max_length=200)
    promotion_codes: bool | None = None
    payment_link: bool = True


class Checkout(Output):
    """`url` is the payment link's URL, null while there is none. `obstacle` is what keeps buyers
    from paying, as Stripe was last read: `product_deleted`, `product_archived`, `price_archived`,
    `link_off`, `link_spent` (as many sales as its limit) or `link_refused`."""

    enabled: bool
    price: str | None
    url: str | None
    payment_link: str | None
    promotion_codes: bool
    purchase_method: str
    obstacle: str | None


@endpoint("PUT", "/products/{id}/checkout", body=CheckoutChoice, answer=Checkout)
async def put_checkout(call: Call) -> Checkout:
    """Turn a product's checkout on, with a price, or off.

    `/buy/<slug>` then leads to a checkout session of that price, made for each buyer. Also creates
    a payment link in Stripe, an address to put elsewhere. A different price creates a new link and
    deactivates the previous one; buyers who have that open can still pay and get access. Sending
    the same choice again changes nothing.
    """
    pool = call.site.pool
    try:
        product_id = await _choose(call)
    except checkout.UnknownPriceError:
        with suppress(dispatch.WorkflowFailedError):
            await dispatch.refresh_catalog(call.site.temporal)
        try:
            product_id = await _choose(call)
        except checkout.UnknownPriceError as error:
            raise ApiError(422, "unknown_price", str(error)) from None
    try:
        await dispatch.settle_checkout(call.site.temporal, product_id, seconds=WAIT_SECONDS)
    except dispatch.WorkflowFailedError as error:
        raise ApiError(502, "stripe_refused", str(error)) from None
    async with pool.acquire() as connection:
        now = await checkout.selling(connection, product_id)
    link = now.wanted
    if link and link.error:
        raise ApiError(
            422, "stripe_refused", f"Stripe didn't create the payment link: {link.error}"
        )
    if link and not link.url:
        raise ApiError(
            503,
            "unavailable",
            "the choice is saved, but its payment link isn't ready yet: try again in a moment",
        )
    return _shown(now)


@endpoint("GET", "/products/{id}/checkout", answer=Checkout)
async def get_checkout(call: Call) -> Checkout:
    """Get a product's checkout and its payment link."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        return _shown(await checkout.selling(connection, product.id))


async def _choose(call: Call) -> str:
    """Store the choice and return the product's id. Raises `UnknownPriceError`."""
    wanted: CheckoutChoice = call.body
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        try:
            await checkout.choose(
                connection,
                product.id,
                enabled=wanted.enabled,
                price=wanted.price,
                promotion_codes=wanted.promotion_codes,
                payment_link=wanted.payment_link,
            )
        except checkout.UnknownPriceError:
            raise
        except checkout.CheckoutError as error:
            raise ApiError(422, "invalid", str(error)) from None
    return product.id


def _shown(now: checkout.Selling) -> Checkout:
    link = now.wanted
    return Checkout(
        enabled=bool(now.offers),
        price=link.price_id if link else now.offers[0].price_id if now.offers else None,
        url=link.url if link else None,
        payment_link=link.stripe_id if link else None,
        promotion_codes=now.promotion_codes,
        purchase_method=now.purchase_method,
        obstacle=now.obstacle,
    )


class OfferedPrice(Input):
    """A price that the product is sold at.

    `featured` marks it as the most popular; only one can be. `trial_days` is how long a
    subscription is free at first, and `most` how many can be bought at once (null: one).
    `billing_address` and `tax_ids` say what the checkout asks for, `automatic_tax` has Stripe work
    out the tax (set up Stripe Tax first), and `promotion_codes` counts only if the product takes
    promotion codes.
    """

    price: str = Field(min_length=1, max_length=200)
    label: Line | None = Field(None, max_length=60)
    featured: bool = False
    trial_days: int | None = Field(None, ge=1, le=730)
    most: int | None = Field(None, ge=2, le=9999)
    billing_address: bool = False
    tax_ids: bool = False
    promotion_codes: bool = True
    automatic_tax: bool = False


class OfferedPrices(Input):
    """All prices that the product is sold at, in order. A list by itself is taken, too."""

    data: list[OfferedPrice] = Field(max_length=MOST_OFFERS)

    @model_validator(mode="before")
    @classmethod
    def _list(cls, given: object) -> object:
        return {"data": given} if isinstance(given, list) else given


class ShownPrice(Output):
    """`amount` is in the currency's minor unit, null if it varies. `sellable` is false while the
    price or its product is archived in Stripe. `error` is why Stripe last refused to sell it."""

    price: str
    label: str | None
    featured: bool
    trial_days: int | None
    most: int | None
    billing_address: bool
    tax_ids: bool
    promotion_codes: bool
    automatic_tax: bool
    amount: int | None
    currency: str
    interval: str | None
    interval_count: int | None
    sellable: bool
    error: str | None


class PriceList(Output):
    data: list[ShownPrice]
    next: str | None


@endpoint("GET", "/products/{id}/prices", answer=PriceList)
async def get_prices(call: Call) -> PriceList:
    """List the prices that a product is sold at, in order."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        now = await checkout.selling(connection, product.id)
    return PriceList(data=[_price(one) for one in now.offers], next=None)


@endpoint("PUT", "/products/{id}/prices", body=OfferedPrices, answer=PriceList)
async def put_prices(call: Call) -> PriceList:
    """Set the prices that a product is sold at, in order; none turns its checkout off.

    `/buy/<slug>` lets buyers choose among several. A payment link stays if its price is among them.
    """
    wanted: OfferedPrices = call.body
    try:
        product_id = await _put(call, wanted)
    except checkout.UnknownPriceError:
        with suppress(dispatch.WorkflowFailedError):
            await dispatch.refresh_catalog(call.site.temporal)
        try:
            product_id = await _put(call, wanted)
        except checkout.UnknownPriceError as error:
            raise ApiError(422, "unknown_price", str(error)) from None
    async with call.site.pool.acquire() as connection:
        now = await checkout.selling(connection, product_id)
    return PriceList(data=[_price(one) for one in now.offers], next=None)


async def _put(call: Call, wanted: OfferedPrices) -> str:
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        offered = [NewOffer(one.price, **one.model_dump(exclude={"price"})) for one in wanted.data]
        try:
            await checkout.offer(connection, product.id, offered)
        except checkout.UnknownPriceError:
            raise
        except checkout.CheckoutError as error:
            raise ApiError(422, "invalid", str(error)) from None
    return product.id


def _price(one: Offer) -> ShownPrice:
    shown = vars(one)
    return ShownPrice.model_validate(shown | {"price": one.price_id, "amount": one.unit_amount})


class PortalFor(Input):
    """Whose billing to open. `customer` picks one of several Stripe customers."""

    email: Email
    customer: str | None = Field(None, max_length=200)


class PortalSession(Output):
    """`url` is for this customer only and expires within minutes."""

    url: str
    customer: str


@endpoint("POST", "/portal-sessions", body=PortalFor, answer=PortalSession, status=201)
async def open_portal(call: Call) -> PortalSession:
    """Create a session of Stripe's customer portal.

    Answers 409 if the person has no Stripe customer, or if it was deleted in Stripe. Of several
    customers, one with running subscriptions comes first, then the newest.
    """
    wanted: PortalFor = call.body
    async with call.site.pool.acquire() as connection:
        user = await users.by_email(connection, wanted.email)
        mine = await portal.customers(connection, user.id) if user else []
        settings = await site_settings.read(connection)
    if not settings.portal:
        raise ApiError(
            409, "portal_off", "the customer portal is turned off on the Connectors page"
        )
    chosen = [row for row in mine if wanted.customer in (None, row.id)]
    if not chosen:
        raise ApiError(
            409, "no_stripe_customer", "this person has no customer in the connected Stripe account"
        )
    for customer in chosen:
        try:
            url = await billing.portal(call.site, customer.id)
        except dispatch.WorkflowFailedError as error:
            raise ApiError(502, "stripe_refused", str(error)) from None
        if url is not None:
            return PortalSession(url=url, customer=customer.id)
    raise ApiError(409, "no_stripe_customer", "this person's customer was deleted in Stripe")
