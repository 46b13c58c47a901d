"""Previews of invoices that don't exist yet: what is asked for is done in a rehearsal, and the
invoice that comes of it is read off."""

from sandbox import invoices
from sandbox.rehearsal import rehearse
from sandbox.shop import Shop, StripeApiError, invalid
from sandbox.subscriptions import changes, creation, endings, items, renewals
from sandbox.world import Json

_CHANGES = (
    *("billing_cycle_anchor", "billing_schedules", "cancel_at", "cancel_at_period_end"),
    *("default_tax_rates", "items", "proration_behavior", "proration_date", "trial_end"),
)
_NEW = (*_CHANGES, "billing_mode")


def preview(shop: Shop, params: Json) -> Json:
    """The next invoice of a subscription, as it is or after the changes that
    `subscription_details` names; the first one of a subscription that isn't there yet; or that of
    a customer's pending items. Nothing is stored. Raises Stripe's 404 where no invoice comes."""
    stage = rehearse(shop)
    details = params.get("subscription_details") or {}
    if given := params.get("subscription"):
        found = stage.find("subscription", given, param="subscription")
        bill = _next(stage, found, _wanted(params, details, _CHANGES), details)
    elif details.get("items"):
        bill = _first(stage, params, _wanted(params, details, _NEW))
    else:
        bill = _of_pending(stage, params)
    if bill is None:
        raise StripeApiError(404, "No upcoming invoices", code="invoice_upcoming_none")
    return _shown(stage, bill, known=bool(given))


def upcoming(shop: Shop, subscription_id: str) -> Json | None:
    """The invoice of a subscription's next period, None where there won't be one."""
    stage = rehearse(shop)
    bill = _renewed(stage, stage.find("subscription", subscription_id))
    return bill and _shown(stage, bill, known=True)


def announce_invoice(shop: Shop, found: Json) -> None:
    """Due work: announce an invoice that will be created soon and doesn't have an id yet."""
    if found["status"] in ("active", "trialing", "past_due") and not shop.silent:
        announced = upcoming(shop, found["id"])
        if announced is None:
            return
        announced.pop("id")
        shop.emit("invoice.upcoming", announced)


def _wanted(params: Json, details: Json, names: tuple[str, ...]) -> Json:
    """What the update or the creation is asked for."""
    wanted = {name: details[name] for name in names if name in details}
    if "discounts" in params:
        wanted["discounts"] = params["discounts"]
    return wanted


def _next(stage: Shop, found: Json, wanted: Json, details: Json) -> Json | None:
    """The invoice that changes bring at once, else that of the next period."""
    if found["status"] not in items.LIVE:
        return None
    known = found["latest_invoice"]
    if details.get("cancel_now"):
        prorate = details.get("proration_behavior") != "none"
        endings.cancel(stage, found, prorate=prorate, invoice_now=True)
        return _made(stage, found, known)
    if wanted:
        changes.update(stage, found, {**wanted, "payment_behavior": "default_incomplete"})
    return _made(stage, found, known) or _renewed(stage, found)


def _made(stage: Shop, found: Json, known: str | None) -> Json | None:
    """The invoice that the subscription has besides the one that is known."""
    latest = found["latest_invoice"]
    return None if latest == known else stage.find("invoice", latest)


def _renewed(stage: Shop, found: Json) -> Json | None:
    """The invoice of the next period. It can take some rounds until there is one: what was billed
    in advance is passed over."""
    known = found["latest_invoice"]
    for _ in range(_ROUNDS):
        if found["status"] not in ("trialing", "active", "past_due", "unpaid"):
            return None
        stage.world.settle_clock(items.first_end(found))
        renewals.period_end(stage, found)
        if (bill := _made(stage, found, known)) is not None:
            return bill
    return None


_ROUNDS = 60


def _first(stage: Shop, params: Json, wanted: Json) -> Json:
    """The first invoice of a subscription that would be made now."""
    if not params.get("customer"):
        raise invalid(
            "Missing required param: customer.", param="customer", code="parameter_missing"
        )
    given: Json = {key: params[key] for key in ("customer", "currency") if key in params}
    given |= {**wanted, "payment_behavior": "default_incomplete"}
    made = creation.create(stage, given)
    return stage.find("invoice", made["latest_invoice"])


def _of_pending(stage: Shop, params: Json) -> Json | None:
    customer = stage.find("customer", params.get("customer"), param="customer")
    lines = invoices.take_pending(stage, customer["id"], None)
    if not lines:
        return None
    currency = lines[0]["currency"]
    return invoices.draft(stage, customer=customer, lines=lines, currency=currency, reason="manual")


def _shown(stage: Shop, bill: Json, *, known: bool) -> Json:
    """An invoice as a preview shows it: a draft that nobody has paid."""
    if bill["status"] == "draft":
        invoices.finalize(stage, bill)
    blank = stage.world.blanks.make("invoice")
    unset = ("number", "effective_at", "hosted_invoice_url", "invoice_pdf", "status_transitions")
    bill.update({name: blank[name] for name in (*unset, "next_payment_attempt")})
    bill.update(
        id=f"upcoming_{bill['id']}",
        status="draft",
        billing_reason="upcoming" if known else bill["billing_reason"],
        amount_paid=0,
        amount_remaining=bill["amount_due"],
        attempted=False,
        attempt_count=0,
        auto_advance=False,
    )
    for line in bill["lines"]["data"]:
        line["invoice"] = bill["id"]
    return bill
