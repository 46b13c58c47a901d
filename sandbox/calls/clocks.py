"""Test clocks: their customers' time stands still until it is advanced."""

from sandbox.calls.registry import Call, call, listable, readable
from sandbox.clock import do_due
from sandbox.shop import invalid, snapshot
from sandbox.subscriptions import items
from sandbox.world import Json

KIND, URL = "test_helpers.test_clock", "/v1/test_helpers/test_clocks"
LIFE_SECONDS = 30 * 86400

readable(KIND, URL)
listable(KIND, URL)


@call("POST", URL)
def create(c: Call) -> Json:
    world = c.shop.world
    made = world.make(
        KIND,
        "clock",
        frozen_time=c.params["frozen_time"],
        name=c.params.get("name"),
        status="ready",
        status_details={},
        deletes_after=world.now() + LIFE_SECONDS,
    )
    return c.shop.save(made, f"{KIND}.created")


def _check_reach(c: Call, clock: Json, target: int) -> None:
    """Raise Stripe's 400 for more than two of the shortest intervals that are billed by the
    clock."""
    world = c.shop.world
    rhythms = [
        item["price"]["recurring"]
        for found in world.table("subscription").values()
        if found["test_clock"] == clock["id"] and found["status"] in items.LIVE
        for item in items.rows(found)
    ]
    ends = [
        world.later(clock["frozen_time"], rhythm["interval"], 2 * rhythm["interval_count"])
        for rhythm in rhythms
    ]
    if ends and target > min(ends):
        raise invalid(
            "The clock can only be advanced up to two intervals of the shortest subscription on it"
            f" at a time: to {min(ends)} at most.",
            param="frozen_time",
        )


@call("POST", f"{URL}/{{}}/advance")
def advance(c: Call) -> Json:
    """Everything that falls due for the clock's customers is done, in order; the answer is given
    as Stripe gives it, before that."""
    clock, target = c.find(KIND), c.params["frozen_time"]
    if target <= clock["frozen_time"]:
        raise invalid(
            "The clock can only be advanced to a time after its current frozen time.",
            param="frozen_time",
        )
    _check_reach(c, clock, target)
    clock.update(status="advancing", status_details={"advancing": {"target_frozen_time": target}})
    c.shop.save(clock, f"{KIND}.advancing")
    answer = snapshot(clock)
    do_due(c.shop, until=target, clock=clock["id"])
    clock.update(frozen_time=target, status="ready", status_details={})
    c.shop.save(clock, f"{KIND}.ready")
    return answer


@call("DELETE", f"{URL}/{{}}")
def delete(c: Call) -> Json:
    """Delete the clock with its customers and everything of theirs."""
    clock, world = c.find(KIND), c.shop.world
    for kind, table in world.tables.items():
        for source in table.values():
            if world.clocked.get(source["id"]) == clock["id"]:
                world.forget(kind, source["id"])
    world.forget(KIND, clock["id"])
    c.shop.emit(f"{KIND}.deleted", clock)
    return {"id": clock["id"], "object": KIND, "deleted": True}
