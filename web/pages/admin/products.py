"""The list of products: search and filters; creating and deleting a product."""

import re
import time
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.pictures import PictureError
from latchkey.rules.pictures import PictureUse
from latchkey.store.pool import Connection
from latchkey.store.products import categories, listing, products
from web import bodies
from web.inputs import NewProduct
from web.pages.admin.lookup import product_of
from web.pages.errors import errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.uploads import chosen_picture
from web.site import Site, site_of
from web.wording.labels import upfirst

PAGE = 50
COUNTED_SECONDS = 20.0
_PRODUCT_ID = re.compile(r"prd_[0-9a-f]{16}")


def routes() -> list[Route]:
    return [
        Route("/admin/products", index),
        Route("/admin/products/new", new, methods=["GET", "POST"]),
        Route("/admin/products/{id}/delete", delete, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    query = Query(request, ("q", "category", "status"))
    after = request.query_params.getlist("after")
    async with site_of(request).pool.acquire() as connection:
        rows = await listing.listed(
            connection,
            after=listing.ProductCursor(after[0], after[1]) if len(after) == 2 else None,
            limit=PAGE + 1,
            search=query["q"] or None,
            category=number(query["category"]),
            status=query["status"] if query["status"] in products.STATUSES else None,
        )
        known = await categories.listed(connection)
        members = await _members(site_of(request), connection, rows[:PAGE])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return page(
        request,
        "admin/products.html",
        rows=rows[:PAGE],
        query=query,
        members=members,
        categories=known,
        more=query.address(after=[last.name, last.id]) if last else None,
    )


async def _members(
    site: Site, connection: Connection, rows: list[listing.ListedProduct]
) -> dict[str, int]:
    """How many members each product has; large numbers are at most `COUNTED_SECONDS` old."""
    listed = {row.id: row.members for row in rows}
    large = {key for key, count in listed.items() if count > listing.MOST_COUNTED}
    at, counts = site.members
    if at < time.monotonic() - COUNTED_SECONDS or not large <= counts.keys():
        counts = await listing.member_counts(connection, sorted(large)) if large else {}
        site.members = (time.monotonic(), counts)
    return listed | {key: counts.get(key, listed[key]) for key in large}


@admin_page
async def new(request: Request) -> Response:
    if request.method == "GET":
        return _form_page(request, {"status": "draft"}, {})
    fields = await form(request, files=1, most=bodies.PICTURE)
    product_id = text(fields, "product_id")
    names = ("name", "slug", "description", "image_url", "status", "content")
    values: dict[str, Any] = {name: text(fields, name) or None for name in names}
    try:
        image = await chosen_picture(request, fields, "image_url", PictureUse.PHOTO)
        values["image_url"] = image or None
        checked = NewProduct.model_validate(values).model_dump(exclude_none=True)
    except PictureError as error:
        return _form_page(request, values, {"image_url": str(error)}, 422)
    except ValidationError as error:
        return _form_page(request, values, errors_of(error), 422)
    name, slug = checked.pop("name"), checked.pop("slug", None)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        try:
            product = await products.create(
                connection,
                name=name,
                slug=slug,
                product_id=product_id if _PRODUCT_ID.fullmatch(product_id) else None,
                **checked,
            )
        except products.SlugTakenError as error:
            return _form_page(request, values, {"slug": f"{upfirst(str(error))}."}, 409)
    return redirect(f"/admin/products/{product.id}?done=created")


@admin_page
async def delete(request: Request) -> Response:
    """Asks for confirmation, then deletes the product with everyone's access."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        if fields is None:
            members = await products.member_count(connection, product.id)
            return page(request, "admin/product_delete.html", product=product, members=members)
        try:
            await products.delete(connection, product.id)
        except products.StillLinkedError as error:
            return page(
                request,
                "message.html",
                409,
                heading=_("Not deleted"),
                text=f"{upfirst(str(error))}.",
                back=f"/admin/products/{product.id}",
            )
    return redirect("/admin/products?done=deleted")


def _form_page(
    request: Request, values: dict[str, Any], errors: dict[str, str], status: int = 200
) -> Response:
    """The form carries the id of the new product, so sending it twice creates one product."""
    return page(
        request,
        "admin/product_new.html",
        status,
        values=values,
        errors=errors,
        product_id=products.new_id(),
    )
