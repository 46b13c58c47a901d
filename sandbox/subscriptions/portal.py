"""Changes customers make to their subscriptions in the portal."""

from sandbox.shop import Shop, invalid
from sandbox.subscriptions import changes, endings, items, pauses, schedules
from sandbox.world import Json


def cancel(shop: Shop, found: Json, *, immediately: bool = False, prorate: bool = False) -> Json:
    """Cancel at the period's end: with flexible billing that sets `cancel_at` alone, and the date
    doesn't follow the period. Or `immediately`, where the configuration says so; it may `prorate`
    then."""
    if immediately:
        return endings.cancel(shop, found, prorate=prorate)
    if found["billing_mode"]["type"] == "classic":
        return changes.update(shop, found, {"cancel_at_period_end": True})
    return changes.update(shop, found, {"cancel_at": items.last_end(found)})


def give_reason(shop: Shop, found: Json, *, feedback: str | None, comment: str | None) -> Json:
    """Record why it was cancelled. Stripe asks after the cancellation, so this is a separate
    update."""
    details = {"feedback": feedback or None, "comment": comment or None}
    if not any(details.values()):
        return found
    return changes.update(shop, found, {"cancellation_details": details})


def undo(shop: Shop, found: Json) -> Json:
    """Undo a scheduled cancellation."""
    if not found["cancel_at"]:
        raise invalid("This subscription isn't cancelled.")
    return changes.update(shop, found, {"cancel_at": ""})


def check_switch(found: Json) -> None:
    """Raise Stripe's 400 for a subscription that can't be switched in the portal."""
    if len(items.rows(found)) != 1:
        raise invalid("A subscription with several products can only be cancelled here.")
    if found["schedule"]:
        raise invalid("This subscription already has a scheduled change.")


def products_of(shop: Shop, configuration: Json) -> list[Json]:
    """The products that a configuration offers, with their prices. Stripe shows them on request."""
    found: list[Json] = shop.world.private.get(configuration["id"], {}).get("products") or []
    return found


def offers(shop: Shop, configuration: Json, price: str) -> bool:
    """Whether a configuration offers a price. One without products, as the account's own is, offers
    all."""
    products = products_of(shop, configuration)
    return not products or any(price in product["prices"] for product in products)


def switch(
    shop: Shop,
    found: Json,
    *,
    price: str,
    quantity: int | None = None,
    at_period_end: bool = False,
    proration_behavior: str = "create_prorations",
) -> Json:
    """Switch to another price, now or by a schedule when the current period ends."""
    check_switch(found)
    item = items.rows(found)[0]
    wanted = {"price": price, "quantity": quantity or item["quantity"] or 1}
    if at_period_end:
        schedules.plan_switch(shop, found, wanted)
        return found
    params: Json = {
        "items": [{"id": item["id"], **wanted}],
        "proration_behavior": proration_behavior,
        "payment_behavior": "pending_if_incomplete",
    }
    if found["status"] == "trialing":
        params["trial_end"] = "now"
    return changes.update(shop, found, params)


def pause(shop: Shop, found: Json) -> Json:
    """Pause the subscription."""
    return pauses.pause(shop, found, {})


def resume(shop: Shop, found: Json) -> Json:
    """Resume a paused subscription."""
    return pauses.resume(shop, found, {})
