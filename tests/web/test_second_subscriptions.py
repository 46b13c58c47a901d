"""Nobody is silently sold a second subscription: whoever is known is led to the one they have, and
whoever types an address at Stripe's checkout only is told, as are the admins."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from latchkey import signin_links
from latchkey.rules.access import LIVE_STATUSES
from latchkey.vault import Purpose, Vault
from tests.harness import SECRETS, Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import attempts, comes_back, for_sale, opened, without_events

pytestmark = pytest.mark.anyio

STATES = [
    *((status, None, False, False) for status in sorted(LIVE_STATUSES)),
    ("active", None, False, True),
    ("active", None, True, False),
    ("trialing", None, True, True),
    ("paused", "first_payment_failure", False, False),
]
"""Status, reason of a pause, whether it is set to end, and whether it gives access now."""


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def test_no_road_leads_whoever_has_one_to_a_second(
    shared: Latchkey, visitor: Visitor
) -> None:
    """Every road to a checkout, for every state of the subscription that somebody has, with access
    and without."""
    product, slug, price, link = await for_sale(shared, "No second")
    email = "no-second@two.example"
    bought = await shared.stripe.subscribe(email, price)
    await shared.has(product, email)
    await shared.settled()
    member = await user(shared, email)
    await visitor.sign_in_as(member, "second")
    await shared.pool.execute(
        "insert into sales_pages (product_id, headline, body, status) values ($1, 'Why', '',"
        " 'live')",
        product,
    )
    recovery = await abandoned(shared, product, price, member)
    before = await attempts(shared)
    for number, case in enumerate(STATES):
        status, reason, ends, has_access = case
        await shared.pool.execute(
            """
            update subscriptions
               set status = $2, pause_reason = $3,
                   scheduled_end = case when $4 then now() + interval '9 days' end
             where id = $1
            """,
            bought["id"],
            status,
            reason,
            ends,
        )
        await shared.pool.execute(
            "update grants set ended_at = case when not $2 then now() end where source_id = $1",
            bought["id"],
            has_access,
        )
        target = "payment_link" if number % 2 else "stripe"
        choice = {"checkout_target": target, "purchase_method": "sales_page"}
        await shared.call("PATCH", f"/products/{product}", json=choice)
        await no_road_is_open(visitor, slug, price, link, recovery, case)
        for buyer in ({"user": member}, {"email": email.upper()}):
            asked = {"product": product, **buyer}
            await shared.call("POST", "/checkout-sessions", 409, json=asked)
    assert await attempts(shared) == before


async def no_road_is_open(
    visitor: Visitor, slug: str, price: str, link: str, recovery: str, case: object
) -> None:
    """Follow what the pages offer, and the addresses that they don't: none leads to Stripe."""
    roads = {f"/buy/{slug}", f"/buy/{slug}/checkout", f"/buy/{slug}?price={price}", recovery}
    for page in ("/library", f"/products/{slug}", f"/sales/{slug}"):
        shown = unescape((await visitor.client.get(page)).text)
        assert link not in shown, (page, case)
        found = re.findall(rf'(?:href|action)="([^"]*/buy/{slug}[^"]*)"', shown)
        roads |= {address.removeprefix(visitor.site.url) for address in found}
    for road in sorted(roads):
        answer = await visitor.client.get(road, follow_redirects=True)
        assert str(answer.url).startswith(visitor.site.url), (road, case)
        if answer.url.path != f"/sales/{slug}":
            said = ("You already have", "Open product", "/account/billing")
            assert any(words in answer.text for words in said), (road, case, answer.text)


async def abandoned(site: Latchkey, product: str, price: str, member: int) -> str:
    """The link of an email about a checkout that the member left."""
    made = await site.pool.fetchval(
        """
        insert into abandoned_checkouts (session_id, user_id, product_id, price_id, url, open_until)
        values ('cs_left', $1, $2, $3, $4, now() + interval '9 days') returning id
        """,
        member,
        product,
        price,
        Vault(SECRETS).seal(f"{site.stripe.url}/c/pay/cs_left", Purpose.CHECKOUT_URL),
    )
    return f"/checkout/again/{signin_links.sign_checkout(made, secrets=SECRETS)}"


async def buys_as_stranger(site: Latchkey, url: str, email: str) -> dict[str, Any]:
    return await site.stripe.pay(await opened(site, url), email)


async def test_who_types_the_address_at_stripes_checkout_is_told(
    shared: Latchkey, visitor: Visitor
) -> None:
    """The buyer by email, on the page they come back to, and in their account; the admins by an
    alarm and a page, until one of the two is over or they say that it is meant."""
    product, slug, _, url = await for_sale(shared, "Typed at Stripe")
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    first, second = "typed@bücher.example", "Typed@xn--bcher-kva.example"
    await buys_as_stranger(shared, url, first)
    await shared.has(product, first)
    await shared.stripe.past()
    async with visit(shared) as stranger:
        session = await opened(shared, await stranger.goes(f"/buy/{slug}"))
        with without_events(shared):
            await shared.stripe.pay(session, second)
            text = unescape((await comes_back(stranger, session)).text)
        assert "We've sent an email" in text
        assert "If you already had a subscription" in text, "it tells nobody who has one"
    later = (await shared.stripe.get(f"checkout/sessions/{session['id']}"))["subscription"]
    lines = await shared.lines(product=product, type="second_subscription")
    assert [line["source_id"] for line in lines] == [later]
    buyer = lines[0]["user"]
    mails = await shared.pool.fetch(
        "select kind from mails where user_id = $1 and data ->> 'source_id' = $2", buyer, later
    )
    assert "second_subscription" in [row["kind"] for row in mails]
    await visitor.sign_in_as(buyer, "typed")
    assert "You have another subscription" in (await visitor.get("/account")).text
    mine = unescape((await comes_back(visitor, session)).text)
    assert "You already had a subscription to this" in mine
    async with visit(shared) as admin:
        await admin.sign_in()
        page = await admin.get("/admin/subscriptions/second")
        assert later in page.text
        assert "sold to somebody who has another one of the same product" in page.text
        await shared.stripe.post(f"subscriptions/{later}", cancel_at_period_end="true")
        await shared.settled()
        assert later not in (await admin.get("/admin/subscriptions/second")).text
        await shared.stripe.post(f"subscriptions/{later}", cancel_at_period_end="false")
        await shared.settled()
        allow = f"/admin/subscriptions/second/{later}/allow"
        await admin.send("/admin/subscriptions/second", allow)
        assert later not in (await admin.get("/admin/subscriptions/second")).text
        await admin.send("/admin/settings", allow.replace(later, "sub_none"), 404)
    assert len(await shared.lines(product=product, type="second_subscription")) == 1


async def test_one_that_was_incomplete_counts_once_it_is_paid(shared: Latchkey) -> None:
    product, _, price, _ = await for_sale(shared, "Paid later", payment_link=False)
    email = "paid-later@two.example"
    await shared.stripe.subscribe(email, price)
    await shared.has(product, email)
    await shared.stripe.past()
    later = await shared.stripe.subscribe(email, price, payment_behavior="default_incomplete")
    await shared.settled()
    assert await shared.lines(product=product, type="second_subscription") == []
    invoice = later["latest_invoice"]
    await shared.stripe.post(f"invoices/{invoice}/pay", payment_method="pm_card_visa")
    await shared.settled()
    lines = await shared.lines(product=product, type="second_subscription")
    assert [line["source_id"] for line in lines] == [later["id"]]


async def test_an_import_finds_them_and_writes_to_nobody(shared: Latchkey) -> None:
    """Two subscriptions from before the product was linked, of one customer and of one address."""
    stripe_product = await shared.stripe.product("Twice before")
    price = await shared.stripe.price(stripe_product)
    made = [await shared.stripe.subscribe("before@two.example", price) for _ in range(2)]
    product = await shared.product("Twice before")
    await shared.link(product, stripe_product)
    await shared.has(product, "before@two.example")
    await shared.settled()
    lines = await shared.lines(product=product, type="second_subscription")
    assert len(lines) == 1
    assert lines[0]["source_id"] in [one["id"] for one in made]
    assert lines[0]["cause"] == "import"
    kinds = await shared.pool.fetch("select kind from mails where user_id = $1", lines[0]["user"])
    assert "second_subscription" not in [row["kind"] for row in kinds]
