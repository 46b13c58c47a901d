"""Selling: creating and deactivating payment links, the buy URL, the page buyers return to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from latchkey import references
from latchkey.store.feed import mails as outbox
from latchkey.vault import Vault
from tests.digest import at_rest
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def for_sale(site: Latchkey, name: str, **choice: Any) -> tuple[str, str, str, str]:
    """A linked product with a checkout: its id, slug, price and the payment link's address."""
    stripe_product = await site.stripe.product(name)
    every = choice.pop("every", "month")
    price = await site.stripe.price(stripe_product, 2900, every=every)
    product = await site.product(name)
    await site.link(product, stripe_product)
    body = {"enabled": True, "price": price, **choice}
    made = await site.call("PUT", f"/products/{product}/checkout", json=body)
    slug = (await site.call("GET", f"/products/{product}"))["slug"]
    return product, slug, price, made["url"]


async def opened(site: Latchkey, url: str) -> dict[str, Any]:
    """The session that an address leads to: its own, or that of a visit of a payment link."""
    parts = urlsplit(url)
    if parts.path.startswith("/c/pay/"):
        return await site.stripe.get(f"checkout/sessions/{parts.path.rsplit('/', 1)[1]}")
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return await site.stripe.control(
        f"payment_links/{parts.path.rsplit('/', 1)[1]}/open",
        reference=query.get("client_reference_id"),
        email=query.get("locked_prefilled_email"),
    )


@contextmanager
def without_events(site: Latchkey) -> Iterator[None]:
    """What happens at Stripe meanwhile is never reported."""
    shop = site.stripe.box.shop
    shop.silent = True
    try:
        yield
    finally:
        shop.silent = False


async def links(site: Latchkey) -> dict[str, bool]:
    rows = (await site.stripe.get("payment_links", limit=100))["data"]
    return {row["url"]: row["active"] for row in rows}


async def test_a_new_price_creates_a_link_and_deactivates_the_old_one(shared: Latchkey) -> None:
    product, _, price, first = await for_sale(shared, "Repriced")
    again = await shared.call(
        "PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price}
    )
    assert again["url"] == first
    assert again["purchase_method"] == "checkout"
    late = await opened(shared, first)
    stripe_product = (await shared.call("GET", f"/products/{product}/link"))["stripe_product"]
    other = await shared.stripe.price(stripe_product, 4900)
    changed = await shared.call(
        "PUT", f"/products/{product}/checkout", json={"enabled": True, "price": other}
    )
    assert changed["url"] != first
    state = await links(shared)
    assert (state[first], state[changed["url"]]) == (False, True)
    await shared.stripe.pay(late, "late@checkout.example")
    await shared.has(product, "late@checkout.example")
    back = await shared.call(
        "PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price}
    )
    assert back["url"] == first
    state = await links(shared)
    assert (state[first], state[changed["url"]]) == (True, False)
    made = [row for row in state if row in (first, changed["url"])]
    assert len(made) == 2
    off = await shared.call("PUT", f"/products/{product}/checkout", json={"enabled": False})
    assert await shared.call("GET", f"/products/{product}/checkout") == off
    assert (off["enabled"], off["url"], off["purchase_method"]) == (False, None, "none")
    assert (await links(shared))[first] is False


async def test_double_clicks_and_faults_create_one_link(site: Latchkey) -> None:
    stripe_product = await site.stripe.product("Once only")
    price = await site.stripe.price(stripe_product)
    product = await site.product("Once only")
    await site.link(product, stripe_product)
    await site.settled()
    await site.stripe.control("faults", api_500_after=1)
    body = {"enabled": True, "price": price}
    clicks = [
        asyncio.create_task(site.api.put(f"/products/{product}/checkout", json=body))
        for _ in range(5)
    ]

    async def written() -> int:
        return len(site.stripe.box.shop.world.table("payment_link").values())

    await until(written, "Stripe has made a link and answered 500")
    await site.stripe.control("faults", api_500_after=0)
    answers = await asyncio.gather(*clicks)
    assert {answer.status_code for answer in answers} == {200}
    made = (await site.stripe.get("payment_links", limit=100))["data"]
    assert {answer.json()["url"] for answer in answers} == {row["url"] for row in made}
    assert len(made) == 1


async def test_an_unsellable_choice_changes_nothing(shared: Latchkey) -> None:
    bare = await shared.product("Unlinked")
    foreign = await shared.stripe.price(await shared.stripe.product())
    problem = await shared.call(
        "PUT", f"/products/{bare}/checkout", 422, json={"enabled": True, "price": foreign}
    )
    assert "link it first" in problem["detail"]
    product, *_ = await for_sale(shared, "Picky")
    await shared.call("GET", "/stripe/products", params={"refresh": "true"})
    before = await links(shared)
    for price in (foreign, "price_none"):
        problem = await shared.call(
            "PUT", f"/products/{product}/checkout", 422, json={"enabled": True, "price": price}
        )
        assert "a price of the linked Stripe product" in problem["detail"]
    await shared.call("PUT", "/products/prd_none/checkout", 404, json={"enabled": False})
    assert await links(shared) == before


async def test_removing_the_link_stops_the_sale(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, url = await for_sale(shared, "Withdrawn")
    await shared.call("DELETE", f"/products/{product}/link", params={"members": "keep"})

    async def closed() -> bool:
        return (await links(shared))[url] is False

    await until(closed, "the payment link is closed")
    await visitor.get(f"/buy/{slug}", 404)


async def test_the_payment_link_binds_the_buyer(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, url = await for_sale(shared, "Bound", promotion_codes=True)
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    parts = urlsplit(await visitor.goes(f"/buy/{slug}?utm_source=news&promo=SUN&evil=1"))
    assert parts._replace(query="").geturl() == url
    assert parse_qs(parts.query) == {"utm_source": ["news"], "prefilled_promo_code": ["SUN"]}
    buyer = await user(shared, "bound@checkout.example")
    await visitor.sign_in_as(buyer, "bound")
    address = await visitor.goes(f"/buy/{slug}")
    query = parse_qs(urlsplit(address).query)
    text = query["client_reference_id"][0]
    reference = references.read(text, vault=Vault(SECRETS), secrets=SECRETS)
    assert reference is not None
    assert (reference.user_id, reference.product_id) == (buyer, product)
    assert query["locked_prefilled_email"] == ["bound@checkout.example"]
    session = await opened(shared, address)
    await shared.stripe.pay(session, "another@checkout.example")
    await shared.has(product, "bound@checkout.example")
    assert not (await shared.access(product, "another@checkout.example"))["access"]
    assert await visitor.goes(f"/buy/{slug}") == f"/products/{slug}?done=owned"
    assert await visitor.goes(f"/buy/{slug}/checkout") == f"/products/{slug}?done=owned"


async def test_a_session_binds_the_buyer(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, price, _ = await for_sale(shared, "Sessions", payment_link=False)
    buyer = await user(shared, "session@checkout.example")
    visitor.client.headers["accept-language"] = "de"
    await visitor.sign_in_as(buyer, "session")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?utm_source=news&evil=1"))
    reference = references.read(
        session["client_reference_id"], vault=Vault(SECRETS), secrets=SECRETS
    )
    assert reference is not None
    assert (reference.user_id, reference.product_id) == (buyer, product)
    assert (session["mode"], session["customer"]) == ("subscription", None)
    assert session["customer_email"] == "session@checkout.example"
    assert session["locale"] == "de"
    assert session["metadata"] == {"latchkey_product": product, "utm_source": "news"}
    assert session["cancel_url"] == f"{shared.url}/buy/{slug}?utm_source=news&back=1"
    long = "&".join(f"utm_content={n}{'%F0%9F%98%80' * 200}" for n in range(9))
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?{long}"))
    assert session["cancel_url"] == f"{shared.url}/buy/{slug}?back=1", "Stripe refuses long ones"
    await shared.stripe.pay(session, "session@checkout.example")
    assert f'href="/products/{slug}"' in (await comes_back(visitor, session)).text
    assert await visitor.goes(f"/buy/{slug}") == f"/products/{slug}?done=owned"
    made = await shared.stripe.get("checkout/sessions/" + session["id"] + "/line_items")
    assert [line["price"]["id"] for line in made["data"]] == [price]


async def test_a_second_purchase_goes_to_the_same_customer(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "again@checkout.example"
    await visitor.sign_in_as(await user(shared, email), "again")
    customers = set()
    for name, every in (("First of two", "month"), ("Second of two", None)):
        product, slug, _, _ = await for_sale(shared, name, every=every, payment_link=False)
        session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
        await shared.stripe.pay(session, email)
        await shared.has(product, email)
        customers.add((await opened(shared, session_url(session)))["customer"])
    assert len(customers) == 1
    page = await visitor.get("/account/billing")
    assert "Which billing account" not in page.text


async def test_a_customer_that_is_gone_gives_way_to_the_address(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "gone@checkout.example"
    first, slug, _, _ = await for_sale(shared, "Before the end", every=None, payment_link=False)
    await visitor.sign_in_as(await user(shared, email), "gone")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    await shared.stripe.pay(session, email)
    await shared.has(first, email)
    gone = (await opened(shared, session_url(session)))["customer"]
    _, slug, _, _ = await for_sale(shared, "After the end", every=None, payment_link=False)
    await shared.settled()
    with without_events(shared):
        await shared.stripe.delete(f"customers/{gone}")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    assert (session["customer"], session["customer_email"]) == (None, email)

    async def known() -> bool:
        query = "select deleted from customers where id = $1"
        return bool(await shared.pool.fetchval(query, gone))

    await until(known, "the customer is read again, though its event was lost")


async def test_one_session_for_several_clicks_and_none_that_is_over(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, _, _ = await for_sale(shared, "Clicked twice", every=None, payment_link=False)
    email = "clicks@checkout.example"
    await visitor.sign_in_as(await user(shared, email), "clicks")
    clicks = await asyncio.gather(*(visitor.goes(f"/buy/{slug}") for _ in range(4)))
    assert len(set(clicks)) == 1
    assert await visitor.goes(f"/buy/{slug}") == clicks[0]
    session = await opened(shared, clicks[0])
    await shared.stripe.post(f"checkout/sessions/{session['id']}/expire")
    fresh = await visitor.goes(f"/buy/{slug}")
    assert fresh != clicks[0]
    assert await visitor.goes(f"/buy/{slug}") == fresh
    async with visit(shared) as guest:
        await guest.get("/login")
        bought = await guest.goes(f"/buy/{slug}")
        assert bought not in (fresh, clicks[0])
        assert await guest.goes(f"/buy/{slug}") == bought
        session = await opened(shared, bought)
        assert session["client_reference_id"] is None
        await shared.stripe.pay(session, "guest@checkout.example")
        assert await guest.goes(f"/buy/{slug}") != bought
    await shared.has(product, "guest@checkout.example")


async def test_nobody_is_led_to_a_dead_checkout(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, price, _ = await for_sale(shared, "Dies", payment_link=False)
    await shared.settled()
    with without_events(shared):
        await shared.stripe.post(f"prices/{price}", active="false")
    assert "can&#39;t be bought here" in (await visitor.get(f"/buy/{slug}", 404)).text

    async def known() -> bool:
        query = "select active from prices where id = $1"
        return not await shared.pool.fetchval(query, price)

    await until(known, "the price is read again, though its event was lost")
    assert "at the moment" in (await visitor.get(f"/buy/{slug}", 404)).text
    async with visit(shared) as admin:
        await admin.sign_in()
        shown = (await admin.get(f"/admin/products/{product}/checkout")).text
        assert "The price is archived in Stripe" in shown
    await shared.stripe.post(f"prices/{price}", active="true")

    async def sold() -> bool:
        return (await visitor.client.get(f"/buy/{slug}")).status_code == 303

    await until(sold, "it is sold again once Stripe sells it")


async def test_nobody_can_pay_for_what_is_not_linked_any_more(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, _, _ = await for_sale(shared, "Let go", payment_link=False)
    _, other_slug, _, _ = await for_sale(shared, "Kept", payment_link=False)
    begun = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    kept = await opened(shared, await visitor.goes(f"/buy/{other_slug}"))
    async with visit(shared) as guest:
        await guest.get("/login")
        bought = await opened(shared, await guest.goes(f"/buy/{slug}"))
        await shared.stripe.pay(bought, "in-time@checkout.example")
    await shared.has(product, "in-time@checkout.example")
    await shared.call("DELETE", f"/products/{product}/link", params={"members": "keep"})

    async def over() -> bool:
        session = await shared.stripe.get(f"checkout/sessions/{begun['id']}")
        return bool(session["status"] == "expired")

    await until(over, "the session is closed in Stripe")
    assert (await shared.stripe.get(f"checkout/sessions/{kept['id']}"))["status"] == "open"

    async def done() -> bool:
        query = "select exists (select from checkout_attempts where orphaned and product_id = $1)"
        return not await shared.pool.fetchval(query, product)

    await until(done, "the paid one isn't tried again")
    await shared.has(product, "in-time@checkout.example")


async def test_what_payment_links_opened_is_closed_once_their_product_is_not_linked_any_more(
    shared: Latchkey,
) -> None:
    """Also by a link whose place another one took. While the product is linked, it can be paid."""
    product, _, price, first = await for_sale(shared, "Let go by links", every=None)
    _, _, _, other = await for_sale(shared, "Kept by links", every=None)
    mine = [await opened(shared, first), await opened(shared, first)]
    body = {"enabled": True, "price": await shared.stripe.price(await of(shared, price), 100)}
    await shared.know(await of(shared, price))
    second = (await shared.call("PUT", f"/products/{product}/checkout", json=body))["url"]
    assert second != first

    async def switched() -> bool:
        found = await links(shared)
        return (found[first], found[second]) == (False, True)

    await until(switched, "the second link takes the first one's place")
    mine.append(await opened(shared, second))
    kept = await opened(shared, other)
    await shared.stripe.pay(mine[0], "in-time@links.example")
    await shared.has(product, "in-time@links.example")
    await shared.call("DELETE", f"/products/{product}/link", params={"members": "keep"})

    async def states() -> list[str]:
        every = [await shared.stripe.get(f"checkout/sessions/{one['id']}") for one in mine]
        return [session["status"] for session in every]

    async def over() -> bool:
        return await states() == ["complete", "expired", "expired"]

    await until(over, "what can still be paid is closed in Stripe")
    assert (await shared.stripe.get(f"checkout/sessions/{kept['id']}"))["status"] == "open"

    async def settled() -> bool:
        query = "select bool_and(settled and not active) from payment_links where product_id = $1"
        return bool(await shared.pool.fetchval(query, product))

    await until(settled, "nothing is left to close")
    assert (await links(shared))[second] is False


async def of(site: Latchkey, price: str) -> str:
    """The Stripe product of a price."""
    return str((await site.stripe.get(f"prices/{price}"))["product"])


async def test_a_buyer_who_turns_back_sees_what_is_for_sale(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, price, _ = await for_sale(shared, "Turned back", promotion_codes=True)
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?promo=SUN"))
    back = session["cancel_url"].removeprefix(shared.url)
    text = (await visitor.get(back)).text
    assert "been charged" in text
    assert f'href="/buy/{slug}/checkout?promo=SUN&amp;price={price}"' in text
    made = await attempts(shared, product)
    for headers in ({"Sec-Purpose": "prefetch"}, {"Purpose": "prefetch"}):
        await visitor.get(f"/buy/{slug}", headers=headers)
    assert (await visitor.client.head(f"/buy/{slug}")).status_code == 200
    assert await attempts(shared, product) == made


async def test_a_promotion_code_is_entered_where_codes_are_accepted(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, price, _ = await for_sale(shared, "Reduced", every=None, payment_link=False)
    coupon = await shared.stripe.post("coupons", percent_off=50, duration="once")
    promotion = {"type": "coupon", "coupon": coupon["id"]}
    made = await shared.stripe.post("promotion_codes", promotion=promotion, code="HALF")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?promo=HALF"))
    assert (session["discounts"], session["allow_promotion_codes"]) == ([], None)
    choice = {"enabled": True, "price": price, "promotion_codes": True, "payment_link": False}
    await shared.call("PUT", f"/products/{product}/checkout", json=choice)
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?promo=HALF"))
    assert [row["promotion_code"] for row in session["discounts"]] == [made["id"]]
    assert session["amount_total"] == 1450
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?promo=NONE"))
    assert (session["discounts"], session["allow_promotion_codes"]) == ([], True)


async def test_nobody_gets_a_second_subscription_without_asking(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, price, _ = await for_sale(shared, "Only one", payment_link=False)
    email = "one@checkout.example"
    member = await user(shared, email)
    await visitor.sign_in_as(member, "one")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    await shared.stripe.pay(session, email)
    await shared.has(product, email)
    bought = (await opened(shared, session_url(session)))["subscription"]
    await shared.stripe.post(f"subscriptions/{bought}/pause")
    await shared.has(product, email, access=False)
    for path, status in (("/library", 200), (f"/products/{slug}", 403), ("/account", 200)):
        assert "Resume subscription" in (await visitor.get(path, status)).text, path
    await shared.call("PATCH", f"/products/{product}", json={"purchase_method": "sales_page"})
    before = await attempts(shared, product)
    for path in (f"/buy/{slug}", f"/buy/{slug}/checkout", f"/buy/{slug}?price={price}"):
        text = (await visitor.get(path)).text
        assert "You already have a subscription" in text
        assert "is paused" in text
        assert f'name="subscription" value="{bought}"' in text
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    assert "You already have" in (await visitor.get(f"/buy/{slug}")).text
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "stripe"})
    assert await attempts(shared, product) == before
    assert (await visitor.goes(f"/buy/{slug}/checkout?again=1")).startswith(shared.stripe.url)


async def test_buyers_choose_among_several_prices(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, _ = await for_sale(shared, "Several", payment_link=False)
    stripe_product = (await shared.call("GET", f"/products/{product}/link"))["stripe_product"]
    yearly = await shared.stripe.price(stripe_product, 29000, every="year")
    once = await shared.stripe.price(stripe_product, 99000, every=None)
    offered = [
        {"price": yearly, "label": "A year", "featured": True, "trial_days": 14, "most": 5},
        {"price": monthly, "billing_address": True},
        {"price": once},
    ]
    path = f"/products/{product}/prices"
    shown = await shared.call("PUT", path, json={"data": offered})
    assert await shared.call("PUT", path, json=offered) == shown
    assert await shared.call("GET", path) == shown
    assert [row["price"] for row in shown["data"]] == [yearly, monthly, once]
    assert (shown["data"][0]["trial_days"], shown["data"][0]["amount"]) == (14, 29000)
    kept = await shared.call(
        "PUT",
        f"/products/{product}/checkout",
        json={"enabled": True, "price": once, "payment_link": False},
    )
    assert kept["enabled"] is True
    assert await shared.call("GET", path) == shown, "a price that is offered leaves the others"
    made = await attempts(shared, product)
    text = (await visitor.get(f"/buy/{slug}?utm_source=n")).text
    assert await attempts(shared, product) == made, "nobody has chosen yet"
    places = [
        text.index(f'href="/buy/{slug}/checkout?utm_source=n&amp;price={price}"')
        for price in (yearly, monthly, once)
    ]
    assert places == sorted(places)
    assert "14 days free at first" in text
    assert text.count("Most popular") == 1
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?price={yearly}"))
    lines = await shared.stripe.get(f"checkout/sessions/{session['id']}/line_items")
    assert [line["price"]["id"] for line in lines["data"]] == [yearly]
    assert session["amount_total"] == 0, "the first days are free"
    session = await opened(shared, await visitor.goes(f"/buy/{slug}/checkout?price={once}"))
    assert (session["mode"], session["amount_total"]) == ("payment", 99000)
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?price={monthly}"))
    assert session["billing_address_collection"] == "required"
    assert "isn't offered any more" in (await visitor.get(f"/buy/{slug}?price=price_x")).text
    await visitor.sign_in_as(await user(shared, "several@checkout.example"), "several")
    card = (await visitor.get(f"/products/{slug}", 403)).text
    assert "$290.00 every year or $29.00 every month or $990.00 once" in card
    assert "See prices" in card
    await shared.stripe.post(f"prices/{yearly}", active="false")
    await shared.settled()
    text = (await visitor.get(f"/buy/{slug}")).text
    assert f"price={yearly}" not in text
    assert f"price={monthly}" in text
    by_api = await shared.call("POST", "/checkout-sessions", 201, json={"product": product})
    lines = await shared.stripe.get(f"checkout/sessions/{by_api['id']}/line_items")
    assert [line["price"]["id"] for line in lines["data"]] == [monthly], "the first that is sold"
    await shared.call("PUT", path, json=[])
    await visitor.get(f"/buy/{slug}", 404)


async def test_prices_that_cant_be_offered_change_nothing(shared: Latchkey) -> None:
    product, _, monthly, _ = await for_sale(shared, "Fixed prices", payment_link=False)
    stripe_product = (await shared.call("GET", f"/products/{product}/link"))["stripe_product"]
    once = await shared.stripe.price(stripe_product, 99000, every=None)
    path = f"/products/{product}/prices"
    before = await shared.call("GET", path)
    for offered in (
        [{"price": monthly}, {"price": monthly}],
        [{"price": monthly}, {"price": "price_none"}],
        [{"price": once, "trial_days": 7}],
        [{"price": monthly, "trial_days": 0}],
        [{"price": monthly, "featured": True}, {"price": once, "featured": True}],
        [{"price": monthly, "label": "two\nlines"}],
    ):
        await shared.call("PUT", path, 422, json=offered)
    assert await shared.call("GET", path) == before


async def test_an_admin_offers_several_prices(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, _ = await for_sale(shared, "Offered on the page", payment_link=False)
    stripe_product = (await shared.call("GET", f"/products/{product}/link"))["stripe_product"]
    yearly = await shared.stripe.price(stripe_product, 29000, every="year")
    await shared.settled()
    await visitor.sign_in()
    page = f"/admin/products/{product}/checkout"
    chosen: dict[str, Any] = {
        "purchase_method": "checkout",
        "checkout_target": "stripe",
        "enabled": "yes",
        "price": [monthly, yearly],
        f"order:{monthly}": "2",
        f"order:{yearly}": "1",
        f"label:{yearly}": "Best value",
        f"trial_days:{yearly}": "30",
        "featured": yearly,
        f"tax_ids:{monthly}": "yes",
    }
    refused = await visitor.send(page, expect=422, **chosen | {f"trial_days:{yearly}": "many"})
    assert "The free days are a whole number" in refused.text
    assert 'value="many"' in refused.text, "what was typed is kept"
    await visitor.send(page, **chosen)
    rows = (await shared.call("GET", f"/products/{product}/prices"))["data"]
    assert [row["price"] for row in rows] == [yearly, monthly]
    assert (rows[0]["label"], rows[0]["featured"], rows[0]["trial_days"]) == (
        "Best value",
        True,
        30,
    )
    assert (rows[1]["featured"], rows[1]["tax_ids"]) == (False, True)
    assert 'value="Best value"' in (await visitor.get(page)).text
    sales = f"/admin/products/{product}/sales-page"
    await visitor.send(sales, f"{sales}/start", begin="template")
    shown = (await visitor.get(f"/sales/{slug}")).text
    assert f"/buy/{slug}/checkout?price={yearly}" in shown
    assert "Best value" in shown


async def test_other_sites_sell_by_sessions(shared: Latchkey) -> None:
    product, slug, price, _ = await for_sale(shared, "By others", payment_link=False)
    email = "others@checkout.example"
    member = await user(shared, email)
    back = "https://shop.example/thanks?a=1&session=x"
    body = {"product": slug, "price": price, "user": member, "return_url": back}
    made = await shared.call("POST", "/checkout-sessions", 201, json=body)
    assert await shared.call("POST", "/checkout-sessions", 201, json=body) == made
    session = await shared.stripe.get(f"checkout/sessions/{made['id']}")
    assert session["url"] == made["url"]
    assert session["success_url"] == "https://shop.example/thanks?a=1&session={CHECKOUT_SESSION_ID}"
    assert session["cancel_url"] == back
    reference = references.read(
        session["client_reference_id"], vault=Vault(SECRETS), secrets=SECRETS
    )
    assert reference is not None
    assert reference.user_id == member
    await shared.stripe.pay(session, email)
    await shared.has(product, email)
    for buyer in ({"user": member}, {"email": f" {email.upper()}"}):
        problem = await shared.call(
            "POST", "/checkout-sessions", 409, json={"product": product, **buyer}
        )
        assert problem["code"] == "already_has_access"
    bought = (await opened(shared, session_url(session)))["subscription"]
    await shared.stripe.post(f"subscriptions/{bought}/pause")
    await shared.has(product, email, access=False)
    body = {"product": product, "email": email}
    problem = await shared.call("POST", "/checkout-sessions", 409, json=body)
    assert problem["code"] == "subscription_exists"
    assert (problem["subscription"], problem["subscription_status"]) == (bought, "paused")
    body["again"] = True
    made = await shared.call("POST", "/checkout-sessions", 201, json=body)
    session = await shared.stripe.get(f"checkout/sessions/{made['id']}")
    assert session["customer_email"] == email
    typed = (session["customer"], session["client_reference_id"])
    assert typed == (None, None), "an address that was typed opens nobody's customer"


async def test_who_has_begun_a_subscription_without_an_account_gets_no_second(
    shared: Latchkey,
) -> None:
    product, _, price, _ = await for_sale(shared, "Begun before", payment_link=False)
    customer = await shared.stripe.customer("Begun@xn--bcher-kva.example")
    begun = await shared.stripe.post(
        "subscriptions",
        customer=customer,
        items=[{"price": price}],
        payment_behavior="default_incomplete",
    )
    await shared.settled()
    body = {"product": product, "email": "begun@BÜCHER.example"}
    problem = await shared.call("POST", "/checkout-sessions", 409, json=body)
    assert (problem["code"], problem["subscription"]) == ("subscription_exists", begun["id"])
    assert problem["subscription_status"] == "incomplete"
    await shared.call("POST", "/checkout-sessions", 201, json={**body, "again": True})
    body["email"] = "other@bücher.example"
    await shared.call("POST", "/checkout-sessions", 201, json=body)


async def test_an_address_gets_one_session_however_it_is_written(shared: Latchkey) -> None:
    product, _, _, _ = await for_sale(shared, "Written twice", payment_link=False)
    for first, *others in (
        ("twice@bücher.example", "Twice@xn--bcher-kva.example", "TWICE@BÜCHER.EXAMPLE"),
        ("new@checkout.example", "new@CHECKOUT.example"),
    ):
        body = {"product": product, "email": first}
        made = await shared.call("POST", "/checkout-sessions", 201, json=body)
        for email in others:
            body["email"] = email
            assert await shared.call("POST", "/checkout-sessions", 201, json=body) == made
    body["email"] = "other@checkout.example"
    assert await shared.call("POST", "/checkout-sessions", 201, json=body) != made


async def test_bad_requests_for_sessions(shared: Latchkey) -> None:
    product, _, price, _ = await for_sale(shared, "Bad requests", payment_link=False)
    unsold = await shared.product("Never sold")
    for body, status in (
        ({"product": "nothing"}, 404),
        ({"product": product, "user": 2**40}, 404),
        ({"product": unsold}, 409),
        ({"product": product, "price": "price_none"}, 422),
        ({"product": product, "email": "a@b.example", "user": 1}, 422),
        ({"product": product, "return_url": "http://shop.example/"}, 422),
        ({"product": product, "return_url": "https://me:pw@shop.example/"}, 422),
        ({"product": product, "return_url": "javascript:alert(1)"}, 422),
    ):
        await shared.call("POST", "/checkout-sessions", status, json=body)
    for mode, status in (("public", 409), ("signed_in", 409), ("assigned", 201)):
        await shared.call("PATCH", f"/products/{product}", json={"access_mode": mode})
        await shared.call("POST", "/checkout-sessions", status, json={"product": product})
    await shared.stripe.post(f"prices/{price}", active="false")
    await shared.settled()
    problem = await shared.call("POST", "/checkout-sessions", 409, json={"product": product})
    assert (problem["code"], problem["obstacle"]) == ("not_for_sale", "price_archived")


def session_url(session: dict[str, Any]) -> str:
    return f"/c/pay/{session['id']}"


async def attempts(site: Latchkey, product: str) -> int:
    """How many checkouts of a product were begun."""
    found: int = await site.pool.fetchval(
        "select count(*) from checkout_attempts where product_id = $1", product
    )
    return found


async def test_promotion_codes_only_where_they_are_accepted(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, price, url = await for_sale(shared, "Full price")
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    assert await visitor.goes(f"/buy/{slug}?promo=SUN") == url
    row = next(
        row
        for row in (await shared.stripe.get("payment_links", limit=100))["data"]
        if row["url"] == url
    )
    assert row["allow_promotion_codes"] is False
    same = await shared.call(
        "PUT",
        f"/products/{product}/checkout",
        json={"enabled": True, "price": price, "promotion_codes": True},
    )
    assert same["url"] == url
    assert (await shared.stripe.get(f"payment_links/{row['id']}"))["allow_promotion_codes"] is True


async def test_products_not_for_sale(shared: Latchkey, visitor: Visitor) -> None:
    draft = await shared.call("POST", "/products", 201, json={"name": "Unseen"})
    await visitor.get(f"/buy/{draft['slug']}", 404)
    await visitor.get("/buy/nothing", 404)
    plain = await shared.product("Not sold")
    slug = (await shared.call("GET", f"/products/{plain}"))["slug"]
    assert "can&#39;t be bought here" in (await visitor.get(f"/buy/{slug}", 404)).text
    free = await shared.product("For all", access_mode="public")
    slug = (await shared.call("GET", f"/products/{free}"))["slug"]
    assert await visitor.goes(f"/buy/{slug}") == f"/products/{slug}"


async def test_the_success_page_does_not_wait_for_the_event(site: Latchkey) -> None:
    product, slug, _, url = await for_sale(site, "At once")
    await site.settled()
    await site.stripe.control("faults", drop=1)
    async with visit(site) as visitor:
        buyer = await user(site, "swift@checkout.example")
        await visitor.sign_in_as(buyer, "swift")
        session = await opened(site, await visitor.goes(f"/buy/{slug}"))
        assert "You haven't been charged." in (await comes_back(visitor, session)).text
        await site.stripe.pay(session, "swift@checkout.example")
        text = (await comes_back(visitor, session)).text
        assert "Thank you! You" in text
        assert f'href="/products/{slug}"' in text
        assert (await site.access(product, "swift@checkout.example"))["access"]
    async with visit(site) as stranger:
        session = await opened(site, url)
        await site.stripe.pay(session, "new@checkout.example")
        answer = await comes_back(stranger, session)
        assert "We've sent an email" in answer.text
        assert "new@checkout.example" not in answer.text
        assert "latchkey_session" not in stranger.client.cookies
        await comes_back(stranger, session)
        mails = await site.pool.fetch(
            "select m.kind from mails m join users u on u.id = m.user_id where u.email = $1",
            "new@checkout.example",
        )
        assert [row["kind"] for row in mails] == ["product_access"]
        await site.call("PATCH", f"/products/{product}", json={"access_mail": False})
        session = await opened(site, url)
        await site.stripe.pay(session, "quiet@checkout.example")
        stranger.client.headers["accept-language"] = "ja"
        for _ in range(2):
            await comes_back(stranger, session)
        async with site.pool.acquire() as connection:
            [mail] = await outbox.listed(connection, search="quiet@checkout.example")
        assert (mail.kind, mail.language) == ("sign_in", "ja")
        assert "a different account" in (await _as_other(site, session)).text


async def _as_other(site: Latchkey, session: dict[str, Any]) -> Any:
    async with visit(site) as other:
        await other.sign_in_as(await user(site, "other@checkout.example"), "other")
        return await comes_back(other, session)


async def comes_back(visitor: Visitor, session: dict[str, Any]) -> Any:
    return await visitor.get(f"/checkout/success?session={session['id']}")


async def test_a_pending_payment_is_called_pending(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, _ = await for_sale(shared, "Slow money", every=None)
    buyer = await user(shared, "slow@checkout.example")
    await visitor.sign_in_as(buyer, "slow")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    await shared.stripe.pay(session, "slow@checkout.example", card="sepa_debit")
    text = (await comes_back(visitor, session)).text
    assert "Your payment is pending" in text
    assert not (await shared.access(product, "slow@checkout.example"))["access"]
    assert "charge you twice" in (await visitor.get(f"/buy/{slug}")).text
    assert (await visitor.goes(f"/buy/{slug}/checkout?again=1")).startswith(shared.stripe.url)
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="failed")
    await shared.settled()
    assert "go through" in (await comes_back(visitor, session)).text


async def test_the_success_page_follows_the_money(shared: Latchkey, visitor: Visitor) -> None:
    """It is pending while the payment is only authorized, paid once Stripe says so, though no event
    arrived, and not a purchase any more once the money went back."""
    product, _, price, _ = await for_sale(shared, "Held", every=None)
    session = await shared.stripe.checkout(
        price, mode="payment", payment_intent_data={"capture_method": "manual"}
    )
    await shared.stripe.pay(session, "held@checkout.example")
    session = await shared.stripe.get(f"checkout/sessions/{session['id']}")
    text = (await comes_back(visitor, session)).text
    assert "Your payment is pending" in text
    assert "confirmed by hand" in text
    await shared.settled()
    await shared.stripe.control("faults", drop=1)
    try:
        intent = f"payment_intents/{session['payment_intent']}"
        taken = await shared.stripe.post(f"{intent}/capture")
        await shared.stripe.delivered()
    finally:
        await shared.stripe.control("faults", drop=0)
    assert "You're in" in unescape((await comes_back(visitor, session)).text)
    await shared.has(product, "held@checkout.example")
    await shared.call("PATCH", f"/products/{product}", json={"status": "draft"})
    assert "What you bought isn't open yet" in unescape((await comes_back(visitor, session)).text)
    await shared.call("PATCH", f"/products/{product}", json={"status": "live"})
    await shared.stripe.post("refunds", charge=taken["latest_charge"])
    await shared.has(product, "held@checkout.example", access=False)
    assert "doesn't give access" in unescape((await comes_back(visitor, session)).text)


async def test_a_made_up_session_changes_nothing(shared: Latchkey, visitor: Visitor) -> None:
    await at_rest(shared)
    tables = ("users", "orders", "subscriptions", "grants", "activities", "mails")
    before = [await shared.pool.fetchval(f"select count(*) from {name}") for name in tables]
    for made_up in ("cs_test_madeup", "x", "cs_test_1'; drop table users", "../admin", ""):
        answer = await visitor.get("/checkout/success", 404, params={"session": made_up})
        assert "find this purchase" in answer.text
    stripe_product = await shared.stripe.product("Foreign")
    price = await shared.stripe.price(stripe_product, every=None)
    session = await shared.stripe.buy("foreign@checkout.example", price, mode="payment")
    assert "t on this site" in (await comes_back(visitor, session)).text
    await shared.settled()
    after = [await shared.pool.fetchval(f"select count(*) from {name}") for name in tables]
    assert after == before


async def test_the_api_sets_the_purchase_method(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, url = await for_sale(shared, "By program")
    changed = await shared.call(
        "PATCH",
        f"/products/{product}",
        json={"checkout_target": "external", "external_url": "https://shop.example/y"},
    )
    assert changed["purchase_method"] == "checkout"
    assert await visitor.goes(f"/buy/{slug}") == "https://shop.example/y"
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "stripe"})
    assert (await visitor.goes(f"/buy/{slug}")).startswith(f"{shared.stripe.url}/c/pay/")
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    assert await visitor.goes(f"/buy/{slug}") == url
    await shared.call("PATCH", f"/products/{product}", 422, json={"external_url": "ftp://x"})
    await shared.call("PATCH", f"/products/{product}", json={"purchase_method": "none"})
    await visitor.get(f"/buy/{slug}", 404)


async def test_an_admin_sells_from_the_page(shared: Latchkey, visitor: Visitor) -> None:
    stripe_product = await shared.stripe.product("From the page")
    price = await shared.stripe.price(stripe_product, 1900)
    product = await shared.product("From the page")
    await shared.link(product, stripe_product)
    slug = (await shared.call("GET", f"/products/{product}"))["slug"]
    await visitor.sign_in()
    page = f"/admin/products/{product}/checkout"
    sold: dict[str, Any] = {
        "purchase_method": "checkout",
        "checkout_target": "stripe",
        "show_locked": "yes",
    }
    answer = await visitor.send(page, expect=422, **sold)
    assert "To lead straight to Stripe Checkout" in answer.text
    answer = await visitor.send(
        page, expect=422, **sold | {"checkout_target": "external"}, external_url="javascript:x"
    )
    assert 'id="external_url-error"' in answer.text
    await visitor.send(page, enabled="yes", price=price, **sold)
    assert (await visitor.goes(f"/buy/{slug}")).startswith(f"{shared.stripe.url}/c/pay/")
    assert "Payment links" not in (await visitor.get(page)).text
    by_link = sold | {"checkout_target": "payment_link"}
    await visitor.send(page, enabled="yes", price=price, **by_link)
    assert (await visitor.goes(f"/buy/{slug}")).startswith(f"{shared.stripe.url}/b/")
    assert "Payment links" in (await visitor.get(page)).text
    await visitor.send(
        page, **sold | {"checkout_target": "external"}, external_url="https://shop.example/x?a=1"
    )
    async with visit(shared) as stranger:
        assert await stranger.goes(f"/buy/{slug}?utm_campaign=y") == (
            "https://shop.example/x?a=1&utm_campaign=y"
        )
