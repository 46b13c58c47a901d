"""Categories: create, rename, reorder, delete."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.products import categories
from latchkey.texts import on_one_line
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of

LONGEST = 80
HERE = "/admin/products/categories"


def routes() -> list[Route]:
    return [
        Route(HERE, index, methods=["GET", "POST"]),
        Route(HERE + "/{category}", change, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """All categories; posting creates one."""
    if request.method == "GET":
        return await _page(request)
    name = text(await form(request), "name")
    if problem := _problem(name):
        return await _page(request, {"name": problem})
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        try:
            await categories.create(connection, name)
        except categories.NameTakenError as error:
            return await _page(request, {"name": str(error)})
    return redirect(f"{HERE}?done=saved")


@admin_page
async def change(request: Request) -> Response:
    """Rename, move or delete a category, depending on the button pressed."""
    fields = await form(request)
    category, do = number(request.path_params["category"]), text(fields, "do")
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if category is None or category not in {c.id for c in await categories.listed(connection)}:
            raise NotFoundError(_("This category doesn't exist."))
        if do in ("up", "down"):
            await categories.move(connection, category, down=do == "down")
            return redirect(HERE)
        if do == "delete":
            await categories.delete(connection, category)
            return redirect(f"{HERE}?done=deleted")
    field = f"name-{category}"
    name = text(fields, field)
    if problem := _problem(name):
        return await _page(request, {field: problem})
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        try:
            await categories.rename(connection, category, name)
        except categories.NameTakenError as error:
            return await _page(request, {field: str(error)})
    return redirect(f"{HERE}?done=saved")


def _problem(name: str) -> str | None:
    if not 1 <= len(name) <= LONGEST or not on_one_line(name):
        return _("Enter a name on one line, up to %(longest)s characters.", longest=LONGEST)
    return None


async def _page(request: Request, errors: dict[str, str] | None = None) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await categories.listed(connection)
    status = 422 if errors else 200
    return page(request, "admin/categories.html", status, rows=rows, errors=errors or {})
