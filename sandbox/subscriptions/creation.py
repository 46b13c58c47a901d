"""New subscriptions, with their first invoice."""

from sandbox import cards, declines, discounts, invoice_lines, invoices, mistakes, taxes
from sandbox.shop import Shop, invalid, merge_metadata, too_many
from sandbox.subscriptions import agenda, endings, items, pauses, proration
from sandbox.world import Json

LONGEST_TRIAL = 730
"""The most days of a trial, by the reference: two years."""


def create(shop: Shop, params: Json, *, paid_by: Json | None = None) -> Json:
    """Create a subscription with its first invoice. `paid_by` is the payment method of a checkout,
    which creates the subscription only after the payment."""
    for pair in (("trial_end", "trial_period_days"), ("cancel_at", "cancel_at_period_end")):
        if all(params.get(name) for name in pair):
            raise too_many(*pair)
    if params.get("payment_behavior") == "pending_if_incomplete":
        raise invalid(
            "`payment_behavior=pending_if_incomplete` is only for updates of a subscription.",
            param="payment_behavior",
        )
    days = params.get("trial_period_days") or 0
    if fault := mistakes.outside("trial_period_days", days, least=0, most=LONGEST_TRIAL):
        raise fault
    customer = shop.find("customer", params.get("customer"), param="customer")
    world = shop.world
    made = world.make(
        "subscription",
        "sub",
        customer=customer["id"],
        collection_method=params.get("collection_method", "charge_automatically"),
        days_until_due=params.get("days_until_due"),
        description=params.get("description"),
        metadata=merge_metadata({}, params.get("metadata")),
        test_clock=customer.get("test_clock"),
        start_date=params.get("backdate_start_date") or world.now(),
        billing_cycle_anchor=world.now(),
        default_payment_method=paid_by["id"] if paid_by else None,
        default_tax_rates=taxes.named(
            shop, params.get("default_tax_rates"), param="default_tax_rates"
        ),
    )
    if given := params.get("default_payment_method"):
        method = cards.payment_method(shop, given, param="default_payment_method")
        made["default_payment_method"] = method["id"]
    if (params.get("automatic_tax") or {}).get("enabled"):
        made["automatic_tax"] = params["automatic_tax"]
    _set_mode(made, params)
    set_payment_settings(made, params)
    items.set_items(shop, made, params.get("items") or [], currency=params.get("currency"))
    _begin(shop, made, params)
    _check_payable(shop, made, customer, params, paid_by)
    for given in params.get("discounts") or []:
        if paid_by is None:
            total, currency = items.total(shop, made), made["currency"]
            discounts.check(shop, given, total=total, currency=currency, customer=customer["id"])
    with shop.row():
        made["discounts"] = [
            discounts.redeem(shop, given, customer=customer["id"], subscription=made["id"])["id"]
            for given in params.get("discounts") or []
        ]
        shop.save(made)
        _first_invoice(shop, made, params, paid_by=paid_by)
        if "pause_collection" in params:
            pauses.set_collection(shop, made, params["pause_collection"])
        endings.mark(shop, made, params)
        shop.save(made, "customer.subscription.created")
    agenda.plan(shop, made)
    return made


def set_payment_settings(made: Json, params: Json) -> None:
    """Set what the invoices of a subscription may be paid with, and whether what pays is kept."""
    given = params.get("payment_settings") or {}
    made["payment_settings"] = {
        **made["payment_settings"],
        **{key: value or _UNSET[key] for key, value in given.items() if key in _UNSET},
    }


_UNSET = {"payment_method_types": None, "save_default_payment_method": "off"}


def _set_mode(made: Json, params: Json) -> None:
    mode = params.get("billing_mode") or {"type": "flexible"}
    flexible = None
    if mode["type"] == "flexible":
        flexible = {"proration_discounts": "included", **(mode.get("flexible") or {})}
    made["billing_mode"] = {"type": mode["type"], "flexible": flexible}
    if flexible:
        made["billing_mode"]["updated_at"] = made["created"]
    made["cancellation_details"] = endings.no_cancellation()
    ending = (params.get("trial_settings") or {}).get("end_behavior") or {}
    made["trial_settings"] = {
        "end_behavior": {
            "billing_cycle_anchor": None,
            "missing_payment_method": "create_invoice",
            **ending,
        }
    }
    check_due(made)


def check_due(found: Json) -> None:
    """Raise Stripe's 400 where `days_until_due` doesn't go with how a subscription collects."""
    sent, due = found["collection_method"] == "send_invoice", found["days_until_due"] is not None
    if sent and not due:
        raise invalid(
            "If `collection_method` is `send_invoice`, `days_until_due` must be set.",
            param="days_until_due",
        )
    if due and not sent:
        raise invalid(
            "`days_until_due` is only for subscriptions with `collection_method=send_invoice`.",
            param="days_until_due",
        )


def _begin(shop: Shop, made: Json, params: Json) -> None:
    """Set the first periods: a trial, up to a given anchor, or full ones."""
    now = shop.world.now()
    trial_end = _trial_end(shop, params)
    anchor = params.get("billing_cycle_anchor")
    if trial_end:
        made.update(
            trial_start=now, trial_end=trial_end, status="trialing", billing_cycle_anchor=trial_end
        )
    elif anchor:
        if anchor <= now:
            raise invalid(
                "billing_cycle_anchor cannot be in the past.", param="billing_cycle_anchor"
            )
        made["billing_cycle_anchor"] = anchor
    items.begin_periods(shop, made, now, until=trial_end or anchor)
    if params.get("billing_schedules"):
        items.set_billing_schedules(shop, made, params["billing_schedules"])


def _trial_end(shop: Shop, params: Json) -> int | None:
    if params.get("trial_period_days"):
        return shop.world.now() + shop.world.span(params["trial_period_days"] * 86400)
    given = params.get("trial_end")
    if isinstance(given, int) and given <= shop.world.now():
        raise invalid("Invalid timestamp: must be an integer in the future.", param="trial_end")
    return given if isinstance(given, int) else None


def _check_payable(
    shop: Shop, made: Json, customer: Json, params: Json, paid_by: Json | None
) -> None:
    """Raise Stripe's 400 if something is due and there isn't a payment method."""
    if made["collection_method"] != "charge_automatically" or paid_by is not None:
        return
    if params.get("payment_behavior") == "default_incomplete":
        return
    total = 0 if made["status"] == "trialing" else items.total(shop, made)
    if total and not params.get("discounts") and not invoices.default_method(shop, made):
        raise invalid(
            "This customer has no attached payment source or default payment method. Please"
            " consider adding a default payment method. For more information, visit"
            " https://stripe.com/docs/billing/subscriptions/payment-methods-setting.",
            code="resource_missing",
        )


def _first_invoice(shop: Shop, made: Json, params: Json, *, paid_by: Json | None) -> None:
    trial = made["status"] == "trialing"
    lines = _lines(shop, made, params, trial=trial)
    lines += extra_lines(shop, made, params.get("add_invoice_items") or [])
    bill = proration.draft(shop, made, lines, reason="subscription_create")
    made["discounts"] = running(shop, made)
    if made["collection_method"] == "send_invoice":
        made["status"] = "trialing" if trial else "active"
        if bill["amount_due"] == 0:
            invoices.finalize(shop, bill)
            invoices.mark_paid(shop, bill, intent=None)
        else:
            due = shop.world.now() + shop.world.span(invoices.DRAFT_SECONDS)
            bill["automatically_finalizes_at"] = due
            shop.world.schedule("finalize_invoice", bill["id"], due)
        return
    invoices.finalize(shop, bill)
    behavior = params.get("payment_behavior", "allow_incomplete")
    if behavior == "default_incomplete" and bill["amount_due"]:
        invoices.intent_of(shop, bill, None)
        made["status"] = "incomplete"
        return
    method = paid_by or invoices.default_method(shop, made)
    on_session = not params.get("off_session")
    outcome = invoices.collect(shop, bill, method=method, on_session=on_session)
    if outcome in ("paid", "processing"):
        made["status"] = "trialing" if trial else "active"
        return
    made["status"] = "incomplete"
    if behavior == "error_if_incomplete":
        invoices.void(shop, bill, event=False)
        shop.world.forget("subscription", made["id"])
        raise declines.fault(outcome if outcome in declines.DECLINES else "authentication_required")


def _lines(shop: Shop, made: Json, params: Json, *, trial: bool) -> list[Json]:
    if not params.get("billing_cycle_anchor") or trial:
        return items.lines(shop, made, free=trial)
    if params.get("proration_behavior") == "none":
        return items.lines(shop, made, free=True)
    part = []
    for item in items.rows(made):
        start, end = item["current_period_start"], item["current_period_end"]
        whole = items.next_end(shop, {"billing_cycle_anchor": start}, item["price"], start) - start
        amount = round(items.amount_of(shop, made, item) * min(1.0, (end - start) / whole))
        item["billed_until"] = end
        part.append(
            invoice_lines.subscription_line(shop, made, item, amount=amount, start=start, end=end)
        )
    return part


def running(shop: Shop, found: Json) -> list[str]:
    """The discounts that still apply after the first invoice; the others are dropped."""
    table = shop.world.table("discount")
    going = [
        name
        for name in found["discounts"]
        if name in table and discounts.still_running(shop, table[name])
    ]
    discounts.drop(shop, [name for name in found["discounts"] if name not in going])
    return going


def extra_lines(shop: Shop, made: Json, wanted: list[Json]) -> list[Json]:
    """Lines for `add_invoice_items`: one-time prices on a subscription's invoice."""
    from sandbox.catalog import create_price

    lines = []
    for number, entry in enumerate(wanted):
        if entry.get("price_data"):
            price = create_price(shop, entry["price_data"])
        else:
            where = f"add_invoice_items[{number}][price]"
            price = shop.find("price", entry.get("price"), param=where)
        line = invoice_lines.price_line(
            shop,
            price,
            quantity=entry.get("quantity", 1),
            invoice_item=shop.world.new_id("ii"),
            subscription=made["id"],
        )
        rates = taxes.named(shop, entry.get("tax_rates"), param="add_invoice_items[tax_rates]")
        lines.append(taxes.note(shop, line, rates))
    return lines
