"""The admin's products: list, make, change, members."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store import feed, grants, links, products
from latchkey.store.pool import Connection
from web.api.people import NewGrant
from web.api.products import NewProduct
from web.pages.guard import admin_page, form, see, text
from web.pages.render import page
from web.site import site_of

PAGE = 50


class NotFound(Exception):
    """There is no such thing; the message names it."""


def routes() -> list[Route]:
    return [
        Route("/admin/products", index),
        Route("/admin/products/new", new, methods=["GET", "POST"]),
        Route("/admin/products/{id}", show),
        Route("/admin/products/{id}/edit", edit, methods=["GET", "POST"]),
        Route("/admin/products/{id}/delete", delete, methods=["POST"]),
        Route("/admin/products/{id}/grants", give, methods=["POST"]),
        Route("/admin/grants/{id}/end", end, methods=["POST"]),
    ]


async def product_of(request: Request, connection: Connection) -> products.Product:
    """The product that the address names. Raises `NotFound`."""
    found = await products.find(connection, request.path_params["id"])
    if found is None:
        raise NotFound("There is no such product.")
    return found


@admin_page
async def index(request: Request) -> Response:
    search = request.query_params.get("q", "").strip()
    async with site_of(request).pool.acquire() as connection:
        rows = await products.listed(
            connection,
            after=request.query_params.get("after"),
            limit=PAGE + 1,
            search=search or None,
        )
    more = rows[PAGE - 1].product.id if len(rows) > PAGE else None
    return page(request, "admin/products.html", rows=rows[:PAGE], more=more, search=search)


@admin_page
async def new(request: Request) -> Response:
    if request.method == "GET":
        return _form_page(request, None, {"status": "draft", "access_mode": "assigned"}, {})
    given = await form(request)
    values = _values(given)
    try:
        checked = NewProduct.model_validate(values).model_dump(exclude_none=True)
    except ValidationError as error:
        return _form_page(request, None, values, _errors(error), 422)
    name, slug = checked.pop("name"), checked.pop("slug", None)
    async with site_of(request).pool.acquire() as connection:
        try:
            made = await products.create(connection, name=name, slug=slug, **checked)
        except products.SlugTaken as error:
            return _form_page(request, None, values, {"slug": str(error)}, 409)
    return see(f"/admin/products/{made.id}?done=created")


@admin_page
async def edit(request: Request) -> Response:
    pool = site_of(request).pool
    async with pool.acquire() as connection:
        product = await product_of(request, connection)
    if request.method == "GET":
        return _form_page(request, product, vars(product), {})
    values = _values(await form(request))
    try:
        checked = NewProduct.model_validate(values).model_dump(exclude_none=True)
    except ValidationError as error:
        return _form_page(request, product, values, _errors(error), 422)
    changes = {"description": "", "content": "", "image_url": None, "content_url": None} | checked
    async with pool.acquire() as connection:
        try:
            await products.update(connection, product.id, changes)
        except products.SlugTaken as error:
            return _form_page(request, product, values, {"slug": str(error)}, 409)
    return see(f"/admin/products/{product.id}?done=saved")


@admin_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        link = await links.current_link(connection, product.id)
        members = await grants.of_product(
            connection, product.id, after=_number(request.query_params.get("after")), limit=PAGE + 1
        )
        lines = await feed.lines(connection, product_id=product.id, limit=10)
    return page(
        request,
        "admin/product.html",
        product=product,
        link=link,
        members=members[:PAGE],
        more=members[PAGE - 1].id if len(members) > PAGE else None,
        lines=lines,
        errors={},
        given={},
    )


@admin_page
async def delete(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        try:
            await products.delete(connection, product.id)
        except products.StillLinked as error:
            return page(
                request,
                "message.html",
                409,
                heading="Not deleted",
                text=f"{error}.",
                back=f"/admin/products/{product.id}",
            )
    return see("/admin/products?done=deleted")


@admin_page
async def give(request: Request) -> Response:
    """Complimentary access by hand."""
    given = await form(request)
    until = text(given, "until")
    values = {
        "email": text(given, "email"),
        "reason": text(given, "reason") or None,
        "until": f"{until}:00+00:00" if until else None,
    }
    pool = site_of(request).pool
    async with pool.acquire() as connection:
        product = await product_of(request, connection)
    try:
        wanted = NewGrant.model_validate(values)
    except ValidationError as error:
        return page(
            request,
            "message.html",
            422,
            heading="Not granted",
            text="; ".join(f"{name}: {problem}" for name, problem in _errors(error).items()),
            back=f"/admin/products/{product.id}",
        )
    async with pool.acquire() as connection, connection.transaction():
        await grants.give(
            connection,
            product_id=product.id,
            email=wanted.email,
            until=wanted.until,
            reason=wanted.reason,
            actor=request.state.user.id,
        )
    return see(f"/admin/products/{product.id}?done=granted#members")


@admin_page
async def end(request: Request) -> Response:
    """End a grant by hand."""
    await form(request)
    grant_id = _number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        found = (
            await grants.end(connection, grant_id, actor=request.state.user.id)
            if grant_id
            else None
        )
    if found is None:
        raise NotFound("There is no such grant.")
    return see(f"/admin/products/{found.product_id}?done=ended#members")


def _values(given: Any) -> dict[str, Any]:
    names = (
        "name",
        "slug",
        "description",
        "image_url",
        "status",
        "access_mode",
        "content",
        "content_url",
    )
    values: dict[str, Any] = {name: text(given, name) or None for name in names}
    values["access_mail"] = text(given, "access_mail") == "yes"
    return values


def _errors(error: ValidationError) -> dict[str, str]:
    return {
        str(item["loc"][0]): item["msg"].removeprefix("Value error, ")
        for item in error.errors(include_input=False, include_url=False)
        if item["loc"]
    }


def _form_page(
    request: Request,
    product: products.Product | None,
    values: dict[str, Any],
    errors: dict[str, str],
    status: int = 200,
) -> Response:
    return page(
        request,
        "admin/product_form.html",
        status,
        product=product,
        values={"access_mail": True, **values},
        errors=errors,
    )


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdigit() and len(given) <= 18 else None
