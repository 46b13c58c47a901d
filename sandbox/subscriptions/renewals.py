"""Subscription work driven by the calendar: renewals, ends of trials, announcements, drafts."""

from sandbox import invoices
from sandbox.shop import Shop, snapshot
from sandbox.subscriptions import (
    agenda,
    creation,
    dunning,
    endings,
    items,
    proration,
    schedules,
    trials,
)
from sandbox.world import Json


def period_end(shop: Shop, found: Json) -> None:
    """Due work: a scheduled end, the end of a trial, or a renewal."""
    now = shop.world.now()
    if found["cancel_at"] and found["cancel_at"] <= now:
        endings.cancel(shop, found, reason="cancellation_requested")
        return
    if found["status"] not in ("trialing", "active", "past_due", "unpaid"):
        return
    with shop.row():
        schedules.keep_up(shop, found)
        due = [item for item in items.rows(found) if item["current_period_end"] <= now]
        if found["status"] in items.LIVE and due:
            _renew(shop, found, due)
    agenda.plan(shop, found)


def _renew(shop: Shop, found: Json, due: list[Json]) -> None:
    before = snapshot(found)
    if found["status"] == "trialing":
        if not trials.goes_on(shop, found):
            return
        found.update(status="active", billing_cycle_anchor=found["trial_end"])
    for item in due:
        items.begin_periods(shop, found, item["current_period_end"], only=[item])
    found["discounts"] = creation.running(shop, found)
    shop.save(found, "customer.subscription.updated", before)
    lines = items.lines(shop, found, only=due)
    if not lines:
        return
    bill = proration.draft(shop, found, lines, reason="subscription_cycle")
    shop.save(found)
    if found["status"] == "unpaid":
        bill["auto_advance"] = False
        shop.save(bill)
        return
    at = shop.world.now() + shop.world.span(invoices.DRAFT_SECONDS)
    bill["automatically_finalizes_at"] = at
    shop.world.schedule("finalize_invoice", bill["id"], at)


def finalize(shop: Shop, bill: Json) -> None:
    """Due work: finalize and collect a draft an hour after its creation."""
    if bill["status"] != "draft":
        return
    found = invoices.subscription_of(shop, bill)
    paused = (found or {}).get("pause_collection")
    with shop.row():
        if paused and paused["behavior"] == "keep_as_draft":
            bill.update(auto_advance=False, automatically_finalizes_at=None)
            shop.save(bill)
            return
        invoices.finalize(shop, bill)
        if paused and paused["behavior"] == "void":
            invoices.void(shop, bill)
        elif paused:
            invoices.mark_uncollectible(shop, bill)
        elif bill["collection_method"] == "charge_automatically" or not bill["amount_due"]:
            dunning.attempt(shop, bill)
        else:
            shop.emit("invoice.sent", bill)


def warn_trial(shop: Shop, found: Json) -> None:
    """Due work: a trial will end soon."""
    if found["status"] == "trialing":
        shop.world.keep(found["id"], warned_at=shop.world.now())
        shop.emit("customer.subscription.trial_will_end", found)
