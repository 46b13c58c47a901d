"""`latchkey codec-server`: decrypts payloads for Temporal's UI and command line, which ask by HTTP
(https://docs.temporal.io/codec-server)."""

from collections.abc import Sequence
from hmac import compare_digest
from ipaddress import ip_address
from typing import Any

import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from latchkey.payload_codec import EncryptingCodec, PayloadKeyError
from latchkey.settings import NO_TOKEN, Settings, SettingsError

MOST_BYTES = 16 * 1024 * 1024
"""Of a request: a page of a history, whose payloads have up to 2 MB each."""


def app(settings: Settings) -> Starlette:
    """The application. Raises `SettingsError` if it would decrypt for everybody."""
    keys = settings.payload_keys
    if keys is None:
        raise SettingsError("LATCHKEY_TEMPORAL_KEYS is not set: there is nothing to decrypt with")
    token = settings.codec_token.get_secret_value() if settings.codec_token else None
    if token is None and not _is_loopback(settings.codec_host):
        raise SettingsError(
            "LATCHKEY_CODEC_TOKEN is not set: without it, whoever reaches LATCHKEY_CODEC_HOST could"
            f" have payloads decrypted, so it must be 127.0.0.1. If that is wanted, set {NO_TOKEN}"
        )
    codec = EncryptingCodec(keys)
    door = _Door(settings.temporal_ui_origin, None if token == NO_TOKEN else token)

    async def encode(request: Request) -> Response:
        return await _coded(request, door, codec, encode=True)

    async def decode(request: Request) -> Response:
        return await _coded(request, door, codec, encode=False)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/encode", encode, methods=["POST"]),
            Route("/decode", decode, methods=["POST"]),
            Route("/{namespace}/encode", encode, methods=["POST"]),
            Route("/{namespace}/decode", decode, methods=["POST"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=[door.origin] if door.origin else [],
                allow_methods=["POST"],
                allow_headers=["authorization", "content-type", "x-namespace"],
                allow_credentials=True,
            )
        ],
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Door:
    """Lets in Temporal's UI and whoever has the token."""

    def __init__(self, origin: str | None, token: str | None) -> None:
        self.origin = origin
        self._token = token

    def check(self, request: Request) -> None:
        """Raises `HTTPException`. A browser names the page that asks, so pages of other sites are
        refused even where they reach this machine."""
        origin = request.headers.get("origin")
        if origin is not None and origin != self.origin:
            raise HTTPException(403, "Only the page at LATCHKEY_TEMPORAL_UI_URL may ask.")
        if self._token is not None and not self._has_token(request):
            raise HTTPException(401, "Send LATCHKEY_CODEC_TOKEN.", {"WWW-Authenticate": "Bearer"})

    def _has_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        wanted = (self._token or "").encode()
        return scheme.lower() == "bearer" and compare_digest(given.strip().encode(), wanted)


async def _coded(request: Request, door: _Door, codec: PayloadCodec, *, encode: bool) -> Response:
    door.check(request)
    try:
        given = orjson.loads(await _body(request))
        if not isinstance(given, dict):
            raise ValueError
        payloads = json_format.ParseDict(given, Payloads(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError):
        raise HTTPException(400, 'Send JSON of the form {"payloads": […]}.') from None
    try:
        work = codec.encode(payloads.payloads) if encode else _decoded(codec, payloads.payloads)
        coded = Payloads(payloads=await work)
    except PayloadKeyError as error:
        raise HTTPException(400, f"{error}") from None
    made: dict[str, Any] = json_format.MessageToDict(coded)
    return JSONResponse(made, headers={"Cache-Control": "no-store"})


async def _decoded(codec: PayloadCodec, payloads: Sequence[Payload]) -> list[Payload]:
    """Payloads decrypted. One that can't be stays as it is: it doesn't hide the others on a page.
    Raises `PayloadKeyError` if that is all of them."""
    decoded: list[Payload] = []
    errors: list[PayloadKeyError] = []
    for payload in payloads:
        try:
            decoded += await codec.decode([payload])
        except PayloadKeyError as error:
            errors.append(error)
            decoded.append(payload)
    if errors and len(errors) == len(payloads):
        raise errors[0]
    return decoded


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "The request is too large.")
    return bytes(body)
