"""Nobody is silently sold a second subscription: whoever is known is led to the one they have, and
whoever types an address at Stripe's checkout only is told, as are the admins."""

import random
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from html import unescape
from typing import Any

import pytest

from latchkey import signin_links
from latchkey.rules.access import LIVE_STATUSES
from latchkey.vault import Purpose, Vault
from tests.harness import SECRETS, Latchkey, http_client
from tests.spellings import spelled
from tests.web.pages import Visitor, visit
from tests.web.test_member_checkout import attempts, comes_back, for_sale, opened, without_events

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


CASES = 40
PAUSES = (
    None,
    "first_payment_failure",
    "final_payment_failure",
    "trial_end_without_payment_method",
    "requested_by_the_customer",
    "a_reason_of_tomorrow",
)
ADDRESS = "no-second@bücher.example"
SHOP = "https://second.example"
"""A page of another site with our button."""


@dataclass(frozen=True)
class Had:
    """A subscription that isn't over: its status, the reason of a pause, whether it is set to end,
    whether its billing is paused, and whether it gives access now."""

    status: str
    pause_reason: str | None
    ends: bool
    billing_paused: bool
    access: bool


@dataclass(frozen=True)
class Sold:
    """How the product is sold: where its checkout leads, whether a sales page comes before it, and
    whether its second price is archived."""

    target: str
    method: str
    archived: bool


class Road(StrEnum):
    """Ways on which somebody who has a subscription may come to a checkout."""

    BUY = "/buy/{slug}"
    CHECKOUT = "/buy/{slug}/checkout"
    PRICE = "/buy/{slug}?price={price}"
    OTHER_PRICE = "/buy/{slug}?price={other}"
    PROMOTION = "/buy/{slug}?promo=SUN&currency=eur"
    TURNED_BACK = "/buy/{slug}?back=1"
    CAMPAIGN = "/buy/{slug}/checkout?utm_source=mail"
    EMAIL = "{recovery}"
    CARD = "/library"
    PRODUCT = "/products/{slug}"
    SALES_PAGE = "/sales/{slug}"
    BUTTON = "the button on a page of another site"
    API_BY_USER = "a session for a user"
    API_BY_ADDRESS = "a session for an address"


@dataclass(frozen=True)
class Second:
    """A product, somebody's subscription of it, and their browser, signed in."""

    site: Latchkey
    visitor: Visitor
    product: str
    slug: str
    prices: tuple[str, str]
    link: str
    subscription: str
    member: int
    recovery: str

    async def becomes(self, had: Had, sold: Sold) -> None:
        await self.site.pool.execute(
            """
            with held as (
                update subscriptions
                   set status = $2, pause_reason = $3, collection_paused = $5,
                       scheduled_end = case when $4 then now() + interval '9 days' end
                 where id = $1),
            given as (
                update grants set ended_at = case when not $6 then now() end where source_id = $1),
            archived as (update prices set active = not $9 where id = $8)
            update products set checkout_target = $10, purchase_method = $11 where id = $7
            """,
            self.subscription,
            had.status,
            had.pause_reason,
            had.ends,
            had.billing_paused,
            had.access,
            self.product,
            self.prices[1],
            sold.archived,
            sold.target,
            sold.method,
        )

    async def take(self, road: Road, had: Had, chance: random.Random) -> None:
        """Take a road to its end, which is never a checkout."""
        match road:
            case Road.API_BY_USER:
                await self._asks({"user": self.member}, had)
            case Road.API_BY_ADDRESS:
                await self._asks({"email": spelled(ADDRESS, chance)}, had)
            case Road.CARD | Road.PRODUCT | Road.SALES_PAGE:
                await self._follows_page(road.format(slug=self.slug), had)
            case Road.BUTTON:
                async with http_client(headers={"Origin": SHOP}) as page:
                    shown = await page.get(f"{self.site.url}/embed/products/{self.slug}")
                button = shown.json()
                await self._arrives(button["buy"] or button["open"], had)
            case _:
                price, other = self.prices
                path = road.format(slug=self.slug, price=price, other=other, recovery=self.recovery)
                await self._arrives(path, had)

    async def _asks(self, who: dict[str, Any], had: Had) -> None:
        asked = {"product": self.product, **who}
        refused = await self.site.call("POST", "/checkout-sessions", 409, json=asked)
        if had.access:
            assert refused["code"] == "already_has_access", who
        else:
            found = refused["code"], refused["subscription"], refused["subscription_status"]
            assert found == ("subscription_exists", self.subscription, had.status), who

    async def _follows_page(self, path: str, had: Had) -> None:
        """Whatever a page offers that leads to buying."""
        shown = unescape((await self.visitor.client.get(path, follow_redirects=True)).text)
        assert self.link not in shown, path
        for address in set(re.findall(rf'(?:href|action)="([^"]*/buy/{self.slug}[^"]*)"', shown)):
            await self._arrives(address, had)

    async def _arrives(self, address: str, had: Had) -> None:
        answer = await self.visitor.client.get(address, follow_redirects=True)
        assert str(answer.url).startswith(self.site.url), address
        if answer.url.path == f"/sales/{self.slug}":
            assert self.link not in unescape(answer.text), address
        elif had.access and not answer.url.path.startswith("/buy/"):
            assert answer.url.path == f"/products/{self.slug}", address
        else:
            assert "You already have a subscription" in answer.text, (address, answer.text)
            assert f'name="subscription" value="{self.subscription}"' in answer.text, address


@pytest.fixture
async def second(shared: Latchkey, visitor: Visitor) -> Second:
    product, slug, price, link = await for_sale(shared, "No second")
    stripe_product = (await shared.call("GET", f"/products/{product}/link"))["stripe_product"]
    other = await shared.stripe.price(stripe_product, 29000, every="year")
    await shared.settled()
    offers = [{"price": price}, {"price": other}]
    await shared.call("PUT", f"/products/{product}/prices", json=offers)
    bought = await shared.stripe.subscribe(ADDRESS, price)
    await shared.has(product, ADDRESS)
    await shared.settled()
    member = await shared.pool.fetchval(
        "select user_id from subscriptions where id = $1", bought["id"]
    )
    await visitor.sign_in_as(member, "second")
    await shared.pool.execute(
        "insert into sales_pages (product_id, headline, body, status) values ($1, 'Why', '',"
        " 'live')",
        product,
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.send("/admin/settings/embed", origins=SHOP)
    recovery = await abandoned(shared, product, price, member)
    return Second(
        shared, visitor, product, slug, (price, other), link, bought["id"], member, recovery
    )


def cases(chance: random.Random) -> Iterator[tuple[Had, Sold, list[Road]]]:
    """Any subscription that isn't over, any way to sell, and some roads."""
    for _ in range(CASES):
        had = Had(
            status=chance.choice(sorted(LIVE_STATUSES)),
            pause_reason=chance.choice(PAUSES),
            ends=chance.random() < 0.5,
            billing_paused=chance.random() < 0.5,
            access=chance.random() < 0.5,
        )
        sold = Sold(
            target=chance.choice(("stripe", "payment_link")),
            method=chance.choice(("checkout", "sales_page")),
            archived=chance.random() < 0.5,
        )
        yield had, sold, chance.sample(list(Road), 3)


async def test_no_road_leads_whoever_has_one_to_a_second(second: Second) -> None:
    """For any subscription that isn't over, and however the product is sold: every road leads to
    what they have, or to what mends it, and none to Stripe."""
    chance = random.Random(13)
    before = await attempts(second.site, second.product)
    for had, sold, roads in cases(chance):
        await second.becomes(had, sold)
        for road in roads:
            try:
                await second.take(road, had, chance)
            except AssertionError as error:
                raise AssertionError(f"{road!r} for {had}, {sold}: {error}") from error
    assert await attempts(second.site, second.product) == before


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
        shared.forget_alarms()
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
    await shared.settled()
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
