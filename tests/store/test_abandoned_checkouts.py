"""Who gets an email about a checkout that they left, and who doesn't."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from latchkey import signin_links
from latchkey.mail.render import render
from latchkey.rules import reading
from latchkey.rules.identity import Reference
from latchkey.rules.reading import Customer, ExpiredSession
from latchkey.rules.vocabulary import Cause
from latchkey.store.feed import mails
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import abandoned_checkouts
from latchkey.store.products.checkout_attempts import SoldAttempt
from latchkey.store.purchases import buyers
from latchkey.store.purchases.orders import apply_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.site_settings import SiteSettings
from latchkey.store.stripe.context import ApplyContext
from latchkey.store.users import account, erasure, merging, users
from tests.store.test_money_state import PAID
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio

LEFT = ExpiredSession(
    id="cs_1",
    email="a@left.example",
    agreed=True,
    url="https://checkout.stripe.example/r/1",
    open_until=datetime.now(UTC) + timedelta(days=30),
    expired_at=datetime.now(UTC),
)
GUEST = SoldAttempt("course", "price_1", None)
QUEUED = "Its buyer gets an email"


async def sells(connection: Connection, product: str = "course", price: str = "price_1") -> int:
    """A product that is on sale, and a member who doesn't have it."""
    await connection.execute(
        "update stripe_connection set state = 'connected', account_id = 'acct_1', livemode = false"
    )
    await linked(connection, product, {})
    await connection.execute(
        """
        insert into stripe_products (id, account_id, livemode, name, active, created_at, ticket)
        values ('prod_1', 'acct_1', false, 'Course', true, now(), 1)
        on conflict do nothing
        """
    )
    await connection.execute(
        """
        insert into prices (id, account_id, livemode, stripe_product, type, currency, active,
                            created_at, ticket)
        values ($1, 'acct_1', false, 'prod_1', 'one_time', 'usd', true, now(), 1)
        """,
        price,
    )
    await connection.execute(
        "insert into offers (product_id, account_id, livemode, price_id)"
        " values ($1, 'acct_1', false, $2)",
        product,
        price,
    )
    await connection.execute(
        "update products set purchase_method = 'checkout', checkout_target = 'stripe'"
    )
    member, _ = await users.find_or_create(connection, "a@left.example")
    return member.id


async def remind(
    connection: Connection, attempt: SoldAttempt = GUEST, session: ExpiredSession = LEFT
) -> str:
    async with connection.transaction():
        return await abandoned_checkouts.remind(connection, attempt, session, url=b"sealed")


async def queued(connection: Connection) -> list[tuple[int | None, str | None]]:
    rows = await connection.fetch("select user_id, to_email, state from mails order by id")
    assert {row["state"] for row in rows} <= {"queued"}
    return [(row["user_id"], row["to_email"]) for row in rows]


async def wants(connection: Connection, user_id: int, *, wanted: bool) -> None:
    kind = abandoned_checkouts.KIND
    await account.switch_mails(connection, user_id, kinds=[kind], wanted=[kind] if wanted else [])


async def test_one_email_however_often_the_event_comes(pool: Pool) -> None:
    async with pool.acquire() as connection:
        member = await sells(connection)
        assert await remind(connection) == QUEUED
        for session in (LEFT, replace(LEFT, id="cs_2")):
            assert "has had an email" in await remind(connection, session=session)
        assert await queued(connection) == [(member, None)]
        await sells(connection, "other", "price_2")
        other = replace(GUEST, product_id="other", price_id="price_2")
        assert await remind(connection, other, replace(LEFT, id="cs_3")) == QUEUED
        await connection.execute(
            "update abandoned_checkouts set created_at = created_at - interval '8 days'"
        )
        assert await remind(connection, session=replace(LEFT, id="cs_4")) == QUEUED
        again = await remind(connection)
        assert "has had an email" in again, "an event that comes weeks later says nothing new"


async def test_only_those_who_agreed(pool: Pool) -> None:
    silent = replace(LEFT, agreed=False)
    async with pool.acquire() as connection:
        member = await sells(connection)
        theirs = replace(GUEST, user_id=member)
        for attempt in (GUEST, theirs):
            assert "didn't agree" in await remind(connection, attempt, silent)
        await wants(connection, member, wanted=False)
        assert await remind(connection, theirs) == QUEUED, "a box left alone refuses nothing"
        await connection.execute("delete from abandoned_checkouts")
        await wants(connection, member, wanted=True)
        assert await remind(connection, theirs, silent) == QUEUED
        await connection.execute("delete from abandoned_checkouts")
        await wants(connection, member, wanted=False)
        assert "didn't agree" in await remind(connection, theirs)
        await wants(connection, member, wanted=True)
        assert await account.unsubscribe(connection, member, abandoned_checkouts.KIND)
        assert "didn't agree" in await remind(connection, theirs)


async def test_whoever_has_another_address_gets_it_where_they_agreed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        member = await sells(connection)
        await connection.execute(
            """
            insert into user_addresses (email_key, email, user_id, source)
            values ('b@left.example', 'b@left.example', $1, 'claim')
            """,
            member,
        )
        assert await remind(connection, session=replace(LEFT, email="B@left.example")) == QUEUED
        assert await queued(connection) == [(member, "B@left.example")]
        assert "No address" in await remind(connection, session=replace(LEFT, email=None))


async def test_a_guest_who_agreed_gets_one_and_no_account(pool: Pool) -> None:
    """However the address is written the next time."""
    async with pool.acquire() as connection:
        await sells(connection)
        guest = replace(LEFT, email="Zoë@münchen.example")
        assert "didn't agree" in await remind(connection, session=replace(guest, agreed=False))
        assert await remind(connection, session=guest) == QUEUED
        again = replace(guest, id="cs_2", email="zoë@XN--MNCHEN-3YA.example.")
        assert "has had an email" in await remind(connection, session=again)
        assert await queued(connection) == [(None, "Zoë@münchen.example")]
        assert await connection.fetchval("select count(*) from users") == 1
        [mail] = await mails.claim(connection, limit=10, site=SiteSettings())
        assert (mail.user_id, mail.email, mail.name) == (None, "Zoë@münchen.example", None)
        async with connection.transaction():
            await mails.mark_sent(connection, mail)
        sent = await connection.fetchrow("select user_id, type from activities order by id desc")
        assert sent is not None
        assert dict(sent) == {"user_id": None, "type": "mail_sent"}
        await connection.execute("update mails set created_at = now() - interval '41 days'")
        await abandoned_checkouts.forget_old(connection)
        assert await queued(connection) == []


async def test_a_guest_who_unsubscribes_hears_no_more(pool: Pool) -> None:
    """By the link of the email, whatever they tick later, and also once they have an account; a
    wish that they state there counts."""
    async with pool.acquire() as connection:
        await sells(connection)
        guest = replace(LEFT, email="zoë@münchen.example")
        assert await remind(connection, session=guest) == QUEUED
        [mail] = await mails.listed(connection)
        rendered = render(mail, public_url="https://site.example", secrets=("s" * 32,))
        assert rendered.unsubscribe
        assert "zo" not in rendered.unsubscribe
        who, kind = signin_links.read_unsubscribe(
            rendered.unsubscribe.rpartition("/")[2], secrets=("s" * 32,)
        )
        assert await account.unsubscribe(connection, who, kind)
        await connection.execute("delete from abandoned_checkouts")
        later = replace(guest, id="cs_2", email="ZOË@xn--mnchen-3ya.example")
        assert "didn't agree" in await remind(connection, session=later)
        person, _ = await users.find_or_create(connection, "zoë@münchen.example")
        assert "didn't agree" in await remind(connection, session=later)
        await wants(connection, person.id, wanted=True)
        assert await remind(connection, session=later) == QUEUED


async def test_a_guest_who_has_bought_meanwhile_gets_none(pool: Pool) -> None:
    """Nor does one who has begun a subscription that gives nothing yet; the link looks again."""
    async with pool.acquire() as connection:
        await sells(connection)
        guest = replace(LEFT, email="d@left.example")
        assert await remind(connection, session=guest) == QUEUED
        abandoned = await connection.fetchval("select id from abandoned_checkouts")
        found = await abandoned_checkouts.find(connection, abandoned)
        assert found is not None
        assert (found.user_id, found.email_key) == (None, "d@left.example")

        async def served(key: str) -> bool:
            return await abandoned_checkouts.is_served(connection, None, "course", key=key)

        assert not await served("d@left.example")
        waiting = replace(PAID, id="cs_9", invoice=None, email="D@left.example")
        waiting = replace(waiting, payment_status="unpaid", status="complete", payment=None)
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        await apply_orders(connection, [waiting], context=context)
        assert await served("d@left.example")
        await connection.execute("delete from abandoned_checkouts")
        assert "has the product" in await remind(connection, session=guest)
        begun = subscription(1, "incomplete")
        begun = replace(begun, customer=replace(begun.customer, email="E@left.example"))
        await apply_subscriptions(connection, [begun], context=context)
        other = replace(LEFT, email="e@left.example")
        assert "has the product" in await remind(connection, session=other)
        assert not await served("f@left.example")
        by_customer = Customer("cus_9", "G@left.example", known=True)
        waiting = replace(waiting, id="cs_10", email="other@left.example", customer=by_customer)
        await apply_orders(connection, [waiting], context=context)
        await buyers.mirror_customer(connection, by_customer, context=context)
        assert await served("g@left.example"), "paid at another address, by a customer with this"


async def test_a_guests_link_knows_the_account_that_they_have_made_since(pool: Pool) -> None:
    async with pool.acquire() as connection:
        member = await sells(connection)
        for number, email in enumerate(("d@left.example", "e@left.example")):
            session = replace(LEFT, id=f"cs_{number}", email=email.upper())
            assert await remind(connection, session=session) == QUEUED
        person, _ = await users.find_or_create(connection, "d@left.example")
        await connection.execute(
            """
            insert into user_addresses (email_key, email, user_id, source)
            values ('e@left.example', 'e@left.example', $1, 'claim')
            """,
            member,
        )
        ids = await connection.fetch("select id from abandoned_checkouts order by id")
        found = [await abandoned_checkouts.find(connection, row["id"]) for row in ids]
        assert [one and one.user_id for one in found] == [person.id, member]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("update prices set active = false", "for sale"),
        ("update stripe_products set active = false", "for sale"),
        ("update products set status = 'draft'", "for sale"),
        ("update products set purchase_method = 'none'", "for sale"),
        ("update products set checkout_target = 'external'", "for sale"),
        ("delete from offers", "for sale"),
        ("update products set access_mode = 'public'", "has the product"),
    ],
)
async def test_only_while_there_is_something_to_buy(pool: Pool, change: str, why: str) -> None:
    async with pool.acquire() as connection:
        await sells(connection)
        await connection.execute(change)
        assert why in await remind(connection)
        assert await queued(connection) == []


async def test_not_to_whoever_bought_it_meanwhile(pool: Pool) -> None:
    context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
    async with pool.acquire() as connection:
        await sells(connection)
        waiting = replace(
            PAID, id="cs_9", invoice=None, email="a@left.example", payment_status="unpaid"
        )
        waiting = replace(waiting, status="complete", payment=None)
        await apply_orders(connection, [waiting], context=context)
        assert "has the product" in await remind(connection), "the money is under way"
        await users.find_or_create(connection, "c@left.example")
        bought = subscription(1, "past_due")
        who = replace(bought.customer, email="c@left.example")
        await apply_subscriptions(
            connection,
            [replace(bought, customer=who)],
            context=replace(context, as_of=NOW + timedelta(days=60)),
        )
        assert "has the product" in await remind(
            connection, session=replace(LEFT, email="c@left.example")
        ), "a subscription without access is to be mended, not bought again"


async def test_a_checkout_that_cant_be_opened_again_isnt_written_about(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await sells(connection)
        assert "opened again" in await remind(connection, session=replace(LEFT, open_until=None))
        late = replace(LEFT, expired_at=LEFT.expired_at - timedelta(days=4))
        assert "too long ago" in await remind(connection, session=late)


async def test_nothing_is_left_after_erasure_and_merging_moves_it(pool: Pool) -> None:
    async with pool.acquire() as connection:
        member = await sells(connection)
        admin, _ = await users.find_or_create(connection, "admin@left.example")
        other, _ = await users.find_or_create(connection, "kept@left.example")
        assert await remind(connection) == QUEUED
        async with connection.transaction():
            await merging.merge(
                connection, into=other.id, other=member, reason=None, actor=admin.id
            )
        again = replace(LEFT, id="cs_2")
        assert "has had an email" in await remind(connection, session=again)
        async with connection.transaction():
            await erasure.erase(connection, other.id, actor=admin.id)
        assert await connection.fetchval("select count(*) from abandoned_checkouts") == 0
        assert "didn't agree" in await remind(connection, session=again), "they were erased"
        late = replace(GUEST, user_id=other.id)
        assert "didn't agree" in await remind(connection, late, again)


@pytest.mark.parametrize("recovered", [None, "cs_0"])
async def test_a_recovered_session_belongs_to_the_same_attempt(
    pool: Pool, recovered: str | None
) -> None:
    """Its reference was signed for the session that expired, which was open for a day."""
    source = {
        "id": "cs_1",
        "created": int(NOW.timestamp()),
        "payment_status": "paid",
        "status": "complete",
        "customer_details": {"email": "payer@left.example"},
        "recovered_from": recovered,
        "line_items": {
            "data": [
                {
                    "id": "li_1",
                    "quantity": 1,
                    "amount_total": 1000,
                    "price": {"id": "price_1", "product": "prod_1", "type": "one_time"},
                }
            ]
        },
    }
    async with pool.acquire() as connection:
        member = await sells(connection)
        named = Reference(member, "course", NOW - timedelta(days=10))
        order = reading.checkout_session(source)
        await apply_orders(
            connection,
            [order],
            context=ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE),
            references={order.id: named},
        )
        owner = await connection.fetchval("select user_id from orders")
        doubts = await connection.fetch("select kind from matches")
    assert (owner == member) is (recovered is not None)
    expired = "reference_expired" in [row["kind"] for row in doubts]
    assert expired is (recovered is None)
