"""A product's Stripe settings: choose or create a Stripe product, preview, link, remove."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey import dispatch
from latchkey.store.products import link_previews, links
from latchkey.store.products.products import Product
from latchkey.store.stripe import catalog, connection
from latchkey.store.stripe import connection as connections
from web.inputs import LinkTo
from web.pages.admin.lookup import product_of
from web.pages.admin.new_price import EMPTY, INTERVALS, TypedPrice, typed_price
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.render import page, text_of
from web.site import Site, site_of
from web.wording.labels import upfirst

SHOWN = 200
REFRESH_SECONDS = 4.0
STREAM_SECONDS, LOOK_SECONDS = 30.0, 0.5


def routes() -> list[Route]:
    base = "/admin/products/{id}/stripe"
    return [
        Route(base, settings, methods=["GET", "POST"]),
        Route(f"{base}/preview", preview, methods=["POST"]),
        Route(f"{base}/state", state),
        Route(f"{base}/progress", progress),
        Route(f"{base}/remove", remove, methods=["GET", "POST"]),
    ]


@admin_page
async def settings(request: Request) -> Response:
    """The page; posting it saves the link and starts the import."""
    if request.method == "GET":
        return await _dialog(request)
    fields = await form(request)
    typed = typed_price(fields) if text(fields, "choice") == "new" else EMPTY
    if typed.errors:
        return await _dialog(request, typed=typed, status=422)
    try:
        wanted = _wanted(fields, typed)
    except ValueError as error:
        return await _dialog(request, error=_problem(error), status=422)
    site = site_of(request)
    try:
        async with site.changing() as connected:
            product = await product_of(request, connected)
            await links.create_link(
                connected,
                product_id=product.id,
                stripe_product=wanted.stripe_product,
                create=links.NewPrice(**wanted.create.model_dump()) if wanted.create else None,
                mail=wanted.mail,
                invoices=wanted.invoices,
                actor=request.state.user.id,
                members=wanted.members,
            )
    except links.LiveSubscriptionsError as error:
        return await _ways_out(request, error, again=_again(fields))
    except links.REFUSALS as error:
        return await _dialog(request, error=f"{upfirst(str(error))}.", typed=typed, status=409)
    return redirect(f"/admin/products/{product.id}?done=linked")


@support_page
async def preview(request: Request) -> Response:
    """Who would be affected, before anything is saved."""
    fields = await form(request)
    stripe_product = text(fields, "stripe_product")
    if not stripe_product:
        return await _dialog(request, error="Choose a Stripe product to preview.", status=422)
    site = site_of(request)
    async with site.pool.acquire() as connected:
        product = await product_of(request, connected)
    try:
        preview_id = await dispatch.preview_link(
            site.temporal, site.pool, product_id=product.id, stripe_product=stripe_product
        )
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        return await _dialog(request, error=f"The preview failed: {error}", status=503)
    async with site.pool.acquire() as connected:
        result = await link_previews.preview(connected, preview_id, limit=500)
        account = await connections.current(connected)
    assert result is not None, "it ran just now"
    if result.state == "failed":
        return await _dialog(request, error=f"The preview failed: {result.error}", status=422)
    return page(
        request,
        "admin/link_preview.html",
        product=product,
        preview=result,
        livemode=bool(account.livemode),
        mail=_mail(fields),
        invoices=text(fields, "invoices") or "year",
    )


@admin_page
async def state(request: Request) -> Response:
    """The part of the product page that shows the progress of the import, for polling."""
    async with site_of(request).pool.acquire() as connected:
        product = await product_of(request, connected)
        link = await links.current_link(connected, product.id)
        counts = await links.counts(connected, product.id)
    return page(request, "admin/link_state.html", product=product, link=link, counts=counts)


@admin_page
async def progress(request: Request) -> Response:
    """The same part as server-sent events: one for each change, `done` when the import ends.

    The stream ends after `STREAM_SECONDS`; browsers then reconnect by themselves.
    """
    async with site_of(request).pool.acquire() as connected:
        product = await product_of(request, connected)
    return StreamingResponse(
        _progress(request, product),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _progress(request: Request, product: Product) -> AsyncIterator[str]:
    shown = None
    for _ in range(int(STREAM_SECONDS / LOOK_SECONDS)):
        async with site_of(request).pool.acquire() as connected:
            link = await links.current_link(connected, product.id)
            if link != shown:
                counts = await links.counts(connected, product.id)
        if link != shown:
            shown = link
            part = text_of(
                request, "admin/link_state.html", product=product, link=link, counts=counts
            )
            yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
        if link is None or link.state != "importing":
            yield "event: done\ndata: .\n\n"
            return
        await asyncio.sleep(LOOK_SECONDS)


@admin_page
async def remove(request: Request) -> Response:
    """Remove the link, choosing what happens to its members."""
    site = site_of(request)
    if request.method == "GET":
        return await _ways_out(request, None)
    fields = await form(request)
    try:
        async with site.changing() as connected:
            product = await product_of(request, connected)
            await links.remove_link(
                connected,
                product_id=product.id,
                members=text(fields, "members") or None,
                actor=request.state.user.id,
            )
    except links.LiveSubscriptionsError as error:
        return await _ways_out(request, error)
    except links.REFUSALS as error:
        return await _dialog(request, error=f"{upfirst(str(error))}.", status=409)
    return redirect(f"/admin/products/{product.id}?done=unlinked")


async def _dialog(
    request: Request, *, error: str | None = None, typed: TypedPrice = EMPTY, status: int = 200
) -> Response:
    site = site_of(request)
    search = request.query_params.get("q", "").strip()[:200]
    stale = None
    if not search or "refresh" in request.query_params or await _is_new(site, search):
        try:
            await dispatch.refresh_catalog(site.temporal, seconds=REFRESH_SECONDS)
        except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as problem:
            stale = str(problem)
    async with site.pool.acquire() as connected:
        product = await product_of(request, connected)
        link = await links.current_link(connected, product.id)
        connected_to = await connection.current(connected)
        rows = await catalog.stripe_products(connected, search=search or None, limit=SHOWN)
    return page(
        request,
        "admin/stripe_settings.html",
        status,
        product=product,
        link=link,
        connection=connected_to,
        rows=rows,
        search=search,
        error=error,
        typed=typed,
        intervals=INTERVALS,
        stale=stale,
        more=len(rows) == SHOWN,
    )


async def _is_new(site: Site, search: str) -> bool:
    """Whether this is the id of a Stripe product that isn't known yet."""
    if not search.startswith("prod_"):
        return False
    async with site.pool.acquire() as connected:
        return not await catalog.stripe_products(connected, search=search, limit=1)


async def _ways_out(
    request: Request,
    error: links.LiveSubscriptionsError | None,
    *,
    again: dict[str, str] | None = None,
) -> Response:
    async with site_of(request).pool.acquire() as connected:
        product = await product_of(request, connected)
        link = await links.current_link(connected, product.id)
        live = await links.live_subscriptions(connected, product.id)
    if link is None:
        return redirect(f"/admin/products/{product.id}")
    return page(
        request,
        "admin/link_remove.html",
        409 if error else 200,
        product=product,
        link=link,
        live=live,
        error=upfirst(str(error)) if error else None,
        again=again,
    )


def _wanted(fields: Any, typed: TypedPrice) -> LinkTo:
    """The link that the form asks for. Raises `ValueError` or a subclass."""
    shared: dict[str, Any] = {
        "mail": _mail(fields),
        "members": text(fields, "members") or None,
        "invoices": text(fields, "invoices") or "year",
    }
    if typed.price:
        return LinkTo.model_validate(shared | {"create": typed.price})
    chosen = text(fields, "stripe_product")
    if not chosen:
        raise ValueError("Choose a Stripe product, or create a new one.")
    return LinkTo.model_validate(shared | {"stripe_product": chosen})


def _mail(fields: Any) -> str:
    chosen = text(fields, "mail")
    return chosen if chosen in ("send", "suppress", "spread") else "send"


def _again(fields: Any) -> dict[str, str]:
    """The form's fields, to be sent again with the choice for the members."""
    product = ("choice", "stripe_product", "amount", "currency", "interval", "free")
    names = (*product, "mail", "invoices")
    return {name: text(fields, name) for name in names if text(fields, name)}


def _problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error)
