"""Setting up a site that has no owner: its name and its first owner, who signs in by password or
passkey, by the link that a start prints. Everything else is set up in the admin pages."""

from typing import Annotated

import structlog
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import passkeys, password_rules, passwords, signin_links
from latchkey.languages import A_, _
from latchkey.store import site_settings
from latchkey.store.pool import Connection
from latchkey.store.users import passkeys as stored
from latchkey.store.users import team, users
from latchkey.urls import is_local
from web.inputs import Email, Input, Name
from web.pages.errors import errors_of
from web.pages.guard import form, text, visitor_page
from web.pages.member import passkey_challenges
from web.pages.member.signin import start_session
from web.pages.render import page
from web.site import site_of

TAKEN = A_(
    "A member has this address already. Use another one; “latchkey owner” on the"
    " server makes a member an owner."
)
FIRST_PASSKEY = A_("First passkey")
NO_PASSKEY = A_(
    "Your browser sent no passkey, which takes JavaScript. Try again, or use a password."
)

log = structlog.get_logger("signin")


class SetupForm(Input):
    """What the set-up form sends of the site and its owner, who comes with a password or a
    passkey."""

    name: Name
    email: Email
    password: Annotated[str, Field(max_length=10_000)] | None = None


def routes() -> list[Route]:
    return [
        Route("/setup/{token}", set_up, methods=["GET", "POST"]),
        Route("/setup/{token}/passkey", passkey_options, methods=["POST"]),
    ]


@visitor_page
async def set_up(request: Request) -> Response:
    """The form; posting it makes the owner, names the site and signs the owner in. Whoever is
    first wins: a site is set up once."""
    if over := await _over(request):
        return over
    if request.method == "GET":
        return _form(request, {"name": site_of(request).look.name})
    fields = await form(request)
    values = {"name": text(fields, "name"), "email": text(fields, "email")}
    password = None if _by_passkey(request) else str(fields.get("password") or "")
    try:
        wanted = SetupForm.model_validate(values | {"password": password})
    except ValidationError as error:
        return _form(request, values, errors_of(error))
    if wanted.password is None:
        return await _with_passkey(request, wanted, values, text(fields, "credential"))
    names = [wanted.email, wanted.name]
    if wrong := password_rules.weakness(wanted.password, staff=True, names=names):
        return _form(request, values, {"password": wrong})
    if wanted.password != str(fields.get("again") or ""):
        again = _("This isn't the same password. Type both again.")
        return _form(request, values, {"again": again})
    hashed = await passwords.hash_password(wanted.password)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        owner = await _make_owner(request, connection, wanted, hashed)
    return await _begin(request, owner, values, via="password")


async def _with_passkey(
    request: Request, wanted: SetupForm, values: dict[str, str], answer: str
) -> Response:
    """Make the owner with the passkey that the browser has created."""
    if not answer:
        return _form(request, values, problem=NO_PASSKEY)
    try:
        async with site_of(request).pool.acquire() as connection:
            party, challenge = await passkey_challenges.take(
                request, connection, answer, user_id=None
            )
            made = passkeys.check_created(answer, party, challenge)
            async with connection.transaction():
                owner = await _make_owner(request, connection, wanted, None)
                if owner is not None:
                    await stored.add(
                        connection,
                        owner.id,
                        name=FIRST_PASSKEY,
                        credential_id=made.credential_id,
                        public_key=made.public_key,
                        sign_count=made.sign_count,
                    )
    except (passkeys.PasskeyRefusedError, stored.PasskeyNotAddedError) as refused:
        log.warning("first passkey refused", reason=str(refused))
        return _form(request, values, problem=_("The passkey wasn't accepted. Please try again."))
    return await _begin(request, owner, values, via="passkey")


@visitor_page
async def passkey_options(request: Request) -> Response:
    """What the browser is asked to create the owner's passkey, as JSON. 422 if the form isn't
    complete: sending it then says what is missing."""
    fields = await form(request)
    site = site_of(request)
    party = passkeys.relying_party(site.public_url)
    if party is None or await _over(request):
        return Response(status_code=410)
    try:
        wanted = SetupForm.model_validate({name: text(fields, name) for name in ("name", "email")})
    except ValidationError:
        return Response(status_code=422)
    question = passkeys.ask_to_create(
        party, site_name=wanted.name, user_id=None, email=wanted.email, known=[]
    )
    async with site.pool.acquire() as connection:
        return await passkey_challenges.ask(request, connection, question, user_id=None)


async def _over(request: Request) -> Response | None:
    """Why the link sets nothing up, if it doesn't."""
    site, token = site_of(request), request.path_params["token"]
    valid = signin_links.is_setup(token, site.public_url, secrets=site.secrets)
    async with site.pool.acquire() as connection:
        owned = await team.has_owner(connection)
    if valid and not owned:
        return None
    return page(request, "member/setup_over.html", 410, owned=owned)


def _by_passkey(request: Request) -> bool:
    """Whether the owner is to sign in by passkey, where browsers offer them."""
    available = passkeys.relying_party(site_of(request).public_url) is not None
    return available and request.query_params.get("with") == "passkey"


async def _make_owner(
    request: Request, connection: Connection, wanted: SetupForm, password_hash: str | None
) -> users.User | None:
    """The owner of the site, which gets its name; None if it has one already, or a member has the
    address. The caller opens the transaction."""
    if not await team.make_first_owner(connection, wanted.email, password_hash):
        return None
    await site_settings.change(connection, name=wanted.name)
    return await users.by_email(connection, wanted.email)


async def _begin(
    request: Request, owner: users.User | None, values: dict[str, str], *, via: str
) -> Response:
    """Sign the new owner in; without one, say why."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        site.look = await site_settings.read(connection)
        owned = await team.has_owner(connection)
    if owner is None and owned:
        return page(request, "member/setup_over.html", 410, owned=True)
    if owner is None:
        return _form(request, values, {"email": TAKEN})
    onward = "/admin" if site.settings.sandbox_url else "/admin/first-steps"
    factor = via if via == "passkey" else None
    return await start_session(
        request, owner, f"{onward}?done=set-up", via=via, second_factor=factor
    )


def _form(
    request: Request,
    values: dict[str, str],
    errors: dict[str, str] | None = None,
    *,
    problem: str | None = None,
) -> Response:
    site = site_of(request)
    return page(
        request,
        "member/setup.html",
        422 if errors or problem else 200,
        problem=problem,
        available=passkeys.relying_party(site.public_url) is not None,
        by_passkey=_by_passkey(request),
        values=values,
        errors=errors or {},
        address=site.public_url,
        in_clear=site.public_url.startswith("http://") and not is_local(site.public_url),
        shortest=password_rules.SHORTEST_OF_STAFF,
    )
