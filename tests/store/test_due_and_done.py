"""Ends that are noticed late keep both moments, in lives whose events come late or not at all."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.reading import Subscription
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.access import history
from latchkey.store.feed import lines as feed
from latchkey.store.feed.lines import FeedLine
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import settling
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import Account, ApplyContext
from tests.store.test_removed_links import linked, subscription
from web.wording import labels

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", livemode=False)
BEGIN = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
_BEFORE = {
    ActivityType.ACCESS_GRANTED: (ActivityType.USER_CREATED, ActivityType.PRODUCT_PURCHASED),
    ActivityType.ACCESS_ENDED: (ActivityType.ACCESS_GRANTED,),
    ActivityType.CANCELLATION_WITHDRAWN: (ActivityType.SUBSCRIPTION_CANCELLED,),
    ActivityType.PAYMENT_RECOVERED: (ActivityType.PAYMENT_FAILED,),
}
"""What has to stand in the feed before a line of a type, as its cause."""


async def test_a_cancellation_noticed_late_ends_access_when_it_is_noticed(pool: Pool) -> None:
    noticed, due = BEGIN + timedelta(days=3), BEGIN + timedelta(hours=1)
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        running = subscription(1, "active")
        await _apply(connection, running, 1, BEGIN)
        over = replace(running, status="canceled", canceled_at=due, ended_at=due)
        await _apply(connection, over, 2, noticed)
        user = await connection.fetchval("select id from users")
        told = await feed.lines(connection, user_id=user)
        [span] = await history.of_user(connection, user)
    assert [line.type for line in told][:3] == [
        ActivityType.ACCESS_ENDED,
        ActivityType.SUBSCRIPTION_CANCELLED,
        ActivityType.ACCESS_GRANTED,
    ]
    assert [(line.at, line.due_at) for line in told[:2]] == [(noticed, due)] * 2
    assert (span.ended, span.due_at) == (noticed, due)
    assert "It was due on" in labels.line_due(told[0])
    assert "In Stripe on" in labels.line_due(told[1])
    assert labels.line_due(told[2]) == ""


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_in_the_feed_lies_before_its_cause(pool: Pool, seed: int) -> None:
    chance = random.Random(seed)
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await linked(connection, "bonus", {"past_due_days": 3})
        for number in range(1, 9):
            await _live(connection, number, chance)
        users = await connection.fetch("select id from users")
        for user in users:
            told = await feed.lines(connection, user_id=user["id"], limit=500)
            _judge_lines(list(reversed(told)))
            for span in await history.of_user(connection, user["id"]):
                assert span.ended is None or span.ended >= span.since
                assert span.due_at is None or (span.ended and span.due_at <= span.ended)
            assert history.stretches(await history.of_user(connection, user["id"]))
        assert users, "somebody got in"


def _judge_lines(told: list[FeedLine]) -> None:
    seen: set[tuple[str, str | None]] = set()
    granted: dict[int, datetime] = {}
    for line in told:
        assert line.due_at is None or line.due_at <= line.at
        for cause in _BEFORE.get(ActivityType(line.type), ()):
            product = None if cause == ActivityType.USER_CREATED else line.product_id
            assert (cause, product) in seen, f"{line.type} stands before {cause}"
        seen.add((line.type, line.product_id))
        if line.type == ActivityType.ACCESS_GRANTED:
            granted[line.data["grant"]] = line.at
        if line.type == ActivityType.ACCESS_ENDED:
            assert granted[line.data["grant"]] <= line.at
    assert [line.at for line in told] == sorted(line.at for line in told)


async def _live(connection: Connection, number: int, chance: random.Random) -> None:
    """A subscription that changes at random, read late, with its clock moved now and then."""
    now, ticket = BEGIN, number * 1000
    reading = replace(subscription(number, "active"), created=BEGIN)
    moved = timedelta()
    for _ in range(chance.randint(3, 9)):
        ticket += 1
        await _apply(connection, _shifted(reading, moved), ticket, now)
        if chance.random() < 0.3:
            async with connection.transaction():
                await settling.end_due(
                    connection, source_id=reading.id, as_of=now, workflow_id="subscription/x"
                )
        now += timedelta(seconds=chance.choice([0, 1, 60, 86400, 30 * 86400]))
        if chance.random() < 0.3:
            moved += timedelta(days=chance.randint(1, 40))
        reading = _changed(reading, now, chance)


def _changed(reading: Subscription, now: datetime, chance: random.Random) -> Subscription:
    earlier = now - timedelta(seconds=chance.choice([0, 1, 3600, 40 * 86400]))
    later = now + timedelta(days=chance.choice([-20, -1, 1, 20]))
    if reading.status == "canceled":
        return reading
    match chance.randint(0, 6):
        case 0:
            return replace(reading, status="canceled", canceled_at=earlier, ended_at=earlier)
        case 1:
            return replace(reading, cancel_at=later, canceled_at=earlier)
        case 2:
            return replace(reading, cancel_at=None, canceled_at=None)
        case 3:
            return replace(reading, status="past_due", unpaid_since=earlier)
        case 4:
            return replace(reading, status="active", unpaid_since=None)
        case 5:
            return replace(reading, status="paused")
        case _:
            other = replace(reading.items[0], stripe_product="prod_other")
            return replace(reading, items=(other,))


def _shifted(reading: Subscription, by: timedelta) -> Subscription:
    def back(moment: datetime | None) -> datetime | None:
        return moment - by if moment else None

    return replace(
        reading,
        created=reading.created - by,
        cancel_at=back(reading.cancel_at),
        canceled_at=back(reading.canceled_at),
        ended_at=back(reading.ended_at),
        unpaid_since=back(reading.unpaid_since),
    )


async def _apply(
    connection: Connection, reading: Subscription, ticket: int, as_of: datetime
) -> None:
    context = ApplyContext(ACCOUNT, ticket, as_of, Cause.STRIPE)
    async with connection.transaction():
        await apply_subscriptions(connection, [reading], context=context)
