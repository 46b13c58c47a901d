"""Who cancelled, by what is stored: events, the portals that were opened, late answers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.reading import Subscription
from latchkey.rules.routing import Target, TargetKind
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe import inbox, portal
from latchkey.store.stripe.context import Account, ApplyContext
from tests.store.test_removed_links import linked, subscription

pytestmark = pytest.mark.anyio

ACCOUNT = Account("acct_1", livemode=False)


async def test_without_an_event_the_portal_that_was_opened_tells(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        for number in (1, 2):
            await _apply(connection, subscription(number, "active"), number)
        await portal.opened(connection, "cus_2")
        for number in (1, 2):
            await _apply(connection, _cancelled(number), 10 + number)
        assert await _told(connection) == {
            "sub_1": (Cause.STRIPE, "stripe"),
            "sub_2": (Cause.CUSTOMER, "portal"),
        }


async def test_an_answer_that_comes_later_shows_the_customer(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await _apply(connection, subscription(1, "active"), 1)
        await _apply(connection, _cancelled(1), 2)
        await _apply(connection, replace(_cancelled(1), cancelled_by_customer=True), 3)
        assert await _told(connection) == {"sub_1": (Cause.CUSTOMER, None)}


async def test_the_event_that_reports_it_is_asked_not_another(pool: Pool) -> None:
    """The renewal in the same second had no request behind it, but the cancellation had."""
    async with pool.acquire() as connection:
        await linked(connection, "course", {})
        await _apply(connection, subscription(1, "active"), 1)
    for number, requested in enumerate((False, True)):
        arrival = inbox.Arrival(
            id=f"evt_{number}",
            account=ACCOUNT,
            type="customer.subscription.updated",
            object_id="sub_1",
            thin=False,
            api_version=None,
            created_at=_now(),
            target=Target(TargetKind.SUBSCRIPTION, "sub_1"),
            body="{}",
            requested=requested,
            cancels=requested,
        )
        await inbox.store(pool, [arrival])
    async with pool.acquire() as connection:
        await portal.opened(connection, "cus_1")
        await _apply(connection, _cancelled(1), 2, events=["evt_0", "evt_1"])
        assert await _told(connection) == {"sub_1": (Cause.STRIPE, "stripe")}


def _now() -> datetime:
    """The time in Stripe's whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def _cancelled(number: int) -> Subscription:
    return replace(
        subscription(number, "active"),
        cancel_at=_now() + timedelta(days=30),
        canceled_at=_now(),
        cancel_reason="cancellation_requested",
    )


async def _apply(
    connection: Connection, reading: Subscription, ticket: int, *, events: list[str] | None = None
) -> None:
    context = ApplyContext(ACCOUNT, ticket, datetime.now(UTC), Cause.STRIPE, events or [])
    async with connection.transaction():
        await apply_subscriptions(connection, [reading], context=context)


async def _told(connection: Connection) -> dict[str, tuple[str, str | None]]:
    rows = await connection.fetch(
        "select source_id, cause, data ->> 'place' as place from activities where type = $1",
        ActivityType.SUBSCRIPTION_CANCELLED,
    )
    return {row["source_id"]: (row["cause"], row["place"]) for row in rows}
