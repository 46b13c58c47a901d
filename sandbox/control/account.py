"""Control: the account, its keys, webhooks and faults."""

import secrets
from typing import Any

from sandbox import configurations
from sandbox.control.registry import Command, control
from sandbox.shop import StripeApiError
from sandbox.world import Json


@control("GET", "/ready")
def ready(command: Command) -> Json:
    """Whether the sandbox is ready, and the id of its account."""
    return {"ready": True, "account": command.shop.account["id"]}


@control("GET", "/settings")
@control("POST", "/settings")
def settings(command: Command) -> Json:
    """The settings an owner makes in the Dashboard: `dunning_ends`, `retry_days`,
    `delayed_seconds`, `upcoming_days`, `expiring_days`, `billing_mode`, `dispute_cancels`,
    `events_version`, `portal_saved`, `country`, `adaptive_pricing`, `invoice_payment_methods`,
    `customer_accounts` (`none`, `beside` or `alone`)."""
    command.shop.set_up(command.body)
    shown = command.shop.settings.shown()
    if command.body:
        command.shop.world.keep("settings", **shown)
    return shown


@control("POST", "/payment_methods")
def payment_methods(command: Command) -> Json:
    """Which payment methods the account's default configuration has on: `on`, a list. The rest is
    off."""
    found = configurations.default(command.shop)
    return command.shop.save(configurations.choose(found, command.body.get("on", ())))


@control("POST", "/keys")
def keys(command: Command) -> Json:
    """Create or change a restricted key: `key`, `permissions` (from area of the API to `read` or
    `write`; null allows everything), `revoked`."""
    body = command.body
    key = body.get("key") or f"rk_test_{secrets.token_hex(12)}"
    command.shop.world.keep(
        f"key/{key}", permissions=body.get("permissions"), revoked=bool(body.get("revoked"))
    )
    return {"key": key}


@control("POST", "/webhook_endpoints/{id}")
def endpoint(command: Command) -> Json:
    """Do what Stripe's API has no call for: send `thin` events; `roll` the signing secret (both
    secrets sign until `end_roll`)."""
    kept = command.shop.world.private.get(command.id, {})
    if "secrets" not in kept:
        raise StripeApiError(
            404, f"No such webhook endpoint: '{command.id}'", code="resource_missing"
        )
    body = command.body
    if "thin" in body:
        kept["thin"] = bool(body["thin"])
    if body.get("roll"):
        kept["secrets"] = [f"whsec_{secrets.token_hex(16)}", *kept["secrets"]][:2]
    if body.get("end_roll"):
        kept["secrets"] = kept["secrets"][:1]
    command.shop.world.keep(command.id, **kept)
    return {"secrets": kept["secrets"], "thin": bool(kept.get("thin"))}


@control("GET", "/requests")
def requests(command: Command) -> Json:
    """The latest API requests, oldest first."""
    return {"data": list(command.box.api.log)}


@control("DELETE", "/requests")
def clear_requests(command: Command) -> Json:
    """Clear the list of requests."""
    command.box.api.log.clear()
    return {}


@control("GET", "/deliveries")
def deliveries(command: Command) -> Json:
    """The latest deliveries, newest first, at most `limit`."""
    rows = command.shop.world.table("delivery").values()
    return {"data": rows[-int(command.query.get("limit", 100)) :][::-1]}


@control("POST", "/deliveries/{id}/resend")
def resend(command: Command) -> Json:
    """Attempt a delivery again now."""
    delivery = command.find("delivery")
    command.box.deliveries.resend(delivery)
    return delivery


@control("POST", "/events/{id}/repeat")
def repeat(command: Command) -> Json:
    """Deliver an event again, however old it is and even if its delivery was dropped."""
    event = command.find("event")
    command.box.deliveries.repeat(event)
    return {"event": event["id"]}


@control("GET", "/problems")
def problems(command: Command) -> Json:
    """Mistakes the checker found in the sandbox's own answers and events."""
    return {"data": command.shop.problems}


@control("GET", "/faults")
@control("POST", "/faults")
def faults(command: Command) -> Json:
    """The faults by name, with their rates; `reset` turns all of them off first."""
    known = command.box.deliveries.faults
    body = dict(command.body)
    if body.pop("reset", False):
        command.box.deliveries.set_faults(dict.fromkeys(vars(known), 0))
    command.box.deliveries.set_faults(body)
    return dict(vars(known))


@control("POST", "/idle")
async def idle(command: Command) -> Any:
    """Wait until every delivery has been attempted once, at most `seconds`."""
    return {"idle": await command.box.deliveries.idle(float(command.body.get("seconds", 10)))}
