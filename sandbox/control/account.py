"""Control: the account, its keys and webhooks, and what goes wrong."""

import secrets
from typing import Any

from sandbox.control.registry import Order, control
from sandbox.shop import StripeFault
from sandbox.world import Json


@control("GET", "/ready")
def ready(order: Order) -> Json:
    """Whether the sandbox is up, and its account's id."""
    return {"ready": True, "account": order.shop.account["id"]}


@control("GET", "/settings")
@control("POST", "/settings")
def settings(order: Order) -> Json:
    """What the account's owner chooses in the dashboard: `dunning_ends`, `retry_days`,
    `delayed_seconds`, `upcoming_days`, `billing_mode`, `dispute_cancels`, `events_version`,
    `portal_saved`."""
    order.shop.settings.update(order.given)
    shown = order.shop.settings.shown()
    if order.given:
        order.shop.world.keep("settings", **shown)
    return shown


@control("POST", "/keys")
def keys(order: Order) -> Json:
    """Make or change a restricted key: `key`, `permissions` (area of the API: `read` or `write`;
    null is everything), `revoked`."""
    given = order.given
    key = given.get("key") or f"rk_test_{secrets.token_hex(12)}"
    order.shop.world.keep(
        f"key/{key}", permissions=given.get("permissions"), revoked=bool(given.get("revoked"))
    )
    return {"key": key}


@control("POST", "/webhook_endpoints/{id}")
def endpoint(order: Order) -> Json:
    """What Stripe's API has no call for: `thin` events; `roll` the secret (both sign until
    `end_roll`)."""
    kept = order.shop.world.private.get(order.id, {})
    if "secrets" not in kept:
        raise StripeFault(404, f"No such webhook endpoint: '{order.id}'", code="resource_missing")
    given = order.given
    if "thin" in given:
        kept["thin"] = bool(given["thin"])
    if given.get("roll"):
        kept["secrets"] = [f"whsec_{secrets.token_hex(16)}", *kept["secrets"]][:2]
    if given.get("end_roll"):
        kept["secrets"] = kept["secrets"][:1]
    order.shop.world.keep(order.id, **kept)
    return {"secrets": kept["secrets"], "thin": bool(kept.get("thin"))}


@control("GET", "/requests")
def requests(order: Order) -> Json:
    """The last requests to the API, oldest first."""
    return {"data": list(order.box.api.log)}


@control("DELETE", "/requests")
def clear_requests(order: Order) -> Json:
    """Forget the requests."""
    order.box.api.log.clear()
    return {}


@control("GET", "/deliveries")
def deliveries(order: Order) -> Json:
    """The last deliveries, newest first: `limit`."""
    rows = order.shop.world.table("delivery").values()
    return {"data": rows[-int(order.query.get("limit", 100)) :][::-1]}


@control("POST", "/deliveries/{id}/resend")
def resend(order: Order) -> Json:
    """Try a delivery again at once."""
    found = order.find("delivery")
    order.box.deliveries.resend(found)
    return found


@control("POST", "/events/{id}/repeat")
def repeat(order: Order) -> Json:
    """Deliver an event again, however old it is, also one whose delivery was dropped; the Stripe
    CLI's `events resend` does the same."""
    found = order.find("event")
    order.box.deliveries.repeat(found)
    return {"event": found["id"]}


@control("GET", "/problems")
def problems(order: Order) -> Json:
    """What the checker found wrong with the sandbox's own answers and events."""
    return {"data": order.shop.problems}


@control("GET", "/faults")
@control("POST", "/faults")
def faults(order: Order) -> Json:
    """What goes wrong on purpose: names and rates; `reset` sets all to 0 first."""
    known = order.box.deliveries.faults
    given = dict(order.given)
    if given.pop("reset", False):
        known.update(dict.fromkeys(vars(known), 0))
    known.update(given)
    return dict(vars(known))


@control("POST", "/idle")
async def idle(order: Order) -> Any:
    """Wait until every delivery was tried once, at most `seconds`."""
    return {"idle": await order.box.deliveries.idle(float(order.given.get("seconds", 10)))}
