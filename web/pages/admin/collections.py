"""Collections: products granted together, and their holders."""

import re

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import collections
from latchkey.store.access.collections import CollectionError
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.products import products
from latchkey.store.products.products import UnknownProductError
from web.inputs import NewCollection, NewGrant
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of
from web.wording.labels import upfirst
from web.wording.times import chosen

PAGE = 100
_NEW = re.compile(r"prd_[0-9a-f]{16}")


def routes() -> list[Route]:
    return [
        Route("/admin/collections", index, methods=["GET", "POST"]),
        Route("/admin/collections/{id}", show, methods=["GET", "POST"]),
        Route("/admin/collections/{id}/delete", delete, methods=["POST"]),
        Route("/admin/collections/{id}/sales", sell, methods=["POST"]),
        Route("/admin/collections/{id}/sales/{product}/end", stop, methods=["POST"]),
        Route("/admin/collections/{id}/grants", give, methods=["POST"]),
        Route("/admin/collections/{id}/grants/{holder}/end", end, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """All collections; posting creates one."""
    errors: dict[str, str] = {}
    site = site_of(request)
    if request.method == "POST":
        fields = await form(request)
        try:
            wanted = NewCollection.model_validate({"name": text(fields, "name")})
        except ValidationError as error:
            errors = errors_of(error)
        else:
            async with site.pool.acquire() as connection, connection.transaction():
                collection = await collections.create(connection, name=wanted.name)
            return redirect(f"/admin/collections/{collection.id}?done=created-collection")
    async with site.pool.acquire() as connection:
        rows = await collections.listed(connection)
    status = 422 if errors else 200
    return page(request, "admin/collections.html", status, rows=rows, errors=errors)


@admin_page
async def show(request: Request) -> Response:
    """One collection; posting saves its name and products."""
    if request.method == "GET":
        return await _show(request)
    fields = await form(request)
    values = {
        "name": text(fields, "name"),
        "description": text(fields, "description"),
        "products": [str(value) for value in fields.getlist("product")],
    }
    try:
        wanted = NewCollection.model_validate(values)
    except ValidationError as error:
        return await _show(request, errors=errors_of(error), status=422)
    site, actor = site_of(request), request.state.user.id
    try:
        async with site.pool.acquire() as connection, connection.transaction():
            collection = await _collection(request)
            await collections.rename(
                connection, collection.id, name=wanted.name, description=wanted.description
            )
            await collections.set_products(connection, collection.id, wanted.products, actor=actor)
    except (UnknownProductError, CollectionError) as error:
        return await _show(request, errors={"products": f"{upfirst(str(error))}."}, status=422)
    return redirect(f"/admin/collections/{collection.id}?done=saved")


@admin_page
async def sell(request: Request) -> Response:
    """Sell the collection as a product: one that there is, or a new one that is a draft. The form
    carries the id of the new product, so sending it twice creates one product."""
    fields = await form(request)
    chosen_id, new_id = text(fields, "product"), text(fields, "new")
    site, actor = site_of(request), request.state.user.id
    try:
        async with site.changing() as connection:
            collection = await _collection(request)
            product_id = chosen_id
            if not product_id:
                made = await products.create(
                    connection,
                    name=collection.name,
                    slug=None,
                    product_id=new_id if _NEW.fullmatch(new_id) else None,
                    description=collection.description,
                )
                product_id = made.id
            await collections.sell_as(connection, collection.id, product_id, actor=actor)
    except (UnknownProductError, CollectionError) as error:
        return await _show(request, errors={"product": f"{upfirst(str(error))}."}, status=422)
    if chosen_id:
        return redirect(f"/admin/collections/{collection.id}?done=collection-sold")
    return redirect(f"/admin/products/{product_id}?done=created")


@admin_page
async def stop(request: Request) -> Response:
    """Have a product open the collection no longer."""
    await form(request)
    async with site_of(request).changing() as connection:
        collection = await _collection(request)
        product_id, actor = request.path_params["product"], request.state.user.id
        if not await collections.stop_selling(connection, collection.id, product_id, actor=actor):
            raise NotFoundError(_("The collection isn't sold as this product."))
    return redirect(f"/admin/collections/{collection.id}?done=collection-unsold")


@admin_page
async def give(request: Request) -> Response:
    """Give the collection to one person."""
    fields = await form(request)
    try:
        until = chosen(text(fields, "until"), text(fields, "zone"))
        wanted = NewGrant.model_validate(
            {
                "email": text(fields, "email"),
                "reason": text(fields, "reason") or None,
                "until": until,
            }
        )
    except ValidationError as error:
        return await _show(request, errors=errors_of(error), status=422)
    except ValueError as error:
        return await _show(request, errors={"until": str(error)}, status=422)
    site, actor = site_of(request), request.state.user.id
    grant = ComplimentaryGrant(wanted.email, wanted.until, wanted.reason)
    async with site.changing() as connection:
        collection = await _collection(request)
        await collections.give(connection, collection.id, [grant], actor=actor)
    return redirect(f"/admin/collections/{collection.id}?done=granted")


@admin_page
async def end(request: Request) -> Response:
    await form(request)
    holder = number(request.path_params["holder"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        collection = await _collection(request)
        actor = request.state.user.id
        if not holder or not await collections.end(connection, collection.id, holder, actor=actor):
            raise NotFoundError(_("This person doesn't have the collection."))
    return redirect(f"/admin/collections/{collection.id}?done=ended")


@admin_page
async def delete(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        collection = await _collection(request)
        if collection.sold_as:
            return await _show(
                request, errors={"sold": _("It is sold as a product: stop that first.")}, status=422
            )
        await collections.delete(connection, collection.id, actor=request.state.user.id)
    return redirect("/admin/collections?done=deleted")


async def _collection(request: Request) -> collections.Collection:
    async with site_of(request).pool.acquire() as connection:
        collection = await collections.find(connection, request.path_params["id"])
    if collection is None:
        raise NotFoundError(_("This collection doesn't exist."))
    return collection


async def _show(
    request: Request, *, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    collection = await _collection(request)
    after = number(request.query_params.get("after"))
    async with site_of(request).pool.acquire() as connection:
        rows = await products.listed(connection, limit=1000)
        holders = await collections.holders(connection, collection.id, after=after, limit=PAGE + 1)
        closed = await collections.unsellable(connection)
    everything = [row.product for row in rows]
    return page(
        request,
        "admin/collection.html",
        status,
        collection=collection,
        products=[product for product in everything if product.id not in closed.openers],
        sold_as=[product for product in everything if product.id in collection.sold_as],
        sellable=[
            product
            for product in everything
            if product.id not in closed.openers and product.id not in closed.contents
        ],
        new_product=products.new_id(),
        holders=holders[:PAGE],
        more=holders[PAGE - 1].id if len(holders) > PAGE else None,
        errors=errors or {},
    )
