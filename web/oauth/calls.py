"""What the provider's calls share: reading a form, knowing the client, and answering errors."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from latchkey.rules.oauth import once_each
from latchkey.store.oauth import clients
from latchkey.store.oauth.clients import Client
from latchkey.store.pool import DATABASE_AWAY
from latchkey.store.users import signin
from latchkey.texts import storable
from web.bodies import BodyRefusedError
from web.site import Site, site_of
from web.visitors import network_of

MOST_FIELDS = 50
QUARTER = 900

log = structlog.get_logger("oauth")

Handle = Callable[[Request], Awaitable[Response]]


async def _not_allowed(request: Request) -> Response:
    refused = CallError(405, "invalid_request", "send this by POST")
    response = refused.response()
    response.headers["Allow"] = "POST"
    return response


def posted(path: str, handle: Handle) -> list[Route]:
    """The routes of a call that is only posted."""
    others = ["GET", "HEAD", "PUT", "PATCH", "DELETE"]
    return [
        Route(path, handle, methods=["POST"]),
        Route(path, _not_allowed, methods=others),
    ]


class CallError(Exception):
    """An error response (RFC 6749, section 5.2). `challenge` is what the caller has to bring."""

    def __init__(
        self, status: int, error: str, description: str, *, challenge: str | None = None
    ) -> None:
        super().__init__(description)
        self.status = status
        self.challenge = challenge
        self.body = {"error": error, "error_description": description}

    def response(self) -> Response:
        headers = {"WWW-Authenticate": self.challenge} if self.challenge else {}
        return answer(self.body, self.status, headers=headers)


def answer(body: Any, status: int = 200, *, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response, which nobody may keep: the headers of every response say so."""
    return Response(
        orjson.dumps(body), status, media_type="application/json", headers=dict(headers or {})
    )


def call(handle: Handle) -> Handle:
    """A call whose errors are answered as the standards say."""

    @wraps(handle)
    async def guarded(request: Request) -> Response:
        try:
            return await handle(request)
        except CallError as refused:
            return refused.response()
        except DATABASE_AWAY:
            log.exception("database unavailable", path=request.url.path)
            return CallError(
                503, "temporarily_unavailable", "the database didn't answer: try again in a moment"
            ).response()
        except Exception:
            log.exception("call failed", path=request.url.path)
            return CallError(
                500, "server_error", "this is our fault: the log of the web process says more"
            ).response()

    return guarded


def app_of(handle: Handle) -> ASGIApp:
    """The ASGI app of a guarded call. It answers whatever goes wrong, so nothing needs to surround
    it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handle(Request(scope, receive))
        await response(scope, receive, send)

    return app


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form, each once. Raises `CallError`."""
    found, twice = once_each(await read_form(request))
    if twice:
        raise _invalid("a parameter was given twice")
    return found


async def read_form(request: Request) -> list[tuple[str, str]]:
    """The fields of a posted form, in their order. Raises `CallError`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise _invalid("send the parameters as application/x-www-form-urlencoded")
    if request.scope["query_string"]:
        raise _invalid("send the parameters in the body, not in the address")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except BodyRefusedError as refused:
        raise CallError(refused.status_code, "invalid_request", refused.detail) from None
    except ValueError:
        raise _invalid("the body isn't a form of at most 50 fields in UTF-8") from None
    if not all(storable(name + value) for name, value in fields):
        raise _invalid("a parameter contains a NUL character")
    return fields


def _invalid(description: str) -> CallError:
    return CallError(400, "invalid_request", description)


@dataclass(frozen=True)
class Credentials:
    """Who a caller says it is. `secret` is None for a public client."""

    client_id: str
    secret: str | None
    basic: bool


def credentials(request: Request, fields: Mapping[str, str]) -> Credentials:
    """The client's credentials, by HTTP Basic or in the form, but not both. Raises `CallError`."""
    header = request.headers.get("authorization")
    if header is None:
        client_id = fields.get("client_id")
        if client_id is None:
            raise unknown_client(basic=False)
        return Credentials(client_id, fields.get("client_secret"), False)
    if "client_secret" in fields:
        raise _invalid("the client authenticates in two ways: choose one")
    found = _basic(header)
    if found is None or fields.get("client_id", found[0]) != found[0]:
        raise unknown_client(basic=True)
    return Credentials(found[0], found[1], True)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    client_id, colon, secret = text.partition(":")
    if scheme.lower() != "basic" or not colon or not secret:
        return None
    made = unquote_plus(client_id), unquote_plus(secret)
    return made if storable("".join(made)) else None


def unknown_client(*, basic: bool) -> CallError:
    """The client isn't known, or doesn't prove who it is."""
    challenge = 'Basic realm="Latchkey", charset="UTF-8"' if basic else None
    description = "the client is unknown, or its secret is wrong, has expired or is missing"
    return CallError(401, "invalid_client", description, challenge=challenge)


async def refused_client(request: Request, *, basic: bool) -> CallError:
    """The same, counted: a network that tries many secrets waits ever longer."""
    site, network = site_of(request), network_of(request)
    async with site.pool.acquire() as connection:
        tries = await signin.count_try(connection, f"client secret {network}", seconds=QUARTER)
    if not await site.sign_ins.wait(network, tries):
        return CallError(429, "invalid_client", "too many wrong secrets from this network")
    return unknown_client(basic=basic)


async def client_of(request: Request, fields: Mapping[str, str]) -> Client:
    """The client that calls. Raises `CallError`."""
    given = credentials(request, fields)
    async with site_of(request).pool.acquire() as connection:
        client = await clients.authenticate(connection, given.client_id, given.secret)
    if client is None:
        raise await refused_client(request, basic=given.basic)
    return client


async def require_signing(site: Site) -> None:
    """Raises `CallError` on a copy of a site, which vouches for nobody."""
    await site.refresh_look()
    if not site.identity.signs_tokens:
        raise CallError(
            503, "temporarily_unavailable", "this is a copy of a site: use the original"
        )
