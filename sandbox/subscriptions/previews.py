"""Previews of invoices that don't exist yet."""

from sandbox import invoices
from sandbox.shop import Shop, StripeFault
from sandbox.subscriptions import items, proration
from sandbox.world import Json


def preview(shop: Shop, params: Json) -> Json:
    """The next invoice of a subscription, as it is or as `subscription_details` would make it, or
    the first one of a subscription that isn't there yet. Nothing of it is kept."""
    world = shop.world
    details = params.get("subscription_details") or {}
    wanted = details.get("items") or []
    given = params.get("subscription")
    shop.silent, silent = True, shop.silent
    try:
        if given:
            found, lines = _next(shop, given, details, wanted)
        else:
            found, lines = _first(shop, params, details, wanted)
        customer = shop.find("customer", found["customer"], param="customer")
        made = invoices.draft(
            shop,
            customer=customer,
            lines=lines + invoices.take_pending(shop, customer["id"], found["id"]),
            currency=found["currency"],
            reason="upcoming" if given else "subscription_create",
            subscription=found,
            discounts=list(found["discounts"]),
        )
        world.forget("invoice", made["id"])
    finally:
        shop.silent = silent
    made["id"] = f"upcoming_{made['id']}"
    for line in made["lines"]["data"]:
        line["invoice"] = made["id"]
    if not given:
        made["parent"]["subscription_details"]["subscription"] = None
    return made


def _next(shop: Shop, given: str, details: Json, wanted: list[Json]) -> tuple[Json, list[Json]]:
    found = shop.world.copy(shop.find("subscription", given, param="subscription"))
    end = items.first_end(found)
    ends_before = found["cancel_at"] and found["cancel_at"] <= end
    if found["status"] not in items.LIVE or ends_before or details.get("cancel_at_period_end"):
        raise StripeFault(404, "No upcoming invoices", code="invoice_upcoming_none")
    old = shop.world.copy({"data": items.rows(found)})["data"]
    lines = []
    if wanted:
        items.change_items(shop, found, wanted)
        if details.get("proration_behavior") != "none":
            at = details.get("proration_date") or shop.world.now()
            lines = proration.of_change(shop, found, old, at)
    due = [item for item in items.rows(found) if item["current_period_end"] <= end]
    items.begin_periods(shop, found, end, only=due)
    return found, lines + items.lines(shop, found, only=due)


def _first(shop: Shop, params: Json, details: Json, wanted: list[Json]) -> tuple[Json, list[Json]]:
    world = shop.world
    found = world.make("subscription", "sub", customer=params.get("customer"), metadata={})
    found["billing_mode"] = {"type": "flexible", "flexible": None}
    found["billing_cycle_anchor"] = world.now()
    items.set_items(shop, found, wanted)
    items.begin_periods(shop, found, world.now())
    return found, items.lines(shop, found)
