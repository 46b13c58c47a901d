"""What each price's checkout does: free days once, codes, currencies, tax, and the payment link."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import for_sale, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def offer(site: Latchkey, product: str, *offers: dict[str, Any]) -> None:
    shown = await site.call("PUT", f"/products/{product}/prices", json=list(offers))
    rows = zip(shown["data"], offers, strict=True)
    given = [{name: row[name] for name in one} for row, one in rows]
    assert given == list(offers)


async def another(site: Latchkey, product: str, **params: Any) -> str:
    """Another monthly price of what the product is linked to."""
    linked = (await site.call("GET", f"/products/{product}/link"))["stripe_product"]
    made = await site.stripe.post(
        "prices",
        product=linked,
        currency="usd",
        unit_amount=4900,
        recurring={"interval": "month"},
        **params,
    )
    await site.settled()
    return str(made["id"])


async def amount(site: Latchkey, visitor: Visitor, address: str) -> int:
    """What a buyer has to pay at once."""
    return int((await opened(site, await visitor.goes(address)))["amount_total"])


async def test_members_have_free_days_once(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, _ = await for_sale(shared, "Tried once", payment_link=False)
    yearly = await another(shared, product)
    trial = {"trial_days": 7}
    await offer(shared, product, {"price": monthly, **trial}, {"price": yearly, **trial})
    email = "tried@options.example"
    member = await user(shared, email)
    await visitor.sign_in_as(member, "tried")
    assert "7 days free at first" in (await visitor.get(f"/buy/{slug}")).text
    session = await opened(shared, await visitor.goes(f"/buy/{slug}?price={monthly}"))
    assert session["amount_total"] == 0
    bought = (await shared.stripe.pay(session, email))["subscription"]
    await shared.has(product, email)
    await shared.stripe.delete(f"subscriptions/{bought}")
    await shared.has(product, email, access=False)
    assert "free at first" not in (await visitor.get(f"/buy/{slug}")).text
    assert await amount(shared, visitor, f"/buy/{slug}?price={yearly}") == 4900
    for buyer in ({"user": member}, {"email": email.upper()}):
        made = await shared.call(
            "POST", "/checkout-sessions", 201, json={"product": product, **buyer}
        )
        found = await shared.stripe.get(f"checkout/sessions/{made['id']}")
        assert found["amount_total"] == 2900, buyer
    async with visit(shared) as stranger:
        assert await amount(shared, stranger, f"/buy/{slug}?price={monthly}") == 0
    await shared.call("PATCH", f"/products/{product}", json={"one_trial": False})
    assert "7 days free at first" in (await visitor.get(f"/buy/{slug}")).text
    assert await amount(shared, visitor, f"/buy/{slug}?price={yearly}") == 0


async def test_buyers_pay_in_their_currency(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, _ = await for_sale(shared, "Two currencies", payment_link=False)
    both = await another(shared, product, currency_options={"eur": {"unit_amount": 4500}})
    await offer(shared, product, {"price": both}, {"price": monthly})
    page = (await visitor.get(f"/buy/{slug}?currency=EUR")).text
    assert f"/buy/{slug}/checkout?currency=eur&amp;price={both}" in page, "it is kept on the way"
    for price, asked, currency in (
        (both, "eur", "eur"),
        (both, "", "usd"),
        (both, "gbp", "usd"),
        (monthly, "eur", "usd"),
        (monthly, "<b>", "usd"),
    ):
        address = f"/buy/{slug}/checkout?price={price}&currency={asked}"
        session = await opened(shared, await visitor.goes(address))
        assert session["currency"] == currency, address
    body = {"product": product, "price": both, "currency": "EUR"}
    made = await shared.call("POST", "/checkout-sessions", 201, json=body)
    found = await shared.stripe.get(f"checkout/sessions/{made['id']}")
    assert (found["currency"], found["amount_total"]) == ("eur", 4500)
    await shared.call("POST", "/checkout-sessions", 422, json=body | {"currency": "euro"})


async def test_a_price_may_take_no_codes(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, _ = await for_sale(
        shared, "Codes at one", promotion_codes=True, payment_link=False
    )
    reduced = await another(shared, product)
    await offer(shared, product, {"price": monthly}, {"price": reduced, "promotion_codes": False})
    for price, allowed in ((monthly, True), (reduced, None)):
        session = await opened(shared, await visitor.goes(f"/buy/{slug}?price={price}&promo=X"))
        assert session["allow_promotion_codes"] is allowed
    await visitor.sign_in()
    page = f"/admin/products/{product}/checkout"
    fields: dict[str, Any] = {
        "purchase_method": "checkout",
        "checkout_target": "stripe",
        "enabled": "yes",
        "price": [monthly, reduced],
        f"no_codes:{monthly}": "yes",
    }
    await visitor.send(page, **fields)
    rows = (await shared.call("GET", f"/products/{product}/prices"))["data"]
    assert [row["promotion_codes"] for row in rows] == [False, True]
    assert (await shared.call("GET", f"/products/{product}"))["one_trial"] is False


async def test_stripe_works_out_the_tax(shared: Latchkey, visitor: Visitor) -> None:
    """By the address that the checkout asks for, which is kept with a customer that has none."""
    product, slug, monthly, _ = await for_sale(shared, "Taxed", payment_link=False)
    await offer(shared, product, {"price": monthly, "automatic_tax": True})
    email = "taxed@options.example"
    await visitor.sign_in_as(await user(shared, email), "taxed")
    untaxed, other, _, _ = await for_sale(shared, "Untaxed", every=None, payment_link=False)
    await shared.stripe.pay(await opened(shared, await visitor.goes(f"/buy/{other}")), email)
    await shared.has(untaxed, email)
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    assert session["customer"], "the customer of the first purchase, who has no address"
    assert session["automatic_tax"]["status"] == "requires_location_inputs"
    paid = await shared.stripe.pay(session, email, address={"country": "DE"})
    assert (paid["automatic_tax"]["status"], paid["amount_total"]) == ("complete", 3451)
    await shared.has(product, email)


async def test_the_payment_link_leads_to_its_own_price(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, monthly, url = await for_sale(shared, "Linked and more")
    other = await another(shared, product)
    await offer(shared, product, {"price": monthly}, {"price": other})
    await shared.call("PATCH", f"/products/{product}", json={"checkout_target": "payment_link"})
    for address in (f"/buy/{slug}", f"/buy/{slug}?price={monthly}"):
        assert (await visitor.goes(address)).startswith(url)
    assert await amount(shared, visitor, f"/buy/{slug}?price={other}") == 4900
    assert "isn't offered any more" in (await visitor.get(f"/buy/{slug}?price=price_x")).text
