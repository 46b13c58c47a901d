"""Customer portal sessions and receipts: created or found on demand, never stored.

Anyone who has their URLs can open them, so they are returned encrypted.
"""

import hashlib
from typing import Any

from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.rules.reading import object_id
from latchkey.store import site_settings
from latchkey.store.site_settings import SiteSettings
from latchkey.store.stripe import portal
from latchkey.store.stripe.context import Account
from latchkey.stripe_api import Json, StripeApi, StripeError
from latchkey.vault import Purpose

REASONS = [
    "too_expensive",
    "missing_features",
    "switched_service",
    "unused",
    "customer_service",
    "too_complex",
    "low_quality",
    "other",
]
"""All cancellation reasons that Stripe's portal can offer."""


class PortalActivities:
    """Opens the portal. `public_url` is where people return to."""

    def __init__(self, deps: ActivityDeps, *, public_url: str) -> None:
        self._deps = deps
        self._url = public_url.rstrip("/")

    @activity.defn(name=contracts.OPEN_PORTAL)
    async def open_portal(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """A new session for the customer `object_id`, on the page that `flow` names; `gone` if
        Stripe doesn't have the customer any more, `changed` if the subscription isn't one that can
        still be cancelled."""
        async with retried():
            account = await self._deps.account()
            api = await self._deps.keyring.api()
            async with self._deps.pool.acquire() as connection:
                settings = await site_settings.read(connection)
            configuration = await self._configuration(api, account, settings)
            customer = self._named(stripe_call)
            try:
                made = await api.create_portal_session(
                    customer=customer,
                    configuration=configuration,
                    return_url=f"{self._url}/account",
                    flow=_flow(stripe_call, self._url),
                    locale=stripe_call.locale,
                )
            except StripeError as error:
                if error.missing and await _gone(api, customer):
                    return StripeCallResult("gone")
                if error.passing or error.refused or stripe_call.target is None:
                    raise
                return StripeCallResult("changed")
        async with self._deps.pool.acquire() as connection:
            await portal.opened(connection, customer)
        return StripeCallResult("opened", sealed=self._sealed(made["url"]))

    @activity.defn(name=contracts.FIND_RECEIPT)
    async def find_receipt(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """Stripe's page with the receipt or invoice of an order or a subscription; `gone` if Stripe
        doesn't have that any more, `none` if nothing was charged."""
        async with retried():
            api = await self._deps.keyring.api()
            try:
                url = await _receipt(api, stripe_call.object_id)
            except StripeError as error:
                if not error.missing:
                    raise
                return StripeCallResult("gone")
        if url is None:
            return StripeCallResult("none")
        return StripeCallResult("found", sealed=self._sealed(url))

    async def _configuration(self, api: StripeApi, account: Account, settings: SiteSettings) -> str:
        """Our configuration: created once per account and mode, updated when the settings or our
        requirements change."""
        wanted = _fingerprint(settings)
        async with self._deps.pool.acquire() as connection:
            known = await portal.configuration(connection, account)
        if known and known.fingerprint == wanted:
            return known.stripe_id
        options: dict[str, Any] = {
            "privacy_url": settings.privacy_url,
            "terms_url": settings.terms_url,
            "features": features(settings),
            "site": self._url,
            "idempotency_key": f"latchkey-portal-{_hash(self._url)}-{wanted}"
            f"-{activity.info().attempt}",
        }
        stripe_id = known.stripe_id if known else await self._earlier(api)
        try:
            made = await api.save_portal_configuration(stripe_id, **options)
        except StripeError as error:
            if stripe_id is None or not error.missing:
                raise
            made = await api.save_portal_configuration(None, **options)
        async with self._deps.pool.acquire() as connection:
            await portal.save_configuration(
                connection, account, stripe_id=made["id"], fingerprint=wanted
            )
        found: str = made["id"]
        return found

    async def _earlier(self, api: StripeApi) -> str | None:
        """A configuration that this site created but doesn't know, because an answer or the
        database was lost."""
        for made in await api.portal_configurations():
            if made["active"] and made["metadata"].get("latchkey") == self._url:
                found: str = made["id"]
                return found
        return None

    def _named(self, stripe_call: StripeCallInput) -> str:
        if stripe_call.sealed is None:
            return stripe_call.object_id
        return self._deps.keyring.vault.open(stripe_call.sealed.encode(), Purpose.STRIPE_CALL)

    def _sealed(self, url: str) -> str:
        return self._deps.keyring.vault.seal(url, Purpose.STRIPE_CALL).decode()


async def _gone(api: StripeApi, customer: str) -> bool:
    """Whether a customer was deleted. Stripe goes on answering with a stub of it."""
    try:
        return bool((await api.customer(customer)).get("deleted"))
    except StripeError as error:
        if not error.missing:
            raise
        return True


def _flow(stripe_call: StripeCallInput, site: str) -> Json | None:
    if stripe_call.flow is None:
        return None
    after: Json = {
        "type": "redirect",
        "redirect": {"return_url": f"{site}/account?done=billing-changed"},
    }
    flow: Json = {"type": stripe_call.flow, "after_completion": after}
    if stripe_call.flow == "subscription_cancel":
        flow["subscription_cancel"] = {"subscription": stripe_call.target}
    return flow


def features(settings: SiteSettings) -> Json:
    """What the portal offers. It asks for a cancellation reason, which also shows that the
    customer cancelled where no event says so."""
    cancel: Json = {"enabled": settings.portal_cancel}
    if settings.portal_cancel:
        cancel |= {
            "mode": "at_period_end",
            "cancellation_reason": {"enabled": True, "options": REASONS},
        }
    return {
        "payment_method_update": {"enabled": True},
        "invoice_history": {"enabled": True},
        "subscription_cancel": cancel,
    }


def _fingerprint(settings: SiteSettings) -> str:
    return _hash(f"{settings.privacy_url} {settings.terms_url} {features(settings)}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _receipt(api: StripeApi, source_id: str) -> str | None:
    if source_id.startswith("sub_"):
        return _address(await api.newest_invoice(source_id))
    if source_id.startswith("in_"):
        return _address(await api.invoice(source_id))
    session = await api.checkout_session(source_id)
    if invoice := object_id(session.get("invoice")):
        return _address(await api.invoice(invoice))
    intent = session.get("payment_intent")
    charge = intent.get("latest_charge") if isinstance(intent, dict) else None
    return charge.get("receipt_url") if isinstance(charge, dict) else None


def _address(invoice: Json | None) -> str | None:
    return invoice.get("hosted_invoice_url") if invoice else None
