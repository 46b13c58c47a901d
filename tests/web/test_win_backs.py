"""Inviting people back with a promotion code: who is written to, what the link opens, the count."""

import re
from typing import Any

import pytest

from latchkey.mail.render import render
from latchkey.store.feed import mails
from latchkey.store.products import win_backs
from latchkey.store.products.win_backs import NotInvited
from tests.harness import KEY, SECRETS, Latchkey, until
from tests.life.test_bad_input import AREAS
from tests.web.pages import visit
from tests.web.test_admin_users import shown
from tests.web.test_member_checkout import for_sale, opened

pytestmark = pytest.mark.anyio

PAGE = "/admin/cancellations/win-back"


async def former(site: Latchkey, email: str, price: str, product: str) -> tuple[int, str]:
    """Somebody whose subscription has ended: their id, and the subscription."""
    made = await site.stripe.buy(email, price)
    await site.has(product, email)
    subscription = str(made["subscription"])
    await site.stripe.delete(f"subscriptions/{subscription}")

    async def over() -> Any:
        return await site.pool.fetchval(
            "select user_id from subscriptions where id = $1 and ended_at is not null",
            subscription,
        )

    return int(await until(over, "the end")), subscription


async def test_who_is_invited_comes_back_with_the_code_and_is_counted(shared: Latchkey) -> None:
    product, _, price, _ = await for_sale(
        shared, "Won back", promotion_codes=True, payment_link=False
    )
    person, subscription = await former(shared, "left@winback.example", price, product)
    coupon = await shared.stripe.post("coupons", percent_off=50, duration="once")
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    made = await shared.stripe.post("promotion_codes", promotion=promotion, code="COMEBACK")
    async with visit(shared) as admin:
        await admin.sign_in()
        here = f"/admin/cancellations?product={product}"
        assert f'name="id" value="{subscription}"' in (await admin.get(here)).text
        nobody = (await admin.get(PAGE)).text
        assert ("Nobody is chosen" in nobody, 'name="code"' in nobody) == (True, False)
        chosen = f"{PAGE}?id={subscription}&id=sub_none"
        assert "Email 1 person" in (await admin.get(chosen)).text
        for code, problem in (
            ("", "Enter a code"),
            ("NOT A CODE", "Enter a code"),
            ("UNKNOWN", "Stripe has no active promotion code"),
        ):
            refused = await admin.send(chosen, PAGE, 422, id=subscription, code=code)
            assert problem in refused.text
        lacking = dict.fromkeys(set(AREAS) - {"promotion_codes"}, "write")
        try:
            await shared.stripe.control("keys", key=KEY, permissions=lacking)
            refused = await admin.send(chosen, PAGE, 422, id=subscription, code="COMEBACK")
            assert "may not read promotion codes" in refused.text
        finally:
            await shared.stripe.control("keys", key=KEY, permissions=None)
        for _ in range(2):  # a double click
            done = await admin.send(chosen, PAGE, id=subscription, code="COMEBACK")
            assert done.headers["location"] == "/admin/cancellations?done=invited-back"
        assert "They were invited within 30 days" in await shown(admin, chosen)
        assert "Invited back by email" in await shown(admin, "/admin/audit")
    async with shared.pool.acquire() as connection:
        [mail] = await mails.listed(connection, user_id=person, kind=mails.WIN_BACK)
    rendered = render(mail, public_url=shared.url, secrets=SECRETS)
    assert rendered.link is not None
    assert rendered.unsubscribe is not None
    async with visit(shared) as visitor:
        path = rendered.link.removeprefix(shared.url)
        session = await opened(shared, await visitor.goes(path))
    assert [row["promotion_code"] for row in session["discounts"]] == [made["id"]]
    await shared.stripe.pay(session, "left@winback.example")

    async def counted() -> Any:
        async with shared.pool.acquire() as connection:
            found = {row.code: row for row in await win_backs.by_code(connection)}
        return found["COMEBACK"] if found["COMEBACK"].back else None

    won = await until(counted, "the new subscription")
    assert (won.invited, won.back, won.amounts) == (1, 1, {"usd": 2900})
    async with visit(shared) as admin:
        await admin.sign_in()
        text = await shown(admin, here)
        assert re.search(r"Who came back .* COMEBACK 1 1 \$29\.00", text)
        assert "Subscribed again" in text
        assert "They have subscribed again" in await shown(admin, chosen)


async def test_a_code_is_created_here_if_the_key_may(shared: Latchkey) -> None:
    product, _, price, _ = await for_sale(
        shared, "Created code", promotion_codes=True, payment_link=False
    )
    _, subscription = await former(shared, "created@winback.example", price, product)
    chosen = f"{PAGE}?id={subscription}"
    create = "/admin/cancellations/promotion"
    form = {
        "id": subscription, "new_code": "made-here", "kind": "percent", "percent": "25",
        "duration": "repeating", "months": "3", "uses": "1", "days": "14", "only": "yes",
        "nonce": "0123456789abcdef",
    }  # fmt: skip
    async with visit(shared) as admin:
        await admin.sign_in()
        assert "Only this person can use it" in (await admin.get(chosen)).text
        for changes, problem in (
            ({"percent": "101"}, "Enter a percentage"),
            ({"new_code": "not a code"}, "Enter a code of letters"),
        ):
            assert problem in (await admin.send(chosen, create, 422, **form | changes)).text
        assert await shared.stripe.get("promotion_codes", code="MADE-HERE") | {"url": ""} == {
            "object": "list", "data": [], "has_more": False, "url": ""
        }  # fmt: skip
        for _ in range(2):  # a double click
            made = await admin.send(chosen, create, 303, **form)
            assert (
                made.headers["location"]
                == f"{PAGE}?code=MADE-HERE&done=promotion&id={subscription}"
            )
        [code] = (await shared.stripe.get("promotion_codes", code="MADE-HERE"))["data"]
        customer = await shared.pool.fetchval(
            "select customer_id from subscriptions where id = $1", subscription
        )
        assert (code["max_redemptions"], code["customer"]) == (1, customer)
        coupon = await shared.stripe.get(f"coupons/{code['promotion']['coupon']}")
        assert (coupon["percent_off"], coupon["duration_in_months"]) == (25, 3)
        assert 'value="MADE-HERE"' in (await admin.get(made.headers["location"])).text
        assert "Promotion code created" in await shown(admin, "/admin/audit")
        coupons = len((await shared.stripe.get("coupons", limit=100))["data"])
        taken = await admin.send(chosen, create, 422, **form | {"nonce": "another"})
        assert "an active code like this already" in taken.text
        assert len((await shared.stripe.get("coupons", limit=100))["data"]) == coupons
        lacking = {**dict.fromkeys(AREAS, "write"), "coupons": "read"}
        try:
            await shared.stripe.control("keys", key=KEY, permissions=lacking)
            refused = await admin.send(chosen, create, 422, **form | {"new_code": "OTHER"})
            assert "may not create promotion codes" in refused.text
        finally:
            await shared.stripe.control("keys", key=KEY, permissions=None)
        finding = {"area": "Coupons", "level": "write", "ok": False, "optional": True}
        before = await shared.pool.fetchval("select findings from stripe_connection")
        try:
            await shared.pool.execute("update stripe_connection set findings = $1", [finding])
            page = (await admin.get(chosen)).text
            assert "it lacks <strong>Coupons</strong>: write" in page
            assert create not in page
        finally:
            await shared.pool.execute("update stripe_connection set findings = $1", before)


async def another(
    site: Latchkey, subscription: str, *, status: str, ends: str = "null", ended: str = "null"
) -> None:
    """Give somebody a second subscription that began when they cancelled the first."""
    await site.pool.execute(
        f"""
        insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                   created_at, ticket, canceled_at, scheduled_end, ended_at)
        select id || '_2', account_id, livemode, customer_id, user_id, $2, canceled_at, ticket,
               {ended}, {ends}, {ended} from subscriptions where id = $1
        """,
        subscription,
        status,
    )


async def test_one_email_for_two_subscriptions_and_the_same_code_again_after_30_days(
    shared: Latchkey,
) -> None:
    product, _, price, _ = await for_sale(
        shared, "Won back twice", promotion_codes=True, payment_link=False
    )
    person, first = await former(shared, "twice@winback.example", price, product)
    second = f"{first}_2"
    await another(shared, first, status="canceled", ended="now() + interval '1 hour'")

    async def look() -> list[tuple[str, NotInvited | None]]:
        async with shared.pool.acquire() as connection:
            found = await win_backs.chosen(connection, [first, second])
        return [(person.id, person.obstacle) for person in found]

    async def invite() -> int:
        async with shared.pool.acquire() as connection, connection.transaction():
            return await win_backs.invite(connection, [first, second], code="TWICE")

    assert await look() == [(second, NotInvited.UNSOLD), (first, None)]
    await shared.pool.execute(
        """
        insert into subscription_items (subscription_id, id, stripe_product, price_id, quantity)
        select $2, 'si_' || $2, stripe_product, price_id, quantity
          from subscription_items where subscription_id = $1
        """,
        first,
        second,
    )
    assert await look() == [(second, None), (first, NotInvited.TWICE)]
    assert [await invite(), await invite()] == [1, 0]
    await shared.pool.execute(
        "update mails set created_at = now() - interval '31 days' where user_id = $1", person
    )
    assert await invite() == 1
    await shared.pool.execute(
        "update users set mails_off = array['win_back'] where id = $1", person
    )
    async with shared.pool.acquire() as connection:
        sent = await mails.listed(connection, user_id=person, kind=mails.WIN_BACK)
        await mails.withdraw(connection, [mail.id for mail in sent])
        found = await mails.listed(connection, user_id=person, kind=mails.WIN_BACK)
    assert [mail.state for mail in found] == ["suppressed", "suppressed"]
    await shared.pool.execute("delete from subscriptions where id = $1", second)


async def test_who_isnt_invited_and_why(shared: Latchkey) -> None:
    product, _, price, _ = await for_sale(
        shared, "Not won back", promotion_codes=True, payment_link=False
    )
    person, subscription = await former(shared, "off@winback.example", price, product)

    async def obstacle() -> NotInvited | None:
        async with shared.pool.acquire() as connection:
            [found] = await win_backs.chosen(connection, [subscription])
        return found.obstacle

    assert await obstacle() is None
    for change, undo, expected in (
        ("users set mails_off = array['win_back']", "users set mails_off = '{}'", NotInvited.OFF),
        ("users set erased_at = now()", "users set erased_at = null", NotInvited.NOBODY),
    ):
        await shared.pool.execute(f"update {change} where id = $1", person)
        assert await obstacle() is expected
        async with shared.pool.acquire() as connection, connection.transaction():
            assert await win_backs.invite(connection, [subscription], code="ANY") == 0
        await shared.pool.execute(f"update {undo} where id = $1", person)
    await shared.pool.execute(
        "update subscriptions set ended_at = null where id = $1", subscription
    )
    assert await obstacle() is NotInvited.RUNNING
    await shared.pool.execute(
        "update subscriptions set ended_at = now() where id = $1", subscription
    )
    for status, ends, outcome in (
        ("active", "null", NotInvited.BACK),
        ("active", "now() + interval '5 days'", NotInvited.BACK),
        ("paused", "null", NotInvited.BACK),
        ("incomplete", "null", None),
    ):
        await another(shared, subscription, status=status, ends=ends)
        assert await obstacle() is outcome, (status, ends)
        await shared.pool.execute("delete from subscriptions where id = $1", f"{subscription}_2")
    await shared.pool.execute("update products set promotion_codes = false where id = $1", product)
    assert await obstacle() is NotInvited.UNSOLD
