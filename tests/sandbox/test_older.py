"""What older integrations use: plans, tokens, sources, cards of customers."""

import pytest

from sandbox.schema import API_VERSION
from tests.harness import Json, Stripe
from tests.sandbox.lives import begin, events_of, refused

pytestmark = pytest.mark.anyio


async def test_a_plan_is_a_price_under_an_older_name(stripe: Stripe) -> None:
    plan = await stripe.post(
        "plans",
        id="gold",
        amount=2000,
        currency="usd",
        interval="month",
        product={"name": "Gold"},
        trial_period_days=7,
    )
    assert (plan["id"], plan["amount"], plan["trial_period_days"]) == ("gold", 2000, 7)
    price = await stripe.get("prices/gold")
    assert (price["unit_amount"], price["product"]) == (2000, plan["product"])
    assert set(await events_of(stripe, "gold")) == {"price.created", "plan.created"}
    assert (await refused(stripe, "plans", **{**FREE, "id": "gold"}))["status"] == 400
    made = await stripe.subscribe("gold@box.example", "gold")
    assert made["items"]["data"][0]["plan"]["id"] == "gold"
    monthly = await stripe.price(await stripe.product())
    await stripe.price(await stripe.product(), every=None)
    rows = (await stripe.get("plans"))["data"]
    assert [row["id"] for row in rows] == [monthly, "gold"]
    assert [r["id"] for r in (await stripe.get("plans", product=plan["product"]))["data"]] == [
        "gold"
    ]
    changed = await stripe.post("plans/gold", nickname="Au", active=False)
    assert (changed["nickname"], (await stripe.get("prices/gold"))["active"]) == ("Au", False)
    await stripe.delete("plans/gold")
    assert {"plan.updated", "plan.deleted"} <= set(await events_of(stripe, "gold"))
    assert (await stripe.client.get("/v1/plans/gold")).status_code == 404
    assert (await stripe.get(f"subscriptions/{made['id']}"))["status"] == "active"


FREE = {"amount": 0, "currency": "usd", "interval": "year", "product": {"name": "Free"}}


async def test_a_plan_has_an_id_of_its_own_kind(stripe: Stripe) -> None:
    plan = await stripe.post("plans", **FREE)
    assert plan["id"].startswith("plan_")
    price = await stripe.get(f"prices/{plan['id']}", **{"expand[]": "product"})
    assert price["product"]["name"] == "Free"


async def test_a_card_is_added_by_a_token_that_is_used_once(stripe: Stripe) -> None:
    card = {"number": "4242424242424242", "exp_month": 3, "exp_year": 2033, "name": "Ada"}
    token = await stripe.post("tokens", card=card)
    assert (token["used"], token["card"]["brand"], token["card"]["exp_month"]) == (False, "Visa", 3)
    customer = await stripe.post("customers", email="old@box.example")
    made = await stripe.post(f"customers/{customer['id']}/sources", source=token["id"])
    assert (made["object"], made["name"], made["customer"]) == ("card", "Ada", customer["id"])
    assert (await stripe.get(f"tokens/{token['id']}"))["used"] is True
    error = await refused(stripe, f"customers/{customer['id']}/sources", source=token["id"])
    assert error["code"] == "token_already_used"
    assert (await stripe.get(f"customers/{customer['id']}"))["default_source"] == made["id"]
    method = await stripe.get(f"payment_methods/{made['id']}")
    assert (method["customer"], method["card"]["last4"]) == (customer["id"], "4242")
    changed = await stripe.post(
        f"customers/{customer['id']}/sources/{made['id']}", name="Grace", metadata={"a": "b"}
    )
    assert (changed["name"], changed["metadata"]) == ("Grace", {"a": "b"})
    sent = await events_of(stripe, made["id"])
    assert sent.index("customer.source.created") < sent.index("customer.source.updated")


async def test_a_customers_card_pays_subscriptions_and_charges(stripe: Stripe) -> None:
    customer = await stripe.post("customers", email="old@box.example", source="tok_visa")
    first = customer["default_source"]
    price = await stripe.price(await stripe.product())
    made = await stripe.post("subscriptions", customer=customer["id"], items=[{"price": price}])
    assert made["status"] == "active"
    charge = await stripe.post("charges", amount=500, currency="usd", customer=customer["id"])
    assert (charge["paid"], charge["payment_method"]) == (True, first)
    path = f"customers/{customer['id']}/sources"
    other = await stripe.post(path, source="tok_mastercard")
    rows = (await stripe.get(path, object="card"))["data"]
    assert [row["id"] for row in rows] == [other["id"], first]
    gone = await stripe.delete(f"{path}/{first}")
    assert gone == {"id": first, "object": "card", "deleted": True}
    assert (await stripe.get(f"customers/{customer['id']}"))["default_source"] == other["id"]
    assert "customer.source.deleted" in await events_of(stripe, first)
    error = await refused(stripe, path, source="tok_chargeDeclined")
    assert (error["status"], error["code"]) == (402, "card_declined")
    changed = await stripe.post(f"customers/{customer['id']}", source="tok_amex")
    assert changed["default_source"] not in (first, other["id"])


async def test_a_number_that_is_no_card_is_refused(stripe: Stripe) -> None:
    error = await refused(
        stripe, "tokens", card={"number": "4242424242424241", "exp_month": 1, "exp_year": 2033}
    )
    assert (error["status"], error["code"]) == (402, "incorrect_number")
    assert (await refused(stripe, "tokens"))["status"] == 400


async def test_a_bank_account_is_verified_by_two_deposits(stripe: Stripe) -> None:
    token = await stripe.post(
        "tokens",
        bank_account={
            "country": "US",
            "currency": "usd",
            "account_number": "000123456789",
            "routing_number": "110000000",
        },
    )
    customer = (await stripe.post("customers"))["id"]
    made = await stripe.post(f"customers/{customer}/sources", source=token["id"])
    assert (made["object"], made["status"]) == ("bank_account", "new")
    path = f"customers/{customer}/sources/{made['id']}/verify"
    assert (await refused(stripe, path, amounts=[1, 2]))["status"] == 400
    assert (await stripe.post(path, amounts=[32, 45]))["status"] == "verified"


async def test_a_source_is_charged_once_its_owner_did_what_was_asked(stripe: Stripe) -> None:
    await stripe.control("settings", delayed_seconds=60)
    made = await stripe.post(
        "sources",
        type="ideal",
        amount=900,
        currency="eur",
        redirect={"return_url": "http://127.0.0.1/back"},
        owner={"email": "old@box.example"},
    )
    assert (made["status"], made["redirect"]["status"]) == ("pending", "pending")
    await stripe.control("clock/advance", seconds=61)
    found = await stripe.get(f"sources/{made['id']}")
    assert (found["status"], found["owner"]["email"]) == ("chargeable", "old@box.example")
    assert await events_of(stripe, made["id"]) == ["source.chargeable"]
    card = await stripe.post("sources", type="card", token="tok_visa")
    charge = await stripe.post("charges", amount=500, currency="usd", source=card["id"])
    assert charge["status"] == "succeeded"
    assert (await refused(stripe, "sources", type="gold"))["param"] == "type"


async def cli(stripe: Stripe, path: str, data: dict[str, str]) -> Json:
    """A call as the Stripe command line's fixtures make it: without a version."""
    answer = await stripe.client.post(f"/v1/{path}", data=data, headers={"Stripe-Version": ""})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_parameters_of_earlier_versions_are_understood(stripe: Stripe) -> None:
    coupon = (await stripe.post("coupons", percent_off=20))["id"]
    code = await cli(stripe, "promotion_codes", {"coupon": coupon})
    assert code["promotion"] == {"type": "coupon", "coupon": coupon}
    ours = {"Stripe-Version": API_VERSION}
    answer = await stripe.client.post("/v1/promotion_codes", data={"coupon": coupon}, headers=ours)
    assert answer.status_code == 400
    price = await stripe.price(await stripe.product())
    made = await cli(
        stripe,
        "subscription_schedules",
        {
            "customer": await stripe.customer("old@box.example"),
            "start_date": "now",
            "phases[0][items][0][price]": price,
            "phases[0][iterations]": "2",
        },
    )
    phase = made["phases"][0]
    assert 58 <= (phase["end_date"] - phase["start_date"]) / 86400 <= 62


async def test_a_customers_coupon_takes_something_off_all_they_are_billed(stripe: Stripe) -> None:
    half, fifth = [
        (await stripe.post("coupons", percent_off=off, duration="forever"))["id"]
        for off in (50, 20)
    ]
    customer = await cli(stripe, "customers", {"coupon": half})
    first = customer["discount"]["id"]
    await stripe.post("invoiceitems", customer=customer["id"], amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices", customer=customer["id"], pending_invoice_items_behavior="include"
    )
    assert bill["total"] == 500
    changed = await cli(stripe, f"customers/{customer['id']}", {"coupon": fifth})
    second = changed["discount"]["id"]
    gone = await stripe.delete(f"customers/{customer['id']}/discount")
    assert (gone["id"], gone["deleted"]) == (second, True)
    assert (await stripe.get(f"customers/{customer['id']}"))["discount"] is None
    assert await events_of(stripe, first) == ["customer.discount.created"]
    assert await events_of(stripe, second) == [
        "customer.discount.updated",
        "customer.discount.deleted",
    ]


async def test_a_subscriptions_discount_comes_and_goes(stripe: Stripe) -> None:
    once, forever = [
        (await stripe.post("coupons", percent_off=10, duration=duration))["id"]
        for duration in ("once", "forever")
    ]
    life = await begin(stripe, discounts=[{"coupon": once}, {"coupon": forever}])
    going = (await life.now())["discounts"]
    assert len(going) == 1
    assert await events_of(stripe, going[0]) == ["customer.discount.created"]
    used = (await life.invoices())[0]["discounts"]
    spent = next(name for name in used if name not in going)
    assert await events_of(stripe, spent) == [
        "customer.discount.created",
        "customer.discount.deleted",
    ]
    await stripe.delete(f"subscriptions/{life.id}/discount")
    assert (await life.now())["discounts"] == []
    assert (await events_of(stripe, going[0]))[-1] == "customer.discount.deleted"


async def test_a_saved_payment_method_is_updated(stripe: Stripe) -> None:
    method = await stripe.post("payment_methods", type="card", card={"token": "tok_visa"})
    path = f"payment_methods/{method['id']}"
    assert (await refused(stripe, path, metadata={"a": "b"}))["status"] == 400
    customer = (await stripe.post("customers"))["id"]
    await stripe.post(f"{path}/attach", customer=customer)
    changed = await stripe.post(path, card={"exp_year": 2039}, billing_details={"name": "Ada"})
    assert (changed["card"]["exp_year"], changed["card"]["last4"]) == (2039, "4242")
    assert (changed["billing_details"]["name"], changed["type"]) == ("Ada", "card")
    assert (await events_of(stripe, method["id"]))[-1] == "payment_method.updated"
    assert (await stripe.get(f"customers/{customer}/{path}"))["id"] == method["id"]
    other = (await stripe.post("customers"))["id"]
    answer = await stripe.client.get(f"/v1/customers/{other}/{path}")
    assert answer.status_code == 404


async def test_a_refunds_update_has_two_names(stripe: Stripe) -> None:
    charge = await stripe.post("charges", amount=500, currency="usd", source="tok_visa")
    made = await stripe.post("refunds", charge=charge["id"])
    await stripe.post(f"refunds/{made['id']}", metadata={"a": "b"})
    sent = await events_of(stripe, made["id"])
    assert {"refund.updated", "charge.refund.updated"} <= set(sent)


async def test_booleans_as_older_sdks_for_python_write_them(stripe: Stripe) -> None:
    product = (await stripe.post("products", name="Old"))["id"]
    for text, active in (("False", False), ("True", True)):
        answer = await stripe.client.post(f"/v1/products/{product}", data={"active": text})
        assert answer.json()["active"] is active
        rows = (await stripe.get("products", active=text))["data"]
        assert (product in [row["id"] for row in rows]) is True
