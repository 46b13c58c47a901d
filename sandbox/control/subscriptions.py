"""Control: what customers and time do to subscriptions."""

from sandbox.control.registry import Order, control
from sandbox.shop import invalid
from sandbox.subscriptions import dunning, items, pauses, portal
from sandbox.world import Json


@control("POST", "/subscriptions/{id}/portal_cancel")
def portal_cancel(order: Order) -> Json:
    """Cancel in the customer portal, and then give a reason: `feedback` and `comment`;
    `immediately` as a configuration may allow."""
    given = order.given
    found = order.find("subscription")
    portal.cancel(order.shop, found, immediately=bool(given.get("immediately")))
    return portal.give_reason(
        order.shop, found, feedback=given.get("feedback"), comment=given.get("comment")
    )


@control("POST", "/subscriptions/{id}/portal_undo")
def portal_undo(order: Order) -> Json:
    """Take a cancellation back in the customer portal."""
    return portal.undo(order.shop, order.find("subscription"))


@control("POST", "/subscriptions/{id}/portal_switch")
def portal_switch(order: Order) -> Json:
    """Switch to another `price` in the customer portal, with `quantity`; `at_period_end` makes a
    schedule of it."""
    given = order.given
    return portal.switch(
        order.shop,
        order.find("subscription"),
        price=given["price"],
        quantity=given.get("quantity"),
        at_period_end=bool(given.get("at_period_end")),
        proration_behavior=given.get("proration_behavior", "create_prorations"),
    )


@control("POST", "/subscriptions/{id}/pause")
def pause(order: Order) -> Json:
    """Pause for a `reason` of `status_details.paused.subscription.type`, whatever the account's
    settings are."""
    reason = order.given.get("reason", "pause_requested")
    if reason not in pauses.REASONS:
        raise invalid(f"The reason is one of {', '.join(pauses.REASONS)}.", param="reason")
    found = order.find("subscription")
    if found["status"] not in items.LIVE:
        raise invalid(f"The subscription is {found['status']}.")
    return pauses.stop(order.shop, found, reason)


@control("POST", "/subscriptions/{id}/end_dunning")
def end_dunning(order: Order) -> Json:
    """Do now what the account's settings say about payments that failed for good."""
    found = order.find("subscription")
    if found["status"] != "past_due":
        raise invalid(f"The subscription is {found['status']}, not past_due.")
    dunning.over(order.shop, found)
    return found
