"""Subscription schedules: phases of a subscription, by date."""

from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.subscriptions import agenda, changes, creation, dunning, endings, items
from sandbox.world import Json

KIND = "subscription_schedule"
RUNNING = ("not_started", "active")
DAY = 86400
_COPIED = ("collection_method", "default_payment_method", "description", "proration_behavior")


def create(shop: Shop, params: Json) -> Json:
    """`POST /v1/subscription_schedules`, for an existing subscription or a new one."""
    if given := params.get("from_subscription"):
        if set(params) - {"from_subscription", "metadata", "expand", "billing_mode"}:
            raise invalid(
                "You cannot pass other parameters with `from_subscription`; update the schedule"
                " afterwards.",
                param="from_subscription",
            )
        found = shop.find("subscription", given, param="from_subscription")
        return _around(shop, found, metadata=params.get("metadata"))
    customer = shop.find("customer", params.get("customer"), param="customer")
    if not params.get("phases"):
        raise invalid("Missing required param: phases.", param="phases", code="parameter_missing")
    now = shop.world.now()
    start = params.get("start_date", "now")
    start = now if start == "now" else int(start)
    made = _blank(shop, customer, params)
    made["phases"] = _phases(shop, params["phases"], start, customer["id"])
    shop.save(made, f"{KIND}.created")
    if start <= now:
        _begin(shop, made)
    else:
        shop.world.schedule("phase_end", made["id"], start)
    return made


def _blank(shop: Shop, customer: Json, params: Json) -> Json:
    made = shop.world.make(
        KIND,
        "sub_sched",
        customer=customer["id"],
        test_clock=customer.get("test_clock"),
        status="not_started",
        end_behavior=params.get("end_behavior", "release"),
        metadata=merge_metadata({}, params.get("metadata")),
        subscription=None,
        current_phase=None,
        canceled_at=None,
        completed_at=None,
        released_at=None,
        released_subscription=None,
        pause_schedules=[],
    )
    mode = params.get("billing_mode") or {"type": "flexible"}
    flexible = {"proration_discounts": "included"} if mode["type"] == "flexible" else None
    made["billing_mode"] = {"type": mode["type"], "flexible": flexible}
    made["default_settings"] = {
        **made["default_settings"],
        "billing_cycle_anchor": "automatic",
        "collection_method": "charge_automatically",
    }
    return made


def _around(shop: Shop, found: Json, *, metadata: Json | None = None) -> Json:
    """A schedule whose only phase is a subscription's current period."""
    if found["schedule"]:
        raise invalid(
            f"The subscription {found['id']} is already attached to a schedule:"
            f" {found['schedule']}.",
            param="from_subscription",
        )
    if found["status"] not in items.LIVE:
        raise invalid(f"The subscription is {found['status']}.", param="from_subscription")
    customer = shop.find("customer", found["customer"])
    made = _blank(shop, customer, {"metadata": metadata, "billing_mode": found["billing_mode"]})
    start = min(item["current_period_start"] for item in items.rows(found))
    wanted = {
        "items": [
            {"price": item["price"]["id"], "quantity": item["quantity"]}
            for item in items.rows(found)
        ],
        "end_date": items.last_end(found),
    }
    made["phases"] = _phases(shop, [wanted], start, customer["id"])
    made.update(status="active", subscription=found["id"])
    made["current_phase"] = _span(made["phases"][0])
    before = snapshot(found)
    found["schedule"] = made["id"]
    with shop.row():
        shop.save(made, f"{KIND}.created")
        shop.save(found, "customer.subscription.updated", before)
    _plan(shop, made)
    return made


def plan_switch(shop: Shop, found: Json, wanted: Json) -> Json:
    """Schedule a switch at the end of the period, as the portal does: a second phase with the new
    price."""
    with shop.row():
        made = _around(shop, found)
        first = made["phases"][0]
        after = {"items": [wanted], "duration": {"interval": "month", "interval_count": 1}}
        made["phases"] += _phases(shop, [after], first["end_date"], found["customer"])
        shop.save(made, f"{KIND}.updated")
    return made


def _phases(shop: Shop, wanted: list[Json], start: int, customer: str) -> list[Json]:
    """Build consecutive phases. Raises Stripe's 400 for a bad end or bad prices."""
    made = []
    for number, entry in enumerate(wanted):
        start = _start_of(shop, entry, start)
        prices = [
            items.resolve_price(shop, item, where=f"phases[{number}][items][{place}][price]")
            for place, item in enumerate(entry["items"])
        ]
        phase: Json = shop.world.part(KIND, "phases")
        phase.update(
            start_date=start,
            end_date=_end_of(shop, entry, start, prices[0]),
            currency=prices[0]["currency"],
            items=[
                _phase_item(shop, phase, price, item)
                for price, item in zip(prices, entry["items"], strict=True)
            ],
            metadata=merge_metadata({}, entry.get("metadata")),
            proration_behavior="create_prorations",
            trial_end=entry.get("trial_end"),
        )
        phase.update({key: entry[key] for key in _COPIED if entry.get(key)})
        if entry.get("trial"):
            phase["trial_end"] = phase["end_date"]
        made.append(phase)
        start = phase["end_date"]
    return made


def _start_of(shop: Shop, entry: Json, start: int) -> int:
    given = entry.get("start_date")
    if given is None:
        return start
    return shop.world.now() if given == "now" else int(given)


def _end_of(shop: Shop, entry: Json, start: int, price: Json) -> int:
    given = entry.get("end_date")
    if given is not None:
        end = shop.world.now() if given == "now" else int(given)
        if end < start:
            raise invalid("A phase must end after it starts.", param="phases")
        return end
    duration = entry.get("duration") or {
        "interval": price["recurring"]["interval"],
        "interval_count": price["recurring"]["interval_count"],
    }
    count = duration.get("interval_count", 1)
    return shop.world.later(start, duration["interval"], count)


def _phase_item(shop: Shop, phase: Json, price: Json, entry: Json) -> Json:
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": merge_metadata({}, entry.get("metadata")),
        "plan": price["id"],
        "price": price["id"],
        "quantity": entry.get("quantity", 1),
        "tax_rates": [],
    }


def _span(phase: Json) -> Json:
    return {"start_date": phase["start_date"], "end_date": phase["end_date"]}


def update(shop: Shop, schedule: Json, params: Json) -> Json:
    """`POST /v1/subscription_schedules/{id}`: other phases, another end."""
    _running(schedule, "update")
    before = snapshot(schedule)
    if "end_behavior" in params:
        schedule["end_behavior"] = params["end_behavior"]
    if "metadata" in params:
        schedule["metadata"] = merge_metadata(schedule["metadata"], params["metadata"])
    if "phases" in params:
        start = schedule["phases"][0]["start_date"]
        schedule["phases"] = _phases(shop, params["phases"], start, schedule["customer"])
        schedule["current_phase"] = None
    with shop.row():
        found = shop.world.table("subscription").get(schedule["subscription"])
        if found is not None and "phases" in params:
            _enter(shop, schedule, found, proration=params.get("proration_behavior"))
        shop.save(schedule, f"{KIND}.updated", before)
    _plan(shop, schedule)
    return schedule


def release(shop: Shop, schedule: Json, *, params: Json | None = None) -> Json:
    """Release the subscription from its schedule."""
    _running(schedule, "release")
    before = snapshot(schedule)
    found = shop.world.table("subscription").get(schedule["subscription"])
    schedule.update(
        status="released",
        released_at=shop.world.now(),
        released_subscription=schedule["subscription"],
        subscription=None,
        current_phase=None,
    )
    with shop.row():
        shop.save(schedule, f"{KIND}.released", before)
        if found is not None:
            _detach(shop, found, keep_end=bool((params or {}).get("preserve_cancel_date")))
    shop.world.schedule("phase_end", schedule["id"], None)
    return schedule


def _detach(shop: Shop, found: Json, *, keep_end: bool) -> None:
    before = snapshot(found)
    found["schedule"] = None
    if not keep_end and found["cancel_at"] and not found["canceled_at"]:
        found["cancel_at"] = None
    shop.save(found, "customer.subscription.updated", before)
    agenda.plan(shop, found)


def cancel(shop: Shop, schedule: Json, *, params: Json) -> Json:
    """End the schedule, and its subscription with it, now: what is unused is credited and a last
    invoice made, unless `prorate` and `invoice_now` say otherwise."""
    _running(schedule, "cancel")
    found = shop.world.table("subscription").get(schedule["subscription"])
    with shop.row():
        schedule.update(status="canceled", canceled_at=shop.world.now(), current_phase=None)
        shop.save(schedule, f"{KIND}.canceled")
        if found is not None and found["status"] in items.LIVE:
            endings.cancel(
                shop,
                found,
                prorate=params.get("prorate", True),
                invoice_now=params.get("invoice_now", True),
            )
    shop.world.schedule("phase_end", schedule["id"], None)
    return schedule


def _running(schedule: Json, verb: str) -> None:
    if schedule["status"] not in RUNNING:
        raise invalid(
            f"You cannot {verb} a subscription schedule that is currently in the"
            f" `{schedule['status']}` status."
        )


def _plan(shop: Shop, schedule: Json) -> None:
    current = schedule["current_phase"]
    at = current["end_date"] if current else schedule["phases"][0]["start_date"]
    shop.world.schedule("phase_end", schedule["id"], at)
    warn = schedule["phases"][-1]["end_date"] - shop.world.span(shop.settings.expiring_days * DAY)
    if warn >= shop.world.now():
        shop.world.schedule("warn_schedule", schedule["id"], warn)


def warn(shop: Shop, schedule: Json) -> None:
    """Due work: a schedule will soon be over. One that is shorter than the usual notice isn't
    announced."""
    if schedule["status"] == "active":
        shop.emit(f"{KIND}.expiring", schedule)


def phase_end(shop: Shop, schedule: Json) -> None:
    """Due work: a phase begins or ends."""
    if schedule["status"] == "not_started":
        _begin(shop, schedule)
        return
    found = shop.world.table("subscription").get(schedule["subscription"])
    if schedule["status"] == "active" and found is not None:
        keep_up(shop, found)
        agenda.plan(shop, found)


def keep_up(shop: Shop, found: Json) -> None:
    """Bring a subscription into its schedule's current phase."""
    schedule = shop.world.table(KIND).get(found["schedule"])
    if schedule is None or schedule["status"] != "active":
        return
    current = schedule["current_phase"]
    if current is not None and shop.world.now() < current["end_date"]:
        return
    with shop.row():
        if shop.world.now() >= schedule["phases"][-1]["end_date"]:
            _finish(shop, schedule, found)
        else:
            _enter(shop, schedule, found)
            shop.save(schedule, f"{KIND}.updated")
            _plan(shop, schedule)


def _finish(shop: Shop, schedule: Json, found: Json) -> None:
    if schedule["end_behavior"] != "cancel":
        release(shop, schedule)
        shop.emit(f"{KIND}.completed", schedule)
        return
    schedule.update(status="completed", completed_at=shop.world.now(), current_phase=None)
    shop.save(schedule, f"{KIND}.completed")
    shop.world.schedule("phase_end", schedule["id"], None)
    endings.cancel(shop, found)


def _begin(shop: Shop, schedule: Json) -> None:
    """Start the first phase by creating the subscription."""
    phase = schedule["phases"][0]
    params = {
        "customer": schedule["customer"],
        "items": [
            {"price": item["price"], "quantity": item["quantity"], "scheduled": True}
            for item in phase["items"]
        ],
        "billing_mode": schedule["billing_mode"],
        "metadata": phase["metadata"],
        "trial_end": phase["trial_end"],
        "payment_behavior": "default_incomplete",
    }
    with shop.row():
        found = creation.create(
            shop, {key: value for key, value in params.items() if value is not None}
        )
        found["schedule"] = schedule["id"]
        schedule.update(status="active", subscription=found["id"], current_phase=_span(phase))
        shop.save(found)
        shop.save(schedule, f"{KIND}.updated")
        bill = shop.find("invoice", found["latest_invoice"])
        if bill["status"] == "open":
            found["status"] = "active"
            shop.save(found)
            dunning.attempt(shop, bill)
    _plan(shop, schedule)


def _enter(shop: Shop, schedule: Json, found: Json, *, proration: str | None = None) -> None:
    """Apply the current phase to the subscription."""
    now = shop.world.now()
    phase = next(
        (p for p in schedule["phases"] if p["start_date"] <= now < p["end_date"]),
        schedule["phases"][-1],
    )
    schedule["current_phase"] = _span(phase)
    params: Json = {
        "items": _difference(found, phase["items"]),
        "proration_behavior": proration or phase["proration_behavior"],
    }
    if phase["metadata"]:
        params["metadata"] = phase["metadata"]
    if phase["trial_end"] and phase["trial_end"] > now:
        params["trial_end"] = phase["trial_end"]
    changes.update(shop, found, params)


def _difference(found: Json, wanted: list[Json]) -> list[Json]:
    """The update that leads to the wanted items: matched by price, then by position; the rest are
    removed."""
    old = list(items.rows(found))
    entries, new = [], []
    for item in wanted:
        same = next((one for one in old if one["price"]["id"] == item["price"]), None)
        if same is None:
            new.append(item)
            continue
        old.remove(same)
        entries.append({"id": same["id"], "quantity": item["quantity"]})
    for item in new:
        entry = {"price": item["price"], "quantity": item["quantity"], "scheduled": True}
        if old:
            entry["id"] = old.pop(0)["id"]
        entries.append(entry)
    return entries + [{"id": item["id"], "deleted": True} for item in old]
