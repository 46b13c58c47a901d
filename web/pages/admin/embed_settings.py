"""Settings of the buttons on other sites: which sites may show them, and the lines to put there."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.forward_auth import origin_of, unfit_origin
from latchkey.store import site_settings
from latchkey.store.products import listing
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import site_of

MOST_ORIGINS = 50


def routes() -> list[Route]:
    return [Route("/admin/settings/embed", settings, methods=["GET", "POST"])]


@admin_page
@fresh_page(back="/admin/settings/embed")
async def settings(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        async with site.pool.acquire() as connection:
            current = await site_settings.read(connection)
        return await _page(request, "\n".join(current.embed_origins))
    given = text(await form(request), "origins")
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    for line in lines:
        if wrong := unfit_origin(line):
            return await _page(request, given, f"“{line[:100]}” {wrong}.")
    origins = sorted({origin_of(line) for line in lines})
    if len(origins) > MOST_ORIGINS:
        return await _page(
            request, given, _("List at most %(most_origins)s origins.", most_origins=MOST_ORIGINS)
        )
    async with site.pool.acquire() as connection, connection.transaction():
        site.look = await site_settings.change(connection, embed_origins=origins)
    return redirect("/admin/settings/embed?done=saved")


async def _page(request: Request, origins: str, problem: str | None = None) -> Response:
    async with site_of(request).pool.acquire() as connection:
        live = await listing.live_slugs(connection)
    wanted = request.query_params.get("product", "")
    slugs = [slug for slug, _ in live]
    return page(
        request,
        "admin/embed_settings.html",
        422 if problem else 200,
        origins=origins,
        errors={"origins": problem} if problem else {},
        products=live,
        chosen=wanted if wanted in slugs else next(iter(slugs), None),
        public_url=site_of(request).public_url,
    )
