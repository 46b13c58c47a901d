"""Stripe's API over HTTP: keys, versions, idempotency, checked parameters, checked answers."""

import asyncio
import base64
import binascii
import logging
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox import accounts, calls, currencies, forms, mistakes, played, unpublished, versions
from sandbox.delivery import Faults
from sandbox.expand import expand
from sandbox.schema import API_VERSION, Route
from sandbox.shop import Request as Cause
from sandbox.shop import Shop, StripeApiError, invalid, shortened
from sandbox.world import Json

logger = logging.getLogger(__name__)
LOGGED = 5000
_UNKEPT = (b"content-length", b"4096")
"""Promises a body that never comes, so the server closes the connection."""
SPARED = "Sandbox-Spared"
"""A request with this header is exempt from faults: it comes from whoever plays the buyers or
checks the outcome, while the code under test is exposed to all of them."""
_OWNERS = ("customer", "subscription", "invoice", "payment_intent", "charge")
"""Parameters that name the object a call is about."""
_NOT_KEPT = ("parameter_unknown", "parameter_missing", "sandbox_unsupported")
"""Refusals before anything was tried: the same key may be used again."""
_OF_INTENTS = re.compile("/v1/(payment|setup)_intents")
_NAMED = re.compile(r"'([^']+)'|\"([^\"]+)\"")


@dataclass
class Answer:
    """Status and body of a call."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """The API of one shop. `log` keeps the latest requests for the control panel."""

    shop: Shop
    faults: Faults
    log: deque[Json] = field(default_factory=lambda: deque(maxlen=LOGGED))
    _running: set[str] = field(default_factory=set)
    _window: deque[float] = field(default_factory=deque)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._respond(request)
        rate = self._faults(request).cut_connection
        if rate and self._chance("cut_connection") < rate:
            await send({"type": "http.response.start", "status": 200, "headers": [_UNKEPT]})
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        began = time.perf_counter()
        request_id = self.shop.world.new_id("req", 14)
        hint, error = "", None
        try:
            answer = await self._answer(request, request_id)
        except StripeApiError as fault:
            answer = _fault(fault, request_id)
            hint, error = str(fault), fault.body
        self.note(
            request, answer.status, request_id=request_id, began=began, hint=hint, error=error
        )
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": self._spoken(request),
            **answer.headers,
        }
        if key := request.headers.get("Idempotency-Key"):
            headers["Idempotency-Key"] = key
        return Response(answer.body, answer.status, headers=headers, media_type="application/json")

    def note(
        self,
        request: Request,
        status: int,
        *,
        request_id: str | None = None,
        began: float | None = None,
        hint: str = "",
        error: Json | None = None,
    ) -> None:
        """Log a request for the control panel, with the reason if it was refused."""
        now = time.perf_counter()
        entry = {
            "id": request_id or "",
            "at": int(time.time()),
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "status": status,
            "ms": round((now - (began or now)) * 1000, 2),
            "spared": SPARED in request.headers,
            "hint": hint,
        }
        self.log.append(entry)
        self.shop.listeners.log(entry, error or {})

    async def _answer(self, request: Request, request_id: str) -> Answer:
        method, path = request.method, request.url.path
        permissions = self.permit(request)
        version = self.version(request)
        method, path = versions.moved(version.family, method, path)
        if hidden := calls.unpublished(method, path):
            text = (await request.body()).decode()
            call = calls.Call(self.shop, hidden[1], forms.decode(text), path)
            return Answer(200, orjson.dumps(hidden[0](call)))
        route = self.shop.world.published.match(method, path)
        found = calls.handler(method, route.template) if route else None
        if route is None:
            raise _unrecognized(method, path)
        if found is None:
            raise played.refuse_call(method, route.template)
        _permitted(permissions, path, method, self.shop.account["id"])
        text = (await request.body()).decode() or request.url.query
        if permissions is not None:
            _may_expand(permissions, forms.decode(text), self.shop.account["id"])
        key = request.headers.get("Idempotency-Key") if method == "POST" else None
        faults = self._faults(request)
        strict = bool(request.headers.get("Stripe-Version"))
        cause = Cause(request_id, request.headers.get("Idempotency-Key"))

        def do() -> Answer:
            made = self._do(route, found, path, text, strict, cause, faults, version)
            return self._misbehave_after(faults, made)

        if key is None:
            await self._misbehave_before(faults)
            return do()
        if (known := self._answered(key, path, text)) is not None:
            return known
        self._running.add(key)
        try:
            await self._misbehave_before(faults)
            return self._once(key, path, text, request_id, do)
        finally:
            self._running.discard(key)

    def _chance(self, fault: str) -> float:
        return self.shop.world.dice.stream(fault).random()

    def _faults(self, request: Request) -> Faults:
        return Faults() if SPARED in request.headers else self.faults

    def _answered(self, key: str, path: str, text: str) -> Answer | None:
        """The first answer to a repeated idempotency key, None for a new key. Raises Stripe's
        errors for other parameters, and for a request that is still running."""
        if key in self._running:
            fault = StripeApiError(
                409,
                "There is currently another in-progress request using this Idempotent Key.",
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
            fault.headers["Stripe-Should-Retry"] = "true"
            raise fault
        known = self.shop.world.private.get(f"idempotency/{key}")
        if known is None:
            return None
        if known["path"] != path or known["text"] != text:
            raise StripeApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they"
                f" were first used with. Try using a key other than '{key}' if you meant to"
                " execute a different request.",
                kind="idempotency_error",
            )
        headers = {"Idempotent-Replayed": "true", "Original-Request": known.get("request", "")}
        if known["status"] >= 500:
            headers["Stripe-Should-Retry"] = "false"
        return Answer(known["status"], known["body"].encode(), headers)

    def _once(
        self, key: str, path: str, text: str, request_id: str, do: Callable[[], Answer]
    ) -> Answer:
        """Answer, and keep the answer for repeats of the idempotency key."""
        try:
            answer = do()
        except StripeApiError as fault:
            answer = _fault(fault, request_id)
            if fault.body.get("code") in _NOT_KEPT:
                raise
        self.shop.world.keep(
            f"idempotency/{key}",
            path=path,
            text=text,
            status=answer.status,
            body=answer.body.decode(),
            request=request_id,
        )
        return answer

    def ask(self, method: str, path: str, text: str = "") -> Answer:
        """Make a call from within, as HTTP would with our version: no keys, no faults. Raises what
        HTTP answers with an error."""
        route = self.shop.world.published.match(method, path)
        found = calls.handler(method, route.template) if route else None
        if route is None or found is None:
            raise _unrecognized(method, path)
        return self._do(route, found, path, text, True, Cause(), Faults())

    def _do(
        self,
        route: Route,
        handler: Any,
        path: str,
        text: str,
        strict: bool,
        cause: Cause,
        faults: Faults,
        version: versions.Version = versions.CURRENT,
    ) -> Answer:
        world = self.shop.world
        tree = forms.decode(text)
        named = version.family if strict else None
        versions.upgrade(self.shop, named, route.method, path, tree)
        unknown = self._check(route, tree, strict=strict)
        _refuse_unplayed(route, tree, unknown)
        params = forms.typed(world.published, world.published.request_schema(route), tree)
        if account := params.pop("customer_account", None):
            params["customer"] = accounts.customer_of(self.shop, account)
        wanted = params.get("expand") or []
        ids = _ids(route, path)
        self.shop.request = cause
        world.settle_clock(self._frozen(ids, params))
        try:
            made = handler(calls.Call(self.shop, ids, params, path))
        except StripeApiError as fault:
            fault.body = self._shown(fault.body, [], version)
            raise
        except Exception as error:
            name = f"{route.method} {route.template}"
            logger.exception("%s failed", name)
            self.shop.problems.append(f"{name}: {error!r}")
            raise StripeApiError(
                500, f"{name} failed: {error!r}", kind="api_error", code="sandbox_bug"
            ) from error
        finally:
            self.shop.request = Cause()
            world.settle_clock()
        if made.get("object") == "list":
            self._end_early(faults, made)
            self._shift(faults, made, params)
        self._check_answer(route, made)
        return Answer(200, orjson.dumps(self._shown(made, wanted, version)))

    def version(self, request: Request) -> versions.Version:
        """The API version that a request names, ours if it doesn't name any. Raises Stripe's 400
        for one that doesn't exist."""
        named = request.headers.get("Stripe-Version")
        if not named:
            return versions.CURRENT
        return versions.version_of(self.shop.world.published, named)

    def _spoken(self, request: Request) -> str:
        """The version that an answer is in."""
        try:
            return self.version(request).name
        except StripeApiError:
            return API_VERSION

    def _shown(self, made: Json, wanted: list[str], version: versions.Version) -> Json:
        """An answer as it is sent: in the shape of a version, expanded in that shape."""

        def show(source: Json) -> Json:
            source = self.shop.world.copy(source)
            accounts.render(self.shop, source)
            unpublished.add(self.shop, source)
            if version == versions.CURRENT:
                return source
            found: Json = versions.shaped(self.shop, source, version)
            return found

        shown = _cut(show(made))
        if wanted:
            expand(self.shop, shown, wanted, show=show)
            unpublished.count(shown)
        return shown

    def _check_answer(self, route: Route, made: Json) -> None:
        """Raise a 500 for an answer that isn't as Stripe publishes it."""
        problems = self.shop.world.published.response_errors(route, made)
        if problems and not self.shop.wild(made):
            name = f"{route.method} {route.template}"
            self.shop.problems += [f"{name}: {problem}" for problem in problems]
            raise StripeApiError(
                500, f"{name} answered: {problems[0]}", kind="api_error", code="sandbox_bug"
            )

    def _frozen(self, ids: tuple[str, ...], params: Json) -> int | None:
        """The time of the test clock a call is about, None for real time."""
        world = self.shop.world
        named = [*ids, *(params.get(name) for name in _OWNERS)]
        clock = params.get("test_clock") or next(
            (world.clocked[name] for name in named if name in world.clocked), None
        )
        found = world.table("test_helpers.test_clock").get(clock)
        return found["frozen_time"] if found else None

    def _check(self, route: Route, tree: Json, *, strict: bool) -> list[str]:
        """Raise Stripe's 400 for the first mistake in the parameters. Answers those
        that our version doesn't know, which are let through for requests of another."""
        unknown: list[str] = []
        published = self.shop.world.published
        schema = published.request_schema(route)
        for name in published.resolve(schema).get("required", ()):
            if tree.get(name) == "":
                raise mistakes.empty(name)
        for path, kind, message in published.request_errors(route, tree):
            named = [a or b for a, b in _NAMED.findall(message)]
            names = [f"{path}[{name}]" if path else name for name in named]
            if kind == "unknown" and not strict:
                unknown += names
            elif kind == "unknown":
                if "payment_method_types" in names and _OF_INTENTS.match(route.template):
                    raise invalid(
                        "payment_method_types is no longer supported. Use dynamic payment methods,"
                        " allowed_payment_method_types or excluded_payment_method_types.",
                        param="payment_method_types",
                        code="payment_method_types_no_longer_supported",
                    )
                raise mistakes.unknown(names)
            elif kind == "missing":
                raise mistakes.missing(names[0])
            else:
                raise mistakes.wrong(published, schema, path, tree)
        if route.method == "POST" and (fault := mistakes.limits(tree)):
            raise fault
        for path, value in currencies.unknown(tree):
            raise currencies.refuse(path, value)
        return unknown

    def permit(self, request: Request) -> Json | None:
        """The key's permissions, None if it may do everything. Raises Stripe's 401."""
        key = _key(request.headers.get("Authorization", ""))
        if not key:
            raise StripeApiError(
                401,
                "You did not provide an API key. You need to provide your API key in the"
                " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
                " YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or"
                " we can help at https://support.stripe.com/.",
            )
        if not key.startswith(("sk_test_", "rk_test_")):
            raise StripeApiError(401, f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}")
        kept = self.shop.world.private.get(f"key/{key}", {})
        if kept.get("revoked"):
            raise StripeApiError(401, f"Expired API Key provided: {key[:8]}{'*' * 8}{key[-4:]}")
        return kept.get("permissions")

    async def _misbehave_before(self, faults: Faults) -> None:
        chance = self._chance
        if faults.api_latency_seconds:
            await asyncio.sleep(faults.api_latency_seconds)
        if faults.api_rate:
            now = time.monotonic()
            while self._window and self._window[0] < now - 1:
                self._window.popleft()
            if len(self._window) >= faults.api_rate:
                raise _too_many("global-rate")
            self._window.append(now)
        if faults.api_429 and chance("api_429") < faults.api_429:
            raise _too_many("endpoint-rate")
        if faults.api_429_retry and chance("api_429_retry") < faults.api_429_retry:
            raise _too_many("endpoint-concurrency", retry=True)
        if faults.api_409 and chance("api_409") < faults.api_409:
            fault = StripeApiError(
                409,
                "This object cannot be accessed right now because another API request or Stripe"
                " process is currently accessing it.",
                code="lock_timeout",
            )
            fault.headers["Stripe-Should-Retry"] = "true"
            raise fault
        if faults.api_500_before and chance("api_500_before") < faults.api_500_before:
            raise StripeApiError(500, "An unknown error occurred", kind="api_error")

    def _end_early(self, faults: Faults, made: Json) -> None:
        """Cut a page short although there is more: only `has_more` tells whether a list is
        complete."""
        rate = faults.short_page
        if rate and len(made["data"]) > 1 and self._chance("short_page") < rate:
            made.update(data=made["data"][:-1], has_more=True)

    def _shift(self, faults: Faults, made: Json, params: Json) -> None:
        """Repeat a row the previous page already showed, as if the list had moved meanwhile."""
        rate, cursor = faults.shifting_page, params.get("starting_after")
        if not rate or not cursor or self._chance("shifting_page") >= rate:
            return
        for table in self.shop.world.tables.values():
            seen = table.get(cursor)
            if seen is not None:
                rows = [seen, *made["data"]]
                most = params.get("limit", 10)
                made.update(data=rows[:most], has_more=made["has_more"] or len(rows) > most)

    def _misbehave_after(self, faults: Faults, answer: Answer) -> Answer:
        rate = faults.api_500_after
        if rate and self._chance("api_500_after") < rate:
            raise StripeApiError(500, "An unknown error occurred", kind="api_error")
        return answer


def _cut(made: Json) -> Json:
    """Shorten the lists inside an answer, or inside the rows of one."""
    for row in made["data"] if "next_page" in made or "has_more" in made else [made]:
        shortened(row)
    return made


def _refuse_unplayed(route: Route, tree: Json, unknown: list[str]) -> None:
    """Raise the sandbox's own 400 for what Stripe publishes and this call doesn't play."""
    for path, value in calls.played(route).unplayed(tree):
        if not any(path == name or path.startswith(f"{name}[") for name in unknown):
            raise played.refuse(path, value)


def _too_many(reason: str, *, retry: bool = False) -> StripeApiError:
    """Stripe's 429, with the limit that was reached."""
    fault = StripeApiError(
        429,
        "Request rate limit exceeded. You can learn more about rate limits here"
        " https://stripe.com/docs/rate-limits.",
        code="rate_limit",
    )
    fault.headers["Stripe-Rate-Limited-Reason"] = reason
    if retry:
        fault.headers["Stripe-Should-Retry"] = "true"
    return fault


def _fault(fault: StripeApiError, request_id: str) -> Answer:
    log = f"https://dashboard.stripe.com/test/logs/{request_id}"
    body = fault.body | ({"request_log_url": log} if request_id else {})
    return Answer(fault.status, orjson.dumps({"error": body}), dict(fault.headers))


def _ids(route: Route, path: str) -> tuple[str, ...]:
    return tuple(
        given
        for named, given in zip(route.template.split("/"), path.split("/"), strict=True)
        if named.startswith("{")
    )


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value).decode().split(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _unrecognized(method: str, path: str) -> StripeApiError:
    return StripeApiError(
        404,
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can"
        " help at https://support.stripe.com/.",
    )


_SLUGS = {
    "account": "accounts_kyc_basic",
    "billing_portal": "customer_portal",
    "checkout": "checkout_session",
    "payment_links": "payment_links",
    "prices": "plan",
    "refunds": "charge",
    "webhook_endpoints": "webhook",
}
"""Areas that Stripe's permissions don't call by the singular of their path."""


def _permitted(permissions: Json | None, path: str, method: str, account: str) -> None:
    """Raise Stripe's 403 where a restricted key lacks the area. Areas are the first part of the
    path, `read` or `write`."""
    if permissions is None:
        return
    wanted = "read" if method == "GET" else "write"
    _granted(permissions, path.split("/")[2], wanted, account)


def _may_expand(permissions: Json, params: Json, account: str) -> None:
    """Raise Stripe's 403 where a restricted key may not read the payment methods that a call has
    expanded."""
    paths = params.get("expand") or []
    if any(str(path).endswith("payment_method") for path in paths):
        _granted(permissions, "payment_methods", "read", account)


def _granted(permissions: Json, area: str, wanted: str, account: str) -> None:
    granted = permissions.get(area)
    if granted != "write" and granted != wanted:
        needed = f"rak_{_SLUGS.get(area, area.removesuffix('s'))}_{wanted}"
        raise StripeApiError(
            403,
            "The provided key does not have the required permissions for this endpoint on account"
            f" '{account}'. Having the '{needed}' permission would allow this request to continue.",
        )
