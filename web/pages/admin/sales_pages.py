"""Editing sales pages: start one, its headline and status, a preview, delete. Its blocks:
`sales_blocks`."""

from typing import Any, Literal

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import collection_contents, library
from latchkey.store.products import checkout, products, sales_blocks, sales_pages
from latchkey.store.products.sales_pages import SalesPage
from web.inputs import Input, Name
from web.numbers import number
from web.pages.admin import sales_block_forms
from web.pages.admin.lookup import product_of
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.member.sales import content
from web.pages.render import page
from web.security import let_frames_in, let_us_frame
from web.site import site_of


class PageForm(Input):
    """What the editor sends."""

    edition: int = Field(ge=0, le=2**31 - 1)
    status: Literal["draft", "live"]
    headline: Name


def routes() -> list[Route]:
    base = "/admin/products/{id}/sales-page"
    return [
        Route("/admin/sales", index),
        Route(base, edit, methods=["GET", "POST"]),
        Route(f"{base}/start", start, methods=["POST"]),
        Route(f"{base}/preview", preview),
        Route(f"{base}/delete", delete, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await sales_pages.listed(connection)
    return page(request, "admin/sales_pages.html", rows=rows)


@admin_page
async def edit(request: Request) -> Response:
    """The page's headline, status and blocks; if there is no page yet, the choice of what to start
    from."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        sales_page = await sales_pages.find(connection, product.id)
        others = await sales_pages.listed(connection) if sales_page is None else []
    if fields is None and sales_page is None:
        return page(request, "admin/sales_page_start.html", product=product, others=others)
    if sales_page is None:
        raise NotFoundError(_("This product doesn't have a sales page yet. Create one first."))
    if fields is None:
        return await _editor(request, product, sales_page, vars(sales_page))
    values: dict[str, Any] = {name: text(fields, name) for name in ("headline", "status")}
    values["edition"] = number(text(fields, "edition"), digits=9) or 0
    try:
        checked = PageForm.model_validate(values)
    except ValidationError as error:
        return await _editor(request, product, sales_page, values, errors_of(error), 422)
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await sales_pages.save(connection, product.id, **checked.model_dump())
    except sales_pages.OutdatedError as error:
        values["edition"] = sales_page.edition
        return await _editor(request, product, sales_page, values, {"form": str(error)}, 409)
    return redirect(f"/admin/products/{product.id}/sales-page?done=saved")


@admin_page
async def start(request: Request) -> Response:
    """Start from a template, or from a copy of another product's page."""
    fields = await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        begin = text(fields, "begin")
        copy_of = text(fields, "copy_of") if begin == "copy" else None
        if not await sales_pages.start(connection, product.id, template=begin, copy_of=copy_of):
            raise NotFoundError(_("The sales page to copy doesn't exist."))
    return redirect(f"/admin/products/{product.id}/sales-page")


@admin_page
async def preview(request: Request) -> Response:
    """The page as visitors see it, for the frame beside the editor. Its buttons lead nowhere,
    and its links to new windows."""
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        sales_page = await sales_pages.find(connection, product.id)
        if sales_page is None:
            raise NotFoundError(_("This product doesn't have a sales page yet. Create one first."))
        card = await library.card(connection, None, product.id)
        selling = await checkout.selling(connection, product.id)
        contents = await collection_contents.of_product(connection, product.id, None)
        wholes = await collection_contents.wholes(connection, product.id)
    request.state.user = None  # who looks at it is on the team, but visitors aren't
    response = page(
        request,
        "member/sales_page.html",
        product=product,
        draft=False,
        buy_address="",
        contents=contents,
        wholes=wholes,
        **await content(sales_page, product, card, selling),
    )
    let_us_frame(response)
    return response


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
    response = page(
        request,
        "admin/sales_page_edit.html",
        status,
        product=product,
        sales_page=sales_page,
        values=values,
        errors=errors or {},
        selling=selling,
        kinds=sales_block_forms.KINDS,
        summary=sales_block_forms.summary,
        full=len(sales_page.blocks) >= sales_blocks.MOST,
    )
    let_frames_in(response)
    return response
