"""Flows of the customer portal: sessions that are there for one thing alone."""

from sandbox import mistakes
from sandbox.shop import Shop, StripeApiError, invalid, missing
from sandbox.subscriptions import LIVE, items, portal
from sandbox.world import Json

FEATURES = {
    "customer_update": "customer_update",
    "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel",
    "subscription_pause": "subscription_pause",
    "subscription_update": "subscription_update",
    "subscription_update_confirm": "subscription_update",
}
"""What the portal's configuration must have on for a flow."""
_OF_SUBSCRIPTIONS: dict[str, Json] = {
    "subscription_cancel": {"retention": None},
    "subscription_pause": {},
    "subscription_update": {},
    "subscription_update_confirm": {"discounts": None},
}
"""Flows that are about a subscription, with what else Stripe shows of them."""


def begin(shop: Shop, given: Json, *, customer: Json, configuration: Json) -> Json:
    """What a session shows of the flow that it leads to. Raises Stripe's errors for one that can't
    be completed."""
    kind = given["type"]
    found = _subject(shop, given, customer) if kind in _OF_SUBSCRIPTIONS else {}
    if not configuration["features"][FEATURES[kind]]["enabled"]:
        raise _disabled(kind)
    match kind:
        case "subscription_cancel":
            _check_cancel(found)
        case "subscription_pause":
            _check_live(found, "paused")
        case "subscription_update":
            _check_update(found)
        case "subscription_update_confirm":
            _check_confirmation(shop, found, given[kind]["items"], configuration)
    for other in _OF_SUBSCRIPTIONS:
        if given.get(other) and other != kind:
            name = f"flow_data[{other}]"
            raise invalid(f"`{name}` doesn't belong to a flow of the type {kind}.", param=name)
    shown: Json = {
        "type": kind,
        "customer_update": {} if kind == "customer_update" else None,
        "after_completion": _completion(given.get("after_completion") or {}),
    }
    for name, blank in _OF_SUBSCRIPTIONS.items():
        shown[name] = {**blank, **given[name]} if name == kind else None
    if confirm := shown["subscription_update_confirm"]:
        confirm["items"] = [{"price": None, **entry} for entry in confirm["items"]]
    return shown


def _subject(shop: Shop, given: Json, customer: Json) -> Json:
    """The customer's subscription that a flow is about."""
    kind = given["type"]
    if not given.get(kind):
        raise mistakes.missing(f"flow_data[{kind}]")
    param = f"flow_data[{kind}][subscription]"
    found = shop.find("subscription", given[kind]["subscription"], param=param)
    if found["customer"] != customer["id"]:
        raise invalid(f"The subscription {found['id']} isn't the customer's.", param=param)
    return found


def _completion(after: Json) -> Json:
    """What follows a completed flow."""
    kind = after.get("type", "portal_homepage")
    if kind == "redirect" and not after.get("redirect"):
        raise mistakes.missing("flow_data[after_completion][redirect]")
    for name in ("redirect", "hosted_confirmation"):
        if after.get(name) and name != kind:
            param = f"flow_data[after_completion][{name}]"
            raise invalid(f"`{param}` doesn't belong to the type {kind}.", param=param)
    confirmation = {"custom_message": None, **(after.get("hosted_confirmation") or {})}
    return {
        "type": kind,
        "redirect": after.get("redirect"),
        "hosted_confirmation": confirmation if kind == "hosted_confirmation" else None,
    }


def _disabled(kind: str) -> StripeApiError:
    feature = FEATURES[kind].replace("_", " ")
    if kind in ("subscription_update", "subscription_update_confirm"):
        what = "This subscription cannot be updated"
    else:
        what = "This flow cannot be used"
    return invalid(f"{what} because the {feature} feature in the portal configuration is disabled.")


def _check_live(found: Json, what: str) -> None:
    if found["status"] not in LIVE:
        raise invalid(
            f"The subscription {found['id']} cannot be {what} because it is {found['status']}."
        )


def _check_cancel(found: Json) -> None:
    """Refuse to cancel what is over or already set to end."""
    _check_live(found, "canceled")
    if found["cancel_at"]:
        raise invalid(
            f"The subscription {found['id']} is already set to be canceled at period end."
        )


def _check_update(found: Json) -> None:
    _check_live(found, "updated")
    portal.check_switch(found)


def _check_confirmation(shop: Shop, found: Json, wanted: list[Json], configuration: Json) -> None:
    """Refuse an update that the portal couldn't make, or that changes nothing."""
    _check_update(found)
    where = "flow_data[subscription_update_confirm][items]"
    if len(wanted) != 1:
        raise invalid("Only one item of a subscription can be updated.", param=where)
    (row,) = items.rows(found)
    (entry,) = wanted
    if entry["id"] != row["id"]:
        raise missing("subscription_item", entry["id"], param=f"{where}[0][id]")
    old = {"price": row["price"]["id"], "quantity": row["quantity"]}
    changed = {name: entry[name] for name in old if entry.get(name) not in (None, old[name])}
    if not changed:
        raise invalid("Cannot update the subscription because there are no changes to confirm.")
    if "price" in changed:
        shop.find("price", changed["price"], param=f"{where}[0][price]")
    update = configuration["features"]["subscription_update"]
    for name, value in changed.items():
        refused = (
            f"The item `{row['id']}` cannot be updated to {name} `{value}` because the"
            f" configuration `{configuration['id']}` does not include"
        )
        if name not in update["default_allowed_updates"]:
            allowed = "`features[subscription_update][default_allowed_updates]`"
            raise invalid(f"{refused} `{name}` in its {allowed}.")
        if name == "price" and not portal.offers(shop, configuration, value):
            raise invalid(f"{refused} the price in its `features[subscription_update][products]`.")
