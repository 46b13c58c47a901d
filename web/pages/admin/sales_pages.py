"""Editing sales pages: create, edit with a preview, publish, delete."""

from typing import Any, Literal

from pydantic import Field, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.pictures import PictureError
from latchkey.rules.pictures import PictureUse, of_address
from latchkey.store.access import library
from latchkey.store.products import checkout, products, sales_pages
from latchkey.store.products.sales_pages import SalesPage
from web import bodies
from web.inputs import Input, Line, Markdown, Name, PictureUrl
from web.numbers import number
from web.pages.admin.lookup import product_of
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.member.sales import content
from web.pages.render import page
from web.pages.uploads import chosen_picture, named_picture
from web.site import site_of

FIELDS = ("status", "headline", "body", "image_url", "price_line", "button")


class PageForm(Input):
    """What the editor sends."""

    edition: int = Field(ge=0, le=2**31 - 1)
    status: Literal["draft", "live"]
    headline: Name
    body: Markdown
    image_url: PictureUrl | None
    price_line: Line = Field(max_length=200)
    button: Line = Field(max_length=60)


def routes() -> list[Route]:
    base = "/admin/products/{id}/sales-page"
    return [
        Route("/admin/sales", index),
        Route(base, edit, methods=["GET", "POST"]),
        Route(f"{base}/start", start, methods=["POST"]),
        Route(f"{base}/preview", preview, methods=["POST"]),
        Route(f"{base}/delete", delete, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await sales_pages.listed(connection)
    return page(request, "admin/sales_pages.html", rows=rows)


@admin_page
async def edit(request: Request) -> Response:
    """The editor; if there is no page yet, the choice of what to start from."""
    posted = request.method == "POST"
    fields = await form(request, files=1, most=bodies.PICTURE) if posted else None
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        sales_page = await sales_pages.find(connection, product.id)
        others = await sales_pages.listed(connection) if sales_page is None else []
    if fields is None and sales_page is None:
        return page(request, "admin/sales_page_start.html", product=product, others=others)
    if sales_page is None:
        raise NotFoundError("This product doesn't have a sales page yet. Create one first.")
    if fields is None:
        return await _editor(request, product, sales_page, vars(sales_page))
    values = _values(fields)
    try:
        values["image_url"] = await _image(request, fields)
    except PictureError as error:
        return await _editor(request, product, sales_page, values, {"image_url": str(error)}, 422)
    try:
        checked = PageForm.model_validate(values)
    except ValidationError as error:
        return await _editor(request, product, sales_page, values, errors_of(error), 422)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        try:
            await sales_pages.save(connection, product.id, **checked.model_dump())
        except sales_pages.OutdatedError as error:
            values["edition"] = sales_page.edition
            return await _editor(request, product, sales_page, values, {"form": str(error)}, 409)
    return redirect(f"/admin/products/{product.id}/sales-page?done=saved")


@admin_page
async def start(request: Request) -> Response:
    """Start from the template, or from a copy of another product's page."""
    fields = await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        copy_of = text(fields, "copy_of") if text(fields, "begin") == "copy" else None
        if not await sales_pages.start(connection, product.id, copy_of=copy_of):
            raise NotFoundError("The sales page to copy doesn't exist.")
    return redirect(f"/admin/products/{product.id}/sales-page")


@support_page
async def preview(request: Request) -> Response:
    """A preview of the entered text; changes nothing. htmx asks for this part alone."""
    fields = await form(request, files=1, most=bodies.PICTURE)
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        sales_page = await sales_pages.find(connection, product.id)
    if sales_page is None:
        raise NotFoundError("This product doesn't have a sales page yet. Create one first.")
    values = _values(fields)
    if request.headers.get("hx-request"):
        return page(
            request,
            "admin/sales_page_preview.html",
            product=product,
            **await _preview(request, product, sales_page, values),
        )
    if request.state.user.is_admin:
        try:
            values["image_url"] = await _image(request, fields)
        except PictureError as error:
            errors = {"image_url": str(error)}
            return await _editor(request, product, sales_page, values, errors, 422)
    return await _editor(request, product, sales_page, values)


@admin_page
async def delete(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        await sales_pages.delete(connection, product.id)
    return redirect(f"/admin/products/{product.id}/checkout?done=deleted")


async def _editor(
    request: Request,
    product: products.Product,
    sales_page: SalesPage,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        selling = await checkout.selling(connection, product.id)
    return page(
        request,
        "admin/sales_page_edit.html",
        status,
        product=product,
        sales_page=sales_page,
        values=values,
        errors=errors or {},
        selling=selling,
        **await _preview(request, product, sales_page, values),
    )


async def _preview(
    request: Request, product: products.Product, sales_page: SalesPage, values: dict[str, Any]
) -> dict[str, Any]:
    async with site_of(request).pool.acquire() as connection:
        card = await library.card(connection, None, product.id)
        selling = await checkout.selling(connection, product.id)
    entered = {name: values.get(name) or "" for name in FIELDS}
    address = str(entered["image_url"])
    shows = address.startswith(("http://", "https://")) or of_address(address)
    entered["image_url"] = address if shows else ""
    shown = SalesPage(
        product_id=product.id,
        edition=sales_page.edition,
        updated_at=sales_page.updated_at,
        **entered,
    )
    return await content(shown, product, card, selling)


async def _image(request: Request, fields: FormData) -> str | None:
    """The picture that the editor chooses. Raises `PictureError`."""
    return await chosen_picture(request, fields, "image_url", PictureUse.PHOTO) or None


def _values(fields: Any) -> dict[str, Any]:
    values: dict[str, Any] = {name: text(fields, name) for name in FIELDS}
    values["status"] = values["status"] or "draft"
    values["image_url"] = named_picture(fields, "image_url") or None
    values["edition"] = number(text(fields, "edition"), digits=9) or 0
    return values
