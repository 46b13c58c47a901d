"""Subscriptions, their items, and subscription schedules."""

from sandbox import lists, subscriptions
from sandbox.calls.registry import Call, call, listable, readable, searchable
from sandbox.shop import invalid, missing
from sandbox.subscriptions import endings, items, pauses, schedules
from sandbox.world import Json, Moment

call("POST", "/v1/subscriptions")(lambda c: subscriptions.create(c.shop, c.params))


@call("POST", "/v1/subscriptions/{}")
def update(c: Call) -> Json:
    found = c.find("subscription")
    if any(c.params.get(name) for name in ("cancel_at", "cancel_at_period_end")):
        _check_unscheduled(found)
    return subscriptions.update(c.shop, found, c.params)


def _check_unscheduled(found: Json) -> None:
    """Raise Stripe's 400 for a subscription whose end is a schedule's business."""
    if found["schedule"]:
        raise invalid(
            f"The subscription is managed by the subscription schedule `{found['schedule']}`, and"
            " updating any cancelation behavior directly is not allowed. Please update the schedule"
            " instead."
        )


call("POST", "/v1/subscriptions/{}/pause")(
    lambda c: pauses.pause(c.shop, c.find("subscription"), c.params)
)
call("POST", "/v1/subscriptions/{}/resume")(
    lambda c: pauses.resume(c.shop, c.find("subscription"), c.params)
)
readable("subscription", "/v1/subscriptions")
searchable("subscription", "/v1/subscriptions")


@call("DELETE", "/v1/subscriptions/{}")
def cancel(c: Call) -> Json:
    found = c.find("subscription")
    _check_unscheduled(found)
    return endings.cancel(
        c.shop,
        found,
        details=c.params.get("cancellation_details"),
        prorate=bool(c.params.get("prorate")),
        invoice_now=bool(c.params.get("invoice_now")),
    )


@call("DELETE", "/v1/subscriptions/{}/discount")
def delete_discount(c: Call) -> Json:
    found = c.find("subscription")
    if not found["discounts"]:
        raise invalid(f"No active discount for subscription: {found['id']}")
    taken = c.shop.find("discount", found["discounts"][0])
    subscriptions.update(c.shop, found, {"discounts": ""})
    return {**taken, "deleted": True}


@call("GET", "/v1/subscriptions")
def list_subscriptions(c: Call) -> Json:
    """List subscriptions; without `status`, all but the cancelled ones."""
    fields = ("customer", "price", "collection_method")
    equal: Json = {key: c.params[key] for key in fields if key in c.params}
    if "plan" in c.params:
        equal.setdefault("price", c.params["plan"])
    if "customer" not in equal:
        equal["test_clock"] = c.params.get("test_clock")
    taxed = (c.params.get("automatic_tax") or {}).get("enabled")
    status = c.params.get("status")
    if status and status not in ("all", "ended"):
        equal["status"] = status

    def wanted(subscription: Json) -> bool:
        if status == "ended" and subscription["status"] not in ("canceled", "incomplete_expired"):
            return False
        if status is None and subscription["status"] == "canceled":
            return False
        if subscription["automatic_tax"]["enabled"] is not taxed and taxed is not None:
            return False
        if "plan" in c.params and not items.has_price(subscription, c.params["plan"]):
            return False
        return all(lists.within(moment(subscription), c.params[name]) for name, moment in periods)

    periods = [(name, moment) for name, moment in _PERIODS.items() if name in c.params]
    table = c.shop.world.table("subscription")
    found = [table.between(moment, *lists.bounds(c.params[name])) for name, moment in periods]
    among = min(found, key=len, default=None)
    return lists.page(
        c.shop, "subscription", "/v1/subscriptions", c.params, equal=equal, keep=wanted, among=among
    )


_PERIODS: dict[str, Moment] = {
    "current_period_start": lambda found: min(
        item["current_period_start"] for item in items.rows(found)
    ),
    "current_period_end": items.last_end,
}
"""What the filters by a period compare. A shop has too many subscriptions to read them all for each
page of a list."""


@call("GET", "/v1/subscription_items")
def list_items(c: Call) -> Json:
    found = c.shop.find("subscription", c.params.get("subscription"), param="subscription")
    return lists.slice_of("/v1/subscription_items", items.rows(found), c.params)


def _owner(c: Call) -> tuple[Json, Json]:
    """The item named in the path, and its subscription. Raises Stripe's 404."""
    for subscription in c.shop.world.table("subscription").newest_first(
        {"item": c.ids[0]}, before=None, after=None
    ):
        for item in items.rows(subscription):
            if item["id"] == c.ids[0]:
                return subscription, item
    raise missing("subscription_item", c.ids[0])


call("GET", "/v1/subscription_items/{}")(lambda c: _owner(c)[1])
_OF_UPDATE = ("proration_behavior", "proration_date", "payment_behavior", "off_session")


def _split(params: Json) -> tuple[Json, Json]:
    """Split an item call's parameters into the item's own and those of the subscription update."""
    outer = {key: params[key] for key in _OF_UPDATE if key in params}
    inner = {key: params[key] for key in params if key not in (*_OF_UPDATE, "expand")}
    return inner, outer


@call("POST", "/v1/subscription_items")
def create_item(c: Call) -> Json:
    inner, outer = _split(c.params)
    found = c.shop.find("subscription", inner.pop("subscription"), param="subscription")
    if found["status"] not in items.LIVE:
        raise invalid(f"The subscription is {found['status']}.", param="subscription")
    known = {item["id"] for item in items.rows(found)}
    subscriptions.update(c.shop, found, {"items": [inner], **outer})
    waiting = (found["pending_update"] or {}).get("subscription_items") or []
    return next(item for item in [*items.rows(found), *waiting] if item["id"] not in known)


@call("POST", "/v1/subscription_items/{}")
def update_item(c: Call) -> Json:
    subscription, item = _owner(c)
    inner, outer = _split(c.params)
    subscriptions.update(c.shop, subscription, {"items": [{"id": item["id"], **inner}], **outer})
    return _owner(c)[1]


@call("DELETE", "/v1/subscription_items/{}")
def delete_item(c: Call) -> Json:
    subscription, item = _owner(c)
    _, outer = _split(c.params)
    wanted = {"items": [{"id": item["id"], "deleted": True}], **outer}
    subscriptions.update(c.shop, subscription, wanted)
    return {"id": item["id"], "object": "subscription_item", "deleted": True}


_SCHEDULES = "/v1/subscription_schedules"
readable(schedules.KIND, _SCHEDULES)
listable(
    schedules.KIND,
    _SCHEDULES,
    "customer",
    times=("canceled_at", "completed_at", "released_at"),
    scheduled=lambda row, wanted: (row["status"] == "not_started") is wanted,
)
call("POST", _SCHEDULES)(lambda c: schedules.create(c.shop, c.params))
call("POST", f"{_SCHEDULES}/{{}}")(
    lambda c: schedules.update(c.shop, c.find(schedules.KIND), c.params)
)
call("POST", f"{_SCHEDULES}/{{}}/release")(
    lambda c: schedules.release(c.shop, c.find(schedules.KIND), params=c.params)
)
call("POST", f"{_SCHEDULES}/{{}}/cancel")(
    lambda c: schedules.cancel(c.shop, c.find(schedules.KIND), params=c.params)
)
