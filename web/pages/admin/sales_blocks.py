"""The blocks of a sales page: add, edit with a preview, move, delete."""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import A_, _
from latchkey.pictures import PictureError
from latchkey.rules.pictures import PictureUse
from latchkey.store.access import library
from latchkey.store.pool import Connection
from latchkey.store.products import checkout, sales_blocks, sales_pages
from latchkey.store.products.products import Product
from latchkey.store.products.sales_blocks import Block, CountdownBlock
from latchkey.store.products.sales_pages import SalesPage
from web import billing, bodies
from web.numbers import number
from web.pages.admin.lookup import product_of
from web.pages.admin.places import places_of
from web.pages.admin.promotion_form import CODE
from web.pages.admin.sales_block_forms import (
    KINDS,
    BlockKind,
    InvalidBlockError,
    content_of,
    field_names,
    rows_of,
    values_of,
)
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.member.sales import content, shown
from web.pages.render import page
from web.pages.uploads import chosen_picture, named_picture
from web.site import site_of

_CODE_PROBLEMS = {
    "none": A_("Stripe has no active promotion code like this that anybody can use."),
    "endless": A_(
        "This code has no end in Stripe, so the countdown wouldn't be true. Create a"
        " code that expires, or leave this empty."
    ),
    "refused": A_(
        "The Stripe key may not read promotion codes. Allow it in Stripe, or leave this empty."
    ),
}
_BLOCK_ID = re.compile(r"blk_[0-9a-f]{16}")


def routes() -> list[Route]:
    base = "/admin/products/{id}/sales-page/blocks"
    return [
        Route(f"{base}/new/{{kind}}", new, methods=["GET", "POST"]),
        Route(f"{base}/new/{{kind}}/preview", preview, methods=["POST"]),
        Route(f"{base}/{{block}}", edit, methods=["GET", "POST"]),
        Route(f"{base}/{{block}}/move", move, methods=["POST"]),
        Route(f"{base}/{{block}}/delete", delete, methods=["GET", "POST"]),
    ]


@admin_page
async def new(request: Request) -> Response:
    """The form carries the id of the new block, so sending it twice adds one."""
    fields = await _posted(request)
    async with site_of(request).pool.acquire() as connection:
        product, _ = await _page_of(request, connection)
    kind = KINDS.get(request.path_params["kind"])
    if kind is None:
        raise NotFoundError(A_("There is no such kind of block."))
    if fields is None:
        return await _form_page(request, product, kind, {}, block_id=sales_blocks.new_id())
    block_id = text(fields, "block_id")
    if not _BLOCK_ID.fullmatch(block_id):
        block_id = sales_blocks.new_id()
    return await _save(request, product, kind, fields, block_id=block_id, edition=0)


@admin_page
async def edit(request: Request) -> Response:
    fields = await _posted(request)
    async with site_of(request).pool.acquire() as connection:
        product, _, block = await _block_of(request, connection)
    kind = KINDS[block.kind]
    if fields is None:
        values = values_of(block.content)
        return await _form_page(request, product, kind, values, block=block, edition=block.edition)
    edition = number(text(fields, "edition"), digits=9) or 0
    return await _save(request, product, kind, fields, block=block, edition=edition)


@support_page
async def preview(request: Request) -> Response:
    """The block as it was typed; changes nothing. htmx asks for this part alone."""
    fields = await _posted(request)
    assert fields is not None, "the route only takes POST"
    async with site_of(request).pool.acquire() as connection:
        product, sales_page = await _page_of(request, connection)
    kind = KINDS.get(request.path_params["kind"])
    if kind is None:
        raise NotFoundError(_("There is no such kind of block."))
    values = _values(kind, fields)
    if request.headers.get("hx-request"):
        return page(
            request,
            "admin/sales_block_preview.html",
            product=product,
            **await _preview(request, product, kind, values),
        )
    if kind.has_picture and request.state.user.is_admin:
        try:
            values["image_url"] = await chosen_picture(
                request, fields, "image_url", PictureUse.PHOTO
            )
        except PictureError as error:
            errors = {"image_url": str(error)}
            return await _form_page(request, product, kind, values, errors)
    block_id = text(fields, "block_id")
    return await _form_page(
        request,
        product,
        kind,
        values,
        block=_of_kind(sales_page, block_id, kind),
        block_id=block_id if _BLOCK_ID.fullmatch(block_id) else sales_blocks.new_id(),
        edition=number(text(fields, "edition"), digits=9) or 0,
    )


@admin_page
async def move(request: Request) -> Response:
    """Move a block up or down, by one place or by so many."""
    by = places_of(await form(request))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product, _, block = await _block_of(request, connection)
        await sales_pages.move_block(connection, product.id, block.id, by=by)
    return redirect(f"/admin/products/{product.id}/sales-page#{block.id}")


@admin_page
async def delete(request: Request) -> Response:
    """Asks for confirmation, then deletes the block."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product, _, block = await _block_of(request, connection)
        if fields is None:
            return page(
                request,
                "admin/sales_block_delete.html",
                product=product,
                block=block,
                kind=KINDS[block.kind],
            )
        await sales_pages.delete_block(connection, product.id, block)
    return redirect(f"/admin/products/{product.id}/sales-page?done=deleted")


async def _posted(request: Request) -> FormData | None:
    if request.method != "POST":
        return None
    return await form(request, files=1, most=bodies.PICTURE)


async def _page_of(request: Request, connection: Connection) -> tuple[Product, SalesPage]:
    """The product that the URL names, and its sales page. Raises `NotFoundError`."""
    product = await product_of(request, connection)
    sales_page = await sales_pages.find(connection, product.id)
    if sales_page is None:
        raise NotFoundError(_("This product doesn't have a sales page yet. Create one first."))
    return product, sales_page


async def _block_of(request: Request, connection: Connection) -> tuple[Product, SalesPage, Block]:
    """The block that the URL names, and where it belongs. Raises `NotFoundError`."""
    product, sales_page = await _page_of(request, connection)
    block = sales_page.block(request.path_params["block"])
    if block is None:
        raise NotFoundError(_("This block doesn't exist."))
    return product, sales_page, block


def _of_kind(sales_page: SalesPage, block_id: str, kind: BlockKind) -> Block | None:
    """The block with this id, if a form of this kind can show it."""
    block = sales_page.block(block_id)
    return block if block and block.kind == kind.name else None


def _values(kind: BlockKind, fields: FormData) -> dict[str, str]:
    values = {name: text(fields, name) for name in field_names(kind)}
    if kind.has_picture:
        values["image_url"] = named_picture(fields, "image_url")
    return values


async def _save(
    request: Request,
    product: Product,
    kind: BlockKind,
    fields: FormData,
    *,
    block: Block | None = None,
    block_id: str = "",
    edition: int,
) -> Response:
    """Save what was typed, or show the form again: with more rows, or with what is wrong."""
    values = _values(kind, fields)
    again: dict[str, Any] = {"block": block, "block_id": block_id, "edition": edition}
    if text(fields, "do") == "more":
        return await _form_page(request, product, kind, values, more=True, **again)
    if problem := await _end_of_code(request, values, block):
        errors = {"promotion_code": problem}
        return await _form_page(request, product, kind, values, errors, **again)
    try:
        if kind.has_picture:
            values["image_url"] = await chosen_picture(
                request, fields, "image_url", PictureUse.PHOTO
            )
        checked = content_of(kind, values)
    except PictureError as error:
        return await _form_page(request, product, kind, values, {"image_url": str(error)}, **again)
    except InvalidBlockError as error:
        return await _form_page(request, product, kind, values, error.errors, **again)
    saved = block.id if block else block_id
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            there = await sales_pages.put_block(
                connection, product.id, saved, checked, edition=edition
            )
    except sales_blocks.TooMuchError as error:
        return await _form_page(request, product, kind, values, {"form": str(error)}, **again)
    except sales_pages.OutdatedError as error:
        async with site_of(request).pool.acquire() as connection:
            _, sales_page = await _page_of(request, connection)
        present = _of_kind(sales_page, saved, kind)
        again |= {"block": present, "edition": present.edition if present else edition}
        errors = {"form": str(error)}
        return await _form_page(request, product, kind, values, errors, status=409, **again)
    if not there:
        raise NotFoundError(A_("This block doesn't exist."))
    return redirect(f"/admin/products/{product.id}/sales-page?done=saved#{saved}")


async def _end_of_code(request: Request, values: dict[str, str], block: Block | None) -> str | None:
    """Let a countdown with a promotion code end when Stripe stops taking the code; returns the
    problem as a sentence, if there is one. A code that has ended keeps its end."""
    code = values.get("promotion_code")
    if not code or not re.fullmatch(CODE, code):
        return None
    match block:
        case Block(content=CountdownBlock(promotion_code=present) as countdown) if (
            present == code and countdown.over(datetime.now(UTC))
        ):
            values |= {"ends_at": "", "kept": countdown.ends_at.isoformat()}
            return None
    try:
        ends = await billing.promotion_end(site_of(request), code)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _(
            "We couldn't ask Stripe about this code. Nothing was saved. Try again in a minute."
        )
    if isinstance(ends, str):
        return _CODE_PROBLEMS[ends]
    values |= {"ends_at": "", "kept": ends.isoformat()}
    return None


async def _form_page(
    request: Request,
    product: Product,
    kind: BlockKind,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    block: Block | None = None,
    block_id: str = "",
    edition: int = 0,
    more: bool = False,
    status: int | None = None,
) -> Response:
    """The editor: of a block, or of a new one with the given id."""
    return page(
        request,
        "admin/sales_block_edit.html",
        status or (422 if errors else 200),
        product=product,
        kind=kind,
        block=block,
        block_id=block.id if block else block_id,
        edition=edition,
        values=values,
        rows=rows_of(kind, values, more=more),
        errors=errors or {},
        **await _preview(request, product, kind, values),
    )


async def _preview(
    request: Request, product: Product, kind: BlockKind, values: dict[str, str]
) -> dict[str, Any]:
    """What the preview of a block needs: `blocks` is empty while it can't be shown."""
    async with site_of(request).pool.acquire() as connection:
        _, sales_page = await _page_of(request, connection)
        card = await library.card(connection, None, product.id)
        selling = await checkout.selling(connection, product.id)
    try:
        blocks = await shown([Block("preview", content_of(kind, values))])
    except InvalidBlockError:
        blocks = []
    return await content(sales_page, product, card, selling) | {"blocks": blocks}
