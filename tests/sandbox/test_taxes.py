"""Fixed tax rates: what they come to on invoices, subscriptions and checkout sessions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import taxes
from tests.harness import Json, Stripe
from tests.sandbox.lives import begin, events_of, refused

pytestmark = pytest.mark.anyio


async def rate(stripe: Stripe, percentage: float, *, inclusive: bool = False) -> str:
    made = await stripe.post(
        "tax_rates", display_name="VAT", percentage=percentage, inclusive=inclusive
    )
    return str(made["id"])


def sums(bill: Json) -> tuple[int, int, int]:
    return bill["subtotal"], bill["total_excluding_tax"], bill["total"]


async def test_a_tax_rate_is_made_changed_and_listed(stripe: Stripe) -> None:
    made = await rate(stripe, 19.5, inclusive=True)
    found = await stripe.get(f"tax_rates/{made}")
    assert (found["percentage"], found["inclusive"], found["active"]) == (19.5, True, True)
    await stripe.post(f"tax_rates/{made}", active=False)
    assert (await stripe.get("tax_rates", active=True))["data"] == []
    assert len((await stripe.get("tax_rates", inclusive=True))["data"]) == 1
    assert await events_of(stripe, made) == ["tax_rate.created", "tax_rate.updated"]
    customer = await stripe.customer("tax@box.example")
    error = await refused(stripe, "invoices", customer=customer, default_tax_rates=[made])
    assert error["param"] == "default_tax_rates[0]"


async def test_exclusive_tax_comes_on_top_of_an_invoice(stripe: Stripe) -> None:
    customer, vat = await stripe.customer("tax@box.example"), await rate(stripe, 19)
    await stripe.post("invoiceitems", customer=customer, amount=999, currency="usd")
    own = await rate(stripe, 7)
    await stripe.post(
        "invoiceitems", customer=customer, amount=1000, currency="usd", tax_rates=[own]
    )
    bill = await stripe.post(
        "invoices",
        customer=customer,
        default_tax_rates=[vat],
        pending_invoice_items_behavior="include",
    )
    assert sums(bill) == (1999, 1999, 1999 + 190 + 70)
    by_rate = {row["tax_rate_details"]["tax_rate"]: row for row in bill["total_taxes"]}
    assert (by_rate[vat]["amount"], by_rate[vat]["taxable_amount"]) == (190, 999)
    assert by_rate[own]["amount"] == 70
    paid = await stripe.post(f"invoices/{bill['id']}/pay")
    assert paid["amount_paid"] == 2259


async def test_inclusive_tax_is_found_in_the_amount(stripe: Stripe) -> None:
    customer, vat = await stripe.customer("tax@box.example"), await rate(stripe, 19, inclusive=True)
    bill = await stripe.post("invoices", customer=customer, default_tax_rates=[vat])
    bill = await stripe.post(
        f"invoices/{bill['id']}/add_lines", lines=[{"amount": 1190, "description": "Book"}]
    )
    assert sums(bill) == (1190, 1000, 1190)
    assert bill["subtotal_excluding_tax"] == 1000
    assert bill["total_taxes"][0]["amount"] == 190


async def test_tax_is_taken_on_what_a_discount_leaves(stripe: Stripe) -> None:
    vat, coupon = await rate(stripe, 20), await stripe.post("coupons", percent_off=50)
    life = await begin(stripe, default_tax_rates=[vat], discounts=[{"coupon": coupon["id"]}])
    bill = (await life.invoices())[0]
    assert sums(bill) == (1500, 750, 900)
    assert bill["amount_paid"] == 900
    assert bill["default_tax_rates"][0]["id"] == vat


async def test_renewals_and_prorations_are_taxed(stripe: Stripe) -> None:
    vat = await rate(stripe, 10)
    life = await begin(stripe, default_tax_rates=[vat])
    item = (await life.now())["items"]["data"][0]["id"]
    await life.update(items=[{"id": item, "quantity": 2}], proration_behavior="always_invoice")
    bill = (await life.invoices())[0]
    assert bill["subtotal"] == pytest.approx(1500, abs=2)
    assert bill["total"] == bill["subtotal"] + round(bill["subtotal"] / 10)
    await life.until("period_end")
    await stripe.control("clock/advance", seconds=3700)
    assert (await life.invoices())[0]["total"] == 3300
    await life.update(default_tax_rates="")
    await life.until("period_end")
    assert (await life.invoices())[0]["total"] == 3000


async def test_an_item_has_rates_of_its_own(stripe: Stripe) -> None:
    own, other = await rate(stripe, 5), await rate(stripe, 19)
    price = await stripe.price(await stripe.product(), 1000)
    extra = await stripe.price(await stripe.product(), 500, every=None)
    made = await stripe.post(
        "subscriptions",
        customer=await stripe.customer("tax@box.example"),
        items=[{"price": price, "tax_rates": [own]}],
        add_invoice_items=[{"price": extra, "tax_rates": [other]}],
    )
    assert made["items"]["data"][0]["tax_rates"][0]["id"] == own
    bill = await stripe.get(f"invoices/{made['latest_invoice']}")
    assert bill["total"] == 1050 + 595


@pytest.mark.parametrize(
    ("status", "reason"), [("exempt", "customer_exempt"), ("reverse", "reverse_charge")]
)
async def test_some_customers_pay_no_tax(stripe: Stripe, status: str, reason: str) -> None:
    customer, vat = await stripe.customer("tax@box.example"), await rate(stripe, 19)
    await stripe.post(f"customers/{customer}", tax_exempt=status)
    await stripe.post("invoiceitems", customer=customer, amount=1000, currency="usd")
    bill = await stripe.post(
        "invoices",
        customer=customer,
        default_tax_rates=[vat],
        pending_invoice_items_behavior="include",
    )
    assert bill["total"] == 1000
    assert bill["total_taxes"][0]["taxability_reason"] == reason


@given(
    st.integers(-(10**7), 10**7),
    st.lists(st.tuples(st.integers(0, 3000), st.booleans()), max_size=4),
)
def test_net_and_inclusive_tax_make_the_amount(amount: int, wanted: list[tuple[int, bool]]) -> None:
    """Within half a unit for each rate, for any rates together."""
    rates = [{"percentage": whole / 100, "inclusive": inside} for whole, inside in wanted]
    entries = taxes.shares(amount, rates)
    inside = sum(Fraction(whole, 10000) for whole, inclusive in wanted if inclusive)
    net = Fraction(amount) / (1 + inside)
    for (rate, tax, _), (whole, _) in zip(entries, wanted, strict=True):
        assert abs(tax - net * Fraction(whole, 10000)) <= Fraction(1, 2), rate
    assert taxes.added(entries) == sum(tax for row, tax, _ in entries if not row["inclusive"])


async def test_a_tax_id_belongs_to_a_customer_or_to_the_account(stripe: Stripe) -> None:
    customer = await stripe.customer("tax@box.example")
    made = await stripe.post(f"customers/{customer}/tax_ids", type="eu_vat", value="DE123456789")
    assert (made["country"], made["owner"]["type"]) == ("DE", "customer")
    ours = await stripe.post("tax_ids", type="gb_vat", value="GB123456789")
    assert (ours["country"], ours["owner"]["type"]) == ("GB", "self")
    rows = (await stripe.get(f"customers/{customer}/tax_ids"))["data"]
    assert [row["id"] for row in rows] == [made["id"]]
    assert [row["id"] for row in (await stripe.get("tax_ids"))["data"]] == [ours["id"]]
    answer = await stripe.client.get(f"/v1/customers/{customer}/tax_ids/{ours['id']}")
    assert answer.status_code == 404
    await stripe.delete(f"customers/{customer}/tax_ids/{made['id']}")
    assert await events_of(stripe, made["id"]) == [
        "customer.tax_id.created",
        "customer.tax_id.deleted",
    ]


async def test_a_session_is_taxed_line_by_line(stripe: Stripe) -> None:
    on_top, inside = await rate(stripe, 10), await rate(stripe, 25, inclusive=True)
    one, other = [
        await stripe.price(await stripe.product(), amount, every=None) for amount in (1000, 500)
    ]
    coupon = await stripe.post("coupons", amount_off=300, currency="usd")
    session = await stripe.post(
        "checkout/sessions",
        mode="payment",
        success_url="http://127.0.0.1/thanks",
        line_items=[
            {"price": one, "quantity": 1, "tax_rates": [on_top]},
            {"price": other, "quantity": 1, "tax_rates": [inside]},
        ],
        discounts=[{"coupon": coupon["id"]}],
        invoice_creation={"enabled": True},
        customer_creation="always",
        expand=["line_items.data.taxes"],
    )
    lines = session["line_items"]["data"]
    assert [line["amount_discount"] for line in lines] == [200, 100]
    assert [line["amount_tax"] for line in lines] == [80, 80]
    assert [line["amount_total"] for line in lines] == [880, 400]
    assert lines[0]["taxes"][0]["rate"]["id"] == on_top
    assert session["total_details"]["amount_tax"] == 160
    assert session["amount_total"] == 1280
    session = await stripe.pay(session, "tax@box.example")
    intent = await stripe.get(f"payment_intents/{session['payment_intent']}")
    assert intent["amount"] == 1280
    assert (await stripe.get(f"invoices/{session['invoice']}"))["amount_paid"] == 1280


async def test_a_subscriptions_session_is_taxed_as_its_invoices_are(stripe: Stripe) -> None:
    vat = await rate(stripe, 19)
    monthly = await stripe.price(await stripe.product(), 1000)
    once = await stripe.price(await stripe.product(), 500, every=None)
    session = await stripe.checkout(monthly, once, subscription_data={"default_tax_rates": [vat]})
    assert session["amount_total"] == 1785
    session = await stripe.pay(session, "tax@box.example")
    assert (await stripe.get(f"invoices/{session['invoice']}"))["amount_paid"] == 1785


async def test_shipping_is_paid_with_the_order(stripe: Stripe) -> None:
    made = await stripe.post(
        "shipping_rates", display_name="Post", fixed_amount={"amount": 450, "currency": "usd"}
    )
    price = await stripe.price(await stripe.product(), 1000, every=None)
    session = await stripe.checkout(
        price, mode="payment", shipping_options=[{"shipping_rate": made["id"]}]
    )
    assert (session["amount_subtotal"], session["amount_total"]) == (1000, 1450)
    assert session["shipping_cost"]["shipping_rate"] == made["id"]
    assert session["total_details"]["amount_shipping"] == 450
    session = await stripe.pay(session, "post@box.example")
    intent = await stripe.get(f"payment_intents/{session['payment_intent']}")
    assert intent["amount"] == 1450
    bill = await stripe.post(
        "invoices",
        customer=await stripe.customer("post@box.example"),
        shipping_cost={"shipping_rate": made["id"]},
    )
    assert (bill["amount_shipping"], bill["total"]) == (450, 450)


async def test_an_archived_rate_ships_nothing(stripe: Stripe) -> None:
    made = await stripe.post(
        "shipping_rates", display_name="Post", fixed_amount={"amount": 450, "currency": "eur"}
    )
    price = await stripe.price(await stripe.product(), 1000, every=None)
    given = {
        "mode": "payment",
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": "http://127.0.0.1/thanks",
        "shipping_options": [{"shipping_rate": made["id"]}],
    }
    assert "no amount in usd" in (await refused(stripe, "checkout/sessions", **given))["message"]
    await stripe.post(
        f"shipping_rates/{made['id']}",
        fixed_amount={"currency_options": {"usd": {"amount": 500}}},
    )
    assert (await stripe.post("checkout/sessions", **given))["amount_total"] == 1500
    await stripe.post(f"shipping_rates/{made['id']}", active=False)
    assert "inactive" in (await refused(stripe, "checkout/sessions", **given))["message"]
    assert (await stripe.get("shipping_rates", active=True))["data"] == []


GERMAN = {"country": "DE", "postal_code": "53113"}


async def test_automatic_tax_is_that_of_the_buyers_country(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 1000, every=None)
    session = await stripe.checkout(
        price,
        mode="payment",
        automatic_tax={"enabled": True},
        invoice_creation={"enabled": True},
        customer_creation="always",
    )
    assert session["automatic_tax"]["status"] == "requires_location_inputs"
    assert 'name="address[country]"' in (await stripe.client.get(session["url"])).text
    path = f"/_sandbox/checkout/{session['id']}/pay"
    answer = await stripe.client.post(path, json={"email": "ada@box.example"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "address")
    paid = await stripe.pay(session, "ada@box.example", address=GERMAN)
    assert (paid["amount_total"], paid["total_details"]["amount_tax"]) == (1190, 190)
    assert paid["automatic_tax"]["status"] == "complete"
    intent = await stripe.get(f"payment_intents/{paid['payment_intent']}")
    assert intent["amount_received"] == 1190
    bill = await stripe.get(f"invoices/{paid['invoice']}")
    assert (bill["total"], bill["automatic_tax"]["status"]) == (1190, "complete")


async def test_automatic_tax_goes_on_in_renewals(stripe: Stripe) -> None:
    """It is found in a price that has it inside; a country without a rate has none."""
    product = await stripe.product()
    price = await stripe.post(
        "prices",
        product=product,
        currency="eur",
        unit_amount=1190,
        tax_behavior="inclusive",
        recurring={"interval": "month"},
    )
    for country, tax in (("DE", 190), ("BR", 0)):
        session = await stripe.checkout(price["id"], automatic_tax={"enabled": True})
        paid = await stripe.pay(session, f"{country}@box.example", address={"country": country})
        assert (paid["amount_total"], paid["total_details"]["amount_tax"]) == (1190, tax)
        made = await stripe.get(f"subscriptions/{paid['subscription']}")
        assert made["automatic_tax"]["enabled"] is True
        await stripe.control("clock/advance", subscription=made["id"], until="period_end")
        await stripe.control("clock/advance", seconds=7200)
        bills = await stripe.get("invoices", subscription=made["id"])
        assert [sum(row["amount"] for row in bill["total_taxes"]) for bill in bills["data"]] == [
            tax,
            tax,
        ]
        assert all(bill["automatic_tax"]["enabled"] for bill in bills["data"])


async def test_automatic_tax_needs_the_place_of_a_known_customer(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 1000, every=None)
    customer = (await stripe.post("customers", email="ada@box.example"))["id"]
    asked = {
        "mode": "payment",
        "customer": customer,
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": "https://a.example",
        "automatic_tax": {"enabled": True},
    }
    error = await refused(stripe, "checkout/sessions", **asked)
    assert (error["status"], error["code"]) == (400, "customer_tax_location_invalid")
    await stripe.post("checkout/sessions", **asked, customer_update={"address": "auto"})
    await stripe.post(f"customers/{customer}", address=GERMAN)
    session = await stripe.post("checkout/sessions", **asked)
    paid = await stripe.pay(session, "ada@box.example")
    assert paid["amount_total"] == 1190


async def test_a_link_taxes_automatically(stripe: Stripe) -> None:
    price = await stripe.price(await stripe.product(), 1000, every=None)
    link = await stripe.post(
        "payment_links",
        line_items=[{"price": price, "quantity": 1}],
        automatic_tax={"enabled": True},
    )
    assert link["automatic_tax"]["enabled"] is True
    await stripe.client.get(link["url"])
    (session,) = (await stripe.get("checkout/sessions", payment_link=link["id"]))["data"]
    paid = await stripe.pay(session, "ada@box.example", address=GERMAN)
    assert paid["amount_total"] == 1190
