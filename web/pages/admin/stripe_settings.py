"""A product's Stripe settings: choose or create a Stripe product, preview, link, remove."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import _, ngettext
from latchkey.store.products import link_previews, links
from latchkey.store.products.products import Product
from latchkey.store.stripe import catalog, connection
from latchkey.store.stripe import connection as connections
from web.pages.admin.lookup import product_of
from web.pages.admin.new_price import EMPTY, INTERVALS, TypedPrice, typed_price
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.render import page, text_of
from web.site import Site, site_of
from web.wording.labels import upfirst
from web.wording.stored import said

SHOWN = 200
LONGEST_ID = 200
MAIL = ("send", "spread", "suppress")
INVOICES = ("year", "all", "none")
REFRESH_SECONDS = 4.0
STREAM_SECONDS, LOOK_SECONDS = 30.0, 0.5


@dataclass(frozen=True)
class Asked:
    """What the page asks for: an existing Stripe product, or one to create (`new`)."""

    stripe_product: str
    mail: str
    invoices: str
    new: TypedPrice
    errors: dict[str, str]

    @property
    def back(self) -> str:
        """The query string with which the page shows the same choices again."""
        return urlencode(
            {
                "stripe_product": self.stripe_product,
                "mail": self.mail,
                "invoices": self.invoices,
                **(self.new.values if self.new.price else {}),
            }
        )


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
    """The page, which the product page shows in a dialog; posting it saves the link and starts the
    import."""
    if request.method == "GET":
        return await _dialog(request)
    fields = await form(request)
    asked = _asked(fields)
    if asked.errors:
        return await _dialog(request, asked, status=422)
    site = site_of(request)
    try:
        async with site.changing() as connected:
            product = await product_of(request, connected)
            await links.create_link(
                connected,
                product_id=product.id,
                stripe_product=asked.stripe_product or None,
                create=links.NewPrice(**asked.new.price.model_dump()) if asked.new.price else None,
                mail=asked.mail,
                invoices=asked.invoices,
                actor=request.state.user.id,
                members=members if (members := text(fields, "members")) in links.WAYS_OUT else None,
            )
    except links.LiveSubscriptionsError as error:
        return await _ways_out(request, error, again=_again(fields))
    except links.REFUSALS as error:
        return await _dialog(request, asked, error=f"{upfirst(str(error))}.", status=409)
    return redirect(f"/admin/products/{product.id}?done=linked")


@support_page
async def preview(request: Request) -> Response:
    """Who would be affected, before anything is saved."""
    asked = _asked(await form(request))
    if asked.errors:
        return await _dialog(request, asked, status=422)
    site = site_of(request)
    async with site.pool.acquire() as connected:
        product = await product_of(request, connected)
        link = await links.current_link(connected, product.id)
        live = await links.live_subscriptions(connected, product.id) if link else 0
    shown: dict[str, Any] = {"product": product, "link": link, "live": live, "asked": asked}
    if asked.new.price:
        return page(request, "admin/link_preview_new.html", **shown, intervals=INTERVALS)
    try:
        preview_id = await dispatch.preview_link(
            site.temporal, site.pool, product_id=product.id, stripe_product=asked.stripe_product
        )
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        problem = _("The preview failed: %(error)s", error=error)
        return await _dialog(request, asked, error=problem, status=503)
    async with site.pool.acquire() as connected:
        result = await link_previews.preview(connected, preview_id, limit=500)
        account = await connections.current(connected)
    assert result is not None, "it ran just now"
    if result.state == "failed":
        problem = _("The preview failed: %(error)s", error=said(result.error))
        return await _dialog(request, asked, error=problem, status=422)
    return page(
        request,
        "admin/link_preview.html",
        **shown,
        preview=result,
        livemode=bool(account.livemode),
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
    for _look in range(int(STREAM_SECONDS / LOOK_SECONDS)):
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
    request: Request, asked: Asked | None = None, *, error: str | None = None, status: int = 200
) -> Response:
    """The page; `asked` is what was posted, or what a preview leads back to."""
    site = site_of(request)
    posted = request.method == "POST"
    search = "" if posted else request.query_params.get("q", "").strip()[:200]
    stale = None
    refreshes = not search or "refresh" in request.query_params or await _is_new(site, search)
    if refreshes and not posted:
        try:
            await dispatch.refresh_catalog(site.temporal, seconds=REFRESH_SECONDS)
        except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as problem:
            stale = str(problem)
    async with site.pool.acquire() as connected:
        product = await product_of(request, connected)
        link = await links.current_link(connected, product.id)
        connected_to = await connection.current(connected)
        rows = await catalog.stripe_products(connected, search=search or None, limit=SHOWN)
        asked = asked or _led_back(request, link)
        if asked.stripe_product and all(row.id != asked.stripe_product for row in rows):
            chosen = await catalog.stripe_products(connected, search=asked.stripe_product, limit=1)
            rows = [row for row in chosen if row.id == asked.stripe_product and not search] + rows
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
        asked=asked,
        intervals=INTERVALS,
        stale=stale,
        more=len(rows) >= SHOWN,
    )


def _led_back(request: Request, link: links.Link | None) -> Asked:
    """What a form that wasn't sent yet shows: what the address says, else the present link."""
    params = request.query_params
    known = {name: params[name] for name in ("amount", "currency", "interval") if name in params}
    return Asked(
        stripe_product=params.get("stripe_product", (link and link.stripe_product) or ""),
        mail=_one_of(MAIL, params.get("mail", link.mail if link else "")),
        invoices=_one_of(INVOICES, params.get("invoices", "")),
        new=TypedPrice(EMPTY.values | known),
        errors={},
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
        error=ngettext(
            "%(count)s live subscription is linked to this product. Choose what happens to the"
            " members.",
            "%(count)s live subscriptions are linked to this product. Choose what happens to the"
            " members.",
            error.active_subscriptions,
        )
        if error
        else None,
        again=again,
    )


def _asked(fields: FormData) -> Asked:
    """What one of the two forms asks for."""
    creates = text(fields, "choice") == "new"
    new = typed_price(fields) if creates else EMPTY
    chosen = "" if creates else text(fields, "stripe_product")
    errors = dict(new.errors)
    if not creates and not chosen:
        errors["stripe_product"] = _("Choose a Stripe product, or create a new one.")
    elif len(chosen) > LONGEST_ID:
        errors["stripe_product"] = _("Choose a Stripe product from the list.")
    return Asked(
        stripe_product=chosen,
        mail=_one_of(MAIL, text(fields, "mail")),
        invoices=_one_of(INVOICES, text(fields, "invoices")),
        new=new,
        errors=errors,
    )


def _one_of(known: tuple[str, ...], given: str) -> str:
    """The given word, or the first of those that are known."""
    return given if given in known else known[0]


def _again(fields: Any) -> dict[str, str]:
    """The form's fields, to be sent again with the choice for the members."""
    product = ("choice", "stripe_product", "amount", "currency", "interval", "free")
    names = (*product, "mail", "invoices")
    return {name: text(fields, name) for name in names if text(fields, name)}
