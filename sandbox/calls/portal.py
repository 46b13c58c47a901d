"""The customer portal: its configurations, and its sessions."""

from sandbox import flows, mistakes
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.fields import apply
from sandbox.shop import Shop, invalid, snapshot
from sandbox.subscriptions import portal
from sandbox.world import Json

_KIND = "billing_portal.configuration"
_URL = "/v1/billing_portal/configurations"
_PRODUCTS = "features[subscription_update][products]"
readable(_KIND, _URL)
listable(_KIND, _URL, "active", "is_default")


@call("POST", _URL)
def create_configuration(c: Call) -> Json:
    made = c.shop.world.make(_KIND, "bpc", active=True, is_default=False)
    made["updated"] = c.shop.world.now()
    _configure(c, made)
    return c.shop.save(made, f"{_KIND}.created")


@call("POST", f"{_URL}/{{}}")
def update_configuration(c: Call) -> Json:
    found = c.find(_KIND)
    made = snapshot(found)
    made["updated"] = c.shop.world.now()
    _configure(c, made)
    before = snapshot(found)
    found.update(made)
    return c.shop.save(found, f"{_KIND}.updated", before)


def _configure(c: Call, made: Json) -> None:
    """Set what the call gives; every feature that it names is filled up with its blanks. Raises
    Stripe's 400 where features don't go together."""
    apply(c.shop, _KIND, made, c.params, "features")
    features = c.params.get("features") or {}
    known, products = made["features"], portal.products_of(c.shop, made)
    for name, given in features.items():
        if "enabled" in given:
            known[name]["enabled"] = given["enabled"]
        for key, value in given.items():
            if key == "allowed_updates" or key == "default_allowed_updates":
                known[name][key] = value or []
            elif key == "products":
                products = [_offered(c, entry) for entry in value or []]
            elif key == "cancellation_reason":
                known[name][key] = {**known[name][key], **value}
            else:
                known[name][key] = value
    _check(known, products)
    c.shop.world.keep(made["id"], products=products)


def _check(features: Json, products: list[Json]) -> None:
    update, cancel = features["subscription_update"], features["subscription_cancel"]
    if update["enabled"] and not products:
        raise mistakes.missing(_PRODUCTS)
    if update["enabled"] and not features["payment_method_update"]["enabled"]:
        raise invalid("Cannot enable subscription updates while payment method update is disabled.")
    prorated = cancel["proration_behavior"]
    if prorated == "always_invoice" or (
        prorated == "create_prorations" and cancel["mode"] != "immediately"
    ):
        raise invalid(
            f"A proration behavior of {prorated} isn't possible with the mode {cancel['mode']}.",
            param="features[subscription_cancel][proration_behavior]",
        )


def _offered(c: Call, entry: Json) -> Json:
    """A product the portal offers. Raises Stripe's 400 if it or a price of it doesn't exist."""
    c.shop.find("product", entry["product"], param=_PRODUCTS)
    for price in entry["prices"]:
        c.shop.find("price", price, param=_PRODUCTS)
    quantity = {"enabled": False, "minimum": 1, "maximum": None}
    return {**entry, "adjustable_quantity": quantity | (entry.get("adjustable_quantity") or {})}


call("POST", "/v1/billing_portal/sessions")(lambda c: open_portal(c.shop, c.params))


def open_portal(shop: Shop, params: Json) -> Json:
    """A session of the customer portal. Without a configuration it takes the account's default one,
    which its owner must have saved. Raises Stripe's 400 where there is none."""
    world = shop.world
    customer = shop.find("customer", params.get("customer"), param="customer")
    if given := params.get("configuration"):
        configuration = shop.find(_KIND, given, param="configuration")
        if not configuration["active"]:
            raise invalid(f"The configuration {given} is not active.", param="configuration")
    else:
        configuration = _default_configuration(shop)
    made = world.make(
        "billing_portal.session",
        "bps",
        customer=customer["id"],
        return_url=params.get("return_url") or configuration["default_return_url"],
        configuration=configuration["id"],
        locale=params.get("locale"),
    )
    made["url"] = f"{world.base_url}/p/session/{made['id']}"
    if flow := params.get("flow_data"):
        made["flow"] = flows.begin(shop, flow, customer=customer, configuration=configuration)
    return shop.save(made, "billing_portal.session.created")


def _default_configuration(shop: Shop) -> Json:
    table = shop.world.table(_KIND)
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
    made = shop.world.make(_KIND, "bpc", active=True, is_default=True)
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
    features["subscription_cancel"]["cancellation_reason"] |= {
        "enabled": True,
        "options": ["too_expensive", "missing_features", "switched_service", "unused", "other"],
    }
    features["subscription_update"]["default_allowed_updates"] = ["price"]
    features["subscription_update"]["proration_behavior"] = "create_prorations"
    features["customer_update"]["allowed_updates"] = ["email", "name"]
    return shop.world.store(made)
