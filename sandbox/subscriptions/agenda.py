"""What happens to a subscription automatically, and when."""

from sandbox.shop import Shop
from sandbox.subscriptions import items
from sandbox.world import Json

INCOMPLETE_SECONDS = 23 * 3600
WARN_TRIAL_SECONDS = 3 * 86400
DAY = 86400
_WORKS = (
    "period_end",
    "expire_incomplete",
    "warn_trial",
    "announce_invoice",
    "resume_collection",
    "expire_pending_update",
)


def plan(shop: Shop, found: Json) -> None:
    """Schedule what happens next to a subscription; called after every change."""
    world, status = shop.world, found["status"]
    wanted: dict[str, float | None] = dict.fromkeys(_WORKS)
    if status == "incomplete":
        wanted["expire_incomplete"] = found["created"] + world.span(INCOMPLETE_SECONDS)
    elif status in items.LIVE and status != "paused":
        ends = [items.first_end(found)]
        if found["cancel_at"]:
            ends.append(found["cancel_at"])
        wanted["period_end"] = min(ends)
        wanted["warn_trial"] = _trial_warning(shop, found)
        wanted["announce_invoice"] = _announcement(shop, found)
    elif status == "paused" and found["cancel_at"]:
        wanted["period_end"] = found["cancel_at"]
    if status in items.LIVE:
        wanted["resume_collection"] = (found["pause_collection"] or {}).get("resumes_at")
        wanted["expire_pending_update"] = (found["pending_update"] or {}).get("expires_at")
    for work, at in wanted.items():
        if world.due_at(work, found["id"]) != at:
            world.schedule(work, found["id"], at)


def _trial_warning(shop: Shop, found: Json) -> float | None:
    """Warn three days before a trial ends, or now if it is closer, once for each end date."""
    if found["status"] != "trialing":
        return None
    warned = shop.world.private.get(found["id"], {}).get("warned_at")
    at = found["trial_end"] - shop.world.span(WARN_TRIAL_SECONDS)
    return None if warned else max(at, shop.world.now())


def _announcement(shop: Shop, found: Json) -> float | None:
    """Announce a renewal some days ahead, if there is that much time left."""
    end = items.first_end(found)
    at = end - shop.world.span(shop.settings.upcoming_days * DAY)
    going = found["cancel_at"] is None or found["cancel_at"] > end
    return at if going and at > shop.world.now() else None
