"""Remembers, while somebody buys, which other site they wanted to sign in to."""

import re

from starlette.requests import Request
from starlette.responses import Response

from latchkey.store.oauth import requests
from web.security import forget_cookie, read_cookie, set_cookie
from web.site import site_of

COOKIE = "latchkey_return"
_ID = re.compile(r"[A-Za-z0-9_-]{20,64}")


def remember(request: Request, response: Response, request_id: str) -> None:
    """Note in the browser that an authorization request goes on after buying."""
    life = int(requests.LIFE.total_seconds())
    set_cookie(request, response, COOKIE, request_id, max_age=life)


def forget(request: Request, response: Response) -> None:
    if read_cookie(request, COOKIE):
        forget_cookie(request, response, COOKIE)


async def place(request: Request) -> tuple[str, str] | None:
    """Where to go on, and the name of the site there; None if nobody waits."""
    request_id = read_cookie(request, COOKIE)
    if request_id is None or not _ID.fullmatch(request_id):
        return None
    async with site_of(request).pool.acquire() as connection:
        name = await requests.client_name(connection, request_id)
    return (f"/oauth/authorize/{request_id}", name) if name else None
