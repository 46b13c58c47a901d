"""Pausing the service (status `paused`), or only the collection of payments."""

from sandbox import invoices
from sandbox.shop import Shop, invalid, snapshot
from sandbox.subscriptions import agenda, items, proration
from sandbox.world import Json

MAY_PAUSE = ("active", "past_due", "unpaid")
REASONS = (
    "pause_requested",
    "first_payment_failure",
    "final_payment_failure",
    "trial_end_without_payment_method",
    "system",
)


def pause(shop: Shop, found: Json, params: Json) -> Json:
    """`POST /v1/subscriptions/{id}/pause`: stop the service itself, unlike paused collection."""
    if found["billing_mode"]["type"] != "flexible":
        raise invalid("Only subscriptions with `billing_mode[type]=flexible` can be paused.")
    if found["collection_method"] != "charge_automatically":
        raise invalid("Only subscriptions with automatic collection can be paused.")
    if found["schedule"]:
        raise invalid("A subscription that a schedule drives can't be paused.")
    if found["status"] not in MAY_PAUSE:
        raise invalid(f"A subscription that is {found['status']} can't be paused.")
    unused = (params.get("bill_for") or {}).get("unused_time_from") or {"type": "now"}
    lines = []
    if found["status"] == "active" and unused["type"] != "none":
        at = shop.world.now()
        if unused["type"] == "item_current_period_start":
            at = min(item["current_period_start"] for item in items.rows(found))
        lines = proration.credit(shop, found, items.rows(found), at)
    stop(shop, found, "pause_requested")
    proration.wait(shop, found, lines)
    if params.get("invoicing_behavior") == "invoice":
        proration.invoice_pending(shop, found)
        shop.save(found)
    return found


def stop(shop: Shop, found: Json, why: str) -> Json:
    """Pause for one of `REASONS`. The current periods end now."""
    before = snapshot(found)
    world = shop.world
    world.keep(
        found["id"],
        paused_ends=[
            {"item": item["id"], "end": item["current_period_end"]} for item in items.rows(found)
        ],
    )
    with shop.row():
        found["status"] = "paused"
        found["status_details"] = {
            "paused": {
                "type": "subscription",
                "transitioned_at": world.now(),
                "subscription": {"type": why},
            }
        }
        for item in items.rows(found):
            item["current_period_end"] = max(world.now(), item["current_period_start"])
            items.unbill(item)
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.paused", found)
    agenda.plan(shop, found)
    return found


def resume(shop: Shop, found: Json, params: Json) -> Json:
    """`POST /v1/subscriptions/{id}/resume`. A new cycle creates an invoice. By default it is
    attempted immediately and the subscription resumes either way (`past_due` if it fails); with
    `resume_on_payment_success` it stays paused until the invoice is settled."""
    if found["status"] != "paused":
        raise invalid(f"Subscription {found['id']} is not paused.")
    now, anchor = shop.world.now(), params.get("billing_cycle_anchor") or {"type": "now"}
    kept = {
        entry["item"]: entry["end"]
        for entry in shop.world.private.get(found["id"], {}).get("paused_ends") or []
    }
    with shop.row():
        if anchor["type"] == "unchanged":
            _take_up_periods(shop, found, kept, now)
            lines = proration.rest(shop, found, now)
            if params.get("proration_behavior") == "none":
                lines = []
            if params.get("proration_behavior") != "always_invoice":
                proration.wait(shop, found, lines)
                return go_on(shop, found)
        else:
            before = snapshot(found)
            found["billing_cycle_anchor"] = now
            items.begin_periods(shop, found, now)
            lines = items.lines(shop, found)
            shop.save(found, "customer.subscription.updated", before)
        bill = proration.invoice(shop, found, lines)
        return _pay_resumption(shop, found, bill, params)


def _take_up_periods(shop: Shop, found: Json, kept: dict[str, int], now: int) -> None:
    """The cycle as it would be without the pause."""
    for item in items.rows(found):
        end = kept.get(item["id"], now)
        while end <= now:
            end = items.next_end(shop, found, item["price"], end)
        item.update(current_period_start=now, current_period_end=end, billed_until=end)


def _pay_resumption(shop: Shop, found: Json, bill: Json, params: Json) -> Json:
    if bill["amount_due"] == 0:
        invoices.mark_paid(shop, bill, intent=None)
        return go_on(shop, found)
    shop.world.keep(found["id"], resumes_with=bill["id"])
    waits = params.get("payment_behavior") == "resume_on_payment_success"
    outcome = invoices.collect(shop, bill, method=invoices.default_method(shop, found))
    if outcome in ("paid", "processing"):
        return go_on(shop, found)
    if waits:
        return shop.save(found)
    invoices.plan_retry(shop, bill)
    shop.save(bill)
    return go_on(shop, found, status="past_due")


def go_on(shop: Shop, found: Json, *, status: str = "active") -> Json:
    """Resume the service."""
    before = snapshot(found)
    with shop.row():
        shop.world.keep(found["id"], resumes_with=None, paused_ends=None)
        found["status"] = status
        found.pop("status_details", None)
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.resumed", found)
    agenda.plan(shop, found)
    return found


def bill_settled(shop: Shop, found: Json, bill: Json) -> bool:
    """Resume a paused subscription that waits for this settled invoice. Returns whether it did."""
    awaited = shop.world.private.get(found["id"], {}).get("resumes_with")
    if found["status"] == "paused" and awaited == bill["id"]:
        go_on(shop, found)
        return True
    return False


def set_collection(shop: Shop, found: Json, given: Json | str) -> None:
    """Pause or resume the collection of payments; the status doesn't change."""
    if not isinstance(given, dict):
        found["pause_collection"] = None
        return
    found["pause_collection"] = {
        "behavior": given["behavior"],
        "resumes_at": given.get("resumes_at") or None,
    }


def resume_collection(shop: Shop, found: Json) -> None:
    """Due work: resume the collection of payments."""
    if not found["pause_collection"]:
        return
    before = snapshot(found)
    found["pause_collection"] = None
    shop.save(found, "customer.subscription.updated", before)
    agenda.plan(shop, found)
