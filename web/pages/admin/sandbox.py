"""Leave the sandbox: what goes along, what stays behind, and waiting until it is done."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import sandbox_exit
from latchkey.languages import _
from latchkey.sandbox_exit import ExitRequest
from latchkey.store import leaving_sandbox
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import site_of

HERE = "/admin/sandbox"
ONWARD = "/admin/first-steps?step=stripe"


def routes() -> list[Route]:
    return [
        Route(HERE, show),
        Route(f"{HERE}/leave", leave, methods=["POST"]),
        Route(f"{HERE}/left", left),
    ]


@admin_page
async def show(request: Request) -> Response:
    """What happens if the sandbox is left."""
    if not site_of(request).settings.sandbox_url:
        return redirect("/admin/connectors")
    return await _page(request)


@admin_page
@fresh_page(back=HERE)
async def leave(request: Request) -> Response:
    """Ask `latchkey up` to leave the sandbox, and wait on the page for the site to come back."""
    fields = await form(request)
    site = site_of(request)
    if site.settings.sandbox_exit is None:
        raise NotFoundError(_("This site doesn't run with a sandbox that can be left here."))
    choice = text(fields, "products")
    if choice not in ("keep", "leave"):
        return await _page(request, errors={"products": _("Choose what happens to the products.")})
    wanted = ExitRequest(products=choice == "keep", actor=request.state.user.id)
    try:
        sandbox_exit.ask(site.settings.sandbox_exit, wanted)
    except OSError as error:
        problem = _("The data folder can't be written to (%(strerror)s).", strerror=error.strerror)
        return await _page(request, errors={"products": problem})
    return page(request, "admin/sandbox_leaving.html", onward=ONWARD)


@admin_page
async def left(request: Request) -> Response:
    """For the page that waits: on once the site has left the sandbox, and until then nothing."""
    if site_of(request).settings.sandbox_url:
        return Response(status_code=204)
    return Response(headers={"HX-Redirect": ONWARD})


async def _page(request: Request, errors: dict[str, str] | None = None) -> Response:
    async with site_of(request).pool.acquire() as connection:
        found = await leaving_sandbox.found(connection)
    return page(
        request,
        "admin/sandbox.html",
        422 if errors else 200,
        found=found,
        errors=errors or {},
        leaves=site_of(request).settings.sandbox_exit is not None,
    )
