"""Signing in and out: password, or a link by mail."""

import secrets
import time
from collections import defaultdict, deque
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import passwords, signin_links
from latchkey.rules.identity import email_key
from latchkey.store import users
from latchkey.store.effects import Mail, write_mails
from web.pages.guard import form, see, text, visitor_page
from web.pages.render import page
from web.security import SESSION_COOKIE, set_cookie
from web.site import site_of

MOST_TRIES, WINDOW_SECONDS = 10, 900
MOST_CALLERS = 10_000
_tries: dict[str, deque[float]] = defaultdict(deque)


def routes() -> list[Route]:
    return [
        Route("/login", sign_in, methods=["GET", "POST"]),
        Route("/login/link", send_link, methods=["POST"]),
        Route("/login/{token}", use_link, methods=["GET", "POST"]),
        Route("/logout", sign_out, methods=["POST"]),
    ]


@visitor_page
async def sign_in(request: Request) -> Response:
    """The sign-in page; with a password it signs in."""
    target = safe_target(request.query_params.get("next"))
    if request.method == "GET":
        if request.state.user is not None:
            return see(target or "/")
        return page(request, "login.html", next=target, error=None, email="")
    given = await form(request)
    email, password = text(given, "email"), str(given.get("password") or "")
    target = safe_target(text(given, "next"))
    who = f"{_address(request)} {email_key(email)}"
    if _too_often(who):
        error = "Too many tries. Wait a quarter of an hour, or use a sign-in link."
        return page(request, "login.html", 429, next=target, error=error, email=email)
    async with site_of(request).pool.acquire() as connection:
        user = await users.by_email(connection, email[:254])
    right = await passwords.matches(
        user.password_hash if user else None, password[: passwords.LONGEST]
    )
    if user is None or not right:
        _count(who)
        error = "Address or password is wrong."
        return page(request, "login.html", 401, next=target, error=error, email=email)
    return await _signed_in(request, user, target)


async def send_link(request: Request) -> Response:
    """Mail a sign-in link to a known address; the answer is the same for an unknown one."""
    given = await form(request)
    email = text(given, "email")[:254]
    target = safe_target(text(given, "next"))
    who = f"link {_address(request)}"
    if not _too_often(who):
        _count(who)
        async with site_of(request).pool.acquire() as connection:
            user = await users.by_email(connection, email)
            if user:
                key = f"sign_in:{user.id}:{secrets.token_hex(8)}"
                await write_mails(connection, [Mail(key=key, kind="sign_in", user_id=user.id)])
    return see(f"/login?done=link-sent&next={quote(target or '/')}")


@visitor_page
async def use_link(request: Request) -> Response:
    """A link from a mail. Opening it asks for a click, as mail scanners open links too."""
    site = site_of(request)
    token = request.path_params["token"]
    target = safe_target(request.query_params.get("next"))
    try:
        link = signin_links.read(token, secret=site.secret)
    except signin_links.LinkRefused as refused:
        return page(request, "login.html", 400, next=target, error=str(refused), email="")
    if request.method == "GET":
        return page(request, "login_link.html", next=target)
    await form(request)
    async with site.pool.acquire() as connection, connection.transaction():
        user = await users.by_id(connection, link.user_id)
        fresh = user is not None and await users.use_link(connection, link.nonce)
    if user is None or not fresh:
        error = "This link was used already. Ask for a new one below."
        return page(request, "login.html", 400, next=target, error=error, email="")
    return await _signed_in(request, user, target)


async def sign_out(request: Request) -> Response:
    await form(request)
    token = request.cookies.get(SESSION_COOKIE)
    if token:
        async with site_of(request).pool.acquire() as connection:
            await users.end_session(connection, token)
    response = see("/login?done=signed-out")
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


def safe_target(given: str | None) -> str | None:
    """A path of this site to go on to, or None: never another site."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return None
    return given if all(ord(character) > 32 for character in given) else None


async def _signed_in(request: Request, user: users.User, target: str | None) -> Response:
    async with site_of(request).pool.acquire() as connection:
        token = await users.begin_session(connection, user.id)
    home = "/admin" if user.is_admin else "/library"
    response = see(target if target and target != "/" else home)
    life = int(users.SESSION_LIFE.total_seconds())
    set_cookie(request, response, SESSION_COOKIE, token, max_age=life)
    return response


def _too_often(who: str) -> bool:
    """Whether this caller has failed too often in the window."""
    tries = _tries.get(who, deque())
    while tries and tries[0] < time.monotonic() - WINDOW_SECONDS:
        tries.popleft()
    return len(tries) >= MOST_TRIES


def _count(who: str) -> None:
    """Note a failed try."""
    if len(_tries) > MOST_CALLERS:
        _tries.clear()
    _tries[who].append(time.monotonic())


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
