"""The inbox of events: what was received and what happened to it; resending, ignoring."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from latchkey.store.stripe import inbox
from web.api.cursors import cursor, number
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input


class EventFilter(Paging):
    state: Literal["waiting", "relayed", "handled", "ignored", "failed"] | None = None
    type: str | None = Field(None, description="Stripe's event type")
    object: str | None = Field(None, description="Stripe's id of an object or an event")


class Event(Output):
    """A Stripe event as it was received; `id` is Stripe's. `source` is webhook, or catch_up if no
    webhook delivered it and it was found in Stripe's event list."""

    id: str
    type: str
    object_id: str
    state: str
    attempts: int
    error: str | None
    source: str
    created_at: datetime
    received_at: datetime
    handled_at: datetime | None
    ignored_reason: str | None


class WholeEvent(Event):
    """`body` is what Stripe sent, null once it has been deleted."""

    body: str | None


class EventList(Output):
    data: list[Event]
    next: str | None


class Ignoring(Input):
    reason: str = Field(min_length=1, max_length=500, description="why nothing needs to be done")


def _event(row: inbox.Received) -> Event:
    return Event.model_validate({name: getattr(row, name) for name in Event.model_fields})


@endpoint("GET", "/events", query=EventFilter, answer=EventList)
async def events(call: Call) -> EventList:
    """List the inbox, newest first."""
    wanted: EventFilter = call.query
    async with call.site.pool.acquire() as connection:
        rows = await inbox.listed(
            connection,
            state=wanted.state,
            type_=wanted.type,
            thing=wanted.object,
            after=number(wanted.after),
            limit=wanted.limit + 1,
        )
    more = len(rows) > wanted.limit
    page = rows[: wanted.limit]
    return EventList(
        data=[_event(row) for row in page], next=cursor(page[-1].seq) if more else None
    )


@endpoint("GET", "/events/{id}", answer=WholeEvent)
async def event(call: Call) -> WholeEvent:
    """Get one event with what Stripe sent."""
    async with call.site.pool.acquire() as connection:
        found = await inbox.find(connection, call.path["id"])
    if found is None:
        raise not_found("event", call.path["id"])
    row, body = found
    return WholeEvent(**_event(row).model_dump(), body=body)


@endpoint("POST", "/events/{id}/resend", answer=Event, status=202)
async def resend(call: Call) -> Event:
    """Process an event again. Harmless if it was already processed."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await inbox.resend(connection, call.path["id"])
    if found is None:
        raise not_found("event", call.path["id"])
    call.site.arrived.set()
    return _event(found)


@endpoint("POST", "/events/{id}/ignore", body=Ignoring, answer=Event)
async def ignore(call: Call) -> Event:
    """Ignore a failed event, with the reason why nothing needs to be done."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        if await inbox.find(connection, call.path["id"]) is None:
            raise not_found("event", call.path["id"])
        found = await inbox.ignore(connection, call.path["id"], reason=call.body.reason, actor=None)
    if found is None:
        raise ApiError(409, "not_failed", "only a failed event can be ignored")
    return _event(found)
