"""The account, its webhook endpoints and events."""

from sandbox import lists, versions
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.fields import apply
from sandbox.shop import invalid, missing
from sandbox.world import Json


@call("GET", "/v1/account")
def account(c: Call) -> Json:
    return c.shop.account


@call("GET", "/v1/accounts/{}")
def account_by_id(c: Call) -> Json:
    if c.ids[0] != c.shop.account["id"]:
        raise invalid(f"No such account: '{c.ids[0]}'", code="resource_missing", param="account")
    return c.shop.account


@call("POST", "/v1/webhook_endpoints")
def create_endpoint(c: Call) -> Json:
    params, world = c.params, c.shop.world
    if not params["url"].startswith(("http://", "https://")):
        raise invalid("Invalid URL: an explicit scheme must be provided.", param="url")
    if version := params.get("api_version"):
        versions.version_of(world.published, version, param="api_version")
    made = world.make("webhook_endpoint", "we", status="enabled")
    apply(c.shop, "webhook_endpoint", made, params)
    secret = f"whsec_{world.new_id('x', 32)[2:]}"
    world.keep(made["id"], secrets=[secret])
    c.shop.save(made)
    return {**made, "secret": secret}


@call("POST", "/v1/webhook_endpoints/{}")
def update_endpoint(c: Call) -> Json:
    found = c.find("webhook_endpoint")
    apply(c.shop, "webhook_endpoint", found, c.params, "disabled")
    if "disabled" in c.params:
        found["status"] = "disabled" if c.params["disabled"] else "enabled"
    return c.shop.save(found)


@call("DELETE", "/v1/webhook_endpoints/{}")
def delete_endpoint(c: Call) -> Json:
    found = c.find("webhook_endpoint")
    c.shop.world.forget("webhook_endpoint", found["id"])
    return {"id": found["id"], "object": "webhook_endpoint", "deleted": True}


readable("webhook_endpoint", "/v1/webhook_endpoints")
listable("webhook_endpoint", "/v1/webhook_endpoints")
EVENTS_KEPT_SECONDS = 30 * 86400


@call("GET", "/v1/events/{}")
def event(c: Call) -> Json:
    found = c.find("event")
    if found["created"] < c.shop.world.now() - EVENTS_KEPT_SECONDS:
        raise missing("event", c.ids[0])
    return _rendered(c, found)


def _rendered(c: Call, event: Json) -> Json:
    """Render an event in the account's API version, often older than the request's."""
    version = c.shop.settings.events_version
    return versions.event_in(c.shop, event, version) if version else event


@call("GET", "/v1/events")
def events(c: Call) -> Json:
    params = c.params
    types = params.get("types")
    if types and "type" in params:
        raise invalid("You may only specify one of these parameters: type, types.")
    if types and len(types) > 20:
        raise invalid("You may specify up to 20 types.", param="types")
    oldest = c.shop.world.now() - EVENTS_KEPT_SECONDS
    undelivered = params.get("delivery_success")
    equal = {"type": params["type"]} if "type" in params and "*" not in params["type"] else {}
    prefix = params.get("type", "").removesuffix("*") if "*" in params.get("type", "") else ""

    def wanted(event: Json) -> bool:
        if event["created"] < oldest or (types and event["type"] not in types):
            return False
        if undelivered is not None and undelivered == bool(event["pending_webhooks"]):
            return False
        return bool(event["type"].startswith(prefix))

    found = lists.page(c.shop, "event", "/v1/events", params, equal=equal, keep=wanted)
    return {**found, "data": [_rendered(c, row) for row in found["data"]]}
