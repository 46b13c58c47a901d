"""The part of Stripe's `/v2` API that a connector needs: thin events, event destinations, and the
accounts of customers."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import accounts, played, thin
from sandbox.box import Sandbox
from sandbox.shop import StripeApiError
from sandbox.world import Json

EVENTS, DESTINATIONS = "/v2/core/events", "/v2/core/event_destinations"
ACCOUNTS = "/v2/core/accounts"
KIND = "v2.core.event_destination"
PING = "v2.core.event_destination.ping"
MOST = 100
KEPT_SECONDS = 30 * 86400
Call = Callable[[Sandbox, Request, Json], Json]


def _problem(status: int, code: str, message: str) -> StripeApiError:
    return StripeApiError(status, message, code=code, kind=code)


def _event(box: Sandbox, request: Request, given: Json) -> Json:
    ping = box.shop.world.private.get(f"ping/{request.path_params['id']}")
    if ping is not None:
        pinged: Json = ping["event"]
        return pinged
    found = box.shop.world.table("event").get(thin.snapshot_id(request.path_params["id"]))
    too_old = found is not None and found["created"] < box.shop.world.now() - KEPT_SECONDS
    if found is None or too_old or not box.shop.world.published.has_thin(found["type"]):
        raise _problem(404, "not_found", f"No such event: {request.path_params['id']}")
    return thin.event(found)


def _events(box: Sandbox, request: Request, given: Json) -> Json:
    """Newest first; `page` is the position where the next page starts."""
    query = request.query_params
    table = box.shop.world.table("event")
    limit = _limit(query.get("limit"))
    types = [value for key, value in query.multi_items() if key.startswith("types")]
    wanted_object = query.get("object_id")
    before = int(query["page"]) if query.get("page") else None
    oldest = box.shop.world.now() - KEPT_SECONDS
    bounds = {key[8:-1]: value for key, value in query.items() if key.startswith("created[")}
    found: list[Json] = []
    for row in table.newest_first({}, before=before, after=None):
        if row["created"] < oldest or len(found) > limit:
            break
        if not box.shop.world.published.has_thin(row["type"]) or (
            types and f"v1.{row['type']}" not in types
        ):
            continue
        if wanted_object and row["data"]["object"].get("id") != wanted_object:
            continue
        if _within(thin.iso(row["created"]), bounds):
            found.append(row)
    following = None
    if len(found) > limit:
        found = found[:limit]
        following = f"{EVENTS}?limit={limit}&page={table.position(found[-1]['id'])}"
        for name in types:
            following += f"&types={name}"
    return {
        "data": [thin.event(row) for row in found],
        "next_page_url": following,
        "previous_page_url": None,
    }


def _limit(given: str | None) -> int:
    try:
        limit = int(given or 20)
    except ValueError:
        limit = 0
    if not 1 <= limit <= MOST:
        raise _problem(400, "invalid_fields", f"limit must be between 1 and {MOST}")
    return limit


def _within(moment: str, bounds: dict[str, str]) -> bool:
    """Whether an ISO time (UTC) is within bounds, to the second."""
    tests = {
        "gt": lambda bound: moment[:19] > bound,
        "gte": lambda bound: moment[:19] >= bound,
        "lt": lambda bound: moment[:19] < bound,
        "lte": lambda bound: moment[:19] <= bound,
    }
    return all(tests[name](bound[:19]) for name, bound in bounds.items() if name in tests)


def _account(box: Sandbox, request: Request, given: Json) -> Json:
    """The account of a customer (Accounts v2)."""
    account = request.path_params["id"]
    customer = box.shop.world.table("customer").get(accounts.customer_of(box.shop, account))
    if customer is None or not account.startswith("acct_"):
        raise _problem(404, "not_found", f"No such account: {account}")
    return {
        "id": account,
        "object": "v2.core.account",
        "applied_configurations": ["customer"],
        "closed": False,
        "configuration": None,
        "contact_email": customer["email"],
        "contact_phone": customer["phone"],
        "created": thin.iso(customer["created"]),
        "dashboard": "none",
        "defaults": None,
        "display_name": customer["name"],
        "future_requirements": None,
        "identity": None,
        "livemode": False,
        "metadata": customer["metadata"],
        "requirements": None,
    }


def _destination(box: Sandbox, request: Request) -> Json:
    found = box.shop.world.table(KIND).get(request.path_params["id"])
    if found is None:
        raise _problem(404, "not_found", f"No such destination: {request.path_params['id']}")
    return found


def _create(box: Sandbox, request: Request, given: Json) -> Json:
    world = box.shop.world
    for name in ("name", "enabled_events", "event_payload", "type"):
        if not given.get(name):
            raise _problem(400, "missing_required_param", f"Missing required param: {name}.")
    url = (given.get("webhook_endpoint") or {}).get("url") or ""
    if given["type"] != "webhook_endpoint" or not url.startswith(("http://", "https://")):
        raise _problem(400, "invalid_fields", "The sandbox can only deliver to webhook endpoints.")
    is_thin = given["event_payload"] == "thin"
    now = thin.iso(world.now())
    made = {
        "object": KIND,
        "id": world.new_id("ed_test"),
        "created": now,
        "updated": now,
        "description": given.get("description") or "",
        "enabled_events": given["enabled_events"],
        "event_payload": given["event_payload"],
        "events_from": given.get("events_from") or ["@self"],
        "livemode": False,
        "metadata": given.get("metadata") or {},
        "name": given["name"],
        "snapshot_api_version": None if is_thin else given.get("snapshot_api_version"),
        "status": "enabled",
        "status_details": None,
        "type": "webhook_endpoint",
        "webhook_endpoint": {"signing_secret": None, "url": url},
        "amazon_eventbridge": None,
        "azure_event_grid": None,
    }
    secret = f"whsec_{world.new_id('x', 32)[2:]}"
    world.keep(made["id"], secrets=[secret], thin=is_thin)
    world.store(made)
    if "webhook_endpoint.signing_secret" in (given.get("include") or []):
        return {**made, "webhook_endpoint": {"signing_secret": secret, "url": url}}
    return made


def _update(box: Sandbox, request: Request, given: Json) -> Json:
    found = _destination(box, request)
    for key in ("description", "enabled_events", "metadata", "name"):
        if key in given:
            found[key] = given[key]
    if url := (given.get("webhook_endpoint") or {}).get("url"):
        found["webhook_endpoint"] = {**found["webhook_endpoint"], "url": url}
    return _touched(box, found)


def _ping(box: Sandbox, request: Request, given: Json) -> Json:
    """Send a destination an event that says nothing but that it works."""
    found = _destination(box, request)
    world = box.shop.world
    event = {
        "object": "v2.core.event",
        "id": world.new_id("evt_test"),
        "type": PING,
        "livemode": False,
        "created": thin.iso(world.now()),
        "context": None,
        "reason": None,
        "related_object": {
            "id": found["id"],
            "type": KIND,
            "url": f"{DESTINATIONS}/{found['id']}",
        },
    }
    world.keep(f"ping/{event['id']}", event=event)
    box.deliveries.ping(event, found)
    return event


def _set_status(status: str, details: Json | None) -> Call:
    def act(box: Sandbox, request: Request, given: Json) -> Json:
        found = _destination(box, request)
        found.update(status=status, status_details=details)
        return _touched(box, found)

    return act


def _touched(box: Sandbox, found: Json) -> Json:
    found["updated"] = thin.iso(box.shop.world.now())
    return box.shop.world.store(found)


def _delete(box: Sandbox, request: Request, given: Json) -> Json:
    found = _destination(box, request)
    box.shop.world.forget(KIND, found["id"])
    return {"id": found["id"], "object": KIND}


def _list(box: Sandbox, request: Request, given: Json) -> Json:
    rows = box.shop.world.table(KIND).values()[::-1][:MOST]
    return {"data": rows, "next_page_url": None, "previous_page_url": None}


_ROUTES: list[tuple[str, str, Call]] = [
    ("GET", EVENTS, _events),
    ("GET", f"{EVENTS}/{{id}}", _event),
    ("GET", f"{ACCOUNTS}/{{id}}", _account),
    ("GET", DESTINATIONS, _list),
    ("POST", DESTINATIONS, _create),
    ("GET", f"{DESTINATIONS}/{{id}}", lambda box, request, given: _destination(box, request)),
    ("POST", f"{DESTINATIONS}/{{id}}", _update),
    ("DELETE", f"{DESTINATIONS}/{{id}}", _delete),
    ("POST", f"{DESTINATIONS}/{{id}}/enable", _set_status("enabled", None)),
    ("POST", f"{DESTINATIONS}/{{id}}/ping", _ping),
    (
        "POST",
        f"{DESTINATIONS}/{{id}}/disable",
        _set_status("disabled", {"disabled": {"reason": "user"}}),
    ),
]


_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _unknown(box: Sandbox, request: Request, given: Json) -> Json:
    method, path = request.method, request.url.path
    for route in box.shop.world.published.v2_routes():
        if route.method == method and route.pattern.match(path):
            raise played.refuse_call(method, route.template)
    raise _problem(404, "not_found", f"Unrecognized request URL ({method}: {path}).")


def routes(box: Sandbox) -> list[Route]:
    """The `/v2` calls of one sandbox."""
    known = [Route(path, _endpoint(box, act), methods=[method]) for method, path, act in _ROUTES]
    return [*known, Route("/v2/{path:path}", _endpoint(box, _unknown), methods=_METHODS)]


async def _given(request: Request) -> Json:
    """The body of a request. Raises Stripe's 400 for one that isn't a JSON object."""
    text = await request.body()
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _problem(400, "invalid_fields", "The body isn't a JSON object.")
    return found


def _endpoint(box: Sandbox, act: Call) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        status, answer, hint = 200, None, ""
        try:
            box.api.permit(request)
            box.api.version(request)
            answer = act(box, request, await _given(request))
        except StripeApiError as fault:
            status, answer = fault.status, {"error": fault.body}
            hint = str(fault)
        request_id = box.shop.world.new_id("req", 14)
        box.api.note(request, status, request_id=request_id, hint=hint)
        box.flush()
        return JSONResponse(answer, status, headers={"Request-Id": request_id})

    return endpoint
