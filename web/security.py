"""Security headers on every response, and CSRF protection for forms."""

import hashlib
import hmac
import secrets
from collections.abc import Awaitable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from latchkey.settings import Settings
from latchkey.texts import host_of
from web.request_ids import HEADER, REQUEST_ID
from web.site import site_of

CSRF_COOKIE = "latchkey_csrf"
CSRF_FIELD = "csrf_token"
SESSION_COOKIE = "latchkey_session"
"""Cookies have these names over http. Over https their names begin with `__Host-`: browsers then
take them from this host alone, over https alone. Nothing but this module handles cookies."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' https: http: data:; connect-src 'self'; font-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}
_NONCE = 16
"""How many characters of a form's token differ each time."""

ELSEWHERE = ("/auth/verify", "/.latchkey/")
"""Paths whose responses reach browsers at the address of a protected site. Whether that one is only
reached by https isn't ours to say."""

_HSTS_NAME = b"strict-transport-security"
_HSTS = {"off": "", "host": "max-age=31536000", "subdomains": "max-age=31536000; includeSubDomains"}


class SecurityHeaders:
    """Adds to every response the security headers that it doesn't set itself, and the request's id:
    pages, API, webhooks, files and errors alike. Over https browsers are told to stay there.

    What may be cached says so itself.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        headers = dict(_HEADERS)
        hsts = _HSTS[settings.hsts]
        if hsts and settings.public_url.startswith("https://"):
            headers["Strict-Transport-Security"] = hsts
        self._headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._elsewhere = [one for one in self._headers if one[0] != _HSTS_NAME]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)

        elsewhere = scope.get("path", "").startswith(ELSEWHERE)
        ours = self._elsewhere if elsewhere else self._headers

        def with_headers(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                named = {name for name, _ in given}
                added = [header for header in ours if header[0] not in named]
                if (name := scope.get(REQUEST_ID)) is not None:
                    added.append((HEADER, name.encode()))
                message["headers"] = given + added
            return send(message)

        return self._app(scope, receive, with_headers)


def let_form_leave(response: Response, address: str) -> None:
    """Let the form of one page be sent to another site, and nowhere else."""
    parts = urlsplit(address)
    policy = _HEADERS["Content-Security-Policy"]
    own, other = "form-action 'self'", f"form-action {parts.scheme}://{parts.netloc}"
    response.headers["Content-Security-Policy"] = policy.replace(own, other)


def let_us_frame(response: Response) -> None:
    """Let pages of ours show this page in a frame, and nobody else's."""
    policy = _HEADERS["Content-Security-Policy"]
    ours = policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    response.headers["Content-Security-Policy"] = ours
    response.headers["X-Frame-Options"] = "SAMEORIGIN"


def let_frames_in(response: Response) -> None:
    """Let this page show pages of ours in frames."""
    policy = _HEADERS["Content-Security-Policy"]
    response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"


class ForgeryError(Exception):
    """A form submission that didn't come from one of our own pages."""


def csrf_token(request: Request) -> str:
    """A token for this browser's forms, another one each time: pages are compressed, so how long
    they are could give away a token that stays the same, character by character (BREACH).
    `remember_csrf` sets the matching cookie."""
    seed = read_cookie(request, CSRF_COOKIE) or getattr(request.state, "csrf_seed", None)
    if seed is None:
        seed = secrets.token_urlsafe(24)
        request.state.csrf_seed = seed
    return _token(request, seed, site_of(request).secrets[0], secrets.token_hex(_NONCE // 2))


def remember_csrf(request: Request, response: Response) -> None:
    """Set the cookie that matches a token issued in this response."""
    seed = getattr(request.state, "csrf_seed", None)
    if seed is not None:
        set_cookie(request, response, CSRF_COOKIE, seed, max_age=None)


def check_csrf(request: Request, given: object) -> None:
    """Raises `ForgeryError` unless the form has this browser's token and comes from this site."""
    seed = read_cookie(request, CSRF_COOKIE)
    if not seed or not isinstance(given, str) or not given.isascii():
        raise ForgeryError
    nonce = given[:_NONCE]
    tokens = [_token(request, seed, secret, nonce) for secret in site_of(request).secrets]
    if not any(hmac.compare_digest(given.encode(), token.encode()) for token in tokens):
        raise ForgeryError
    origin = request.headers.get("origin")
    if origin and origin != "null":
        ours = {host_of(site_of(request).public_url), request.headers.get("host", "")}
        if host_of(origin) not in ours - {""}:
            raise ForgeryError


def browser_of(request: Request) -> bytes:
    """Names the browser of a form that passed `check_csrf`: what it was asked, only it can
    answer."""
    return hashlib.sha256((read_cookie(request, CSRF_COOKIE) or "").encode()).digest()


def known_browser(request: Request) -> bytes | None:
    """Names a browser that has been here before; None for a new one."""
    return browser_of(request) if read_cookie(request, CSRF_COOKIE) else None


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, max_age: int | None
) -> None:
    """Set a cookie that scripts can't read and other sites can't send."""
    _set_cookie(response, name, value, secure=_https(request), max_age=max_age)


def set_cookie_of(origin: str, response: Response, name: str, value: str, *, max_age: int) -> None:
    """The same for a protected site with this origin, where the response reaches the browser."""
    _set_cookie(response, name, value, secure=_is_https(origin), max_age=max_age)


def _set_cookie(
    response: Response, name: str, value: str, *, secure: bool, max_age: int | None
) -> None:
    response.set_cookie(
        _cookie(name, secure=secure),
        value,
        max_age=max_age,
        httponly=True,
        samesite="lax",
        secure=secure,
        path="/",
    )


def read_cookie(request: Request, name: str) -> str | None:
    """A cookie that `set_cookie` set."""
    return request.cookies.get(_cookie(name, secure=_https(request)))


def read_cookie_of(origin: str, request: Request, name: str) -> str | None:
    """A cookie that `set_cookie_of` set."""
    return request.cookies.get(_cookie(name, secure=_is_https(origin)))


def forget_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser delete a cookie."""
    secure = _https(request)
    response.delete_cookie(_cookie(name, secure=secure), path="/", secure=secure, httponly=True)


def session_token(request: Request) -> str:
    """The token in the session's cookie; empty if there is none."""
    return read_cookie(request, SESSION_COOKIE) or ""


def _https(request: Request) -> bool:
    return _is_https(site_of(request).public_url)


def _is_https(address: str) -> bool:
    return address.startswith("https://")


def _cookie(name: str, *, secure: bool) -> str:
    return f"__Host-{name}" if secure else name


def _token(request: Request, seed: str, secret: str, nonce: str) -> str:
    bound = f"csrf {nonce} {seed} {session_token(request)}"
    return nonce + hmac.new(secret.encode(), bound.encode(), hashlib.sha256).hexdigest()
