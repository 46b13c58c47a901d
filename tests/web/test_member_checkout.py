"""Selling: creating and deactivating payment links, the buy URL, the page buyers return to."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from latchkey import references
from latchkey.vault import Vault
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
    """A visit of a payment link: its session."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    return await site.stripe.control(
        f"payment_links/{parts.path.rsplit('/', 1)[1]}/open",
        reference=query.get("client_reference_id"),
        email=query.get("locked_prefilled_email"),
    )


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


async def test_the_buy_url_binds_the_buyer(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, url = await for_sale(shared, "Bound", promotion_codes=True)
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


async def test_promotion_codes_only_where_they_are_accepted(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, slug, price, url = await for_sale(shared, "Full price")
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
        for _ in range(2):
            await comes_back(stranger, session)
        mails = await site.pool.fetch(
            "select m.kind from mails m join users u on u.id = m.user_id where u.email = $1",
            "quiet@checkout.example",
        )
        assert [row["kind"] for row in mails] == ["sign_in"]
        assert "a different account" in (await _as_other(site, session)).text


async def _as_other(site: Latchkey, session: dict[str, Any]) -> Any:
    async with visit(site) as other:
        await other.sign_in_as(await user(site, "other@checkout.example"), "other")
        return await comes_back(other, session)


async def comes_back(visitor: Visitor, session: dict[str, Any]) -> Any:
    return await visitor.get(f"/checkout/success?session={session['id']}")


async def test_a_pending_payment_is_called_pending(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, url = await for_sale(shared, "Slow money", every=None)
    buyer = await user(shared, "slow@checkout.example")
    await visitor.sign_in_as(buyer, "slow")
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    await shared.stripe.pay(session, "slow@checkout.example", card="sepa_debit")
    text = (await comes_back(visitor, session)).text
    assert "Your payment is pending" in text
    assert not (await shared.access(product, "slow@checkout.example"))["access"]
    assert "charge you twice" in (await visitor.get(f"/buy/{slug}")).text
    assert (await visitor.goes(f"/buy/{slug}/checkout?again=1")).startswith(url)
    await shared.stripe.control(f"checkout/{session['id']}/settle", outcome="failed")
    await shared.settled()
    assert "go through" in (await comes_back(visitor, session)).text


async def test_a_made_up_session_changes_nothing(shared: Latchkey, visitor: Visitor) -> None:
    await shared.settled()
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
    assert (await visitor.goes(f"/buy/{slug}")).startswith(f"{shared.stripe.url}/b/")
    await visitor.send(
        page, **sold | {"checkout_target": "external"}, external_url="https://shop.example/x?a=1"
    )
    async with visit(shared) as stranger:
        assert await stranger.goes(f"/buy/{slug}?utm_campaign=y") == (
            "https://shop.example/x?a=1&utm_campaign=y"
        )
