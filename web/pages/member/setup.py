"""Setting up a site that has no owner: its name and its first owner, by the link that a start
prints. Everything else is set up in the admin pages."""

from typing import Annotated

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import password_rules, passwords, signin_links
from latchkey.store import site_settings
from latchkey.store.users import team, users
from latchkey.urls import is_local
from web.inputs import Email, Input, Name
from web.pages.errors import errors_of
from web.pages.guard import form, text, visitor_page
from web.pages.member.signin import start_session
from web.pages.render import page
from web.site import site_of

TAKEN = (
    "A member has this address already. Use another one; “latchkey owner” on the server makes a"
    " member an owner."
)


class SetupForm(Input):
    """What the set-up form sends."""

    name: Name
    email: Email
    password: Annotated[str, Field(max_length=10_000)]


def routes() -> list[Route]:
    return [Route("/setup/{token}", set_up, methods=["GET", "POST"])]


@visitor_page
async def set_up(request: Request) -> Response:
    """The form; posting it makes the owner, names the site and signs the owner in. Whoever is
    first wins: a site is set up once."""
    site = site_of(request)
    token = request.path_params["token"]
    valid = signin_links.is_setup(token, site.public_url, secrets=site.secrets)
    async with site.pool.acquire() as connection:
        if await team.has_owner(connection):
            return page(request, "member/setup_over.html", 410, owned=True)
    if not valid:
        return page(request, "member/setup_over.html", 410, owned=False)
    if request.method == "GET":
        return _form(request, {"name": site.look.name})
    fields = await form(request)
    values = {"name": text(fields, "name"), "email": text(fields, "email")}
    password = str(fields.get("password") or "")
    try:
        wanted = SetupForm.model_validate(values | {"password": password})
    except ValidationError as error:
        return _form(request, values, errors_of(error))
    names = [wanted.email, wanted.name]
    if wrong := password_rules.weakness(password, staff=True, names=names):
        return _form(request, values, {"password": wrong})
    if password != str(fields.get("again") or ""):
        return _form(request, values, {"again": "This isn't the same password. Type both again."})
    hashed = await passwords.hash_password(password)
    async with site.pool.acquire() as connection, connection.transaction():
        made = await team.make_first_owner(connection, wanted.email, hashed)
        if made:
            site.look = await site_settings.change(connection, name=wanted.name)
        owned = made or await team.has_owner(connection)
        owner = await users.by_email(connection, wanted.email)
    if not made and owned:
        return page(request, "member/setup_over.html", 410, owned=True)
    if not made:
        return _form(request, values, {"email": TAKEN})
    assert owner is not None, "it was made just now"
    onward = "/admin" if site.settings.sandbox_url else "/admin/first-steps"
    return await start_session(request, owner, f"{onward}?done=set-up", via="password")


def _form(
    request: Request, values: dict[str, str], errors: dict[str, str] | None = None
) -> Response:
    site = site_of(request)
    return page(
        request,
        "member/setup.html",
        422 if errors else 200,
        values=values,
        errors=errors or {},
        address=site.public_url,
        in_clear=site.public_url.startswith("http://") and not is_local(site.public_url),
        shortest=password_rules.SHORTEST_OF_STAFF,
    )
