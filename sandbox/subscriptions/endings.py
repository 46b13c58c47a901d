"""Ending a subscription, now or later."""

from sandbox import discounts, invoices
from sandbox.shop import Shop, StripeApiError
from sandbox.subscriptions import agenda, items, proration
from sandbox.world import Json


def no_cancellation() -> Json:
    return {"comment": None, "feedback": None, "feedback_option": None, "reason": None}


def requested(details: Json) -> Json:
    return {
        **no_cancellation(),
        "reason": "cancellation_requested",
        "feedback": details.get("feedback") or None,
        "comment": details.get("comment") or None,
    }


def mark(shop: Shop, found: Json, params: Json) -> None:
    """Set the flag and `cancel_at` from an update, as each billing mode does. The period of a
    paused subscription is over, so it ends now: nothing happens in the past."""
    details = params.get("cancellation_details") or {}
    at: int | None = None
    if params.get("cancel_at"):
        at = items.moment(found, params["cancel_at"])
        if at <= shop.world.now():
            raise StripeApiError(
                400, "The `cancel_at` date must be in the future.", param="cancel_at"
            )
    elif params.get("cancel_at_period_end") is True:
        at = max(items.last_end(found), shop.world.now())
    elif params.get("cancel_at_period_end") is False or params.get("cancel_at") == "":
        found.update(cancel_at=None, cancel_at_period_end=False, canceled_at=None)
        found["cancellation_details"] = no_cancellation()
        return
    if at is None:
        if details and found["cancellation_details"]:
            found["cancellation_details"] = {**found["cancellation_details"], **details}
        return
    found.update(
        cancel_at=at,
        cancel_at_period_end=params.get("cancel_at_period_end") is True,
        canceled_at=shop.world.now(),
    )
    found["cancellation_details"] = requested(details)


def cancel(
    shop: Shop,
    found: Json,
    *,
    reason: str = "cancellation_requested",
    details: Json | None = None,
    prorate: bool = False,
    invoice_now: bool = False,
) -> Json:
    """End a subscription now. Its items' periods stay unchanged; the status is what counts."""
    world = shop.world
    if found["status"] not in items.LIVE:
        raise StripeApiError(
            404, f"No such subscription: '{found['id']}'", code="resource_missing", param="id"
        )
    now = world.now()
    if prorate:
        proration.credit_rest(shop, found)
    found.update(
        status="canceled",
        ended_at=now,
        canceled_at=found["canceled_at"] or now,
        cancel_at=None,
        cancel_at_period_end=False,
        pause_collection=None,
        pending_update=None,
    )
    found.pop("status_details", None)
    kept = {**no_cancellation(), **(found["cancellation_details"] or {})}
    given = {key: value or None for key, value in (details or {}).items()}
    found["cancellation_details"] = {**kept, **given, "reason": reason}
    with shop.row():
        _let_go_schedule(shop, found, aborted=reason == "payment_failed")
        discounts.drop(shop, found["discounts"])
        shop.save(found, "customer.subscription.deleted")
        _settle_bills(shop, found)
        if invoice_now:
            proration.invoice_pending(shop, found)
    agenda.plan(shop, found)
    return found


def _settle_bills(shop: Shop, found: Json) -> None:
    """Stop collecting the open invoices and advancing the drafts of an ended subscription."""
    for bill in shop.world.table("invoice").newest_first(
        {"subscription": found["id"]}, before=None, after=None
    ):
        if bill["status"] in ("open", "draft"):
            bill.update(auto_advance=False, next_payment_attempt=None)
            shop.world.schedule("retry_invoice", bill["id"], None)
            shop.world.schedule("finalize_invoice", bill["id"], None)
            shop.save(bill)


def _let_go_schedule(shop: Shop, found: Json, *, aborted: bool) -> None:
    """End a subscription's schedule with it: it is aborted where that was not paid for."""
    schedule = shop.world.table("subscription_schedule").get(found["schedule"])
    if schedule is not None and schedule["status"] == "active":
        schedule.update(status="canceled", canceled_at=shop.world.now(), current_phase=None)
        shop.world.schedule("phase_end", schedule["id"], None)
        shop.save(schedule, f"subscription_schedule.{'aborted' if aborted else 'canceled'}")


def expire_incomplete(shop: Shop, found: Json) -> None:
    """Due work: the first invoice hasn't been paid within 23 hours."""
    if found["status"] != "incomplete":
        return
    before = {"status": found["status"], "ended_at": None}
    with shop.row():
        found.update(status="incomplete_expired", ended_at=shop.world.now())
        _let_go_schedule(shop, found, aborted=True)
        bill = shop.world.table("invoice").get(found["latest_invoice"])
        if bill and bill["status"] == "open":
            invoices.void(shop, bill)
        shop.save(found, "customer.subscription.updated", {**found, **before})
    agenda.plan(shop, found)
