"""The control API under `/_sandbox/`: what a test or a person does to Stripe from outside."""

import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import bulk, checkout, payments, subscriptions
from sandbox.box import Sandbox
from sandbox.shop import StripeFault
from sandbox.world import Json

Body = Callable[[Sandbox, Request, Json], Any]


def buyer(given: Json) -> checkout.Buyer:
    """The buyer that a page or a test describes."""
    return checkout.Buyer(
        email=given["email"],
        name=given.get("name") or given["email"].split("@")[0].title(),
        pay_with=given.get("card") or "4242424242424242",
        promotion_code=given.get("promotion_code") or None,
        authenticated=bool(given.get("authenticated")),
    )


def _ready(box: Sandbox, request: Request, given: Json) -> Json:
    return {"ready": True, "account": box.shop.account["id"]}


def _pay(box: Sandbox, request: Request, given: Json) -> Json:
    session = box.shop.find("checkout.session", request.path_params["id"])
    outcome = checkout.pay(box.shop, session, buyer(given))
    return {"outcome": outcome, "session": session}


def _settle(box: Sandbox, request: Request, given: Json) -> Json:
    session = box.shop.find("checkout.session", request.path_params["id"])
    checkout.settle(box.shop, session, given.get("outcome", "succeeded"))
    return {"session": session}


def _open(box: Sandbox, request: Request, given: Json) -> Json:
    link = box.shop.find("payment_link", request.path_params["id"])
    return checkout.open_link(
        box.shop, link, reference=given.get("reference"), email=given.get("email")
    )


def _portal_cancel(box: Sandbox, request: Request, given: Json) -> Json:
    found = box.shop.find("subscription", request.path_params["id"])
    return subscriptions.cancel_in_portal(
        box.shop, found, feedback=given.get("feedback"), comment=given.get("comment")
    )


def _advance(box: Sandbox, request: Request, given: Json) -> Json:
    return {"done": box.clock.advance(int(given["seconds"]))}


def _speed(box: Sandbox, request: Request, given: Json) -> Json:
    if "month_seconds" in given:
        seconds = given["month_seconds"]
        box.shop.world.month_seconds = float(seconds) if seconds else None
    return {"month_seconds": box.shop.world.month_seconds}


def _requests(box: Sandbox, request: Request, given: Json) -> Json:
    return {"data": list(box.api.log)}


def _clear_requests(box: Sandbox, request: Request, given: Json) -> Json:
    box.api.log.clear()
    return {}


def _deliveries(box: Sandbox, request: Request, given: Json) -> Json:
    rows = box.shop.world.table("delivery").values()
    return {"data": rows[-int(request.query_params.get("limit", 100)) :][::-1]}


def _problems(box: Sandbox, request: Request, given: Json) -> Json:
    return {"data": box.shop.problems}


def _resend(box: Sandbox, request: Request, given: Json) -> Json:
    found = box.shop.find("delivery", request.path_params["id"])
    box.deliveries.resend(found)
    return found


def _repeat(box: Sandbox, request: Request, given: Json) -> Json:
    """Deliver an event again, also one whose delivery was dropped; the Stripe CLI's `events
    resend` does the same."""
    found = box.shop.find("event", request.path_params["id"])
    box.deliveries.repeat(found)
    return {"event": found["id"]}


def _faults(box: Sandbox, request: Request, given: Json) -> Json:
    try:
        box.deliveries.faults.update(given)
    except ValueError as error:
        raise StripeFault(400, str(error)) from None
    return dict(vars(box.deliveries.faults))


def _keys(box: Sandbox, request: Request, given: Json) -> Json:
    """A restricted key: areas of the API with `read` or `write`."""
    key = given.get("key") or f"rk_test_{secrets.token_hex(12)}"
    box.shop.world.keep(
        f"key/{key}", permissions=given.get("permissions"), revoked=bool(given.get("revoked"))
    )
    return {"key": key}


def _bulk(box: Sandbox, request: Request, given: Json) -> Json:
    return bulk.subscribers(box.shop, **given)


def _endpoint(box: Sandbox, request: Request, given: Json) -> Json:
    """Settings of an endpoint that Stripe's own API does not have: thin events, a rolled secret."""
    found = box.shop.find("webhook_endpoint", request.path_params["id"])
    kept = box.shop.world.private[found["id"]]
    if "thin" in given:
        kept["thin"] = bool(given["thin"])
    if given.get("roll"):
        kept["secrets"] = [f"whsec_{secrets.token_hex(16)}", *kept["secrets"]][:2]
    return {"secrets": kept["secrets"], "thin": bool(kept.get("thin"))}


def _fail_refund(box: Sandbox, request: Request, given: Json) -> Json:
    return payments.fail_refund(box.shop, box.shop.find("refund", request.path_params["id"]))


def _dispute(box: Sandbox, request: Request, given: Json) -> Json:
    return payments.open_dispute(box.shop, box.shop.find("charge", request.path_params["id"]))


def _close_dispute(box: Sandbox, request: Request, given: Json) -> Json:
    found = box.shop.find("dispute", request.path_params["id"])
    return payments.close_dispute(box.shop, found, given.get("outcome", "lost"))


def _settings(box: Sandbox, request: Request, given: Json) -> Json:
    """What the account's owner chooses in the dashboard."""
    if "dunning_ends" in given:
        box.shop.dunning_ends = given["dunning_ends"]
    if "delayed_seconds" in given:
        box.shop.delayed_seconds = float(given["delayed_seconds"])
    return {"dunning_ends": box.shop.dunning_ends, "delayed_seconds": box.shop.delayed_seconds}


async def _idle(box: Sandbox, request: Request, given: Json) -> Json:
    return {"idle": await box.deliveries.idle(float(given.get("seconds", 10)))}


_ROUTES: list[tuple[str, str, Body]] = [
    ("GET", "/ready", _ready),
    ("POST", "/checkout/{id}/pay", _pay),
    ("POST", "/checkout/{id}/settle", _settle),
    ("POST", "/payment_links/{id}/open", _open),
    ("POST", "/subscriptions/{id}/portal_cancel", _portal_cancel),
    ("POST", "/clock/advance", _advance),
    ("POST", "/speed", _speed),
    ("GET", "/requests", _requests),
    ("DELETE", "/requests", _clear_requests),
    ("GET", "/deliveries", _deliveries),
    ("POST", "/deliveries/{id}/resend", _resend),
    ("POST", "/events/{id}/repeat", _repeat),
    ("GET", "/problems", _problems),
    ("POST", "/faults", _faults),
    ("POST", "/keys", _keys),
    ("POST", "/bulk", _bulk),
    ("POST", "/webhook_endpoints/{id}", _endpoint),
    ("POST", "/refunds/{id}/fail", _fail_refund),
    ("POST", "/charges/{id}/dispute", _dispute),
    ("POST", "/disputes/{id}/close", _close_dispute),
    ("POST", "/settings", _settings),
    ("POST", "/idle", _idle),
]


def routes(box: Sandbox) -> list[Route]:
    """The control API of one sandbox."""
    return [
        Route(f"/_sandbox{path}", _endpoint_of(box, do), methods=[method])
        for method, path, do in _ROUTES
    ]


def _endpoint_of(box: Sandbox, do: Body) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        given = await request.json() if await request.body() else {}
        try:
            answer = do(box, request, given)
            if isinstance(answer, Coroutine):
                answer = await answer
        except StripeFault as fault:
            return JSONResponse({"error": fault.body}, fault.status)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": {"message": f"bad request: {error!r}"}}, 400)
        box.flush()
        return JSONResponse(answer)

    return endpoint
