"""Thin events: which object changed and where to read it, without its data."""

import time
from typing import Any

from sandbox.world import Json

_PREFIX, _THIN_PREFIX = "evt_", "evt_test_"


def thin_id(event_id: str) -> str:
    """The id of a snapshot event's thin counterpart."""
    return _THIN_PREFIX + event_id.removeprefix(_PREFIX)


def snapshot_id(event_id: str) -> str:
    """The id of the snapshot event behind a thin one."""
    return _PREFIX + event_id.removeprefix(_THIN_PREFIX)


def iso(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def notification(event: Json) -> Json:
    """The thin notification delivered for a snapshot event."""
    source: Any = event["data"]["object"]
    kind = source["object"]
    return {
        "object": "v2.core.event",
        "id": thin_id(event["id"]),
        "type": f"v1.{event['type']}",
        "livemode": False,
        "created": iso(event["created"]),
        "context": None,
        "reason": _reason(event),
        "related_object": {
            "id": source.get("id", ""),
            "type": kind,
            "url": f"/v1/{kind.replace('.', '/')}s/{source.get('id', '')}",
        },
    }


def _reason(event: Json) -> Json | None:
    request = event["request"] or {}
    if not request.get("id"):
        return None
    named = {"id": request["id"], "idempotency_key": request["idempotency_key"] or ""}
    return {"type": "request", "request": named}


def event(source: Json) -> Json:
    """The response of `GET /v2/core/events/{id}` for a snapshot event."""
    return {
        **notification(source),
        "changes": _changes(source),
        "snapshot_event": source["id"],
    }


def _changes(source: Json) -> Json | None:
    before = source["data"].get("previous_attributes")
    if not before:
        return None
    after = source["data"]["object"]
    return {"before": before, "after": {key: after.get(key) for key in before}}
