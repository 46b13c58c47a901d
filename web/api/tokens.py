"""Authenticates API callers: by the token in the settings, or one created in the admin pages."""

import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request

from latchkey.rules.vocabulary import AuditActor, TokenScope
from latchkey.store.audit import Actor
from latchkey.store.users import api_tokens
from web.api.problems import ApiError
from web.site import Site

SETTINGS_TOKEN = "settings"
"""The id of the token in the settings, which the operator made."""

_REMEMBER_SECONDS = 2.0


@dataclass(frozen=True)
class Caller:
    """Whose call it is. `id` is the token's, and idempotency keys belong to it; `scope` is what the
    call may do."""

    id: str
    actor: Actor
    scope: TokenScope


_SETTINGS = Caller(SETTINGS_TOKEN, Actor(AuditActor.SETTINGS), TokenScope.EVERYTHING)
_known: dict[bytes, tuple[Caller, float]] = {}
"""Tokens found valid within the last seconds. A revoked one, and one whose maker has lost their
role, stops working when its entry expires."""


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
        raise ApiError(
            401,
            "unauthorized",
            "this token isn't valid: it is wrong, was revoked or has expired, or its maker has left"
            " the team",
        )
    if len(_known) > 1000:
        _known.clear()
    caller = Caller(str(found.id), Actor(AuditActor.TOKEN, found.id), found.scope)
    seconds = _REMEMBER_SECONDS
    if found.expires_at is not None:
        seconds = min(seconds, (found.expires_at - datetime.now(UTC)).total_seconds())
    _known[digest] = (caller, time.monotonic() + seconds)
    return caller
