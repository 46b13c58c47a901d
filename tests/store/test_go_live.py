"""What the go-live checklist finds in the database."""

from datetime import timedelta
from typing import Any

import pytest

from latchkey.store.checks import go_live
from latchkey.store.checks.go_live import GoLiveRecord
from latchkey.store.pool import Connection, Pool

pytestmark = pytest.mark.anyio


async def arrive(connection: Connection, source: str, *, count: int = 1, **ages: Any) -> None:
    """Events that were received and created so long ago, by default just now."""
    await connection.execute(
        """
        insert into events (id, livemode, type, object_id, thin, target_kind, target_id, source,
                            received_at, created_at)
        select gen_random_uuid()::text, true, 'product.updated', 'prod_1', false, 'none', '', $1,
               now() - $2::interval, now() - $3::interval
          from generate_series(1, $4)
        """,
        source,
        ages.get("received", timedelta()),
        ages.get("created", timedelta()),
        count,
    )


async def recorded(connection: Connection) -> GoLiveRecord:
    return await go_live.recorded(connection)


async def test_only_a_delivered_event_since_the_connection_is_heard(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert not (await recorded(connection)).heard
        await arrive(connection, "webhook", received=timedelta(hours=2))
        assert not (await recorded(connection)).heard, "Stripe was never connected"
        await connection.execute(
            "update stripe_connection set connected_at = now() - interval '1 hour'"
        )
        assert not (await recorded(connection)).heard
        await arrive(connection, "catch_up")
        assert not (await recorded(connection)).heard
        await arrive(connection, "webhook")
        assert (await recorded(connection)).heard
        await arrive(connection, "catch_up", count=go_live.LATEST)
        assert not (await recorded(connection)).heard, "the search for one has an end"


async def test_the_clock_is_behind_where_events_arrive_before_they_are_made(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await arrive(connection, "webhook", created=timedelta(seconds=3))
        await arrive(connection, "catch_up", created=timedelta(seconds=-90))
        assert (await recorded(connection)).behind == timedelta()
        await arrive(connection, "webhook", created=timedelta(seconds=-9))
        assert (await recorded(connection)).behind == timedelta(seconds=9)
        await arrive(connection, "webhook", count=20)
        assert (await recorded(connection)).behind == timedelta(), "it was set right"
