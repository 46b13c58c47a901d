"""A product's page: the tabs Info, Content, Settings and Activity."""

from typing import Any

from markupsafe import Markup
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.pictures import PictureError
from latchkey.rules.first_steps import FirstStep
from latchkey.rules.pictures import PictureUse
from latchkey.store.access import collections
from latchkey.store.feed import lines
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.products import categories, checkout, links, products
from latchkey.store.products.products import Product
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from web import bodies, markdown
from web.inputs import ProductChanges
from web.pages.admin import first_steps
from web.pages.admin.lookup import product_of
from web.pages.errors import errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.uploads import chosen_picture
from web.site import site_of
from web.wording.labels import upfirst

PAGE = 50
_INFO = ("name", "slug", "description", "image_url", "status")
_CONTENT = ("content", "content_url")
_CLEARED = {"description": "", "content": "", "image_url": None, "content_url": None}


def routes() -> list[Route]:
    base = "/admin/products/{id}"
    return [
        Route(base, info, methods=["GET", "POST"]),
        Route(f"{base}/content", content, methods=["GET", "POST"]),
        Route(f"{base}/settings", settings, methods=["GET", "POST"]),
        Route(f"{base}/activity", activity),
    ]


@admin_page
async def info(request: Request) -> Response:
    """What members see of the product, and its link to Stripe."""
    if request.method == "GET":
        return await _info_page(request)
    fields = await form(request, files=1, most=bodies.PICTURE)
    values = {name: text(fields, name) for name in _INFO}
    try:
        values["image_url"] = await chosen_picture(request, fields, "image_url", PictureUse.PHOTO)
    except PictureError as error:
        return await _info_page(request, values=values, errors={"image_url": str(error)})
    chosen = [id_ for value in fields.getlist("category") if (id_ := number(str(value)))]
    saved = await _save(request, values, chosen=chosen)
    if isinstance(saved, Product):
        return redirect(f"/admin/products/{saved.id}?done=saved")
    return await _info_page(request, values=values, chosen=chosen, errors=saved)


@admin_page
async def content(request: Request) -> Response:
    """The content for members: Markdown and a URL. With `preview` it is shown, not saved."""
    fields = await form(request, most=bodies.LONG_TEXT) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
    if fields is None:
        return _content_page(request, product, vars(product), {})
    values = {name: text(fields, name) for name in _CONTENT}
    if text(fields, "do") == "preview":
        preview = await markdown.rendered(values["content"])
        return _content_page(request, product, values, {}, preview=preview)
    saved = await _save(request, values)
    if isinstance(saved, Product):
        return redirect(f"/admin/products/{saved.id}/content?done=saved")
    return _content_page(request, product, values, saved)


@admin_page
async def settings(request: Request) -> Response:
    """Who can open it, and which emails are sent."""
    if request.method == "POST":
        fields = await form(request)
        values: dict[str, Any] = {"access_mode": text(fields, "access_mode")}
        values["access_mail"] = text(fields, "access_mail") == "yes"
        saved = await _save(request, values)
        if isinstance(saved, Product):
            return redirect(f"/admin/products/{saved.id}/settings?done=saved")
        return await _settings_page(request, saved)
    return await _settings_page(request, {})


@admin_page
async def activity(request: Request) -> Response:
    query = Query(request, ())
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        rows = await lines.filtered(
            connection,
            FeedFilter(product_id=product.id, folded=True),
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
    return page(
        request,
        "admin/product_activity.html",
        product=product,
        rows=rows[:PAGE],
        query=query,
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
    )


async def _save(
    request: Request, values: dict[str, Any], *, chosen: list[int] | None = None
) -> Product | dict[str, str]:
    """The changed product, or the errors by field."""
    needed = {"name", "slug", "status", "access_mode"}
    filled = {n: v for n, v in values.items() if v not in ("", None) or n in needed}
    try:
        checked = ProductChanges.model_validate(filled).model_dump(exclude_unset=True)
    except ValidationError as error:
        return errors_of(error)
    cleared = {name: empty for name, empty in _CLEARED.items() if name in values}
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        if chosen is not None:
            await categories.assign(connection, product.id, chosen)
        try:
            return await products.update(connection, product.id, cleared | checked)
        except products.SlugTakenError as error:
            return {"slug": f"{upfirst(str(error))}."}


async def _info_page(
    request: Request,
    *,
    values: dict[str, Any] | None = None,
    chosen: list[int] | None = None,
    errors: dict[str, str] | None = None,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        link = await links.current_link(connection, product.id)
        known = await categories.listed(connection)
        connected = await connections.is_connected(connection)
        selling = await checkout.selling(connection, product.id)
        opens = None
        if product.opens_collection:
            opens = await collections.find(connection, product.opens_collection)
        prices = []
        counts = None
        if link and link.stripe_product:
            by_product = await catalog.prices_of(connection, [link.stripe_product])
            prices = by_product.get(link.stripe_product, [])
            counts = await links.counts(connection, product.id)
        assigned = chosen
        if assigned is None:
            assigned = await categories.of_product(connection, product.id)
        progress = await first_steps.progress(request, connection, FirstStep.PRODUCT)
    return page(
        request,
        "admin/product.html",
        422 if errors else 200,
        product=product,
        first_steps=progress,
        link=link,
        opens=opens,
        connected=connected,
        prices=prices,
        counts=counts,
        obstacle=selling.obstacle,
        categories=known,
        assigned=assigned,
        values=values or vars(product),
        errors=errors or {},
    )


def _content_page(
    request: Request,
    product: Product,
    values: dict[str, Any],
    errors: dict[str, str],
    *,
    preview: Markup | None = None,
) -> Response:
    return page(
        request,
        "admin/product_content.html",
        422 if errors else 200,
        product=product,
        values=values,
        errors=errors,
        preview=preview,
    )


async def _settings_page(request: Request, errors: dict[str, str]) -> Response:
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
    return page(
        request,
        "admin/product_settings.html",
        422 if errors else 200,
        product=product,
        errors=errors,
    )
