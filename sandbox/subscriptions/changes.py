"""Updates of running subscriptions: prices, quantities, cycle, trial, and what they cost."""

from dataclasses import dataclass, field

from sandbox import cards, declines, discounts, invoices, taxes
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.subscriptions import (
    agenda,
    creation,
    dunning,
    endings,
    items,
    pauses,
    pending,
    proration,
    trials,
)
from sandbox.world import Json

_PLAIN = ("description", "collection_method", "days_until_due", "default_source")
_AFTER_THE_END = {"metadata", "cancellation_details", "expand"}


@dataclass
class Cost:
    """What an update costs: its lines and prorations, and whether they are billed now."""

    lines: list[Json] = field(default_factory=list)
    parts: list[Json] = field(default_factory=list)
    now: bool = False


def update(shop: Shop, found: Json, params: Json) -> Json:
    """`POST /v1/subscriptions/{id}`. Raises Stripe's 400, and 402 where a payment that the update
    depends on fails; nothing is changed then."""
    if found["status"] in ("canceled", "incomplete_expired") and set(params) - _AFTER_THE_END:
        raise invalid(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    before, debits = snapshot(found), proration.debits_of(shop, found)
    try:
        with shop.row():
            _set_plain(shop, found, params)
            _set_due(found, params)
            cost = _reprice(shop, found, params)
            endings.mark(shop, found, params)
            bill = _bill(shop, found, cost, params)
            if bill is not None:
                _collect(shop, found, before, debits, bill, params)
            shop.save(found, "customer.subscription.updated", before)
    except Exception:
        found.update(before)
        proration.put_debits(shop, debits)
        pending.share_prices(shop, found)
        raise
    agenda.plan(shop, found)
    return found


def _set_plain(shop: Shop, found: Json, params: Json) -> None:
    for key in _PLAIN:
        if key in params:
            found[key] = None if params[key] == "" else params[key]
    if given := params.get("default_payment_method"):
        method = cards.payment_method(shop, given, param="default_payment_method")
        found["default_payment_method"] = method["id"]
    creation.set_payment_settings(found, params)
    if "metadata" in params:
        found["metadata"] = merge_metadata(found["metadata"], params["metadata"])
    if "pause_collection" in params:
        pauses.set_collection(shop, found, params["pause_collection"])
    if "default_tax_rates" in params:
        found["default_tax_rates"] = taxes.named(
            shop, params["default_tax_rates"], param="default_tax_rates"
        )
    if "trial_settings" in params:
        known = found["trial_settings"]["end_behavior"]
        found["trial_settings"] = {
            "end_behavior": {**known, **params["trial_settings"]["end_behavior"]}
        }
    if "discounts" in params:
        _discount(shop, found, params["discounts"] or [])
    if params.get("billing_schedules"):
        items.set_billing_schedules(shop, found, params["billing_schedules"])


def _set_due(found: Json, params: Json) -> None:
    """Keep `days_until_due` with how the subscription collects."""
    if "days_until_due" not in params and "collection_method" not in params:
        return
    if "days_until_due" not in params and found["collection_method"] == "charge_automatically":
        found["days_until_due"] = None
    creation.check_due(found)


def _discount(shop: Shop, found: Json, wanted: list[Json]) -> None:
    old = found["discounts"]
    total, currency = items.total(shop, found), found["currency"]
    for given in wanted:
        owner = found["customer"]
        discounts.check(shop, given, total=total, currency=currency, customer=owner)
    found["discounts"] = [
        given.get("discount")
        or discounts.redeem(shop, given, customer=found["customer"], subscription=found["id"])["id"]
        for given in wanted
    ]
    discounts.drop(shop, [name for name in old if name not in found["discounts"]])


def _reprice(shop: Shop, found: Json, params: Json) -> Cost:
    """Change items, cycle and trial. Returns what that costs."""
    now = shop.world.now()
    at = params.get("proration_date") or now
    anchor = (params.get("billing_cycle_anchor") or {}).get("type")
    behavior = params.get("proration_behavior", "create_prorations")
    old, rhythm = snapshot({"data": items.rows(found)})["data"], items.cycles(found)
    if "items" in params:
        items.change_items(shop, found, params["items"])
    extra = creation.extra_lines(shop, found, params.get("add_invoice_items") or [])
    if "trial_end" in params and (params["trial_end"] != "now" or found["status"] == "trialing"):
        cost = _move_trial(shop, found, params["trial_end"], old, behavior)
    elif found["status"] in ("trialing", "paused", "incomplete"):
        cost = Cost()
    elif anchor == "now" or (items.cycles(found) != rhythm and len(rhythm) == 1):
        credit = [] if behavior == "none" else proration.credit(shop, found, old, at)
        lines = _start_over(shop, found)
        if "items" in params and behavior != "none":
            cost = Cost(parts=credit + proration.rest(shop, found, at), now=True)
        else:
            cost = Cost(lines, credit, now=True)
    elif behavior == "none":
        cost = Cost()
    else:
        lines = proration.of_change(shop, found, old, at)
        cost = Cost(parts=lines, now=behavior == "always_invoice" and bool(lines))
    if params.get("billing_schedules"):
        cost = Cost(cost.lines + items.lines(shop, found), cost.parts, now=True)
    return Cost(cost.lines + extra, cost.parts, cost.now)


def _start_over(shop: Shop, found: Json) -> list[Json]:
    """Begin new periods now, and bill them."""
    found["billing_cycle_anchor"] = shop.world.now()
    for item in items.rows(found):
        items.unbill(item)
    items.begin_periods(shop, found, shop.world.now())
    return items.lines(shop, found)


def _move_trial(shop: Shop, found: Json, given: int | str, old: list[Json], behavior: str) -> Cost:
    now = shop.world.now()
    if given == "now" or int(given) <= now:
        found["trial_end"] = now
        if not trials.goes_on(shop, found):
            return Cost()
        found["status"] = "active"
        return Cost(_start_over(shop, found), now=True)
    end = int(given)
    credit: list[Json] = []
    if found["status"] == "active" and behavior != "none":
        credit = proration.credit(shop, found, old, now)
    if found["status"] != "trialing":
        found["trial_start"] = now
    found.update(trial_end=end, status="trialing", billing_cycle_anchor=end)
    shop.world.keep(found["id"], warned_at=None)
    for item in items.rows(found):
        item["current_period_end"] = end
        items.unbill(item)
    return Cost(parts=credit)


def _bill(shop: Shop, found: Json, cost: Cost, params: Json) -> Json | None:
    """Invoice what an update costs now; the rest waits for the next invoice."""
    proration.wait(shop, found, cost.parts if cost.now else cost.parts + cost.lines)
    if not cost.now:
        return None
    bill = proration.invoice(shop, found, cost.lines)
    if bill["amount_due"] == 0:
        invoices.mark_paid(shop, bill, intent=None)
        return None
    return bill


def _collect(shop: Shop, found: Json, before: Json, debits: Json, bill: Json, params: Json) -> None:
    behavior = params.get("payment_behavior", "allow_incomplete")
    if found["collection_method"] == "send_invoice" or behavior == "default_incomplete":
        return
    method = invoices.default_method(shop, found)
    on_session = params.get("off_session") is False
    outcome = invoices.collect(shop, bill, method=method, on_session=on_session)
    if outcome in ("paid", "processing"):
        return
    if behavior == "error_if_incomplete":
        invoices.void(shop, bill, event=False)
        raise declines.fault(outcome if outcome in declines.DECLINES else "authentication_required")
    if behavior == "pending_if_incomplete":
        pending.hold(shop, found, before, debits, bill)
    else:
        invoices.plan_retry(shop, bill)
        shop.save(bill)
        if found["status"] == "active":
            found["status"] = "past_due"
            if shop.settings.dunning_ends == "pause_at_first":
                dunning.failed(shop, bill)
