"""The activity feed and the inbox of events."""

from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from latchkey.store import feed, inbox
from web.api.cursors import cursor, number
from web.api.problems import not_found
from web.api.registry import Call, Output, Paging, endpoint


class FeedFilter(Paging):
    type: str | None = Field(None, description="one type, or several with commas between")
    user: int | None = Field(None, ge=1)
    product: str | None = None
    cause: str | None = None
    since: AwareDatetime | None = Field(None, description="only what happened since")


class Activity(Output):
    """One fact. `user` and `product` are ids, `source_id` is Stripe's."""

    id: int
    type: str
    user: int | None
    email: str | None
    product: str | None
    cause: str
    at: datetime
    source_id: str | None
    event_id: str | None
    workflow_id: str | None
    data: dict[str, Any]


class ActivityList(Output):
    data: list[Activity]
    next: str | None


@endpoint("GET", "/activities", query=FeedFilter, answer=ActivityList)
async def activities(call: Call) -> ActivityList:
    """The activity feed, newest first: exactly one line per fact."""
    wanted: FeedFilter = call.query
    async with call.site.pool.acquire() as connection:
        rows = await feed.lines(
            connection,
            types=wanted.type.split(",") if wanted.type else None,
            user_id=wanted.user,
            product_id=wanted.product,
            cause=wanted.cause,
            since=wanted.since,
            after=number(wanted.after),
            limit=wanted.limit + 1,
        )
    more = len(rows) > wanted.limit
    shown = [
        Activity(
            id=row.id,
            type=row.type,
            user=row.user_id,
            email=row.email,
            product=row.product_id,
            cause=row.cause,
            at=row.at,
            source_id=row.source_id,
            event_id=row.event_id,
            workflow_id=row.workflow_id,
            data=row.data,
        )
        for row in rows[: wanted.limit]
    ]
    return ActivityList(data=shown, next=cursor(shown[-1].id) if more else None)


class EventFilter(Paging):
    state: Literal["waiting", "relayed", "handled", "ignored", "failed"] | None = None


class Event(Output):
    """An event of Stripe's as it was received; `id` is Stripe's."""

    id: str
    type: str
    object_id: str
    state: str
    attempts: int
    error: str | None
    created_at: datetime
    received_at: datetime
    handled_at: datetime | None


class EventList(Output):
    data: list[Event]
    next: str | None


def _event(row: inbox.Received) -> Event:
    return Event.model_validate({name: getattr(row, name) for name in Event.model_fields})


@endpoint("GET", "/events", query=EventFilter, answer=EventList)
async def events(call: Call) -> EventList:
    """The inbox, newest first."""
    wanted: EventFilter = call.query
    async with call.site.pool.acquire() as connection:
        rows = await inbox.listed(
            connection, state=wanted.state, after=number(wanted.after), limit=wanted.limit + 1
        )
    more = len(rows) > wanted.limit
    page = rows[: wanted.limit]
    return EventList(
        data=[_event(row) for row in page], next=cursor(page[-1].seq) if more else None
    )


@endpoint("POST", "/events/{id}/resend", answer=Event, status=202)
async def resend(call: Call) -> Event:
    """Have an event handled again; harmless where it was."""
    async with call.site.pool.acquire() as connection:
        found = await inbox.resend(connection, call.path["id"])
    if found is None:
        raise not_found("event", call.path["id"])
    call.site.wake.set()
    return _event(found)
