"""Webhooks that arrive at the same time are stored together, and fail alone."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg
import pytest

from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Pool, create_pool
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import Account
from web.batching import MOST
from web.intake import Intake

pytestmark = pytest.mark.anyio


def arrival(number: int, *, kind: TargetKind = TargetKind.SUBSCRIPTION) -> inbox.Arrival:
    return inbox.Arrival(
        id=f"evt_{number}",
        account=Account("acct_1", livemode=False),
        type="customer.subscription.updated",
        object_id=f"sub_{number}",
        thin=False,
        api_version=None,
        created_at=datetime(2026, 11, 30, tzinfo=UTC),
        target=Target(kind, f"sub_{number}"),
        body=f'{{"id": "evt_{number}"}}',
        names=frozenset({f"sub_{number}", f"cus_{number}"}),
    )


class Counted:
    """A pool that counts statements."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.statements = 0

    async def fetch(self, *given: Any) -> Any:
        self.statements += 1
        return await self.pool.fetch(*given)


async def test_what_arrives_at_the_same_time_shares_a_statement(pool: Pool) -> None:
    counted = Counted(pool)
    intake = Intake(cast(Pool, counted))
    count = 2 * MOST + 1
    due = await asyncio.gather(*(intake.store(arrival(n)) for n in range(count)))
    assert due == [timedelta()] * count
    assert counted.statements == 3
    rows = await pool.fetch("select id, object_id, body, state from events")
    assert {(row["id"], row["object_id"], row["body"], row["state"]) for row in rows} == {
        (f"evt_{n}", f"sub_{n}", f'{{"id": "evt_{n}"}}', "waiting") for n in range(count)
    }


async def test_each_event_gets_its_own_answer(pool: Pool) -> None:
    intake = Intake(pool)
    await intake.store(arrival(1))
    await pool.execute("update events set received_at = now() + interval '1 hour'")
    later = replace(arrival(2), target=arrival(1).target)
    given = [arrival(1), later, arrival(3, kind=TargetKind.NONE), arrival(4)]
    due = await asyncio.gather(*map(intake.store, given))
    assert due == [None, inbox.BURST, None, timedelta()], "known, held, not relayed, new"
    assert await pool.fetchval("select state from events where id = 'evt_3'") == "ignored"
    pause = "select not_before - received_at from events where id = 'evt_2'"
    assert await pool.fetchval(pause) == inbox.BURST


class Gated(Counted):
    """A pool whose statements wait until `opened`."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.began = asyncio.Event()
        self.opened = asyncio.Event()

    async def fetch(self, *given: Any) -> Any:
        self.began.set()
        await self.opened.wait()
        return await super().fetch(*given)


async def test_an_event_waits_while_another_one_of_its_object_is_stored(pool: Pool) -> None:
    gated = Gated(pool)
    intake = Intake(cast(Pool, gated))
    first = asyncio.create_task(intake.store(arrival(1)))
    await gated.began.wait()
    given = [replace(arrival(n), target=arrival(1).target) for n in (2, 3)]
    others = asyncio.gather(*map(intake.store, [*given, arrival(4)]))
    gated.opened.set()
    assert await first == timedelta()
    assert await others == [inbox.BURST, inbox.BURST, timedelta()]
    assert gated.statements == 3, "the first, the other object's, and one for the two that waited"


async def test_an_event_that_cannot_be_stored_fails_alone(pool: Pool) -> None:
    intake = Intake(pool)
    wrong = replace(arrival(2), type=cast(str, None))
    unreadable = replace(arrival(3), body="\ud800")
    given = [arrival(1), wrong, unreadable, arrival(4)]
    found = await asyncio.gather(*map(intake.store, given), return_exceptions=True)
    assert found[0] == found[3] == timedelta()
    assert isinstance(found[1], asyncpg.NotNullViolationError)
    assert isinstance(found[2], UnicodeEncodeError | asyncpg.DataError)
    assert await pool.fetchval("select count(*) from events") == 2


async def test_everybody_learns_that_the_database_is_away(dsn: str) -> None:
    pool = await create_pool(dsn)
    await pool.close()
    counted = Counted(pool)
    intake = Intake(cast(Pool, counted))
    given = [intake.store(arrival(n)) for n in range(5)]
    found = await asyncio.gather(*given, return_exceptions=True)
    assert [type(error) for error in found] == [asyncpg.InterfaceError] * 5
    assert counted.statements == 1
