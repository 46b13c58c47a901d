"""Authenticates API callers: by the token in the settings, or one created in the admin pages."""

import hmac
import time
from dataclasses import dataclass

from starlette.requests import Request

from latchkey.rules.vocabulary import AuditActor
from latchkey.store.audit import Actor
from latchkey.store.users import api_tokens
from web.api.problems import ApiError
from web.site import Site

_REMEMBER_SECONDS = 2.0


@dataclass(frozen=True)
class Caller:
    """Whose call it is. `id` is the token's, and scopes idempotency keys."""

    id: str
    actor: Actor


_SETTINGS = Caller("settings", Actor(AuditActor.SETTINGS))
_known: dict[bytes, tuple[Caller, float]] = {}
"""Tokens found valid within the last seconds. A revoked one stops working when its entry
expires."""


async def authenticate(request: Request, site: Site) -> Caller:
    """Whose call it is, by the bearer token. Raises a 401 `ApiError`."""
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise ApiError(
            401,
            "unauthorized",
            "send a bearer token: you can create one in the admin pages under API tokens",
        )
    fixed = site.settings.api_token
    if fixed and hmac.compare_digest(fixed.get_secret_value().encode(), token.encode()):
        return _SETTINGS
    digest = api_tokens.digest(token)
    remembered = _known.get(digest)
    if remembered and remembered[1] > time.monotonic():
        return remembered[0]
    async with site.pool.acquire() as connection:
        found = await api_tokens.valid(connection, token)
    if found is None:
        raise ApiError(401, "unauthorized", "this token isn't valid or has been revoked")
    if len(_known) > 1000:
        _known.clear()
    caller = Caller(str(found), Actor(AuditActor.TOKEN, found))
    _known[digest] = (caller, time.monotonic() + _REMEMBER_SECONDS)
    return caller
