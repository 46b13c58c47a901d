"""`POST /webhooks/stripe`: verify the signature, store, answer.

A 2xx means that the event is durably stored.

A bare ASGI app outside the middleware: every event passes through here, and only the one insert may
be slow.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson
import structlog
from prometheus_client import Counter
from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from latchkey import tracing
from latchkey.rules.cancelling import reports_cancelling, was_requested
from latchkey.rules.routing import Target, route_snapshot, route_thin
from latchkey.store.pool import DATABASE_FAILED, Pool
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import Account
from latchkey.stripe_api import SignatureError, verify_signature
from latchkey.texts import storable
from latchkey.vault import VaultError
from web import bodies
from web.intake import Intake

LONGEST_NAME = 255
_RECHECK_SECONDS = 1.0
_NAMING = ("id", "customer", "customer_account", "subscription", "invoice", "payment_intent")
_NESTED = (dict, list)
_OUT_OF_REACH = (*DATABASE_FAILED, VaultError)
"""What says that the event can't be stored now."""

log = structlog.get_logger("webhooks")
RECEIVED = Counter("latchkey_webhooks_total", "Webhook requests, by outcome.", ["outcome"])
_ACCEPTED = RECEIVED.labels("accepted")


class RefusedError(Exception):
    """The request is refused with `status`, and nothing is stored."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Keyring(Protocol):
    """What the endpoint needs from the connection: the account and the signing secrets in use."""

    async def account(self) -> Account | None: ...

    async def secrets(self) -> Sequence[str]: ...

    async def reload(self) -> None: ...


class WebhookEndpoint:
    """The ASGI app. `wake` tells this process's relay when an event is due."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        wake: Callable[[timedelta], None],
        refused: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._intake = Intake(pool)
        self._refused = refused
        self._keyring = keyring
        self._wake = wake
        self._reloading = asyncio.Lock()
        self._reloaded = -math.inf
        self._reloads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["method"] != "POST":
                raise RefusedError(405, "method_not_allowed", "send events with POST")
            body = await _read(receive)
            await self._accept(body, _header(scope, b"stripe-signature"))
        except RefusedError as refusal:
            RECEIVED.labels(refusal.code).inc()
            self._refused(refusal.code)
            log.warning("webhook refused", status=refusal.status, reason=refusal.code)
            await _answer(send, refusal.status, refusal.code, refusal.detail)
        except Exception:
            RECEIVED.labels("failed").inc()
            log.exception("webhook failed")
            await _answer(
                send, 500, "internal", "this is our fault: the log of the web process says more"
            )
        else:
            _ACCEPTED.inc()
            await _answer(send, 200, "accepted", "stored")

    async def _accept(self, body: bytes, signature: str | None) -> None:
        """Verify and store the event. The secrets and the account come from the database too, so
        they can be unavailable with it."""
        try:
            due = await self._store(body, signature)
        except _OUT_OF_REACH as error:
            log.error("webhook not stored", error=type(error).__name__)
            raise RefusedError(
                503, "not_stored", "the event couldn't be stored: send it again"
            ) from None
        if due is not None:
            self._wake(due)

    async def _store(self, body: bytes, signature: str | None) -> timedelta | None:
        await self._verify(body, signature)
        account = await self._keyring.account()
        if account is None:
            raise RefusedError(503, "not_connected", "Stripe isn't connected here yet")
        event = replace(read_event(body, account=account), trace=tracing.traceparent())
        bind_contextvars(events=[event.id], object=event.target.id)
        return await self._intake.store(event)

    async def _verify(self, body: bytes, signature: str | None) -> None:
        """Check the signature. Where no known secret made it, the secrets are read again, once a
        second at most; whoever comes meanwhile waits for that."""
        reloads = self._reloads
        try:
            return verify_signature(body, signature, await self._keyring.secrets())
        except SignatureError as error:
            refused = RefusedError(400, "bad_signature", str(error))
        if not signature:
            raise refused
        async with self._reloading:
            if time.monotonic() - self._reloaded > _RECHECK_SECONDS:
                self._reloaded = time.monotonic()
                await self._keyring.reload()
                self._reloads += 1
        if self._reloads == reloads:
            raise refused
        try:
            verify_signature(body, signature, await self._keyring.secrets())
        except SignatureError:
            raise refused from None


def read_event(body: bytes, *, account: Account) -> inbox.Arrival:
    """Read a snapshot or thin event from a verified body.

    Raises `RefusedError` (400) if the body is malformed or the event is from another account or
    mode.
    """
    event = _json(body)
    if not isinstance(event, dict):
        raise RefusedError(400, "malformed", "the body isn't an event object")
    match event.get("object"):
        case "event":
            thin = False
        case "v2.core.event":
            thin = True
        case other:
            raise RefusedError(
                400, "malformed", f"the body isn't an event: object is {str(other)[:40]!r}"
            )
    _check_origin(event, account)
    try:
        related = event.get("related_object") if thin else (event.get("data") or {}).get("object")
        event_type = event.get("type")
        if not isinstance(event_type, str) or not isinstance(related, dict | None):
            raise RefusedError(400, "malformed", "the event has no type or no object")
        target = (route_thin if thin else route_snapshot)(event_type, related or {})
        object_id = (related or {}).get("id")
    except (AttributeError, TypeError):
        raise RefusedError(
            400, "malformed", "the event's object isn't in Stripe's format"
        ) from None
    version = event.get("api_version")
    return inbox.Arrival(
        id=_name(event.get("id"), "id", required=True),
        account=account,
        type=_name(event_type, "type", required=True),
        object_id=_name(object_id, "object's id"),
        thin=thin,
        api_version=_name(version, "api_version") or None,
        created_at=_created(event.get("created")),
        target=Target(
            target.kind,
            _name(target.id, "object's id"),
            _name(target.checkout_session, "session") or None,
        ),
        body=_text(body),
        names=_names(related),
        requested=was_requested(event),
        cancels=reports_cancelling(event),
    )


def _json(body: bytes) -> Any:
    """Only the slower parser reads texts with half a character, which a buyer may have typed."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        refused = RefusedError(400, "malformed", f"the body isn't valid JSON: {error}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise refused from None


def _names(source: object) -> frozenset[str]:
    """The ids that tell whose an object is: its own, its customer's, and those of its purchase."""
    found: list[str] = []
    parts = [source]
    for part in parts:
        if isinstance(part, list):
            parts += part
        elif isinstance(part, dict):
            found += [value for key in _NAMING if type(value := part.get(key)) is str]
            parts += [value for value in part.values() if type(value) in _NESTED]
    return frozenset(name for name in found if storable(name))


def _name(value: object, what: str, *, required: bool = False) -> str:
    """Check that an id or name fits a database column; Stripe's are far shorter, and printable."""
    if not isinstance(value, str):
        value = ""
    if len(value) > LONGEST_NAME or not value.isprintable() or (required and not value):
        raise RefusedError(400, "malformed", f"the event's {what} isn't a valid Stripe value")
    return value


def _check_origin(event: dict[str, Any], account: Account) -> None:
    mode = event.get("livemode")
    if not isinstance(mode, bool):
        raise RefusedError(400, "malformed", "the event has no livemode")
    if mode is not account.livemode:
        ours = "live" if account.livemode else "test"
        raise RefusedError(
            400, "wrong_mode", f"the event is from the other mode: this site is in {ours} mode"
        )
    sender = event.get("account") or event.get("context")
    if sender and sender != account.id:
        raise RefusedError(400, "wrong_account", "the event belongs to another Stripe account")


def _created(value: object) -> datetime:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise RefusedError(400, "malformed", "the event's created isn't a valid time")


def _text(body: bytes) -> str:
    """The body as text for Postgres, whose text columns can't hold NUL bytes."""
    text = body.decode("utf-8")
    if "\x00" in text:
        raise RefusedError(400, "malformed", "the body contains a NUL byte")
    return text


def _header(scope: Scope, name: bytes) -> str | None:
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if values else None


async def _read(receive: Receive) -> bytes:
    try:
        return await bodies.read(receive)
    except bodies.BodyRefusedError as refused:
        raise RefusedError(refused.status_code, refused.code, str(refused.detail)) from None


async def _answer(send: Send, status: int, code: str, detail: str) -> None:
    if status == 200:
        body = b'{"received":true}'
        kind = b"application/json"
    else:
        body = orjson.dumps({"title": code, "status": status, "detail": detail, "code": code})
        kind = b"application/problem+json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
