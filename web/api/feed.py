"""The activity feed."""

from datetime import datetime
from typing import Any

from pydantic import Field

from latchkey.store.feed import lines
from latchkey.store.users import users
from web.api.cursors import cursor, number
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Moment


class FeedFilter(Paging):
    type: str | None = Field(None, description="one type, or several separated by commas")
    user: int | None = Field(None, ge=1, le=2**63 - 1)
    product: str | None = None
    cause: str | None = None
    since: Moment | None = Field(None, description="only what happened at or after this time")


class Activity(Output):
    """One fact. `user` and `product` are ids here, `source_id` is Stripe's.

    What many people get or lose at once has the cause `bulk`, and shares a `source_id` with the
    line that counts them (type `bulk_change`, `users_imported`, `import_undone` or
    `link_removed`).

    `at` is when it happened here. `due_at` is when it happened in Stripe or, for `access_ended`,
    when that was due; null where nothing says so.
    """

    id: int
    type: str
    user: int | None
    email: str | None
    product: str | None
    cause: str
    at: datetime
    due_at: datetime | None
    source_id: str | None
    event_id: str | None
    workflow_id: str | None
    data: dict[str, Any]


class ActivityList(Output):
    data: list[Activity]
    next: str | None


@endpoint("GET", "/activities", query=FeedFilter, answer=ActivityList)
async def activities(call: Call) -> ActivityList:
    """List the activity feed, newest first, with exactly one line per fact."""
    wanted: FeedFilter = call.query
    async with call.site.pool.acquire() as connection:
        person = await users.by_id(connection, wanted.user) if wanted.user else None
        rows = await lines.lines(
            connection,
            types=wanted.type.split(",") if wanted.type else None,
            user_id=person.id if person else wanted.user,
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
            due_at=row.due_at,
            source_id=row.source_id,
            event_id=row.event_id,
            workflow_id=row.workflow_id,
            data=row.data,
        )
        for row in rows[: wanted.limit]
    ]
    return ActivityList(data=shown, next=cursor(shown[-1].id) if more else None)
