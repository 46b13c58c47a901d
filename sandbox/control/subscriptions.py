"""Control: what customers and billing settings do to subscriptions."""

from sandbox.control.registry import Command, control
from sandbox.shop import invalid
from sandbox.subscriptions import dunning, items, pauses, portal
from sandbox.world import Json


@control("POST", "/subscriptions/{id}/portal_cancel")
def portal_cancel(command: Command) -> Json:
    """Cancel in the customer portal and give a reason: `feedback` and `comment`; `immediately`, if
    the portal's configuration allows it."""
    body = command.body
    subscription = command.find("subscription")
    portal.cancel(command.shop, subscription, immediately=bool(body.get("immediately")))
    return portal.give_reason(
        command.shop, subscription, feedback=body.get("feedback"), comment=body.get("comment")
    )


@control("POST", "/subscriptions/{id}/portal_undo")
def portal_undo(command: Command) -> Json:
    """Undo a cancellation in the customer portal."""
    return portal.undo(command.shop, command.find("subscription"))


@control("POST", "/subscriptions/{id}/portal_switch")
def portal_switch(command: Command) -> Json:
    """Switch to another `price` and `quantity` in the customer portal; `at_period_end` schedules
    it."""
    body = command.body
    return portal.switch(
        command.shop,
        command.find("subscription"),
        price=body["price"],
        quantity=body.get("quantity"),
        at_period_end=bool(body.get("at_period_end")),
        proration_behavior=body.get("proration_behavior", "create_prorations"),
    )


@control("POST", "/subscriptions/{id}/pause")
def pause(command: Command) -> Json:
    """Pause with a `reason` from `status_details.paused.subscription.type`, whatever the account's
    settings say."""
    reason = command.body.get("reason", "pause_requested")
    if reason not in pauses.REASONS:
        raise invalid(f"The reason must be one of {', '.join(pauses.REASONS)}.", param="reason")
    subscription = command.find("subscription")
    if subscription["status"] not in items.LIVE:
        raise invalid(f"The subscription is {subscription['status']}.")
    return pauses.stop(command.shop, subscription, reason)


@control("POST", "/subscriptions/{id}/end_dunning")
def end_dunning(command: Command) -> Json:
    """End dunning now: do what the account's settings say once every attempt has failed."""
    subscription = command.find("subscription")
    if subscription["status"] != "past_due":
        raise invalid(f"The subscription is {subscription['status']}, not past_due.")
    dunning.over(command.shop, subscription)
    return subscription
