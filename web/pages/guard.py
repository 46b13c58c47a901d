"""Who is asking, and what they are allowed to do."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from latchkey.languages import _
from latchkey.store import audit_draft
from latchkey.store.users import factors, sessions, signin
from latchkey.store.users.sessions import CurrentSession
from latchkey.store.users.users import User
from latchkey.texts import made_storable, storable
from web import bodies
from web.language import use_language
from web.pages.errors import RefusedFieldsError, UnreadableError
from web.security import CSRF_FIELD, check_csrf, session_token
from web.site import site_of

Page = Callable[[Request], Awaitable[Response]]
MOST_FIELDS = 100
MAILS_BY_HAND = 30
"""How many emails one person on the team may send by hand in an hour."""


class ForbiddenError(Exception):
    """The signed-in user isn't allowed to do this."""


class OwnersOnlyError(ForbiddenError):
    """Only an owner may do this."""


class TooManyError(HTTPException):
    """Somebody does something too often. `say` tells them what to do."""

    def __init__(self, say: str) -> None:
        super().__init__(429, say)


class NotYoursError(ForbiddenError):
    """An impersonating admin isn't allowed to do this for the member."""


async def current_user(request: Request) -> User | None:
    """The user that the request is signed in as. Their session is in `request.state.session`."""
    if hasattr(request.state, "user"):
        known: User | None = request.state.user
        return known
    site = site_of(request)
    await site.refresh_look()
    token = session_token(request)
    found = None
    if token:
        async with site.pool.acquire() as connection:
            found = await sessions.read(connection, token, rules=site.session_rules)
    user, request.state.session = found or (None, None)
    request.state.user = user
    use_language(request, user)
    return user


def session_of(request: Request) -> CurrentSession:
    """The session of a request on a page for signed-in users."""
    session: CurrentSession = request.state.session
    assert session is not None, "only for pages of signed-in users"
    return session


def visitor_page(handle: Page) -> Page:
    """A page for anyone; the user, if any, is in `request.state.user`."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        check_query(request)
        await current_user(request)
        return await handle(request)

    return guarded


def reader_page(handle: Page) -> Page:
    """A page for anyone, which shows members what they have access to."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        check_query(request)
        await current_user(request)
        return await _factor_before(request, handle)

    return guarded


def member_page(handle: Page) -> Page:
    """A page for signed-in users; others are sent to sign in first."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        check_query(request)
        if await current_user(request) is None:
            return _sign_in_first(request)
        return await _factor_before(request, handle)

    return guarded


def signed_in_page(handle: Page) -> Page:
    """A page for signed-in users, also for those who still have to show or set up a second factor;
    others are sent to sign in first."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        check_query(request)
        if await current_user(request) is None:
            return _sign_in_first(request)
        return await handle(request)

    return guarded


def fresh_page(*, back: str) -> Callable[[Page], Page]:
    """A form that only somebody who has just signed in can post. Goes below the decorator that says
    who may open the page. Others confirm that it's them and come back to `back`, the page that has
    the form; `{id}` in it stands for the path parameter of that name."""

    def decorate(handle: Page) -> Page:
        @wraps(handle)
        async def guarded(request: Request) -> Response:
            if request.method == "POST":
                await form(request)
                if not session_of(request).fresh:
                    audit_draft.refuse()
                    known = {name: quote(value) for name, value in request.path_params.items()}
                    return redirect(f"/login/again?next={quote(back.format(**known))}")
            return await handle(request)

        guarded.fresh_back = back  # type: ignore[attr-defined]
        return guarded

    return decorate


def private_admin_page(handle: Page) -> Page:
    """A page that only admins and owners can read.

    Raises `ForbiddenError` for other signed-in users.
    """
    guarded = _staff(handle, support_posts=False, support_reads=False)
    guarded.private = True  # type: ignore[attr-defined]
    return guarded


def is_private(page: Callable[..., Any]) -> bool:
    """Whether support can't read the page."""
    return getattr(page, "private", False)


def admin_page(handle: Page) -> Page:
    """An admin page. Support can read it; only admins and owners can post to it.

    Raises `ForbiddenError` for other signed-in users.
    """
    return _staff(handle, support_posts=False)


def support_page(handle: Page) -> Page:
    """A page whose forms support can post too: to resend things, never to change access.

    Raises `ForbiddenError` for users outside the team.
    """
    return _staff(handle, support_posts=True)


def _staff(handle: Page, *, support_posts: bool, support_reads: bool = True) -> Page:
    @wraps(handle)
    async def guarded(request: Request) -> Response:
        check_query(request)
        user = await current_user(request)
        if user is None:
            return _sign_in_first(request)
        reads = request.method in ("GET", "HEAD") and support_reads
        if not user.is_admin and not (user.is_staff and (reads or support_posts)):
            raise ForbiddenError
        site = site_of(request)
        if site.look.requires_factor(staff=True) and session_of(request).second_factor is None:
            return await _second_factor_first(request, user)
        request.state.alarms = await site.bell.alarms(site.pool)
        return await handle(request)

    return guarded


async def _factor_before(request: Request, handle: Page) -> Response:
    """The page, once a member has shown the second factor that the site requires of members. The
    team's is asked for on the admin pages."""
    user: User | None = request.state.user
    if user is not None and not user.is_staff and not user.acted_by:
        required = site_of(request).look.requires_factor(staff=False)
        if required and session_of(request).second_factor is None:
            return await _second_factor_first(request, user)
    return await handle(request)


async def _second_factor_first(request: Request, user: User) -> Response:
    """Where somebody shows the second factor that the site requires, or sets one up."""
    audit_draft.refuse()
    async with site_of(request).pool.acquire() as connection:
        owned = await factors.of_user(connection, user.id)
    if not owned.any:
        return redirect("/account/security")
    target = request.url.path if request.method == "GET" else "/"
    return redirect(f"/login/again?next={quote(target)}")


def check_query(request: Request) -> None:
    """Raises `UnreadableError` for a query string with text that Postgres can't hold."""
    if not all(storable(key + value) for key, value in request.query_params.multi_items()):
        raise UnreadableError(400, _("The address of this page"))


async def mail_by_hand(request: Request) -> None:
    """Count an email that somebody of the team sends by hand. Raises `TooManyError`."""
    await at_most_hourly(
        request,
        f"mails by hand {request.state.user.id}",
        most=MAILS_BY_HAND,
        otherwise=f"You have sent {MAILS_BY_HAND} emails by hand within the last hour. This one was"
        " not sent. Wait an hour, or ask somebody else on the team.",
    )


async def at_most_hourly(request: Request, what: str, *, most: int, otherwise: str) -> None:
    """Count what the team may do `most` times an hour. Raises `TooManyError`, saying `otherwise`,
    where that was done."""
    async with site_of(request).pool.acquire() as connection:
        if not await signin.try_once(connection, what, most=most, seconds=3600):
            raise TooManyError(otherwise)


async def form(
    request: Request, *, files: int = 0, most: int = bodies.MOST, most_fields: int = MOST_FIELDS
) -> FormData:
    """A posted form of up to `most` bytes that came from our own page, and whose texts Postgres can
    hold.

    A page that answers it with an error shows again what was typed (see `typed` in `render`).

    Raises `ForgeryError`, `UnreadableError`, its kind `RefusedFieldsError`, and `NotYoursError` for
    an impersonating admin who would change something in the member's account.
    """
    bodies.expect(request, most=most)
    try:
        fields = await request.form(max_files=files, max_fields=most_fields, max_part_size=most)
    except UnicodeError:
        raise HTTPException(400) from None
    check_csrf(request, fields.get(CSRF_FIELD))
    user = await current_user(request)
    if user and user.acted_by and request.url.path.startswith("/account/"):
        raise NotYoursError
    _check_texts(fields)
    request.state.form = fields
    return fields


def _check_texts(fields: FormData) -> None:
    refused, kept = [], []
    for name, value in fields.multi_items():
        if not storable(name):
            raise UnreadableError(422, _("The name of a field"))
        if isinstance(value, str) and not storable(value):
            refused.append(name)
            value = made_storable(value)
        kept.append((name, value))
    if refused:
        raise RefusedFieldsError(FormData(kept), refused)


def text(fields: FormData, name: str) -> str:
    """A field's text, trimmed; empty if it is missing."""
    value: Any = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def redirect(address: str) -> Response:
    """Redirect to another page after a form was handled."""
    return RedirectResponse(address, 303)


def _sign_in_first(request: Request) -> Response:
    target = request.url.path if request.method == "GET" else "/"
    return redirect(f"/login?next={quote(target)}")
