"""Updates that wait for their payment (`payment_behavior=pending_if_incomplete`)."""

from sandbox import invoices
from sandbox.shop import Shop, snapshot
from sandbox.subscriptions import agenda, proration
from sandbox.world import Json

EXPIRE_SECONDS = 23 * 3600
CARRIED = ("items", "billing_cycle_anchor", "trial_end", "trial_start", "status")
"""The parts of a subscription that a pending update can change."""


def put_back(shop: Shop, found: Json, before: Json) -> None:
    """Restore a subscription to what it was before an update, sharing its prices again."""
    for key in CARRIED:
        found[key] = before[key]
    share_prices(shop, found)


def share_prices(shop: Shop, found: Json) -> None:
    """Make the items share the world's prices, since copies would go stale."""
    prices = shop.world.table("price")
    for item in found["items"]["data"]:
        item["price"] = prices.get(item["price"]["id"]) or item["price"]


def hold(shop: Shop, found: Json, before: Json, debits: Json, bill: Json) -> None:
    """Put an update on hold until its invoice is paid, for 23 hours at most."""
    wanted = snapshot({key: found[key] for key in CARRIED})
    billed = proration.debits_of(shop, found)
    put_back(shop, found, before)
    proration.put_debits(shop, debits)
    expires = shop.world.now() + shop.world.span(EXPIRE_SECONDS)
    shop.world.keep(found["id"], pending=wanted, pending_bill=bill["id"], pending_debits=billed)
    anchor = wanted["billing_cycle_anchor"]
    found["pending_update"] = {
        "billing_cycle_anchor": None if anchor == found["billing_cycle_anchor"] else anchor,
        "cancel_at_period_end": None,
        "discount": None,
        "discounts": None,
        "expires_at": expires,
        "metadata": None,
        "subscription_items": wanted["items"]["data"],
        "trial_end": None if wanted["trial_end"] == found["trial_end"] else wanted["trial_end"],
        "trial_from_plan": None,
    }


def bill_settled(shop: Shop, found: Json, bill: Json) -> bool:
    """Apply or drop the update that waits for this invoice. Returns whether there is one."""
    kept = shop.world.private.get(found["id"], {})
    if not found["pending_update"] or kept.get("pending_bill") != bill["id"]:
        return False
    if bill["status"] != "paid":
        expire(shop, found)
        return True
    before = snapshot(found)
    with shop.row():
        put_back(shop, found, kept["pending"])
        proration.put_debits(shop, kept["pending_debits"])
        _forget(shop, found)
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.pending_update_applied", found)
    agenda.plan(shop, found)
    return True


def expire(shop: Shop, found: Json) -> None:
    """Due work: the update wasn't paid for in time."""
    if not found["pending_update"]:
        return
    before = snapshot(found)
    bill = shop.world.table("invoice").get(shop.world.private[found["id"]].get("pending_bill"))
    with shop.row():
        _forget(shop, found)
        if bill is not None and bill["status"] == "open":
            invoices.void(shop, bill)
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.pending_update_expired", found)
    agenda.plan(shop, found)


def _forget(shop: Shop, found: Json) -> None:
    found["pending_update"] = None
    shop.world.keep(found["id"], pending=None, pending_bill=None, pending_debits=None)
