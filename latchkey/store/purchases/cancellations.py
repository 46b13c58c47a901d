"""Who cancelled subscriptions: what their events tell, and which portals this site opened."""

from collections import defaultdict
from collections.abc import Sequence

from latchkey.rules import cancelling
from latchkey.rules.cancelling import Canceller, Telling
from latchkey.rules.reading import Subscription
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import ApplyContext

MOST_EVENTS = 50
"""The newest events of one subscription."""


async def cancellers(
    connection: Connection, readings: Sequence[Subscription], *, context: ApplyContext
) -> dict[str, Canceller]:
    """Who cancelled each of these subscriptions or, where a reading shows it as running on, who
    withdrew the cancellation."""
    if not readings:
        return {}
    ids = [reading.id for reading in readings]
    events = await connection.fetch(
        """
        select given.id as target, e.created_at, e.requested, e.cancels,
               e.id = any($3::text[]) as served
          from unnest($1::text[]) as given (id)
         cross join lateral (
               select * from events where target_id = given.id and target_kind = 'subscription'
                order by received_at desc limit $2) e
        """,
        ids,
        MOST_EVENTS,
        list(context.event_ids),
    )
    tellings: dict[str, list[Telling]] = defaultdict(list)
    for row in events:
        tellings[row["target"]].append(
            Telling(row["created_at"], row["requested"], row["cancels"], row["served"])
        )
    opened = {
        row["id"]: row["portal_opened_at"]
        for row in await connection.fetch(
            "select id, portal_opened_at from customers where id = any($1::text[])",
            [reading.customer.id for reading in readings],
        )
    }
    found = {}
    for reading in readings:
        over = reading.scheduled_end or reading.ended_at
        requested = cancelling.requested_by(tellings[reading.id], reading.canceled_at)
        found[reading.id] = (
            cancelling.canceller(
                reading, requested=requested, portal_opened=opened.get(reading.customer.id)
            )
            if over
            else cancelling.withdrawer(requested=requested)
        )
    return found
