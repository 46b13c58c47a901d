"""Checkout sessions for sites that sell on pages of their own."""

from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, Field, model_validator

from latchkey import dispatch
from latchkey.addresses import email_key
from latchkey.store.access import grants
from latchkey.store.pool import Connection
from latchkey.store.products import checkout
from latchkey.store.products.checkout import GuestSubscription, RunningSubscription, Selling
from latchkey.store.products.offers import Offer
from latchkey.store.products.products import Product
from latchkey.store.users import users
from latchkey.store.users.users import User
from web import checkouts
from web.api.lookup import product_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, endpoint
from web.inputs import Email, Input, Url
from web.site import Site


def _without_credentials(value: str) -> str:
    parts = urlsplit(value)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password")
    return value


class CheckoutFor(Input):
    """What is bought, and by whom.

    `price` picks one of the product's offers; if it is left out, the first that Stripe sells.
    `user` is the id of somebody who is signed in on your site as this user: the purchase is theirs,
    and goes to their own Stripe customer. `email` is an address that somebody typed: it is only
    filled in. Buyers go to `return_url` after paying, with the session's id as `session`, and when
    they turn back; by default to this site's own pages. `currency` is one of those that the price
    has; if it is left out, or isn't one of them, Stripe chooses by the buyer's country. `again`
    asks for a session although this person has a subscription of the product that isn't over, or a
    payment under way.
    """

    product: str = Field(max_length=200)
    price: str | None = Field(None, max_length=200)
    email: Email | None = None
    user: int | None = Field(None, ge=1, le=2**63 - 1)
    return_url: Annotated[Url, AfterValidator(_without_credentials)] | None = None
    currency: str | None = Field(None, pattern="^[A-Za-z]{3}$")
    again: bool = False

    @model_validator(mode="after")
    def _one_buyer(self) -> "CheckoutFor":
        if self.email is not None and self.user is not None:
            raise ValueError("give either `email` or `user`, not both")
        return self


class CheckoutSession(Output):
    """`url` is Stripe's page, for this buyer only. It can be paid until `expires_at`."""

    id: str
    url: str
    expires_at: datetime


@endpoint("POST", "/checkout-sessions", body=CheckoutFor, answer=CheckoutSession, status=201)
async def open_checkout(call: Call) -> CheckoutSession:
    """Create a checkout session for a price that the product is sold at.

    The same buyer gets the same session for half an hour, while it is open. Answers 409 with
    `not_for_sale`, `already_has_access`, `subscription_exists` (with `subscription` and
    `subscription_status`: have it mended by `POST /portal-sessions`) or `payment_pending`.
    """
    wanted: CheckoutFor = call.body
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, wanted.product)
        user = await _user(connection, wanted)
        selling = await checkout.selling_to(connection, product.id, user.id if user else None)
    if not call.site.identity.writes_to_stripe:
        raise ApiError(409, "site_is_a_copy", "this is a copy of the site: buyers pay on the site")
    offer = _offer(product, selling, wanted.price)
    if product.access_mode != "assigned":
        raise ApiError(409, "already_has_access", "nobody has to buy this product to open it")
    if user is not None:
        await _refuse_owners(call.site, product, user, again=wanted.again)
    elif wanted.email and not wanted.again:
        await _refuse_payers(call.site, product, wanted.email)
    choice = checkouts.Choice(
        product=product,
        selling=selling,
        offer=offer,
        promotion_code=None,
        tags={},
        currency=wanted.currency.lower() if wanted.currency else None,
        success_url=_after(call.site, wanted),
        cancel_url=wanted.return_url or f"{call.site.public_url}/buy/{product.slug}?back=1",
    )
    buyer = (
        checkouts.Buyer(user=user)
        if wanted.user is not None
        else checkouts.Buyer(email=wanted.email)
    )
    try:
        opened = await checkouts.open_session(call.site, buyer, choice)
    except checkouts.SessionRefusedError as refused:
        if not refused.sellable:
            raise ApiError(
                409, "not_for_sale", "Stripe doesn't sell this price at the moment"
            ) from None
        raise ApiError(
            502,
            "stripe_refused",
            "the Stripe key may not create checkout sessions: give it the permission Checkout"
            " Sessions: write",
        ) from None
    except dispatch.WorkflowFailedError as error:
        if error.stripe_away:
            raise ApiError(
                503, "unavailable", "Stripe doesn't answer at the moment: try again in a minute"
            ) from None
        raise ApiError(502, "stripe_refused", str(error)) from None
    return CheckoutSession(id=opened.id, url=opened.url, expires_at=opened.expires_at)


async def _user(connection: Connection, wanted: CheckoutFor) -> User | None:
    """Who is meant. A typed address names a user too: whoever that is shouldn't pay twice."""
    if wanted.user is not None:
        found = await users.by_id(connection, wanted.user)
        if found is None:
            raise not_found("user", wanted.user)
        return found
    return await users.by_email(connection, wanted.email) if wanted.email else None


def _offer(product: Product, selling: Selling, price: str | None) -> Offer:
    offers = selling.offers if price else selling.sellable or selling.offers
    found = next((one for one in offers if price in (None, one.price_id)), None)
    if found is None and price is not None:
        raise ApiError(
            422, "unknown_price", f"{price} isn't one of the prices that this product is sold at"
        )
    if found is None or not found.sellable or product.status != "live":
        raise ApiError(
            409,
            "not_for_sale",
            "the product isn't for sale: it has to be live, and sold with Stripe Checkout at a"
            " price that is active in Stripe",
            obstacle=selling.obstacle,
        )
    return found


async def _refuse_owners(site: Site, product: Product, user: User, *, again: bool) -> None:
    allowed, _ = grants.may_open(await grants.access_rows(site.pool, product.id, user_id=user.id))
    if allowed:
        raise ApiError(409, "already_has_access", "this person has access to the product already")
    if again:
        return
    async with site.pool.acquire() as connection:
        had = await checkout.bought_before(connection, user_id=user.id, product_id=product.id)
    _refuse(had.running, pending=had.pending)


async def _refuse_payers(site: Site, product: Product, email: str) -> None:
    """Somebody may have paid by this address without getting anything yet, so without a user."""
    asked = {"key": email_key(email), "product_id": product.id}
    async with site.pool.acquire() as connection:
        running = await checkout.subscription_of_address(connection, **asked)
        pending = await checkout.pending_of_address(connection, **asked)
    _refuse(running, pending=pending)


def _refuse(running: RunningSubscription | GuestSubscription | None, *, pending: bool) -> None:
    """Raise `ApiError` for somebody who has bought the product already."""
    if running:
        raise ApiError(
            409,
            "subscription_exists",
            "this person has a subscription of the product that isn't over: have it mended, or set"
            " `again` to sell a second one",
            subscription=running.id,
            subscription_status=running.status,
        )
    if pending:
        raise ApiError(
            409,
            "payment_pending",
            "this person has paid by a method that takes a few days: wait for the money, or set"
            " `again` to sell it a second time",
        )


def _after(site: Site, wanted: CheckoutFor) -> str:
    """Where buyers go after paying. Stripe replaces the braces by the session's id, so they aren't
    encoded."""
    if wanted.return_url is None:
        return f"{site.public_url}/checkout/success?session={{CHECKOUT_SESSION_ID}}"
    parts = urlsplit(wanted.return_url)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "session"]
    query = "&".join(filter(None, [urlencode(kept), "session={CHECKOUT_SESSION_ID}"]))
    return urlunsplit(parts._replace(query=query))
