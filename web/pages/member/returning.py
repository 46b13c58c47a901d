"""Remembers, while somebody buys, which other site they wanted to go to."""

import re

from starlette.requests import Request
from starlette.responses import Response

from latchkey.store.forward_auth import entries
from latchkey.store.oauth import requests
from web.security import forget_cookie, read_cookie, set_cookie
from web.site import site_of

COOKIE = "latchkey_return"
_ENTRY = "enter."
_NOTE = re.compile(r"(enter\.)?([A-Za-z0-9_-]{20,64})")


def remember(request: Request, response: Response, request_id: str) -> None:
    """Note in the browser that an authorization request goes on after buying."""
    life = int(requests.LIFE.total_seconds())
    set_cookie(request, response, COOKIE, request_id, max_age=life)


def remember_entry(request: Request, response: Response, entry_id: str) -> None:
    """Note in the browser that the way into a protected site goes on after buying."""
    life = int(entries.LIFE.total_seconds())
    set_cookie(request, response, COOKIE, f"{_ENTRY}{entry_id}", max_age=life)


def forget(request: Request, response: Response) -> None:
    if read_cookie(request, COOKIE):
        forget_cookie(request, response, COOKIE)


async def place(request: Request) -> tuple[str, str] | None:
    """Where to go on, and the name of the site there; None if nobody waits."""
    note = _NOTE.fullmatch(read_cookie(request, COOKIE) or "")
    if note is None:
        return None
    kind, number = note.groups()
    async with site_of(request).pool.acquire() as connection:
        if kind is None:
            name = await requests.client_name(connection, number)
            return (f"/oauth/authorize/{number}", name) if name else None
        entry = await entries.find(connection, number)
    return (f"/auth/enter/{entry.id}", entry.host) if entry else None
