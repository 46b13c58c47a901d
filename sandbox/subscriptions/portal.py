"""What customers do to their subscriptions in the portal."""

from sandbox.shop import Shop, invalid
from sandbox.subscriptions import changes, endings, items, pauses, schedules
from sandbox.world import Json


def cancel(shop: Shop, found: Json, *, immediately: bool = False) -> Json:
    """Cancel at the period's end: with flexible billing that sets `cancel_at` alone, and the date
    doesn't follow the period. Or `immediately`, where the configuration says so."""
    if immediately:
        return endings.cancel(shop, found)
    if found["billing_mode"]["type"] == "classic":
        return changes.update(shop, found, {"cancel_at_period_end": True})
    return changes.update(shop, found, {"cancel_at": items.last_end(found)})


def give_reason(shop: Shop, found: Json, *, feedback: str | None, comment: str | None) -> Json:
    """Say why it was cancelled: Stripe asks once that is done, so it is an update of its own."""
    details = {"feedback": feedback or None, "comment": comment or None}
    if not any(details.values()):
        return found
    return changes.update(shop, found, {"cancellation_details": details})


def undo(shop: Shop, found: Json) -> Json:
    """Let a subscription go on that was to end."""
    if not found["cancel_at"]:
        raise invalid("This subscription isn't cancelled.")
    return changes.update(shop, found, {"cancel_at": ""})


def switch(
    shop: Shop,
    found: Json,
    *,
    price: str,
    quantity: int | None = None,
    at_period_end: bool = False,
    proration_behavior: str = "create_prorations",
) -> Json:
    """Change to another price: now, or by a schedule when the period is over."""
    if len(items.rows(found)) != 1:
        raise invalid("A subscription with several products can only be cancelled here.")
    if found["schedule"]:
        raise invalid("A change of this subscription is planned already.")
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
    """Take a paused subscription up again."""
    return pauses.resume(shop, found, {})
