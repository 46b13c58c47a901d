"""Checkout sessions, made at the click."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from latchkey import contracts, dispatch, references
from latchkey.addresses import email_key
from latchkey.contracts import StripeCallInput
from latchkey.languages import Language
from latchkey.rules.checkout_params import CheckoutOrder, Wish, session_params
from latchkey.store.pool import Connection
from latchkey.store.products import abandoned_checkouts, checkout_attempts
from latchkey.store.products.abandoned_checkouts import Recovery
from latchkey.store.products.checkout import Selling
from latchkey.store.products.checkout_attempts import CheckoutAttempt
from latchkey.store.products.offers import Offer
from latchkey.store.products.products import Product
from latchkey.store.stripe import portal
from latchkey.store.users.users import User
from latchkey.vault import Purpose
from web.site import Site

SECONDS = 15.0


@dataclass(frozen=True)
class Buyer:
    """Who buys: a user, or somebody with this address, or a visitor's browser (a hash). With none
    of these, nobody can tell two clicks from two buyers."""

    user: User | None = None
    email: str | None = None
    browser: bytes | None = None


@dataclass(frozen=True)
class Choice:
    """What is bought: an offer of a product. `tags` say where the visitor came from, `currency` is
    the one that they asked for, `language` the one that they read, if it is known."""

    product: Product
    selling: Selling
    offer: Offer
    promotion_code: str | None
    tags: dict[str, str]
    currency: str | None
    success_url: str
    cancel_url: str
    language: Language | None = None


@dataclass(frozen=True)
class Opened:
    """A checkout session that can be paid."""

    id: str
    url: str
    expires_at: datetime


class SessionRefusedError(Exception):
    """Stripe made no session. `sellable` is False if it won't sell the price, and True if the key
    may not make sessions. An admin can read why on the product's Selling tab."""

    def __init__(self, *, sellable: bool) -> None:
        super().__init__("Stripe refused to make a checkout session")
        self.sellable = sellable


async def open_session(site: Site, buyer: Buyer, choice: Choice) -> Opened:
    """A session for this buyer and choice; the same one for several clicks.

    Raises `SessionRefusedError`, `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    user_id = buyer.user.id if buyer.user else None
    async with site.pool.acquire() as connection:
        recovery = await abandoned_checkouts.recovery(connection)
        attempt = await checkout_attempts.begin(
            connection,
            _key(buyer, choice, recovery),
            product_id=choice.product.id,
            user_id=user_id,
            locale=choice.language.code if choice.language else None,
        )
        customers = await _customers(connection, buyer)
    order = _order(site, buyer, choice, attempt, customers, recovery)
    vault = site.keyring.vault
    sealed = vault.seal(order.text(), Purpose.STRIPE_CALL).decode()
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.OPEN_CHECKOUT, choice.product.id, sealed=sealed),
        summary=f"Checkout of product {choice.product.id}",
        nonce=f"{order.key}-{attempt.session_id or 'first'}",
        seconds=SECONDS,
    )
    if result.sealed is None:
        raise SessionRefusedError(sellable=result.state == "refused")
    opened = orjson.loads(vault.open(result.sealed.encode(), Purpose.STRIPE_CALL))
    return Opened(opened["id"], opened["url"], datetime.fromtimestamp(opened["expires_at"], tz=UTC))


async def _customers(connection: Connection, buyer: Buyer) -> list[str]:
    """The customers whose billing is open to the buyer, those with running subscriptions first. A
    guest's never: whoever can type an address isn't its owner."""
    if buyer.user is None:
        return []
    return [customer.id for customer in await portal.customers(connection, buyer.user.id)]


def _order(
    site: Site,
    buyer: Buyer,
    choice: Choice,
    attempt: CheckoutAttempt,
    customers: list[str],
    recovery: Recovery,
) -> CheckoutOrder:
    reference = None
    if buyer.user:
        reference = references.sign(
            buyer.user.id,
            choice.product.id,
            vault=site.keyring.vault,
            issued_at=attempt.begun_at.timestamp(),
        )
    offer, selling = choice.offer, choice.selling
    assert selling.stripe_product is not None, "offers are prices of a linked Stripe product"
    codes = selling.promotion_codes and offer.promotion_codes
    wish = Wish(
        product_id=choice.product.id,
        price_id=offer.price_id,
        recurring=offer.recurring,
        promotion_codes=codes,
        success_url=choice.success_url,
        cancel_url=choice.cancel_url,
        reference=reference,
        email=buyer.user.email if buyer.user else buyer.email,
        tags=choice.tags,
        recoverable=recovery.recoverable,
        consent=recovery.consent,
        currency=choice.currency,
        trial_days=offer.trial_days,
        most=offer.most,
        billing_address=offer.billing_address,
        tax_ids=offer.tax_ids,
        automatic_tax=offer.automatic_tax,
        locale=_stripe_locale(choice),
    )
    return CheckoutOrder(
        params=session_params(wish),
        customers=customers,
        promotion_code=choice.promotion_code if codes else None,
        attempt=attempt.id,
        key=f"latchkey-checkout-{attempt.id}-{attempt.begun_at.timestamp():.0f}",
        session=attempt.session_id,
        product=choice.product.id,
        price=offer.price_id,
        stripe_product=selling.stripe_product,
    )


def _stripe_locale(choice: Choice) -> str | None:
    """The language of Stripe's page; None to leave it to Stripe."""
    return choice.language.stripe if choice.language else None


def _key(buyer: Buyer, choice: Choice, recovery: Recovery) -> bytes:
    """Names who buys what, and how. Everything that changes what the session offers is in it; an
    address counts however it is written."""
    who = (
        ("user", str(buyer.user.id), buyer.user.email)
        if buyer.user
        else ("email", email_key(buyer.email))
        if buyer.email
        else ("browser", buyer.browser.hex())
        if buyer.browser
        else ("nobody", secrets.token_hex(16))
    )
    what = (
        choice.product.id,
        choice.offer.price_id,
        (choice.offer.trial_days, choice.offer.most),
        (choice.offer.billing_address, choice.offer.tax_ids, choice.offer.automatic_tax),
        (choice.selling.promotion_codes, choice.offer.promotion_codes),
        choice.currency,
        choice.promotion_code,
        sorted(choice.tags.items()),
        choice.success_url,
        choice.cancel_url,
        recovery,
        _stripe_locale(choice),
    )
    return hashlib.sha256(repr((who, what)).encode()).digest()
