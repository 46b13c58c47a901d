"""Connectors: Stripe's card, connect, check, disconnect; API tokens."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.store import connection, tokens
from web.pages.guard import admin_page, form, see, text
from web.pages.products import NotFound
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/admin/connectors", show),
        Route("/admin/connectors/stripe", connect, methods=["POST"]),
        Route("/admin/connectors/stripe/check", check, methods=["POST"]),
        Route("/admin/connectors/stripe/disconnect", disconnect, methods=["GET", "POST"]),
        Route("/admin/tokens", api_tokens, methods=["GET", "POST"]),
        Route("/admin/tokens/{id}/revoke", revoke, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
async def connect(request: Request) -> Response:
    """Enter a key, and a signing secret where the endpoint is looked after by hand."""
    site = site_of(request)
    given = await form(request)
    key, secret = text(given, "key"), text(given, "webhook_secret")
    if site.settings.stripe_secret_key is not None:
        return await _page(request, error="The key is set by STRIPE_SECRET_KEY: change it there.")
    if not key.startswith(("sk_", "rk_")) or len(key) > 300 or not key.isascii():
        return await _page(
            request, error="That is no secret key: it begins with sk_ or rk_ (not pk_)."
        )
    if secret and not secret.startswith("whsec_"):
        return await _page(request, error="A signing secret begins with whsec_.")
    vault = site.keyring.vault
    async with site.pool.acquire() as connected, connected.transaction():
        fingerprint = hashlib.sha256(key.encode()).hexdigest()[:12]
        await connection.save_key(connected, sealed=vault.seal(key), fingerprint=fingerprint)
        if secret:
            await connection.save_endpoint(
                connected,
                state="manual",
                url=f"{site.public_url}/webhooks/stripe",
                sealed_secrets=vault.seal(secret),
            )
    return await _checked(request)


@admin_page
async def check(request: Request) -> Response:
    """Check the key again and repair the endpoint."""
    await form(request)
    return await _checked(request)


@admin_page
async def disconnect(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        return page(request, "admin/disconnect.html")
    await form(request)
    async with site.pool.acquire() as connected:
        await connection.disconnect(connected)
    await site.keyring.reload()
    return see("/admin/connectors?done=disconnected")


async def _checked(request: Request) -> Response:
    site = site_of(request)
    try:
        await dispatch.check_connection(site.temporal)
    except (dispatch.TemporalUnavailable, dispatch.WorkflowFailed) as error:
        return await _page(request, error=f"The check did not finish: {error}")
    await site.keyring.reload()
    return see("/admin/connectors?done=checked")


async def _page(request: Request, *, error: str | None = None) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connected:
        found = await connection.current(connected)
    return page(
        request,
        "admin/connectors.html",
        422 if error else 200,
        connection=found,
        error=error,
        from_environment=site.settings.stripe_secret_key is not None,
        webhook_url=f"{site.public_url}/webhooks/stripe",
    )


@admin_page
async def api_tokens(request: Request) -> Response:
    """The tokens of the JSON API; a new one is shown this once."""
    site = site_of(request)
    made = None
    error = None
    if request.method == "POST":
        name = text(await form(request), "name")
        if not 1 <= len(name) <= 100:
            error = "Give the token a name of up to 100 characters."
        else:
            async with site.pool.acquire() as connected:
                made = await tokens.create(connected, name=name, actor=request.state.user.id)
    async with site.pool.acquire() as connected:
        rows = await tokens.listed(connected)
    return page(
        request, "admin/tokens.html", 422 if error else 200, rows=rows, made=made, error=error
    )


@admin_page
async def revoke(request: Request) -> Response:
    await form(request)
    token_id = request.path_params["id"]
    async with site_of(request).pool.acquire() as connected:
        if not token_id.isdigit() or not await tokens.revoke(connected, int(token_id[:18])):
            raise NotFound("There is no such token.")
    return see("/admin/tokens?done=revoked")
