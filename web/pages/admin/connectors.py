"""Connectors: connect, check and disconnect Stripe; the options of the customer portal."""

import hashlib
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import _
from latchkey.rules import key_permissions
from latchkey.rules.first_steps import FirstStep
from latchkey.store import site_settings
from latchkey.store.checks import dashboard
from latchkey.store.stripe import connection
from latchkey.vault import Purpose
from web.inputs import Input, Url
from web.pages.admin import first_steps
from web.pages.errors import errors_of
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import Site, site_of

LONGEST_KEY = 300


class PortalOptions(Input):
    """What the customer portal form sends."""

    portal: bool
    portal_cancel: bool
    privacy_url: Url | None = None
    terms_url: Url | None = None


def routes() -> list[Route]:
    return [
        Route("/admin/connectors", show),
        Route("/admin/connectors/stripe", connect, methods=["POST"]),
        Route("/admin/connectors/stripe/check", check, methods=["POST"]),
        Route("/admin/connectors/stripe/disconnect", disconnect, methods=["GET", "POST"]),
        Route("/admin/connectors/stripe/portal", portal, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
@fresh_page(back="/admin/connectors")
async def connect(request: Request) -> Response:
    """Save a key, and a signing secret if the endpoint is managed manually."""
    site = site_of(request)
    fields = await form(request)
    key, secret = text(fields, "key"), text(fields, "webhook_secret")
    if site.settings.stripe_secret_key is not None:
        return await _page(
            request, error=_("The key is set by STRIPE_SECRET_KEY. Change it there.")
        )
    errors = {}
    if not key.startswith(("sk_", "rk_")) or len(key) > LONGEST_KEY or not key.isascii():
        errors["key"] = _("That isn't a secret key. Secret keys start with sk_ or rk_, not pk_.")
    if secret and (not secret.startswith("whsec_") or len(secret) > LONGEST_KEY):
        errors["webhook_secret"] = _("A signing secret starts with whsec_.")
    if not errors:
        doubts = await _doubts(site, key)
        if any(text(fields, name) != "yes" for name in doubts):
            errors = doubts
    if errors:
        return await _page(request, errors=errors)
    vault = site.keyring.vault
    async with site.pool.acquire() as connected, connected.transaction():
        fingerprint = hashlib.sha256(key.encode()).hexdigest()[:12]
        await connection.save_key(
            connected, sealed=vault.seal(key, Purpose.STRIPE_KEY), fingerprint=fingerprint
        )
        if secret:
            await connection.save_endpoint(
                connected,
                state="manual",
                url=f"{site.public_url}/webhooks/stripe",
                sealed_secrets=vault.seal(secret, Purpose.WEBHOOK_SECRETS),
            )
    return await _checked(request)


@admin_page
async def check(request: Request) -> Response:
    """Check the key again and repair the endpoint."""
    await form(request)
    return await _checked(request)


@admin_page
async def portal(request: Request) -> Response:
    """Stripe's customer portal: on or off, its links, what members can do there."""
    fields = await form(request)
    values: dict[str, Any] = {
        "portal": text(fields, "portal") == "yes",
        "portal_cancel": text(fields, "portal_cancel") == "yes",
        "privacy_url": text(fields, "privacy_url") or None,
        "terms_url": text(fields, "terms_url") or None,
    }
    try:
        wanted = PortalOptions.model_validate(values)
    except ValidationError as error:
        return await _page(request, errors=errors_of(error), options=values)
    async with site_of(request).pool.acquire() as connected, connected.transaction():
        await site_settings.change(connected, **wanted.model_dump())
    return redirect("/admin/connectors?done=saved")


@admin_page
@fresh_page(back="/admin/connectors/stripe/disconnect")
async def disconnect(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        return page(request, "admin/stripe_disconnect.html")
    await form(request)
    async with site.pool.acquire() as connected, connected.transaction():
        await connection.disconnect(connected)
    await site.keyring.reload()
    return redirect("/admin/connectors?done=disconnected")


def _is_live(key: str) -> bool:
    return "_live_" in key


async def _doubts(site: Site, key: str) -> dict[str, str]:
    """What speaks against a key, by the field that has to be ticked to use it all the same."""
    found = {}
    if await _changes_mode(site, key):
        found["other_mode"] = _(
            "This is a %(mode)s key, but the site's products are linked in the other mode."
            " With it, events of that mode are refused, and access that they would extend"
            " ends. Each mode needs a site with a database of its own.",
            mode=_("live") if _is_live(key) else _("test"),
        )
    if _is_live(key) and not site.public_url.startswith("https://"):
        found["in_clear"] = _(
            "This is a live key, but the site's address is %(public_url)s. Stripe sends"
            " live events to https addresses only, so purchases would be noticed minutes"
            " later. Put a proxy with TLS in front of the site, and set"
            " LATCHKEY_PUBLIC_URL to its https address.",
            public_url=site.public_url,
        )
    return found


async def _changes_mode(site: Site, key: str) -> bool:
    """Whether products are linked in the other mode than the key's."""
    async with site.pool.acquire() as connected:
        last = (await connection.current(connected)).last_account
        linked = (await dashboard.begun(connected)).linked
    return last is not None and linked and last.livemode != _is_live(key)


async def _checked(request: Request) -> Response:
    site = site_of(request)
    try:
        await dispatch.check_connection(site.temporal)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        return await _page(request, error=_("The check didn't finish: %(error)s", error=error))
    await site.keyring.reload()
    return redirect("/admin/connectors?done=checked")


async def _page(
    request: Request,
    *,
    error: str | None = None,
    errors: dict[str, str] | None = None,
    options: dict[str, Any] | None = None,
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connected:
        current = await connection.current(connected)
        options = options or vars(await site_settings.read(connected))
        progress = await first_steps.progress(request, connected, FirstStep.STRIPE)
        elsewhere = await connection.links_elsewhere(connected)
    return page(
        request,
        "admin/connectors.html",
        422 if error or errors else 200,
        connection=current,
        first_steps=progress,
        missing=current.missing,
        elsewhere=elsewhere,
        error=error,
        errors=errors or {},
        options=options,
        from_environment=site.settings.stripe_secret_key is not None,
        webhook_url=f"{site.public_url}/webhooks/stripe",
        permissions=key_permissions.PERMISSIONS,
        key_pages={
            "live": key_permissions.creation_address(site.public_url, livemode=True),
            "test": key_permissions.creation_address(site.public_url, livemode=False),
        },
    )
