"""A product's members: who, why and until when; giving and ending access by hand."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import grants, members
from web.inputs import NewGrant
from web.pages.admin.lookup import product_of
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.member.signin import safe_target
from web.pages.render import page
from web.site import site_of
from web.wording.times import chosen

PAGE = 50


def routes() -> list[Route]:
    return [
        Route("/admin/products/{id}/members", index),
        Route("/admin/products/{id}/grants", give, methods=["GET", "POST"]),
        Route("/admin/grants/{id}/end", end, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    query = Query(request, ("q", "ending"))
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        rows = await members.of_product(
            connection,
            product.id,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
            search=query["q"] or None,
            ending=query["ending"] == "yes",
        )
    return page(
        request,
        "admin/product_members.html",
        product=product,
        rows=rows[:PAGE],
        query=query,
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
    )


@admin_page
async def give(request: Request) -> Response:
    """Give complimentary access."""
    if request.method == "GET":
        email = request.query_params.get("email", "")[:254]
        return await _give_page(request, {"email": email}, {})
    fields = await form(request)
    values: dict[str, Any] = {name: text(fields, name) for name in ("email", "reason", "until")}
    try:
        until = chosen(values["until"], text(fields, "zone"))
    except ValueError as error:
        return await _give_page(request, values, {"until": str(error)})
    try:
        wanted = NewGrant.model_validate(
            {"email": values["email"], "reason": values["reason"] or None, "until": until}
        )
    except ValidationError as error:
        return await _give_page(request, values, errors_of(error))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product = await product_of(request, connection)
        await grants.give(
            connection,
            product_id=product.id,
            email=wanted.email,
            until=wanted.until,
            reason=wanted.reason,
            actor=request.state.user.id,
        )
    return redirect(f"/admin/products/{product.id}/members?done=granted")


@admin_page
async def end(request: Request) -> Response:
    """End a grant by hand, after confirmation."""
    back = safe_target(request.query_params.get("back"))
    fields = await form(request) if request.method == "POST" else None
    grant_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        grant = await members.find(connection, grant_id) if grant_id else None
        if grant is None:
            raise NotFoundError(_("This grant doesn't exist."))
        if fields is None:
            return page(request, "admin/grant_end.html", grant=grant, back=back)
        async with connection.transaction():
            await grants.end(connection, grant.id, actor=request.state.user.id)
    target = safe_target(text(fields, "back")) or f"/admin/products/{grant.product_id}/members"
    return redirect(f"{target}?done=ended")


async def _give_page(request: Request, values: dict[str, Any], errors: dict[str, str]) -> Response:
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
    return page(
        request,
        "admin/grant_give.html",
        422 if errors else 200,
        product=product,
        values=values,
        errors=errors,
    )
