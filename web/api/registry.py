"""Declares the calls of the JSON API: validated input and output, described in one place."""

import hashlib
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl

import asyncpg
import orjson
import structlog
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from latchkey.dispatch import TemporalUnavailableError
from latchkey.rules.vocabulary import AuditAction, AuditOutcome, TokenScope
from latchkey.store import audit, idempotency
from latchkey.store.audit import Actor, AuditEntry, AuditTarget
from latchkey.store.audit_draft import AuditDraft, recording
from latchkey.store.pool import DATABASE_AWAY
from latchkey.texts import made_storable, storable
from latchkey.vault import Purpose, VaultError
from web import bodies
from web.api.problems import ApiError
from web.api.tokens import Caller, authenticate
from web.audit import VISITOR, origin_of
from web.audit_actions import call_action, target_of
from web.bodies import BodyRefusedError
from web.inputs import Input
from web.site import Site, site_of

PREFIX = "/api/v1"

GIVEN_UP = 3
"""How often a call is repeated when Postgres rolls its transaction back."""

DEEPEST = 50
"""How many lists and objects of a body may lie within each other."""

MOST_VALUES = 50_000
"""How many values a body may have in all its lists and objects. To go through more of them would
hold up everybody else."""

log = structlog.get_logger("api")


class Output(BaseModel):
    """What callers receive."""


class Paging(Input):
    """Paging parameters of a list."""

    limit: int = Field(50, ge=1, le=200, description="maximum number of items")
    after: str | None = Field(
        None,
        description="the `next` of the previous page",
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]+$"},
    )


class Nothing(Input):
    """No parameters."""


@dataclass
class Call:
    """One request: the site, the caller's token, the path parameters, the validated input or the
    bytes of a file, and its line in the audit log if it changes something."""

    site: Site
    token: str
    path: dict[str, str]
    query: Any
    body: Any
    draft: AuditDraft | None


Do = Callable[[Call], Awaitable[BaseModel | None]]


@dataclass(frozen=True)
class Endpoint:
    """A declared call."""

    method: str
    path: str
    summary: str
    description: str
    query: type[BaseModel]
    body: type[BaseModel] | None
    answer: type[BaseModel] | None
    status: int
    do: Do
    scope: TokenScope
    most: int = bodies.MOST
    stores: bool = False
    file: bool = False

    @cached_property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @cached_property
    def action(self) -> AuditAction | None:
        """What the call is in the audit log. Raises `LookupError` for a call that changes
        something and isn't listed in `web.audit_actions`."""
        return None if self.method == "GET" else call_action(self.name)

    @property
    def keeps_answer(self) -> bool:
        """Whether a request that comes again with its idempotency key gets the same answer."""
        return self.method == "POST" and (self.action is not None or self.stores)


ENDPOINTS: list[Endpoint] = []


def endpoint(
    method: str,
    path: str,
    *,
    answer: type[BaseModel] | None,
    query: type[BaseModel] = Nothing,
    body: type[BaseModel] | None = None,
    status: int = 200,
    scope: TokenScope | None = None,
    most: int = bodies.MOST,
    stores: bool = False,
    file: bool = False,
) -> Callable[[Do], Do]:
    """Declare a call. The first line of its docstring becomes the summary in OpenAPI.

    `scope` is what a token needs for it: by default `read` to get something, otherwise `write`. The
    body may have up to `most` bytes. A call that `stores` something is carried out once for an
    idempotency key, as those are that have a line in the audit log. The body of a call that takes a
    `file` is the file's bytes, whatever their `Content-Type` says they are.
    """
    needed = scope or (TokenScope.READ if method == "GET" else TokenScope.WRITE)

    def register(do: Do) -> Do:
        text = inspect.getdoc(do) or ""
        summary, _, rest = text.partition("\n")
        made = Endpoint(
            method,
            path,
            summary,
            rest.strip(),
            query,
            body,
            answer,
            status,
            do,
            needed,
            most,
            stores,
            file,
        )
        ENDPOINTS.append(made)
        return do

    return register


def routes() -> list[Route]:
    """The routes of every declared call."""
    return [
        Route(f"{PREFIX}{declared.path}", _Handler(declared), methods=[declared.method])
        for declared in ENDPOINTS
    ]


def exact() -> dict[tuple[str, str], ASGIApp]:
    """Every declared call whose path has no parameters, by method and path."""
    return {
        (declared.method, f"{PREFIX}{declared.path}"): _Handler(declared)
        for declared in ENDPOINTS
        if "{" not in declared.path
    }


class _Handler:
    """The ASGI app of one call. It answers whatever goes wrong, so nothing needs to surround it."""

    def __init__(self, declared: Endpoint) -> None:
        self._declared = declared
        self._action = declared.action

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        declared, site = self._declared, site_of(request)
        try:
            caller = await _caller(declared, request, site)
            if self._action is None:
                return await _run(declared, request, site, caller, None)
            return await _recorded(declared, request, site, caller, self._action)
        except ApiError as problem:
            return problem.response()
        except DATABASE_AWAY:
            log.exception("database unavailable", path=request.url.path)
            return ApiError(
                503, "unavailable", "the database didn't answer: try again in a moment"
            ).response()
        except TemporalUnavailableError as error:
            return ApiError(503, "unavailable", str(error)).response()
        except Exception:
            log.exception("call failed", method=declared.method, path=declared.path)
            return ApiError(
                500, "internal", "this is our fault: the log of the web process says more"
            ).response()


async def _recorded(
    declared: Endpoint, request: Request, site: Site, caller: Caller, action: AuditAction
) -> Response:
    """Answer a call that changes something, with its line in the audit log."""
    target = target_of(declared.path, request.path_params)
    draft = AuditDraft(action, origin_of(request), lambda: caller.actor, target)
    try:
        return await _run(declared, request, site, caller, draft)
    except Exception as error:
        refused = isinstance(error, ApiError) and error.status < 500
        outcome = AuditOutcome.REFUSED if refused else AuditOutcome.FAILED
        site.audit.count(draft.entry(outcome))
        raise


async def _caller(declared: Endpoint, request: Request, site: Site) -> Caller:
    """Whose call it is. Raises a 401 `ApiError` without a valid token, and a 403 one if it may not
    do this."""
    try:
        caller = await authenticate(request, site)
    except ApiError as refused:
        if refused.status == 401:
            _count_denied(declared, request, AuditAction.TOKEN_DENIED, VISITOR)
        raise
    if not caller.scope.covers(declared.scope):
        _count_denied(declared, request, AuditAction.SCOPE_DENIED, caller.actor)
        raise ApiError(
            403,
            "insufficient_scope",
            f"this token has the scope `{caller.scope}`, or whoever made it can do no more than"
            f" that: this call needs `{declared.scope}`",
            challenge=f'Bearer error="insufficient_scope", scope="{declared.scope}"',
            scope=declared.scope,
        )
    return caller


def _count_denied(declared: Endpoint, request: Request, action: AuditAction, actor: Actor) -> None:
    target = AuditTarget("call", declared.name)
    entry = AuditEntry(action, AuditOutcome.REFUSED, actor, origin_of(request), target)
    site_of(request).audit.count(entry)


async def _run(
    declared: Endpoint, request: Request, site: Site, caller: Caller, draft: AuditDraft | None
) -> Response:
    query = _checked_query(declared.query, request)
    raw = b""
    body = None
    if declared.method in ("POST", "PUT", "PATCH"):
        bodies.expect(request, most=declared.most)
        raw = await _read(request)
    if declared.body is not None:
        body = _checked(declared.body, _whole(_json(raw)), "body", strict=True)
    call = Call(site, caller.id, request.path_params, query, raw if declared.file else body, draft)
    key = request.headers.get("idempotency-key") if declared.keeps_answer else None
    if key is None:
        return await _do(declared, call)
    asked = f"{request.url.path}?{request.url.query}" if declared.file else request.url.path
    return await _once(declared, call, key, asked.encode() + b"\0" + raw)


def _checked_query(model: type[BaseModel], request: Request) -> BaseModel:
    text = request.scope["query_string"].decode("latin-1")
    given = parse_qsl(text, keep_blank_values=True)
    found = dict(given)
    if len(found) < len(given):
        raise ApiError(422, "invalid", "query: a parameter appears twice: give each one only once")
    return _checked(model, _typed(model, found), "query")


async def _do(declared: Endpoint, call: Call) -> Response:
    result = await (_tried if call.draft is None else _done)(declared, call)
    if result is None:
        return Response(status_code=204)
    return json_response(_written(type(result)).dump_json(result), declared.status)


@cache
def _written(model: type[BaseModel]) -> TypeAdapter[Any]:
    """What writes answers as bytes; models themselves write text."""
    return TypeAdapter(model)


async def _done(declared: Endpoint, call: Call) -> BaseModel | None:
    """Run the call, and again if Postgres rolled it back because of a concurrent transaction, for
    example when a merge of users meets one of their purchases being applied. A rolled-back call has
    changed nothing. What has no transaction gets its line in the audit log afterwards."""
    draft = call.draft
    assert draft is not None, "it changes something"
    with recording(draft):
        result = await _tried(declared, call)
    if not draft.written:
        async with call.site.pool.acquire() as connection:
            await audit.write(connection, [draft.entry(AuditOutcome.DONE)])
    return result


async def _tried(declared: Endpoint, call: Call) -> BaseModel | None:
    for _ in range(GIVEN_UP):
        try:
            return await declared.do(call)
        except asyncpg.TransactionRollbackError:
            if call.draft is not None:
                call.draft.written = False
    return await declared.do(call)


def json_response(body: str | bytes, status: int) -> Response:
    return Response(body, status, media_type="application/json")


async def _once(declared: Endpoint, call: Call, key: str, request: bytes) -> Response:
    """Run the call once per idempotency key; a repeated request gets the stored answer."""
    if len(key) > 255:
        raise ApiError(
            400, "bad_idempotency_key", "an Idempotency-Key can have at most 255 characters"
        )
    pool, digest = call.site.pool, hashlib.sha256(request).digest()
    try:
        async with pool.acquire() as connection:
            kept = await idempotency.begin(
                connection, token=call.token, key=key, request_hash=digest
            )
    except idempotency.KeyInUseError:
        raise ApiError(
            409,
            "idempotency_key_in_use",
            "the first request with this key hasn't finished yet: try again in a moment",
        ) from None
    except idempotency.OtherRequestError:
        raise ApiError(
            409,
            "idempotency_key_reused",
            "this key was used for a different request: use a new key",
        ) from None
    vault = call.site.keyring.vault
    if kept is not None:
        try:
            return json_response(vault.open(kept.body.encode(), Purpose.API_ANSWER), kept.status)
        except VaultError:
            raise ApiError(
                409,
                "idempotency_answer_lost",
                f"a request with this key was answered with {kept.status}, and what was answered"
                " can't be read any more, because LATCHKEY_SECRET was replaced: see what the"
                " request changed before you send another one with a new key",
            ) from None
    kept = None
    try:
        response = await _do(declared, call)
        sealed = vault.seal(bytes(response.body).decode(), Purpose.API_ANSWER)
        kept = idempotency.Kept(response.status_code, sealed.decode())
    finally:
        async with pool.acquire() as connection:
            await idempotency.finish(connection, token=call.token, key=key, kept=kept)
    return response


async def _read(request: Request) -> bytes:
    try:
        return await request.body()
    except BodyRefusedError as refused:
        raise ApiError(refused.status_code, refused.code, refused.detail) from None


def _json(raw: bytes) -> Any:
    try:
        given = orjson.loads(raw) if raw.strip() else {}
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "malformed", f"the body isn't valid JSON: {error}") from None
    if len(raw) > MOST_VALUES:  # each takes a byte at least
        _check_values(given)
    return given


def _check_values(given: Any) -> None:
    """Raises a 400 `ApiError` for JSON with more values than any call takes."""
    values = 0
    todo: list[list[Any] | dict[str, Any]] = [[given]]
    while todo:
        part = todo.pop()
        inside = part.values() if isinstance(part, dict) else part
        values += len(inside)
        if values > MOST_VALUES:
            raise ApiError(400, "malformed", f"the body has more than {MOST_VALUES:,} values")
        todo += [value for value in inside if isinstance(value, dict | list)]


def _whole(given: Any, depth: int = 0) -> Any:
    """JSON with `1.0` as the whole number that it is by JSON Schema. Raises a 400 `ApiError` for
    what is nested deeper than libraries can follow."""
    if depth > DEEPEST:
        raise ApiError(400, "malformed", f"the body is nested more than {DEEPEST} levels deep")
    match given:
        case float() if given.is_integer() and abs(given) < 2**53:
            return int(given)
        case dict():
            return {name: _whole(value, depth + 1) for name, value in given.items()}
        case list():
            return [_whole(value, depth + 1) for value in given]
    return given


def _typed(model: type[BaseModel], given: dict[str, str]) -> dict[str, str]:
    """Refuse what the schema of a parameter doesn't allow: pydantic also reads `1_0` and `yes`."""
    for name, kinds in _kinds(model).items():
        value = given.get(name)
        if value is None:
            continue
        if "integer" in kinds and not re.fullmatch(r"-?[0-9]{1,30}", value):
            raise _invalid("query", name, "must be a whole number")
        if "boolean" in kinds and value not in ("true", "false"):
            raise _invalid("query", name, "must be true or false")
    return given


@cache
def _kinds(model: type[BaseModel]) -> dict[str, set[str]]:
    """The JSON types of each parameter."""
    described = model.model_json_schema().get("properties", {})
    return {
        name: {str(one.get("type")) for one in part.get("anyOf", [part])}
        for name, part in described.items()
    }


def _invalid(where: str, name: str, message: str) -> ApiError:
    named = f"{where}: {name}: {message}" if name else f"{where}: {message}"
    return ApiError(422, "invalid", named, errors=[{"name": name, "message": message}])


def _checked(model: type[BaseModel], given: Any, where: str, *, strict: bool = False) -> BaseModel:
    """The validated input. What is `strict` has the types of JSON: `1` isn't `true` there."""
    if (name := _unstorable(given)) is not None:
        raise _invalid(where, name, "must not contain a NUL character")
    try:
        if strict:
            return model.model_validate_json(orjson.dumps(given), strict=True)
        return model.model_validate(given)
    except ValidationError as error:
        errors = [
            {"name": ".".join(map(str, item["loc"])), "message": item["msg"]}
            for item in error.errors(include_input=False, include_url=False)
        ]
        first = errors[0]
        named = f"{first['name']}: " if first["name"] else ""
        raise ApiError(
            422, "invalid", f"{where}: {named}{first['message']}", errors=errors
        ) from None


def _flat(given: Any) -> bool:
    return isinstance(given, dict) and all(isinstance(value, str) for value in given.values())


def _unstorable(given: Any) -> str | None:
    """The name of the first text in the input that Postgres can't hold."""
    if _flat(given) and storable("".join(chain(given, given.values()))):
        return None
    todo = [("", given)]
    while todo:
        name, value = todo.pop()
        match value:
            case str() if not storable(value):
                return made_storable(name)
            case dict():
                todo += [(f"{name}.{key}".lstrip("."), key) for key in value]
                todo += [(f"{name}.{key}".lstrip("."), part) for key, part in value.items()]
            case list():
                todo += [(f"{name}.{nth}".lstrip("."), part) for nth, part in enumerate(value)]
    return None
