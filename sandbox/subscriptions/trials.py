"""Ends of trials."""

from sandbox import invoices
from sandbox.shop import Shop
from sandbox.subscriptions import endings, pauses
from sandbox.world import Json


def goes_on(shop: Shop, found: Json) -> bool:
    """Whether a subscription continues after its trial. Without a payment method it may be
    cancelled or paused here instead, as its trial settings say."""
    if invoices.default_method(shop, found) is not None:
        return True
    match found["trial_settings"]["end_behavior"]["missing_payment_method"]:
        case "cancel":
            endings.cancel(shop, found, reason="cancellation_requested")
        case "pause":
            pauses.stop(shop, found, "trial_end_without_payment_method")
        case _:
            return True
    return False
