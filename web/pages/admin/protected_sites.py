"""Protected sites: the hosts whose web server asks here whether to let somebody in."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.rules.forward_auth import WithoutAccess, origin_of, unfit_origin
from latchkey.store.forward_auth import sites
from latchkey.store.forward_auth.sites import OriginTakenError, ProtectedSite
from latchkey.store.products import listing
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import site_of

_TAKEN = A_("This site is protected already.")


def routes() -> list[Route]:
    return [
        Route("/admin/protected-sites", index),
        Route("/admin/protected-sites/new", create, methods=["GET", "POST"]),
        Route("/admin/protected-sites/{id}", edit, methods=["GET", "POST"]),
        Route("/admin/protected-sites/{id}/delete", delete, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await sites.listed(connection)
    return page(request, "admin/protected_sites.html", rows=rows)


@admin_page
@fresh_page(back="/admin/protected-sites/new")
async def create(request: Request) -> Response:
    if request.method == "GET":
        return await _page(request, None)
    fields = await form(request)
    origin, without_access, product_ids, errors = await _read(request, fields)
    if errors:
        return await _page(request, None, errors=errors)
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            site_id = await sites.create(
                connection, origin=origin, without_access=without_access, product_ids=product_ids
            )
    except OriginTakenError:
        return await _page(request, None, errors={"origin": _TAKEN})
    return redirect(f"/admin/protected-sites/{site_id}?done=saved")


@admin_page
@fresh_page(back="/admin/protected-sites/{id}")
async def edit(request: Request) -> Response:
    protected = await _site(request)
    if request.method == "GET":
        return await _page(request, protected)
    origin, without_access, product_ids, errors = await _read(request, await form(request))
    if errors:
        return await _page(request, protected, errors=errors)
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await sites.change(
                connection,
                protected,
                origin=origin,
                without_access=without_access,
                product_ids=product_ids,
            )
    except OriginTakenError:
        return await _page(request, protected, errors={"origin": _TAKEN})
    return redirect(f"/admin/protected-sites/{protected.id}?done=saved")


@admin_page
@fresh_page(back="/admin/protected-sites/{id}/delete")
async def delete(request: Request) -> Response:
    """Says what ends, then removes the site."""
    protected = await _site(request)
    if request.method == "GET":
        return page(request, "admin/protected_site_delete.html", site=protected)
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await sites.delete(connection, protected)
    return redirect("/admin/protected-sites?done=deleted")


async def _site(request: Request) -> ProtectedSite:
    """The site of the path. Raises `NotFoundError`."""
    site_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        protected = await sites.find(connection, site_id) if site_id is not None else None
    if protected is None:
        raise NotFoundError(_("This protected site doesn't exist."))
    return protected


async def _page(
    request: Request, protected: ProtectedSite | None, *, errors: dict[str, str] | None = None
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        products = await listing.names(connection)
    return page(
        request,
        "admin/protected_site.html",
        422 if errors else 200,
        site=protected,
        errors=errors or {},
        products=products,
        public_url=site_of(request).public_url,
    )


async def _read(
    request: Request, fields: FormData
) -> tuple[str, WithoutAccess, list[str], dict[str, str]]:
    """What the form says, and what is wrong with it by field."""
    errors: dict[str, str] = {}
    address = text(fields, "origin")
    if wrong := unfit_origin(address):
        errors["origin"] = A_("This address %(wrong)s.", wrong=wrong)
    elif origin_of(address) == origin_of(site_of(request).public_url):
        errors["origin"] = A_("This is Latchkey's own address. Enter that of the site to protect.")
    wanted = text(fields, "without_access")
    if wanted not in tuple(WithoutAccess):
        errors["without_access"] = A_("Choose what happens to people without access.")
    chosen = [value for value in fields.getlist("products") if isinstance(value, str)]
    async with site_of(request).pool.acquire() as connection:
        known = {product_id for product_id, _ in await listing.names(connection)}
    if not chosen:
        errors["products"] = A_("Choose at least one product.")
    elif not set(chosen) <= known:
        errors["products"] = A_("One of these products doesn't exist any more. Choose again.")
    if errors:
        return "", WithoutAccess.REFUSE, [], errors
    return origin_of(address), WithoutAccess(wanted), chosen, {}
