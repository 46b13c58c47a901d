"""The sandbox's API: keys, errors, lists, expansion, idempotency, clock, persistence."""

import base64
import time
from pathlib import Path

import httpx
import pytest
import stripe as sdk

from sandbox.box import build
from sandbox.schema import API_VERSION, Published
from tests.harness import KEY, Json, Stripe, flat, http_client, until
from tests.sandbox.lives import begin

pytestmark = pytest.mark.anyio

PINNED = {"Stripe-Version": API_VERSION}


async def error_of(answer: httpx.Response) -> Json:
    body: Json = answer.json()["error"]
    return body


async def test_keys_are_checked(stripe: Stripe) -> None:
    async with http_client(base_url=stripe.url) as client:
        for header, status in (
            ({}, 401),
            ({"Authorization": "Bearer sk_live_1"}, 401),
            ({"Authorization": "Bearer pk_test_1"}, 401),
            ({"Authorization": f"Bearer {KEY}"}, 200),
            ({"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}, 200),
        ):
            answer = await client.get("/v1/account", headers=header)
            assert answer.status_code == status
            assert answer.headers["Request-Id"].startswith("req_")


async def test_a_restricted_key_may_do_only_what_it_is_allowed_to(stripe: Stripe) -> None:
    made = await stripe.control("keys", permissions={"products": "read", "account": "read"})
    headers = {"Authorization": f"Bearer {made['key']}"}
    async with http_client(base_url=stripe.url, headers=headers) as client:
        assert (await client.get("/v1/products")).status_code == 200
        refused = await client.post("/v1/products", data={"name": "x"})
        assert refused.status_code == 403
        assert "rak_product_write" in (await error_of(refused))["message"]
        assert (await client.get("/v1/customers")).status_code == 403


@pytest.mark.parametrize(
    ("path", "given", "code", "param"),
    [
        ("customers", {"colour": "red"}, "parameter_unknown", "colour"),
        ("products", {}, "parameter_missing", "name"),
        (
            "prices",
            {"currency": "usd", "product": "prod_x", "unit_amount": "many"},
            "parameter_invalid_integer",
            "unit_amount",
        ),
        ("products", {"name": ""}, "parameter_invalid_empty", "name"),
        ("subscriptions", {"customer": "cus_x"}, "resource_missing", "customer"),
    ],
)
async def test_bad_parameters_are_named(
    stripe: Stripe, path: str, given: Json, code: str, param: str
) -> None:
    answer = await stripe.client.post(f"/v1/{path}", data=flat(given), headers=PINNED)
    error = await error_of(answer)
    assert (error["code"], error["param"]) == (code, param)
    assert answer.status_code in (400, 404)


async def test_unknown_parameters_are_accepted_without_the_pinned_version(
    stripe: Stripe,
) -> None:
    answer = await stripe.client.post("/v1/customers", data={"colour": "red"})
    assert answer.status_code == 200


async def test_an_unknown_address_is_a_404(stripe: Stripe) -> None:
    answer = await stripe.client.get("/v1/unicorns")
    assert answer.status_code == 404
    assert "Unrecognized request URL" in (await error_of(answer))["message"]


async def test_lists_page_both_ways_and_filter(stripe: Stripe) -> None:
    ids = [(await stripe.post("customers", email=f"{n}@list.example"))["id"] for n in range(7)]
    newest = list(reversed(ids))
    first = await stripe.get("customers", limit=3)
    assert [row["id"] for row in first["data"]] == newest[:3]
    assert first["has_more"] is True
    second = await stripe.get("customers", limit=3, starting_after=newest[2])
    assert [row["id"] for row in second["data"]] == newest[3:6]
    back = await stripe.get("customers", limit=2, ending_before=newest[3])
    assert [row["id"] for row in back["data"]] == newest[1:3]
    last = await stripe.get("customers", limit=3, starting_after=newest[5])
    assert ([row["id"] for row in last["data"]], last["has_more"]) == (newest[6:], False)
    mail = await stripe.get("customers", email="3@list.example")
    assert [row["id"] for row in mail["data"]] == [ids[3]]
    params = {"created[gt]": int(time.time()) + 5}
    assert (await stripe.get("customers", **params))["data"] == []
    for limit in (0, 101, "x"):
        assert (await stripe.client.get(f"/v1/customers?limit={limit}")).status_code == 400


async def test_expansion(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    made = await stripe.subscribe("expand@box.example", price)
    path = f"subscriptions/{made['id']}"
    found = await stripe.get(
        path,
        **{
            "expand[0]": "customer",
            "expand[1]": "latest_invoice.payments.data.payment",
            "expand[2]": "items.data.price.product",
        },
    )
    assert found["customer"]["email"] == "expand@box.example"
    assert found["items"]["data"][0]["price"]["product"]["object"] == "product"
    paid = found["latest_invoice"]["payments"]["data"][0]["payment"]["payment_intent"]
    bill = await stripe.get(
        f"invoices/{found['latest_invoice']['id']}",
        **{"expand[0]": "payments.data.payment.payment_intent"},
    )
    assert bill["payments"]["data"][0]["payment"]["payment_intent"]["id"] == paid
    plain = await stripe.get(path)
    assert isinstance(plain["customer"], str)
    wrong = await stripe.client.get(f"/v1/{path}", params={"expand[]": "nothing"})
    assert wrong.status_code == 400
    deep = await stripe.client.get(
        f"/v1/{path}", params={"expand[]": "latest_invoice.payments.data.payment.payment_intent"}
    )
    assert "more than 4 levels" in (await error_of(deep))["message"]


async def test_idempotency_keys(stripe: Stripe) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await stripe.client.post("/v1/products", data={"name": "A"}, headers=headers)
    again = await stripe.client.post("/v1/products", data={"name": "A"}, headers=headers)
    assert first.json() == again.json()
    other = await stripe.client.post("/v1/products", data={"name": "B"}, headers=headers)
    assert (other.status_code, (await error_of(other))["type"]) == (400, "idempotency_error")


async def test_metadata_merges(stripe: Stripe) -> None:
    made = await stripe.post("products", name="A", metadata={"a": "1", "b": "2"})
    path = f"products/{made['id']}"
    found = await stripe.post(path, metadata={"b": "", "c": "3"})
    assert found["metadata"] == {"a": "1", "c": "3"}


async def test_the_real_sdk_works(stripe: Stripe) -> None:
    client = sdk.StripeClient(KEY, base_addresses={"api": stripe.url}, max_network_retries=0)

    def story() -> tuple[str, str]:
        product = client.v1.products.create({"name": "Course"})
        price = client.v1.prices.create(
            {
                "product": product.id,
                "currency": "usd",
                "unit_amount": 900,
                "recurring": {"interval": "month"},
            }
        )
        customer = client.v1.customers.create(
            {
                "email": "sdk@box.example",
                "payment_method": "pm_card_visa",
                "invoice_settings": {"default_payment_method": "pm_card_visa"},
            }
        )
        made = client.v1.subscriptions.create(
            {"customer": customer.id, "items": [{"price": price.id}]}
        )
        client.v1.subscriptions.update(made.id, {"cancel_at_period_end": True})
        ended = client.v1.subscriptions.cancel(made.id)
        listed = list(client.v1.events.list({"limit": 100}).auto_paging_iter())
        assert {"customer.subscription.deleted", "invoice.paid"} <= {e.type for e in listed}
        return made.status, ended.status

    import asyncio

    assert await asyncio.to_thread(story) == ("active", "canceled")


@pytest.mark.parametrize(
    ("card", "outcome"),
    [
        ("4242424242424242", "complete"),
        ("4000000000000002", "generic_decline"),
        ("4000000000009995", "insufficient_funds"),
        ("4000002760003184", "requires_action"),
        ("sepa_debit", "complete"),
    ],
)
async def test_cards_behave_as_documented(stripe: Stripe, card: str, outcome: str) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment")
    answer = await stripe.control(f"checkout/{session['id']}/pay", email="c@box.example", card=card)
    assert answer["outcome"] == outcome


async def test_advancing_time_renews(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    made = await stripe.subscribe("time@box.example", price)
    before = made["items"]["data"][0]["current_period_end"]
    await stripe.control("clock/advance", seconds=32 * 86400)
    found = await stripe.get(f"subscriptions/{made['id']}")
    assert found["items"]["data"][0]["current_period_end"] > int(time.time())
    assert found["created"] < made["created"]
    assert before - made["created"] >= 28 * 86400
    bills = (await stripe.get("invoices", subscription=made["id"]))["data"]
    assert [bill["status"] for bill in bills] == ["paid", "paid"]


async def test_a_short_month_is_a_month_in_real_time(stripe: Stripe) -> None:
    await stripe.control("speed", month_seconds=2)
    price = await stripe.price(await stripe.product())
    made = await stripe.subscribe("short@box.example", price)

    async def renewed() -> bool:
        bills = (await stripe.get("invoices", subscription=made["id"]))["data"]
        return len(bills) >= 3

    await until(renewed, "renewed twice")


async def test_dunning_ends_as_the_account_says(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product())
    for ending, status in (("cancel", "canceled"), ("unpaid", "unpaid")):
        await stripe.control("settings", dunning_ends=ending)
        made = await stripe.subscribe(f"{ending}@box.example", price)
        broken = "pm_card_chargeCustomerFail"
        await stripe.post(
            f"customers/{made['customer']}",
            payment_method=broken,
            invoice_settings={"default_payment_method": broken},
        )
        await stripe.control("clock/advance", seconds=31 * 86400 + 7200)
        found = await stripe.get(f"subscriptions/{made['id']}")
        assert found["status"] == "past_due"
        await stripe.control("clock/advance", seconds=20 * 86400)
        found = await stripe.get(f"subscriptions/{made['id']}")
        assert found["status"] == status


def test_a_restart_continues_where_it_stopped(tmp_path: Path, published: Published) -> None:
    first = build(base_url="http://x", data=tmp_path, seed="shop", published=published)
    first.flush()
    first.storage.close()
    second = build(base_url="http://x", data=tmp_path, seed="shop", published=published)
    for kind, table in first.shop.world.tables.items():
        assert second.shop.world.table(kind).values() == table.values(), kind
    assert second.shop.world.next_due() == first.shop.world.next_due()
    assert second.shop.account["id"] == first.shop.account["id"]
    second.storage.close()


async def test_pages_pay_and_decline(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product("Course <b>"), every=None)
    session = await stripe.checkout(price, mode="payment")
    async with http_client(base_url=stripe.url) as client:
        shown = await client.get(f"/c/pay/{session['id']}")
        assert "Course &lt;b&gt;" in shown.text
        assert "Sandbox, not Stripe" in shown.text
        form = {"email": "p@box.example", "name": "P", "card": "4000000000000002"}
        declined = await client.post(f"/c/pay/{session['id']}", data=form)
        assert declined.status_code == 402
        assert "Your card was declined." in declined.text
        form["card"] = "4000002760003184"
        asked = await client.post(f"/c/pay/{session['id']}", data=form)
        assert "3-D Secure" in asked.text
        paid = await client.post(f"/c/pay/{session['id']}", data={**form, "authenticated": "yes"})
        assert paid.status_code == 303
        assert (await client.get("/")).status_code == 200
        assert (await client.get("/c/pay/none")).status_code == 404


@pytest.mark.parametrize(
    ("path", "given", "param"),
    [
        ("subscriptions", {"application_fee_percent": "5"}, "application_fee_percent"),
        ("payment_intents", {"application_fee_amount": "5"}, "application_fee_amount"),
        ("customers", {"tax": {"ip_address": "192.0.2.1"}}, "tax"),
        ("invoices", {"automatic_tax": {"enabled": True}}, "automatic_tax[enabled]"),
        (
            "quotes",
            {"line_items": [{"tax_rates": ["txr_1"], "price": "price_x"}]},
            "line_items[0][tax_rates]",
        ),
    ],
)
async def test_what_the_sandbox_does_not_play_is_refused_before_anything_changes(
    stripe: Stripe, path: str, given: Json, param: str
) -> None:
    given = {"amount": 100, "currency": "usd"} | given if path == "payment_intents" else given
    headers = {"Idempotency-Key": "once"}
    answer = await stripe.client.post(f"/v1/{path}", data=flat(given), headers=headers)
    error = await error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (
        400,
        "sandbox_unsupported",
        param,
    )
    assert "doc_url" not in error
    assert (await stripe.get(path))["data"] == []
    again = await stripe.client.post("/v1/customers", data={"name": "Ada"}, headers=headers)
    assert again.status_code == 200, "a refusal doesn't use up its idempotency key"


async def test_what_only_unsets_is_no_wish_for_more(stripe: Stripe) -> None:
    life = await begin(stripe)
    assert (await life.update(transfer_data="", description="x"))["description"] == "x"


async def test_lists_filter_by_what_they_are_asked_for(stripe: Stripe) -> None:
    product = await stripe.product()
    made = await stripe.post(
        "prices", product=product, currency="usd", unit_amount=5, lookup_key="known"
    )
    await stripe.price(product)
    for asked, found in (({"lookup_keys[]": "known"}, [made["id"]]), ({"lookup_keys[]": "no"}, [])):
        rows = (await stripe.get("prices", **asked))["data"]
        assert [row["id"] for row in rows] == found
    await stripe.subscribe("list@box.example", await stripe.price(product))


@pytest.mark.parametrize(
    ("path", "name", "said"),
    [
        ("subscriptions", "customer", "customer"),
        ("subscriptions", "price", "price"),
        ("subscriptions", "plan", "plan"),
        ("invoices", "subscription", "subscription"),
        ("charges", "payment_intent", "payment_intent"),
        ("payment_intents", "customer", "customer"),
        ("refunds", "charge", "charge"),
        ("checkout/sessions", "payment_link", "payment link"),
        ("prices", "product", "product"),
        ("promotion_codes", "coupon", "coupon"),
        ("invoice_payments", "invoice", "invoice"),
        ("payment_methods", "customer_account", "account"),
    ],
)
async def test_a_filter_by_an_object_that_does_not_exist_is_refused(
    stripe: Stripe, path: str, name: str, said: str
) -> None:
    answer = await stripe.client.get(f"/v1/{path}", params={name: "none_1"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "resource_missing", name)
    assert error["message"] == f"No such {said}: 'none_1'"


async def test_lists_still_filter_by_a_deleted_customer(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.delete(f"customers/{life.customer}")
    found = await stripe.get("subscriptions", customer=life.customer, status="all")
    assert [row["id"] for row in found["data"]] == [life.id]


async def test_expansion_goes_four_levels_deep_and_data_is_one(stripe: Stripe) -> None:
    await begin(stripe)
    for path, status in (("data.items.data.price", 200), ("data.items.data.price.product", 400)):
        answer = await stripe.client.get("/v1/subscriptions", params={"expand[]": path})
        assert answer.status_code == status, path
