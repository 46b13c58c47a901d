"""Retries failed subscription invoices, and decides what happens to their subscriptions."""

from sandbox import invoices
from sandbox.shop import Shop, snapshot
from sandbox.subscriptions import agenda, endings, pauses, pending
from sandbox.world import Json


def attempt(shop: Shop, bill: Json) -> None:
    """Attempt to collect an open invoice, and update its subscription accordingly."""
    if bill["status"] != "open":
        return
    with shop.row():
        outcome = invoices.collect(shop, bill, method=invoices.default_method(shop, bill))
        if outcome == "paid":
            settled(shop, bill)
        elif outcome != "processing":
            failed(shop, bill)


def failed(shop: Shop, bill: Json) -> None:
    """An attempt failed: schedule the next, or do what the account's settings say."""
    more = invoices.plan_retry(shop, bill)
    shop.save(bill)
    found = invoices.subscription_of(shop, bill)
    if found is None or found["status"] not in ("active", "past_due", "trialing"):
        return
    first = found["status"] != "past_due"
    _set_status(shop, found, "past_due")
    if first and shop.settings.dunning_ends == "pause_at_first":
        _pause(shop, found, "first_payment_failure")
    elif not more:
        over(shop, found)


def over(shop: Shop, found: Json) -> None:
    """Every attempt has failed: do what the account's settings say."""
    match shop.settings.dunning_ends:
        case "cancel":
            endings.cancel(shop, found, reason="payment_failed")
        case "unpaid":
            _set_status(shop, found, "unpaid")
        case "pause":
            _pause(shop, found, "final_payment_failure")


def _pause(shop: Shop, found: Json, why: str) -> None:
    """Pause a subscription, or cancel it if it can't be paused."""
    if found["billing_mode"]["type"] == "flexible" and not found["schedule"]:
        pauses.stop(shop, found, why)
    else:
        endings.cancel(shop, found, reason="payment_failed")


def _set_status(shop: Shop, found: Json, status: str) -> None:
    before = snapshot(found)
    found["status"] = status
    shop.save(found, "customer.subscription.updated", before)
    agenda.plan(shop, found)


def settled(shop: Shop, bill: Json) -> None:
    """A paid, voided or uncollectible invoice activates its subscription, or reactivates it."""
    found = invoices.subscription_of(shop, bill)
    if found is None:
        return
    if pending.bill_settled(shop, found, bill) or pauses.bill_settled(shop, found, bill):
        return
    if found["status"] == "incomplete" and bill["status"] == "paid":
        _set_status(shop, found, "trialing" if found["trial_end"] else "active")
    elif found["status"] in ("past_due", "unpaid") and _up_to_date(shop, found):
        _set_status(shop, found, "active")


def _up_to_date(shop: Shop, found: Json) -> bool:
    """Whether the latest finalized invoice is settled."""
    bills = shop.world.table("invoice").newest_first(
        {"subscription": found["id"]}, before=None, after=None
    )
    latest = next((bill for bill in bills if bill["status"] != "draft"), None)
    return latest is None or latest["status"] != "open"


def overdue(shop: Shop, bill: Json) -> None:
    """Due work: a sent invoice hasn't been paid by its due date."""
    if bill["status"] != "open":
        return
    with shop.row():
        shop.emit("invoice.overdue", bill)
        found = invoices.subscription_of(shop, bill)
        if found is not None and found["status"] == "active":
            _set_status(shop, found, "past_due")


def money_failed(shop: Shop, bill: Json) -> None:
    """An invoice's delayed payment failed."""
    bill["attempt_count"] += 1
    shop.save(bill, "invoice.payment_failed")
    failed(shop, bill)


def act_on_dispute(shop: Shop, dispute: Json) -> None:
    """Due work: a disputed payment cancels its subscription, if the account's settings say so."""
    kept = shop.world.private.get(dispute["payment_intent"], {})
    bill = shop.world.table("invoice").get(kept.get("invoice"))
    found = invoices.subscription_of(shop, bill) if bill else None
    if found is not None and found["status"] in ("active", "past_due", "trialing"):
        endings.cancel(shop, found, reason="payment_disputed")
