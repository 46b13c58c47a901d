"""Control: objects, events, time, and bulk data."""

from itertools import islice

from sandbox import bulk
from sandbox.control.registry import Command, control
from sandbox.shop import invalid, missing
from sandbox.subscriptions import items
from sandbox.world import Json

MOST = 500


@control("GET", "/objects")
def objects(command: Command) -> Json:
    """Objects of a `kind` (their `object` field), newest first, at most `limit`; without a kind,
    the number of objects of each kind."""
    tables = command.shop.world.tables
    kind = command.query.get("kind")
    if kind is None:
        return {"counts": {name: len(table) for name, table in tables.items() if table}}
    if kind not in tables:
        raise invalid(f"Unknown kind {kind}; use one of {', '.join(tables)}.", param="kind")
    limit = min(MOST, int(command.query.get("limit", 100)))
    return {"data": list(islice(tables[kind].newest_first({}, before=None, after=None), limit))}


@control("GET", "/objects/{id}")
def one_object(command: Command) -> Json:
    """One object of any kind, with the private data Stripe doesn't show."""
    source = _any(command)
    return {"object": source, "private": command.shop.world.private.get(command.id, {})}


@control("POST", "/objects/{id}")
def change_object(command: Command) -> Json:
    """Change an object by hand: `set` fields to anything, even values Stripe doesn't document (the
    checker then skips the object), and send the named `event`."""
    source = _any(command)
    shop = command.shop
    before = shop.world.copy(source)
    changes = command.body.get("set") or {}
    if "id" in changes or "object" in changes:
        raise invalid("An object's id and kind can't be changed.", param="set")
    source.update(changes)
    if shop.world.published.object_errors(source):
        known = shop.world.private.get("wild", {}).get("ids", [])
        shop.world.keep("wild", ids=[*known, source["id"]])
    event = command.body.get("event")
    shop.save(source, event, before if event and event.endswith(".updated") else None)
    return source


def _any(command: Command) -> Json:
    for table in command.shop.world.tables.values():
        source = table.get(command.id)
        if source is not None:
            return source
    raise missing("object", command.id)


@control("GET", "/events")
def events(command: Command) -> Json:
    """All events however old, newest first; with `after` (an event's id) the later ones, oldest
    first. Filters: `type`, `object` (id), `limit`."""
    wanted, about = command.query.get("type"), command.query.get("object")
    table = command.shop.world.table("event")
    last = command.query.get("after")
    rows = table.newest_first(
        {"type": wanted} if wanted else {},
        before=None,
        after=table.position(last) if last else None,
    )
    matching = (row for row in rows if not about or row["data"]["object"].get("id") == about)
    return {"data": list(islice(matching, min(MOST, int(command.query.get("limit", 100)))))}


@control("GET", "/clock")
def clock(command: Command) -> Json:
    """The time, the length of a month, and the next scheduled tasks."""
    world = command.shop.world
    return {
        "now": world.now(),
        "month_seconds": world.month_seconds,
        "next": [
            {"at": at, "work": work, "id": object_id}
            for at, work, object_id in world.agenda()[: int(command.query.get("limit", 20))]
        ],
    }


@control("POST", "/clock/advance")
def advance(command: Command) -> Json:
    """Advance time by `seconds`, or until a moment of a `subscription`: `until` is `period_end`,
    `trial_end`, `cancel_at`, `resumes_at`, `retry` or `next`."""
    body = command.body
    seconds = body.get("seconds")
    if seconds is None:
        subscription = command.shop.find("subscription", body["subscription"], param="subscription")
        seconds = (
            _until(command, subscription, body.get("until", "period_end"))
            - command.shop.world.now()
        )
    return {"done": command.box.clock.advance(max(1, int(seconds)))}


def _until(command: Command, subscription: Json, until: str) -> int:
    at: float | None
    match until:
        case "period_end":
            at = items.first_end(subscription)
        case "trial_end" | "cancel_at":
            at = subscription[until]
        case "resumes_at":
            at = (subscription["pause_collection"] or {}).get("resumes_at")
        case "retry":
            bill = command.shop.world.table("invoice").get(subscription["latest_invoice"])
            at = bill["next_payment_attempt"] if bill else None
        case "next":
            watched = {subscription["id"], subscription["latest_invoice"], subscription["schedule"]}
            at = next((at for at, _, name in command.shop.world.agenda() if name in watched), None)
        case _:
            raise invalid(f"Unknown moment: {until}.", param="until")
    if at is None:
        raise invalid(f"The subscription has no {until}.", param="until")
    return int(at) + 1


@control("POST", "/speed")
def speed(command: Command) -> Json:
    """Set how long a month lasts from now on: `month_seconds`, null for a real month."""
    if "month_seconds" in command.body:
        seconds = command.body["month_seconds"]
        command.shop.world.month_seconds = float(seconds) if seconds else None
    return {"month_seconds": command.shop.world.month_seconds}


@control("POST", "/bulk")
def many(command: Command) -> Json:
    """Create many subscribers at once, without events: `count`, `one_off`, `product`, `name`;
    `within` spreads them over so many seconds before now; `interval` is how often they pay
    (`month`)."""
    return bulk.subscribers(command.shop, **command.body)
