"""The account, its webhook endpoints, events and portal configurations."""

from sandbox import lists, versions
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.fields import apply
from sandbox.shop import Shop, invalid, missing, snapshot
from sandbox.subscriptions import LIVE
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


@call("POST", "/v1/billing_portal/configurations")
def create_configuration(c: Call) -> Json:
    made = c.shop.world.make("billing_portal.configuration", "bpc", active=True, is_default=False)
    made["updated"] = c.shop.world.now()
    _configure(c, made)
    return c.shop.save(made, "billing_portal.configuration.created")


@call("POST", "/v1/billing_portal/configurations/{}")
def update_configuration(c: Call) -> Json:
    found = c.find("billing_portal.configuration")
    before = snapshot(found)
    found["updated"] = c.shop.world.now()
    _configure(c, found)
    return c.shop.save(found, "billing_portal.configuration.updated", before)


def _configure(c: Call, made: Json) -> None:
    """Set what the call gives; every feature that it names is filled up with its blanks."""
    apply(c.shop, "billing_portal.configuration", made, c.params, "features")
    features = c.params.get("features") or {}
    known = made["features"]
    for name, given in features.items():
        if "enabled" in given:
            known[name]["enabled"] = given["enabled"]
        for key, value in given.items():
            if key == "allowed_updates" or key == "default_allowed_updates":
                known[name][key] = value or []
            elif key == "products":
                known[name][key] = [_offered(c, entry) for entry in value or []]
            elif key == "cancellation_reason":
                known[name][key] = {**known[name][key], **value}
            else:
                known[name][key] = value


def _offered(c: Call, entry: Json) -> Json:
    """A product the portal offers. Raises Stripe's 400 if it doesn't exist."""
    c.shop.find("product", entry["product"], param="features[subscription_update][products]")
    quantity = {"enabled": False, "minimum": 1, "maximum": None}
    return {**entry, "adjustable_quantity": quantity | (entry.get("adjustable_quantity") or {})}


readable("billing_portal.configuration", "/v1/billing_portal/configurations")
listable(
    "billing_portal.configuration", "/v1/billing_portal/configurations", "active", "is_default"
)


@call("POST", "/v1/billing_portal/sessions")
def create_portal_session(c: Call) -> Json:
    return open_portal(c.shop, c.params)


def open_portal(shop: Shop, params: Json) -> Json:
    """A session of the customer portal. Without a configuration it takes the account's default one,
    which its owner must have saved. Raises Stripe's 400 where there is none."""
    world = shop.world
    customer = shop.find("customer", params.get("customer"), param="customer")
    if given := params.get("configuration"):
        configuration = shop.find("billing_portal.configuration", given, param="configuration")
        if not configuration["active"]:
            raise invalid(f"The configuration {given} is not active.", param="configuration")
    else:
        configuration = _default_configuration(shop)
    _check_flow(shop, customer, params.get("flow_data") or {})
    made = world.make(
        "billing_portal.session",
        "bps",
        customer=customer["id"],
        return_url=params.get("return_url") or configuration["default_return_url"],
        configuration=configuration["id"],
    )
    made["url"] = f"{world.base_url}/p/session/{made['id']}"
    if given := params.get("flow_data"):
        made["flow"] = _flow(shop, given)
    world.keep(made["id"], flow=given)
    return shop.save(made, "billing_portal.session.created")


_FLOWS: dict[str, Json] = {
    "subscription_cancel": {"retention": None},
    "subscription_pause": {},
    "subscription_update": {},
    "subscription_update_confirm": {"discounts": None},
}
"""What a session leads to straight away, with what else Stripe shows of it."""


def _flow(shop: Shop, given: Json) -> Json:
    """What a session shows of the flow it leads to. Raises Stripe's errors for one that lacks what
    it is about, or whose subscription doesn't exist."""
    kind, after = given["type"], given.get("after_completion") or {}
    if kind in _FLOWS and not given.get(kind):
        name = f"flow_data[{kind}]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    for name in _FLOWS:
        if given.get(name):
            where = f"flow_data[{name}][subscription]"
            shop.find("subscription", given[name]["subscription"], param=where)
    confirmation = {"custom_message": None, **(after.get("hosted_confirmation") or {})}
    completion = after.get("type", "portal_homepage")
    shown: Json = {
        "type": kind,
        "customer_update": None,
        "after_completion": {
            "type": completion,
            "redirect": after.get("redirect"),
            "hosted_confirmation": confirmation if completion == "hosted_confirmation" else None,
        },
    }
    for name, blank in _FLOWS.items():
        shown[name] = {**blank, **given[name]} if given.get(name) else None
    if confirm := shown["subscription_update_confirm"]:
        confirm["items"] = [
            {"price": None, **entry, "id": entry["id"]} for entry in confirm["items"]
        ]
    return shown


def _check_flow(shop: Shop, customer: Json, flow: Json) -> None:
    """Refuse to cancel what is over or already set to end."""
    if flow.get("type") != "subscription_cancel" or not flow.get("subscription_cancel"):
        return
    name = "flow_data[subscription_cancel][subscription]"
    found = shop.find("subscription", flow["subscription_cancel"]["subscription"], param=name)
    if found["customer"] != customer["id"]:
        raise invalid(f"The subscription {found['id']} isn't the customer's.", param=name)
    if found["status"] not in LIVE or found["cancel_at"]:
        raise invalid(f"The subscription {found['id']} is already canceled.", param=name)


def _default_configuration(shop: Shop) -> Json:
    table = shop.world.table("billing_portal.configuration")
    known = next((row for row in table.values() if row["is_default"]), None)
    if known is not None:
        return known
    if not shop.settings.portal_saved:
        raise invalid(
            "No configuration provided and your test mode default configuration has not been"
            " created. Provide a configuration or create your default by saving your customer"
            " portal settings in test mode at"
            " https://dashboard.stripe.com/test/settings/billing/portal."
        )
    made = shop.world.make("billing_portal.configuration", "bpc", active=True, is_default=True)
    made["updated"] = shop.world.now()
    features = made["features"]
    for name in (
        "customer_update",
        "invoice_history",
        "payment_method_update",
        "subscription_cancel",
        "subscription_update",
    ):
        features[name]["enabled"] = True
    features["subscription_cancel"]["mode"] = "at_period_end"
    features["subscription_cancel"]["cancellation_reason"] |= {
        "enabled": True,
        "options": ["too_expensive", "missing_features", "switched_service", "unused", "other"],
    }
    features["subscription_update"]["default_allowed_updates"] = ["price"]
    features["customer_update"]["allowed_updates"] = ["email", "name"]
    return shop.world.store(made)
