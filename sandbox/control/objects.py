"""Control: all objects and events, time, and many at once."""

from itertools import islice

from sandbox import bulk
from sandbox.control.registry import Order, control
from sandbox.shop import invalid, missing
from sandbox.subscriptions import items
from sandbox.world import Json

MOST = 500


@control("GET", "/objects")
def objects(order: Order) -> Json:
    """Objects of a `kind` (their `object` field), newest first, at most `limit`; without a kind,
    how many there are of each."""
    tables = order.shop.world.tables
    kind = order.query.get("kind")
    if kind is None:
        return {"counts": {name: len(table) for name, table in tables.items() if table}}
    if kind not in tables:
        raise invalid(f"There is no kind {kind}; there are {', '.join(tables)}.", param="kind")
    limit = min(MOST, int(order.query.get("limit", 100)))
    return {"data": list(islice(tables[kind].newest_first({}, before=None, after=None), limit))}


@control("GET", "/objects/{id}")
def one_object(order: Order) -> Json:
    """One object, whatever its kind, with what Stripe doesn't show of it."""
    found = _any(order)
    return {"object": found, "private": order.shop.world.private.get(order.id, {})}


@control("POST", "/objects/{id}")
def change_object(order: Order) -> Json:
    """Change an object by hand: `set` fields to anything, values that nobody knows too (the checker
    then looks away from it), and send the `event` that is named."""
    found = _any(order)
    shop = order.shop
    before = shop.world.copy(found)
    changes = order.given.get("set") or {}
    if "id" in changes or "object" in changes:
        raise invalid("An object keeps its id and kind.", param="set")
    found.update(changes)
    if shop.world.published.object_errors(found):
        known = shop.world.private.get("wild", {}).get("ids", [])
        shop.world.keep("wild", ids=[*known, found["id"]])
    event = order.given.get("event")
    shop.save(found, event, before if event and event.endswith(".updated") else None)
    return found


def _any(order: Order) -> Json:
    for table in order.shop.world.tables.values():
        found = table.get(order.id)
        if found is not None:
            return found
    raise missing("object", order.id)


@control("GET", "/events")
def events(order: Order) -> Json:
    """All events however old, newest first, or from the event `after` on: `type`, `object` (id),
    `limit`."""
    wanted, about = order.query.get("type"), order.query.get("object")
    table = order.shop.world.table("event")
    last = order.query.get("after")
    rows = table.newest_first(
        {"type": wanted} if wanted else {},
        before=None,
        after=table.position(last) if last else None,
    )
    found = (row for row in rows if not about or row["data"]["object"].get("id") == about)
    return {"data": list(islice(found, min(MOST, int(order.query.get("limit", 100)))))}


@control("GET", "/clock")
def clock(order: Order) -> Json:
    """The time, the length of a month, and what will be done next."""
    world = order.shop.world
    return {
        "now": world.now(),
        "month_seconds": world.month_seconds,
        "next": [
            {"at": at, "work": work, "id": object_id}
            for at, work, object_id in world.agenda()[: int(order.query.get("limit", 20))]
        ],
    }


@control("POST", "/clock/advance")
def advance(order: Order) -> Json:
    """Move time on by `seconds`, or until something of a `subscription` is due: `until`
    `period_end`, `trial_end`, `cancel_at`, `resumes_at`, `retry` or `next`."""
    given = order.given
    seconds = given.get("seconds")
    if seconds is None:
        found = order.shop.find("subscription", given["subscription"], param="subscription")
        seconds = _until(order, found, given.get("until", "period_end")) - order.shop.world.now()
    return {"done": order.box.clock.advance(max(1, int(seconds)))}


def _until(order: Order, found: Json, until: str) -> int:
    at: float | None
    match until:
        case "period_end":
            at = items.first_end(found)
        case "trial_end" | "cancel_at":
            at = found[until]
        case "resumes_at":
            at = (found["pause_collection"] or {}).get("resumes_at")
        case "retry":
            bill = order.shop.world.table("invoice").get(found["latest_invoice"])
            at = bill["next_payment_attempt"] if bill else None
        case "next":
            mine = {found["id"], found["latest_invoice"], found["schedule"]}
            at = next((at for at, _, name in order.shop.world.agenda() if name in mine), None)
        case _:
            raise invalid(f"There is no such moment: {until}.", param="until")
    if at is None:
        raise invalid(f"The subscription has no {until}.", param="until")
    return int(at) + 1


@control("POST", "/speed")
def speed(order: Order) -> Json:
    """How long a month lasts from now on: `month_seconds`, null for a real one."""
    if "month_seconds" in order.given:
        seconds = order.given["month_seconds"]
        order.shop.world.month_seconds = float(seconds) if seconds else None
    return {"month_seconds": order.shop.world.month_seconds}


@control("POST", "/bulk")
def many(order: Order) -> Json:
    """Many subscribers at once without events: `count`, `one_off`, `product`, `name`."""
    return bulk.subscribers(order.shop, **order.given)
