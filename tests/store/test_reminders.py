"""The series of reminders: to whom, on which days, once, and when it stops."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey import reminder_series
from latchkey.store import site_identity, site_settings
from latchkey.store.feed import mails
from latchkey.store.feed.mails import REMINDER
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import reminders
from latchkey.store.site_identity import SiteRole
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
FAILED = datetime.now(UTC).replace(microsecond=0)
DAYS = (0, 3, 7)
HERE = "https://members.example"
OWES = """
update stripe_connection set account_id = 'acct_1', livemode = true, state = 'connected';
update subscriptions set past_due_since = '{0}' where id in ('sub_2', 'sub_5');
update customers set billing_user = user_id, deleted = false;
insert into activities (fact, type, at, cause, source_id)
select 'failed:' || id, 'payment_failed', '{0}', 'stripe', id from subscriptions
 where id in ('sub_2', 'sub_5');
""".format(FAILED.isoformat())


async def queued(connection: Connection, day: float) -> list[str]:
    """The subscriptions that a look so many days after the failure sends an email about."""
    before = await connection.fetchval("select coalesce(max(id), 0) from mails")
    await reminders.queue_due(connection, days=DAYS, as_of=FAILED + day * DAY)
    rows = await connection.fetch(
        "update mails set created_at = $3 where kind = $1 and id > $2"
        " returning data ->> 'source_id' as about",
        REMINDER,
        before,
        FAILED + day * DAY,
    )
    return sorted(row["about"] for row in rows)


async def test_each_day_sends_one_email_to_those_who_still_owe(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
        assert await queued(connection, 2.9) == []
        assert await queued(connection, 3) == ["sub_2", "sub_5"]
        assert await queued(connection, 3.1) == []
        await connection.execute("update subscriptions set status = 'active' where id = 'sub_2'")
        assert await queued(connection, 7.5) == ["sub_5"]
        assert await queued(connection, 8.9) == []
        assert await queued(connection, 30) == []


async def test_a_later_failure_has_a_series_of_its_own(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
        assert await queued(connection, 3) == ["sub_2", "sub_5"]
        await connection.execute(
            "update subscriptions set past_due_since = $1 where id = 'sub_2'", FAILED + 30 * DAY
        )
        await connection.execute("update activities set at = $1", FAILED + 30 * DAY)
        assert await queued(connection, 33) == ["sub_2"]


async def test_an_email_that_is_long_overdue_isnt_sent(pool: Pool) -> None:
    """Such as after the series was turned on, or the workers were away."""
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
        assert await queued(connection, 5.1) == []
        assert await queued(connection, 7) == ["sub_2", "sub_5"]


@pytest.mark.parametrize(
    "change",
    [
        "delete from activities where type = 'payment_failed'",
        "update users set mails_off = array['payment_reminder']",
        "update users set erased_at = now()",
        "update subscriptions set ended_at = now()",
        "update subscriptions set livemode = false",
        "update customers set billing_user = null",
        "update customers set deleted = true",
        "insert into mails (key, kind, user_id, data, created_at)"
        " select id, 'payment_reminder', user_id, jsonb_build_object('source_id', id), '{}'"
        " from subscriptions where user_id is not null",
    ],
    ids=[
        "an import's past",
        "opted out",
        "erased",
        "ended",
        "another mode",
        "other payer",
        "deleted",
        "sent by hand",
    ],
)
async def test_nobody_else_gets_one(pool: Pool, change: str) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
        await connection.execute(change.format((FAILED + 2.5 * DAY).isoformat()))
        assert await queued(connection, 3) == []


async def test_two_workers_queue_each_email_once(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
        await site_settings.change(connection, reminder_mail=True, reminder_days=DAYS)

    async def look() -> int:
        return await reminder_series.queue_due(pool, HERE, as_of=FAILED + 3 * DAY)

    assert sum(await asyncio.gather(*(look() for _ in range(4)))) == 2
    rows = await pool.fetch(
        "select data ->> 'source_id' as about from mails where kind = $1", REMINDER
    )
    assert sorted(row["about"] for row in rows) == ["sub_2", "sub_5"]


async def test_a_copy_and_a_site_without_the_series_queue_none(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(SHOP + OWES)
    assert await reminder_series.queue_due(pool, HERE, as_of=FAILED + 3 * DAY) == 0
    async with pool.acquire() as connection:
        await site_settings.change(connection, reminder_mail=True)
        await site_identity.choose(connection, HERE, SiteRole.COPY)
    assert await reminder_series.queue_due(pool, HERE, as_of=FAILED + 3 * DAY) == 0


async def test_what_was_settled_before_it_went_out_isnt_sent(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SHOP + OWES)
        await queued(connection, 3)
        await connection.execute("update subscriptions set status = 'active' where id = 'sub_2'")
        claimed: Any = await mails.claim(
            connection, limit=10, site=await site_settings.read(connection)
        )
    assert [mail.data["source_id"] for mail in claimed] == ["sub_5"]


async def test_the_feed_says_who_caused_an_email(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(SHOP + OWES)
        await reminders.remind(connection, "sub_2")
        assert await queued(connection, 3) == ["sub_2", "sub_5"]
        for mail in await mails.listed(connection):
            await mails.mark_sent(connection, mail)
        rows = await connection.fetch(
            "select source_id, cause from activities where type = 'mail_sent'"
        )
    assert sorted(tuple(row) for row in rows) == [
        ("sub_2", "admin"),
        ("sub_2", "timer"),
        ("sub_5", "timer"),
    ]


CARD = """
update stripe_connection set account_id = 'acct_1', livemode = true, state = 'connected';
update customers set billing_user = user_id, deleted = false;
update subscriptions set period_end = '{0}', card_expires = '{1}', card_id = 'pm_1'
 where id = 'sub_1';
"""
BILLED = FAILED + 5 * DAY


async def about_cards(connection: Connection, *, days_before: float) -> list[str]:
    """The subscriptions that a look so many days before the bill sends an email about."""
    before = await connection.fetchval("select coalesce(max(id), 0) from mails")
    await reminders.queue_expiring(connection, as_of=BILLED - days_before * DAY)
    rows = await connection.fetch(
        "select data ->> 'source_id' as about from mails where id > $1", before
    )
    return sorted(row["about"] for row in rows)


async def expiring(connection: Connection) -> None:
    await connection.execute(SHOP + CARD.format(BILLED.isoformat(), (BILLED - DAY).isoformat()))


async def test_a_card_that_expires_before_the_bill_is_written_about_once(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await expiring(connection)
        assert await about_cards(connection, days_before=7.1) == []
        assert await about_cards(connection, days_before=6.9) == ["sub_1"]
        await connection.execute("update mails set created_at = created_at - interval '9 days'")
        assert await about_cards(connection, days_before=3) == []
        await connection.execute("delete from mails")
        assert await about_cards(connection, days_before=0.9) == [], "too late"
        assert await about_cards(connection, days_before=1.1) == ["sub_1"]


@pytest.mark.parametrize(
    "change",
    [
        "update users set mails_off = array['payment_reminder']",
        "update users set erased_at = now()",
        "update subscriptions set card_expires = period_end + interval '1 second'",
        "update subscriptions set status = 'past_due'",
        "update subscriptions set scheduled_end = period_end",
        "update subscriptions set livemode = false",
        "update customers set billing_user = null",
    ],
    ids=["opted out", "erased", "a new card", "failed", "ending", "another mode", "other payer"],
)
async def test_nobody_else_gets_an_email_about_a_card(pool: Pool, change: str) -> None:
    async with pool.acquire() as connection:
        await expiring(connection)
        await connection.execute(change)
        assert await about_cards(connection, days_before=3) == []


async def test_emails_about_cards_are_off_until_the_site_wants_them(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await expiring(connection)
    assert await reminder_series.queue_due(pool, HERE, as_of=BILLED - 3 * DAY) == 0
    async with pool.acquire() as connection:
        await site_settings.change(connection, card_mail=True)
    assert await reminder_series.queue_due(pool, HERE, as_of=BILLED - 3 * DAY) == 1


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ("update subscriptions set card_last4 = '1'", True),
        ("update subscriptions set card_expires = null", False),
        ("update subscriptions set status = 'past_due'", False),
    ],
)
async def test_an_email_about_a_card_goes_out_only_if_it_still_holds(
    pool: Pool, change: str, sent: bool
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await expiring(connection)
        await reminders.remind(connection, "sub_1")
        await connection.execute(change + " where id = 'sub_1'")
        claimed: Any = await mails.claim(
            connection, limit=10, site=await site_settings.read(connection)
        )
    assert [mail.data["source_id"] for mail in claimed] == (["sub_1"] if sent else [])
