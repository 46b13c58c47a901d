"""Subscriptions: created, changed, renewed, cancelled, in both billing modes."""

from typing import Any

from sandbox import invoices, payments
from sandbox.shop import Shop, StripeFault, invalid, merge_metadata, snapshot
from sandbox.world import Json

LIVE = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused")
INCOMPLETE_SECONDS = 23 * 3600
WARN_TRIAL_SECONDS = 3 * 86400


def create(shop: Shop, params: Json, *, paid_by: Json | None = None) -> Json:
    """A subscription with its first invoice. `paid_by` is the method of a checkout, which makes
    the subscription only once the money is there."""
    customer = shop.find("customer", params["customer"], param="customer")
    if customer.get("deleted"):
        raise invalid(f"No such customer: '{params['customer']}'", param="customer")
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
        start_date=world.now(),
        billing_cycle_anchor=world.now(),
        default_payment_method=paid_by["id"] if paid_by else params.get("default_payment_method"),
    )
    made["billing_mode"] = {
        "type": (params.get("billing_mode") or {}).get("type", "flexible"),
        "flexible": None,
    }
    if made["billing_mode"]["type"] == "flexible":
        made["billing_mode"]["flexible"] = {"proration_discounts": "included"}
    made["cancellation_details"] = _no_cancellation()
    ending = (params.get("trial_settings") or {}).get("end_behavior") or {}
    made["trial_settings"] = {
        "end_behavior": {
            "billing_cycle_anchor": None,
            "missing_payment_method": "create_invoice",
            **ending,
        }
    }
    _set_items(shop, made, params.get("items") or [])
    trial_end = _trial_end(shop, params)
    if trial_end:
        made.update(trial_start=world.now(), trial_end=trial_end, status="trialing")
    _begin_period(shop, made, world.now(), until=trial_end)
    with shop.row():
        shop.save(made)
        _first_payment(shop, made, customer, params, paid_by=paid_by)
        _cancellation(shop, made, params)
        shop.save(made, "customer.subscription.created")
    _plan_work(shop, made)
    return made


def _first_payment(
    shop: Shop, made: Json, customer: Json, params: Json, *, paid_by: Json | None
) -> None:
    trial = made["status"] == "trialing"
    method = paid_by or invoices.default_method(shop, customer["id"], made)
    automatic = made["collection_method"] == "charge_automatically"
    lines = _lines(shop, made, free=trial)
    lines += _extra_lines(shop, made, params.get("add_invoice_items") or [])
    total = sum(line["amount"] for line in lines)
    behavior = params.get("payment_behavior", "allow_incomplete")
    if automatic and method is None and total and behavior != "default_incomplete":
        world = shop.world
        world.forget("subscription", made["id"])
        raise invalid(
            "This customer has no attached payment source or default payment method. Please"
            " consider adding a default payment method.",
            code="resource_missing",
        )
    bill = invoices.draft(
        shop,
        customer=customer,
        lines=lines,
        currency=made["currency"],
        reason="subscription_create",
        subscription=made,
        method=made["collection_method"],
    )
    made["latest_invoice"] = bill["id"]
    invoices.finalize(shop, bill)
    if not automatic:
        made["status"] = made["status"] if trial else "active"
        return
    if behavior == "default_incomplete" and total:
        made["status"] = "incomplete"
        return
    outcome = invoices.collect(shop, bill, method=method, on_session=paid_by is not None)
    if outcome not in ("paid", "processing") and not trial:
        made["status"] = "incomplete"
        if behavior == "error_if_incomplete":
            raise payments.declined(outcome)
    elif not trial:
        made["status"] = "active"


def _plan_work(shop: Shop, made: Json) -> None:
    """Schedule what comes next of itself."""
    world = shop.world
    status = made["status"]
    if status not in LIVE or status == "paused":
        for work in ("period_end", "expire_incomplete", "warn_trial"):
            world.schedule(work, made["id"], None)
        if status == "paused" and made["cancel_at"]:
            world.schedule("period_end", made["id"], made["cancel_at"])
        return
    if status == "incomplete":
        world.schedule(
            "expire_incomplete", made["id"], world.now() + world.span(INCOMPLETE_SECONDS)
        )
        return
    world.schedule("expire_incomplete", made["id"], None)
    ends = [item["current_period_end"] for item in made["items"]["data"]]
    if made["cancel_at"]:
        ends.append(made["cancel_at"])
    world.schedule("period_end", made["id"], min(ends))
    if status == "trialing":
        warn = made["trial_end"] - world.span(WARN_TRIAL_SECONDS)
        kept = world.private.get(made["id"], {})
        if not kept.get("warned"):
            world.schedule("warn_trial", made["id"], max(warn, world.now()))


def update(shop: Shop, found: Json, params: Json) -> Json:
    """`POST /v1/subscriptions/{id}`."""
    if found["status"] in ("canceled", "incomplete_expired"):
        raise StripeFault(
            404, f"No such subscription: '{found['id']}'", code="resource_missing", param="id"
        )
    before = snapshot(found)
    with shop.row():
        if "items" in params:
            _change_items(shop, found, params["items"])
        for key in ("description", "default_payment_method", "collection_method", "days_until_due"):
            if key in params:
                found[key] = params[key] or None
        if "metadata" in params:
            found["metadata"] = merge_metadata(found["metadata"], params["metadata"])
        if "pause_collection" in params:
            given = params["pause_collection"]
            found["pause_collection"] = (
                {"behavior": given["behavior"], "resumes_at": given.get("resumes_at")}
                if given
                else None
            )
        if "trial_end" in params:
            _move_trial(shop, found, params["trial_end"])
        _cancellation(shop, found, params)
        shop.save(found, "customer.subscription.updated", before)
    _plan_work(shop, found)
    return found


def preview(shop: Shop, params: Json) -> Json:
    """The next invoice of a subscription, as it is or as `subscription_details` would make it, or
    the first one of a subscription that isn't there yet. Nothing of it is kept."""
    world = shop.world
    details = params.get("subscription_details") or {}
    items = details.get("items") or []
    if given := params.get("subscription"):
        found = world.copy(shop.find("subscription", given, param="subscription"))
        ending = found["cancel_at"] and found["cancel_at"] <= _period_end(found)
        if found["status"] not in LIVE or ending or details.get("cancel_at_period_end"):
            raise StripeFault(404, "No upcoming invoices", code="invoice_upcoming_none")
        start = min(item["current_period_end"] for item in found["items"]["data"])
        if items:
            _change_items(shop, found, items)
    else:
        found = world.make("subscription", "sub", customer=params.get("customer"), metadata={})
        _set_items(shop, found, items)
        start = world.now()
    customer = shop.find("customer", params.get("customer") or found["customer"], param="customer")
    _begin_period(shop, found, start)
    shop.silent, silent = True, shop.silent
    try:
        made = invoices.draft(
            shop,
            customer=customer,
            lines=_lines(shop, found),
            currency=found["currency"],
            reason="upcoming" if given else "subscription_create",
            subscription=found,
        )
        world.forget("invoice", made["id"])
    finally:
        shop.silent = silent
    made["id"] = f"upcoming_{made['id']}"
    for line in made["lines"]["data"]:
        line["invoice"] = made["id"]
    if not given:
        made["parent"]["subscription_details"]["subscription"] = None
    return made


def _cancellation(shop: Shop, found: Json, params: Json) -> None:
    """The flag and `cancel_at`, as each billing mode leaves them behind."""
    details = params.get("cancellation_details") or {}
    if "cancel_at" in params and params["cancel_at"] != "":
        at = _moment(found, params["cancel_at"])
        if at <= shop.world.now():
            raise invalid("`cancel_at` must be in the future.", param="cancel_at")
        found.update(cancel_at=at, cancel_at_period_end=False, canceled_at=shop.world.now())
        found["cancellation_details"] = _requested(details)
    elif params.get("cancel_at_period_end") is True:
        found.update(
            cancel_at=_period_end(found),
            cancel_at_period_end=True,
            canceled_at=shop.world.now(),
        )
        found["cancellation_details"] = _requested(details)
    elif params.get("cancel_at_period_end") is False or params.get("cancel_at") == "":
        found.update(cancel_at=None, cancel_at_period_end=False, canceled_at=None)
        found["cancellation_details"] = _no_cancellation()


def cancel_in_portal(shop: Shop, found: Json, *, feedback: str | None, comment: str | None) -> Json:
    """What the customer portal does: with flexible billing it sets `cancel_at` alone."""
    details = {"feedback": feedback or None, "comment": comment or None}
    if found["billing_mode"]["type"] == "classic":
        return update(shop, found, {"cancel_at_period_end": True, "cancellation_details": details})
    end = _period_end(found)
    return update(shop, found, {"cancel_at": end, "cancellation_details": details})


def cancel(shop: Shop, found: Json, *, reason: str = "cancellation_requested") -> Json:
    """End it now. Item periods stay where they are; the status is what counts."""
    if found["status"] not in LIVE:
        raise StripeFault(
            404, f"No such subscription: '{found['id']}'", code="resource_missing", param="id"
        )
    now = shop.world.now()
    found.update(
        status="canceled",
        ended_at=now,
        canceled_at=found["canceled_at"] or now,
        cancel_at=None,
        cancel_at_period_end=False,
        pause_collection=None,
    )
    found.pop("status_details", None)
    found["cancellation_details"] = {**(found["cancellation_details"] or {}), "reason": reason}
    shop.save(found, "customer.subscription.deleted")
    _plan_work(shop, found)
    return found


def pause(shop: Shop, found: Json) -> Json:
    """Stop the service itself, unlike paused collection."""
    if found["billing_mode"]["type"] != "flexible" or found["status"] not in (
        "active",
        "past_due",
        "unpaid",
    ):
        raise invalid("Only active subscriptions with flexible billing can be paused.")
    return _pause(shop, found, "pause_requested")


def _pause(shop: Shop, found: Json, why: str) -> Json:
    before = snapshot(found)
    with shop.row():
        found["status"] = "paused"
        found["status_details"] = {
            "paused": {
                "type": "subscription",
                "transitioned_at": shop.world.now(),
                "subscription": {"type": why},
            }
        }
        for item in found["items"]["data"]:
            item["current_period_end"] = shop.world.now()
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.paused", found)
    _plan_work(shop, found)
    return found


def resume(shop: Shop, found: Json) -> Json:
    if found["status"] != "paused":
        raise invalid("This subscription is not paused.")
    before = snapshot(found)
    with shop.row():
        found["status"] = "active"
        found.pop("status_details", None)
        _begin_period(shop, found, shop.world.now())
        shop.save(found, "customer.subscription.updated", before)
        shop.emit("customer.subscription.resumed", found)
    _plan_work(shop, found)
    return found


def period_end(shop: Shop, found: Json) -> None:
    """Due work: a scheduled end, the end of a trial, or a renewal."""
    now = shop.world.now()
    if found["cancel_at"] and found["cancel_at"] <= now:
        cancel(shop, found, reason="cancellation_requested")
        return
    trial_over = found["status"] == "trialing"
    method = invoices.default_method(shop, found["customer"], found)
    if trial_over and method is None and not _trial_goes_on(shop, found):
        return
    before = snapshot(found)
    with shop.row():
        if trial_over:
            found["status"] = "active"
        start = min(item["current_period_end"] for item in found["items"]["data"])
        _begin_period(shop, found, start)
        shop.save(found, "customer.subscription.updated", before)
        bill = invoices.draft(
            shop,
            customer=shop.find("customer", found["customer"]),
            lines=_lines(shop, found),
            currency=found["currency"],
            reason="subscription_cycle",
            subscription=found,
            method=found["collection_method"],
        )
        found["latest_invoice"] = bill["id"]
        shop.save(found)
    due = now + shop.world.span(invoices.DRAFT_SECONDS)
    shop.world.schedule("finalize_invoice", bill["id"], due)
    _plan_work(shop, found)


def _trial_goes_on(shop: Shop, found: Json) -> bool:
    """What the trial settings say about a trial that ends without a payment method."""
    match found["trial_settings"]["end_behavior"]["missing_payment_method"]:
        case "cancel":
            cancel(shop, found, reason="cancellation_requested")
        case "pause":
            _pause(shop, found, "trial_end_without_payment_method")
        case _:
            return True
    return False


def finalize_renewal(shop: Shop, bill: Json) -> None:
    """Due work: an hour after the period's end the draft is finalized and collected."""
    if bill["status"] != "draft":
        return
    with shop.row():
        invoices.finalize(shop, bill)
        found = subscription_of(shop, bill)
        paused = found and found["pause_collection"]
        if paused:
            _while_collection_is_paused(shop, bill, paused["behavior"])
            return
        if bill["collection_method"] == "charge_automatically":
            attempt(shop, bill)


def _while_collection_is_paused(shop: Shop, bill: Json, behavior: str) -> None:
    if behavior == "void":
        invoices.void(shop, bill)
    elif behavior == "mark_uncollectible":
        invoices.mark_uncollectible(shop, bill)


def attempt(shop: Shop, bill: Json) -> None:
    """Try to collect an open invoice, and do to its subscription what follows."""
    found = subscription_of(shop, bill)
    method = invoices.default_method(shop, bill["customer"], found)
    outcome = invoices.collect(shop, bill, method=method)
    if outcome == "paid":
        invoice_paid(shop, bill)
    elif outcome != "processing":
        more = invoices.plan_retry(shop, bill)
        shop.save(bill)
        if found and found["status"] in ("active", "past_due"):
            before = snapshot(found)
            found["status"] = "past_due"
            shop.save(found, "customer.subscription.updated", before)
            if not more:
                dunning_over(shop, found)


def dunning_over(shop: Shop, found: Json) -> None:
    """After the last attempt: what the account's settings say."""
    match shop.dunning_ends:
        case "cancel":
            cancel(shop, found, reason="payment_failed")
        case "unpaid":
            before = snapshot(found)
            found["status"] = "unpaid"
            shop.save(found, "customer.subscription.updated", before)
        case "pause":
            _pause(shop, found, "final_payment_failure")


def invoice_paid(shop: Shop, bill: Json) -> None:
    """A paid invoice brings its subscription to life, or back to it."""
    found = subscription_of(shop, bill)
    if found and found["status"] in ("incomplete", "past_due", "unpaid"):
        before = snapshot(found)
        found["status"] = "active"
        shop.save(found, "customer.subscription.updated", before)
        _plan_work(shop, found)


def expire_incomplete(shop: Shop, found: Json) -> None:
    """Due work: nobody paid the first invoice within 23 hours."""
    if found["status"] != "incomplete":
        return
    before = snapshot(found)
    with shop.row():
        found.update(status="incomplete_expired", ended_at=shop.world.now())
        bill = shop.world.table("invoice").get(found["latest_invoice"])
        if bill and bill["status"] == "open":
            invoices.void(shop, bill)
        shop.save(found, "customer.subscription.updated", before)
    _plan_work(shop, found)


def warn_trial(shop: Shop, found: Json) -> None:
    if found["status"] == "trialing":
        shop.world.keep(found["id"], warned=True)
        shop.emit("customer.subscription.trial_will_end", found)


def subscription_of(shop: Shop, bill: Json) -> Json | None:
    parent = bill["parent"] or {}
    details = parent.get("subscription_details") or {}
    return shop.world.table("subscription").get(details.get("subscription"))


def _set_items(shop: Shop, made: Json, wanted: list[Json]) -> None:
    if not wanted:
        raise invalid("Missing required param: items.", param="items", code="parameter_missing")
    prices = [resolve_price(shop, entry) for entry in wanted]
    if any(price["type"] != "recurring" for price in prices):
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with"
            " `type=recurring`.",
            param="items[0][price]",
        )
    if len({price["currency"] for price in prices}) > 1:
        raise invalid("All prices on a subscription must have the same currency.")
    made["currency"] = prices[0]["currency"]
    items = [
        _item(shop, made, price, entry.get("quantity", 1), entry.get("metadata"))
        for price, entry in zip(prices, wanted, strict=True)
    ]
    made["items"] = {
        "object": "list",
        "data": items,
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={made['id']}",
    }


def _item(shop: Shop, made: Json, price: Json, quantity: int, metadata: Any) -> Json:
    return shop.world.make(
        "subscription_item",
        "si",
        subscription=made["id"],
        price=price,
        plan=plan_of(price),
        quantity=quantity,
        metadata=merge_metadata({}, metadata),
        current_period_start=shop.world.now(),
        current_period_end=shop.world.now(),
    )


def _change_items(shop: Shop, found: Json, wanted: list[Json]) -> None:
    items: list[Json] = list(found["items"]["data"])
    for entry in wanted:
        item = next((i for i in items if i["id"] == entry.get("id")), None)
        if entry.get("id") and item is None:
            raise invalid(f"No such subscription item: '{entry['id']}'", param="items")
        if item and entry.get("deleted"):
            items.remove(item)
        elif item:
            if "price" in entry or "price_data" in entry:
                item["price"] = resolve_price(shop, entry)
                item["plan"] = plan_of(item["price"])
            item["quantity"] = entry.get("quantity", item["quantity"])
        else:
            price = resolve_price(shop, entry)
            added = _item(shop, found, price, entry.get("quantity", 1), entry.get("metadata"))
            added["current_period_end"] = _period_end(found)
            items.append(added)
    if not items:
        raise invalid("A subscription must have at least one active plan.", param="items")
    found["items"]["data"] = items


def plan_of(price: Json) -> Json:
    """The older rendering of a recurring price, which Stripe still shows beside it."""
    recurring = price["recurring"]
    shared = ("id", "active", "billing_scheme", "created", "currency", "livemode", "metadata")
    return {
        "object": "plan",
        **{name: price[name] for name in shared},
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": None,
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


def resolve_price(shop: Shop, entry: Json) -> Json:
    """The price of an entry: an existing one, or one made of `price_data`."""
    if entry.get("price_data"):
        from sandbox.catalog import create_price

        return create_price(shop, {**entry["price_data"], "active": False})
    if not entry.get("price") and not entry.get("plan"):
        raise invalid("Missing required param: items[0][price].", code="parameter_missing")
    price = shop.find("price", entry.get("price") or entry.get("plan"), param="items[0][price]")
    if not price["active"]:
        raise invalid(
            f"The price specified is inactive. This field only accepts active prices: {price['id']}"
        )
    return price


def _begin_period(shop: Shop, made: Json, start: int, *, until: int | None = None) -> None:
    for item in made["items"]["data"]:
        recurring = item["price"]["recurring"]
        end = until or shop.world.later(start, recurring["interval"], recurring["interval_count"])
        item.update(current_period_start=start, current_period_end=end)


def _period_end(found: Json) -> int:
    return max(int(item["current_period_end"]) for item in found["items"]["data"])


def _lines(shop: Shop, made: Json, *, free: bool = False) -> list[Json]:
    lines = []
    for item in made["items"]["data"]:
        amount = 0 if free else (item["price"]["unit_amount"] or 0) * (item.get("quantity") or 1)
        lines.append(invoices.subscription_line(shop, made, item, amount=amount))
    return lines


def _extra_lines(shop: Shop, made: Json, wanted: list[Json]) -> list[Json]:
    return [
        invoices.item_line(
            shop,
            shop.find("price", entry["price"], param="add_invoice_items"),
            quantity=entry.get("quantity", 1),
            invoice_item=shop.world.new_id("ii"),
            subscription=made["id"],
        )
        for entry in wanted
    ]


def _trial_end(shop: Shop, params: Json) -> int | None:
    if params.get("trial_period_days"):
        return shop.world.now() + shop.world.span(params["trial_period_days"] * 86400)
    given = params.get("trial_end")
    return given if isinstance(given, int) and given > shop.world.now() else None


def _move_trial(shop: Shop, found: Json, given: Any) -> None:
    end = shop.world.now() if given == "now" else int(given)
    found["trial_end"] = end
    for item in found["items"]["data"]:
        item["current_period_end"] = end


def _moment(found: Json, given: Any) -> int:
    if given in ("min_period_end", "max_period_end", "max_billed_until"):
        ends = [int(item["current_period_end"]) for item in found["items"]["data"]]
        return min(ends) if given == "min_period_end" else max(ends)
    return int(given)


def _requested(details: Json) -> Json:
    return {
        **_no_cancellation(),
        "reason": "cancellation_requested",
        "feedback": details.get("feedback") or None,
        "comment": details.get("comment") or None,
    }


def _no_cancellation() -> Json:
    return {"comment": None, "feedback": None, "feedback_option": None, "reason": None}
