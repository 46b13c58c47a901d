"""Browsers that somebody has signed in with. Their attempts are counted apart, so that the wrong
passwords and the requested links of others don't keep them out."""

import hashlib
from secrets import token_urlsafe

from starlette.requests import Request
from starlette.responses import Response

from latchkey import signin_links
from latchkey.addresses import email_key
from web.security import read_cookie, set_cookie
from web.site import site_of

COOKIE = "latchkey_known"


def name_of(request: Request, email: str) -> str | None:
    """A name to count this browser's attempts by; None if nobody with this address has signed in
    with it."""
    known = signin_links.read_browser(
        read_cookie(request, COOKIE) or "", secrets=site_of(request).secrets
    )
    return known.name if known is not None and known.address == _digest(email) else None


def remember(request: Request, response: Response, email: str) -> None:
    """Note in the browser that somebody with this address has signed in with it."""
    browser = signin_links.Browser(_digest(email), name_of(request, email) or token_urlsafe(16))
    cookie = signin_links.sign_browser(browser, secrets=site_of(request).secrets)
    set_cookie(request, response, COOKIE, cookie, max_age=signin_links.BROWSER_SECONDS)


def _digest(email: str) -> str:
    return hashlib.sha256(email_key(email).encode()).hexdigest()[:32]
