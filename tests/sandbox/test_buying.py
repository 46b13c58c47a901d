"""Checkout sessions and payment links: paid, unpaid and free."""

import pytest

from tests.harness import Json, Stripe
from tests.sandbox.lives import refused

pytestmark = pytest.mark.anyio


async def coupon(stripe: Stripe, code: str, **params: object) -> str:
    made = await stripe.post("coupons", **params)
    await stripe.post(
        "promotion_codes", promotion={"type": "coupon", "coupon": made["id"]}, code=code
    )
    return str(made["id"])


async def events(stripe: Stripe, about: str) -> list[str]:
    found = await stripe.client.get("/_sandbox/events", params={"object": about, "limit": 500})
    return [row["type"] for row in found.json()["data"]][::-1]


async def test_a_free_order_by_promotion_code(stripe: Stripe) -> None:
    await coupon(stripe, "FREE", percent_off=100)
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment", allow_promotion_codes=True)
    paid = await stripe.pay(session, "free@box.example", promotion_code="free")
    assert (paid["payment_status"], paid["payment_intent"]) == ("no_payment_required", None)
    assert (paid["amount_subtotal"], paid["amount_total"]) == (1500, 0)
    assert paid["customer"] is None


async def test_a_subscription_keeps_its_discount_as_long_as_it_says(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 2000)
    for code, duration, totals in (
        ("ONCE", {"duration": "once"}, [2000, 2000, 1000]),
        ("EVER", {"duration": "forever"}, [1000, 1000, 1000]),
        ("TWICE", {"duration": "repeating", "duration_in_months": 2}, [2000, 1000, 1000]),
    ):
        await coupon(stripe, code, percent_off=50, **duration)
        session = await stripe.checkout(price, allow_promotion_codes=True)
        paid = await stripe.pay(session, f"{code.lower()}@box.example", promotion_code=code)
        found = paid["subscription"]
        for _ in range(2):
            await stripe.control("clock/advance", subscription=found, until="period_end")
            await stripe.control("clock/advance", seconds=2 * 3600)
        bills = (await stripe.get("invoices", subscription=found))["data"]
        assert [bill["total"] for bill in bills] == totals, code
        assert {bill["status"] for bill in bills} == {"paid"}


async def test_promotion_codes_are_refused_where_they_do_not_apply(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    made = await stripe.post("coupons", percent_off=10, max_redemptions=1)
    promotion = {"type": "coupon", "coupon": made["id"]}
    await stripe.post("promotion_codes", promotion=promotion, code="ONE")
    await stripe.post(
        "promotion_codes",
        promotion=promotion,
        code="BIG",
        restrictions={"minimum_amount": 9900, "minimum_amount_currency": "usd"},
    )
    for number, code in enumerate(("NONE", "BIG", "ONE", "ONE")):
        session = await stripe.checkout(price, mode="payment", allow_promotion_codes=True)
        answer = await stripe.client.post(
            f"/_sandbox/checkout/{session['id']}/pay",
            json={"email": "c@box.example", "promotion_code": code},
        )
        assert answer.is_success is (number == 2), code
    error = await refused(stripe, "promotion_codes", promotion=promotion, code="ONE")
    assert error["param"] == "code"


async def test_a_session_with_a_discount_of_its_own(stripe: Stripe) -> None:
    made = await stripe.post("coupons", amount_off=300, currency="usd")
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment", discounts=[{"coupon": made["id"]}])
    assert session["amount_total"] == 1200
    paid = await stripe.pay(session, "d@box.example")
    intent = await stripe.get(f"payment_intents/{paid['payment_intent']}")
    assert intent["amount_received"] == 1200
    assert (await stripe.get(f"coupons/{made['id']}"))["times_redeemed"] == 1


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
async def test_a_delayed_payment_of_an_order_with_an_invoice(stripe: Stripe, outcome: str) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(
        price, mode="payment", invoice_creation={"enabled": True}, customer_creation="always"
    )
    paid = await stripe.pay(session, "late@box.example", card="sepa_debit")
    assert (paid["status"], paid["payment_status"]) == ("complete", "unpaid")
    assert (await stripe.get(f"invoices/{paid['invoice']}"))["status"] == "open"
    await stripe.control(f"checkout/{session['id']}/settle", outcome=outcome)
    found = await stripe.get(f"checkout/sessions/{session['id']}")
    bill = await stripe.get(f"invoices/{paid['invoice']}")
    good = outcome == "succeeded"
    assert found["payment_status"] == ("paid" if good else "unpaid")
    assert bill["status"] == ("paid" if good else "open")
    assert f"checkout.session.async_payment_{outcome}" in await events(stripe, session["id"])


@pytest.mark.parametrize(
    ("card", "status", "event"),
    [
        ("us_bank_account", "active", "succeeded"),
        ("AT861904300235473202", "past_due", "failed"),
    ],
)
async def test_a_subscription_by_bank_debit(
    stripe: Stripe, card: str, status: str, event: str
) -> None:
    await stripe.control("settings", delayed_seconds=3600)
    price = await stripe.price(await stripe.product())
    session = await stripe.buy("debit@box.example", price, card=card)
    path = f"subscriptions/{session['subscription']}"
    assert session["payment_status"] == "unpaid"
    assert (await stripe.get(path))["status"] == "active"
    await stripe.control("clock/advance", seconds=3700)
    assert (await stripe.get(path))["status"] == status
    assert f"checkout.session.async_payment_{event}" in await events(stripe, session["id"])


async def test_one_off_lines_inside_a_subscription(stripe: Stripe) -> None:
    monthly = await stripe.price(await stripe.product("Club"))
    once = await stripe.price(await stripe.product("Book"), 4000, every=None)
    session = await stripe.buy("both@box.example", monthly, once)
    lines = await stripe.get(f"checkout/sessions/{session['id']}/line_items")
    assert [line["price"]["type"] for line in lines["data"]] == ["recurring", "one_time"]
    bill = await stripe.get(f"invoices/{session['invoice']}")
    kinds = [line["parent"]["type"] for line in bill["lines"]["data"]]
    assert kinds == ["subscription_item_details", "invoice_item_details"]
    assert bill["total"] == 5500


async def test_more_than_ten_lines_are_a_page(stripe: Stripe) -> None:
    prices = [await stripe.price(await stripe.product(f"P{n}"), 100, every=None) for n in range(13)]
    session = await stripe.buy("many@box.example", *prices, mode="payment")
    path = f"checkout/sessions/{session['id']}"
    shown = await stripe.get(path, **{"expand[]": "line_items"})
    assert (len(shown["line_items"]["data"]), shown["line_items"]["has_more"]) == (10, True)
    rest = await stripe.get(f"{path}/line_items", limit=100)
    assert len(rest["data"]) == 13


async def test_a_trial_from_checkout_needs_no_card_if_the_link_says_so(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    link = await stripe.post(
        "payment_links",
        line_items=[{"price": price, "quantity": 1}],
        payment_method_collection="if_required",
        metadata={"campaign": "spring"},
        subscription_data={
            "trial_period_days": 5,
            "metadata": {"seat": "7"},
            "trial_settings": {"end_behavior": {"missing_payment_method": "pause"}},
        },
    )
    session = await stripe.control(f"payment_links/{link['id']}/open", reference="abc")
    paid = await stripe.pay(session, "trial@box.example")
    assert (paid["payment_status"], paid["amount_total"]) == ("no_payment_required", 0)
    assert (paid["client_reference_id"], paid["metadata"]) == ("abc", {"campaign": "spring"})
    found = await stripe.get(f"subscriptions/{paid['subscription']}")
    assert (found["status"], found["metadata"]) == ("trialing", {"seat": "7"})
    await stripe.control("clock/advance", subscription=found["id"], until="trial_end")
    assert (await stripe.get(f"subscriptions/{found['id']}"))["status"] == "paused"


async def test_a_link_stops_at_its_limit(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    link = await stripe.post(
        "payment_links",
        line_items=[{"price": price, "quantity": 1}],
        restrictions={"completed_sessions": {"limit": 1}},
    )
    late = await stripe.control(f"payment_links/{link['id']}/open")
    session = await stripe.control(f"payment_links/{link['id']}/open")
    await stripe.pay(session, "one@box.example")
    assert (await stripe.get(f"payment_links/{link['id']}"))["active"] is False
    answer = await stripe.client.post(f"/_sandbox/payment_links/{link['id']}/open", json={})
    assert answer.status_code == 400
    assert (await stripe.pay(late, "late@box.example"))["status"] == "complete"


async def test_archiving_a_product_deactivates_its_links(stripe: Stripe) -> None:
    product = await stripe.product()
    links = [
        await stripe.post("payment_links", line_items=[{"price": price, "quantity": 1}])
        for price in (await stripe.price(product), await stripe.price(await stripe.product()))
    ]
    for active in (False, True):
        await stripe.post(f"products/{product}", active=active)
        states = [(await stripe.get(f"payment_links/{link['id']}"))["active"] for link in links]
        assert states == [False, True]
    heard = await stripe.get("events", type="payment_link.updated")
    assert [event["data"]["object"]["id"] for event in heard["data"]] == [links[0]["id"]]


async def test_archived_and_deleted(stripe: Stripe) -> None:
    product = await stripe.product()
    price = await stripe.price(product)
    made = await stripe.subscribe("a@box.example", price)
    await stripe.post(f"prices/{price}", active=False)
    await stripe.post(f"products/{product}", active=False)
    line = [{"price": price, "quantity": 1}]
    error = await refused(
        stripe,
        "checkout/sessions",
        mode="subscription",
        line_items=line,
        success_url="http://x.example",
    )
    assert error["param"] == "line_items[0][price]"
    await stripe.control("clock/advance", subscription=made["id"], until="period_end")
    assert (await stripe.get(f"subscriptions/{made['id']}"))["status"] == "active"
    answer = await stripe.client.delete(f"/v1/products/{product}")
    assert answer.status_code == 400
    empty = await stripe.product("Empty")
    assert (await stripe.delete(f"products/{empty}"))["deleted"] is True
    assert (await stripe.client.get(f"/v1/products/{empty}")).status_code == 404


async def test_setting_up_a_card(stripe: Stripe) -> None:
    customer = (await stripe.post("customers", email="s@box.example"))["id"]
    session = await stripe.post(
        "checkout/sessions",
        mode="setup",
        currency="usd",
        customer=customer,
        success_url="http://x.example",
    )
    paid = await stripe.pay(session, "s@box.example")
    intent = await stripe.get(f"setup_intents/{paid['setup_intent']}")
    assert (intent["status"], intent["customer"]) == ("succeeded", customer)
    methods = (await stripe.get("payment_methods", customer=customer))["data"]
    assert [row["id"] for row in methods] == [intent["payment_method"]]


async def test_an_abandoned_session_expires(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment")
    await stripe.control("clock/advance", seconds=25 * 3600)
    found = await stripe.get(f"checkout/sessions/{session['id']}")
    assert (found["status"], found["url"]) == ("expired", None)
    assert "checkout.session.expired" in await events(stripe, session["id"])
    assert (await refused(stripe, f"checkout/sessions/{session['id']}/expire"))["status"] == 400


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"mode": "payment"}, "line_items"),
        ({"mode": "payment", "line_items": [{"price": "price_no"}]}, "line_items[0][price]"),
        ({"mode": "payment", "payment_method_types": ["card"]}, "payment_method_types"),
    ],
)
async def test_bad_sessions_are_refused(stripe: Stripe, params: Json, param: str) -> None:
    from sandbox.schema import API_VERSION
    from tests.harness import flat

    answer = await stripe.client.post(
        "/v1/checkout/sessions",
        data=flat({**params, "success_url": "http://x.example"}),
        headers={"Stripe-Version": API_VERSION},
    )
    error = answer.json()["error"]
    assert error["param"].startswith(param)
