"""Older API versions: what they ask is understood, what they get has the shape they know."""

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.schema import API_VERSION, Published
from sandbox.versions import Family, version_of
from tests.harness import KEY, Json, Stripe, flat, http_client
from tests.sandbox.lives import begin
from tests.sandbox.test_faults import receiving

pytestmark = pytest.mark.anyio

V2024, BASIL = "2024-06-20", "2025-03-31.basil"
CLOVER, DAHLIA = "2025-09-30.clover", "2026-03-25.dahlia"


class Old:
    """A client that speaks one version."""

    def __init__(self, client: httpx.AsyncClient, version: str) -> None:
        self._client = client
        self._headers = {"Stripe-Version": version}

    async def call(self, method: str, path: str, **params: object) -> httpx.Response:
        form = flat(params)
        return await self._client.request(
            method,
            f"/v1/{path}",
            headers=self._headers,
            **({"params": form} if method == "GET" else {"data": form}),  # type: ignore[arg-type]
        )

    async def post(self, path: str, **params: object) -> Json:
        return _good(await self.call("POST", path, **params))

    async def get(self, path: str, **params: object) -> Json:
        return _good(await self.call("GET", path, **params))


def _good(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.fixture
async def clients(stripe: Stripe) -> AsyncIterator[dict[str, Old]]:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with http_client(base_url=stripe.url, headers=headers) as client:
        yield {name: Old(client, name) for name in (V2024, BASIL, CLOVER, DAHLIA)}


@pytest.mark.parametrize(
    ("version", "family"),
    [
        ("2024-06-20", Family.V2024),
        ("2025-02-24.acacia", Family.V2024),
        ("2025-08-27.basil", Family.BASIL),
        ("2026-02-25.clover", Family.CLOVER),
        ("2026-06-24.dahlia", Family.DAHLIA),
        (API_VERSION, Family.ENDIVE),
    ],
)
def test_versions_have_families(published: Published, version: str, family: Family) -> None:
    assert version_of(published, version).family is family


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("banana", None),
        ("2024-06-21", None),
        ("2025-03-31.clover", None),
        ("2020-08-27", "sandbox_unsupported"),
    ],
)
async def test_other_versions_are_refused(stripe: Stripe, version: str, code: str | None) -> None:
    answer = await stripe.client.get("/v1/customers", headers={"Stripe-Version": version})
    error = answer.json()["error"]
    assert (answer.status_code, error.get("code")) == (400, code)
    assert version in error["message"]
    assert answer.headers["Stripe-Version"] == API_VERSION
    endpoint = await stripe.client.post(
        "/v1/webhook_endpoints",
        data=flat({"url": "http://a.example", "enabled_events": ["*"], "api_version": version}),
    )
    assert endpoint.status_code == 400
    assert endpoint.json()["error"]["param"] == "api_version"


async def test_an_answer_names_its_version(stripe: Stripe) -> None:
    answer = await stripe.client.get("/v1/customers", headers={"Stripe-Version": BASIL})
    assert answer.headers["Stripe-Version"] == BASIL


async def test_a_version_with_a_name_lacks_what_later_ones_added(
    stripe: Stripe, clients: dict[str, Old]
) -> None:
    """Also deep inside, in lists, where expanded and in events; 2024-06-20 has it all."""
    life = await begin(stripe)
    shown = {}
    for version in (V2024, BASIL, CLOVER, DAHLIA):
        listed = await clients[version].get(
            "subscriptions", customer=life.customer, expand=["data.customer"]
        )
        (shown[version],) = listed["data"]
    ours = await life.now()
    for version, has in ((V2024, True), (BASIL, False), (CLOVER, False), (DAHLIA, True)):
        assert ("customer_account" in shown[version]) is has, version
        assert ("customer_account" in shown[version]["customer"]) is has, version
    for version in (BASIL, CLOVER, DAHLIA):
        assert "managed_payments" not in shown[version]
        assert "feedback_option" not in shown[version]["cancellation_details"]
        assert "billed_until" not in shown[version]["items"]["data"][0]
    assert "managed_payments" in shown[V2024]
    assert {"managed_payments", "customer_account"} <= set(ours)
    assert "feedback_option" in ours["cancellation_details"]
    assert "comment" in shown[BASIL]["cancellation_details"]


async def test_thresholds_were_away_for_two_versions(stripe: Stripe) -> None:
    life = await begin(stripe)
    for version, has in (
        ("2025-02-24.acacia", True),
        ("2025-03-31.basil", False),
        ("2025-04-30.basil", False),
        ("2025-05-28.basil", True),
    ):
        found = await Old(stripe.client, version).get(f"subscriptions/{life.id}")
        assert ("billing_thresholds" in found) is has, version


async def test_subscriptions_in_2024(stripe: Stripe, clients: dict[str, Old]) -> None:
    life = await begin(stripe)
    old = await clients[V2024].get(
        f"subscriptions/{life.id}", expand=["latest_invoice.payment_intent", "items.data.price"]
    )
    new = await life.now()
    item = new["items"]["data"][0]
    assert old["current_period_end"] == item["current_period_end"]
    assert "current_period_end" not in old["items"]["data"][0]
    assert (old["quantity"], old["plan"]["id"], old["discount"]) == (1, life.price, None)
    bill = old["latest_invoice"]
    assert (bill["subscription"], bill["paid"], bill["paid_out_of_band"]) == (life.id, True, False)
    assert bill["subscription_details"] == {"metadata": {}}
    assert bill["payment_intent"]["status"] == "succeeded"
    assert bill["payment_intent"]["invoice"] == bill["id"]
    assert bill["charge"] == bill["payment_intent"]["latest_charge"]
    charge = await clients[V2024].get(f"charges/{bill['charge']}", expand=["invoice"])
    assert charge["invoice"]["id"] == bill["id"]
    (line,) = bill["lines"]["data"]
    assert (line["type"], line["subscription"]) == ("subscription", life.id)
    assert line["subscription_item"] == item["id"]
    assert (line["price"]["id"], line["plan"]["id"]) == (life.price, life.price)
    for gone in ("parent", "pricing", "taxes"):
        assert gone not in line
    for gone in ("parent", "payments", "confirmation_secret", "total_taxes"):
        assert gone not in bill
    for version in (BASIL, CLOVER, DAHLIA):
        same = await clients[version].get(f"subscriptions/{life.id}")
        assert "current_period_end" not in same
        assert same["items"]["data"][0]["current_period_end"] == item["current_period_end"]


async def test_a_subscription_made_in_2024(stripe: Stripe, clients: dict[str, Old]) -> None:
    """With a coupon of its own, classic, and cancelled as it was then."""
    price = await stripe.price(await stripe.product())
    customer = await stripe.post(
        "customers",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    coupon = await stripe.post("coupons", percent_off=20, duration="forever")
    old = clients[V2024]
    made = await old.post(
        "subscriptions",
        customer=customer["id"],
        items=[{"price": price}],
        coupon=coupon["id"],
        expand=["latest_invoice"],
    )
    assert made["discount"]["coupon"]["id"] == coupon["id"]
    assert made["latest_invoice"]["amount_paid"] == 1200
    assert made["latest_invoice"]["discount"]["coupon"]["percent_off"] == 20
    now = await stripe.get(f"subscriptions/{made['id']}")
    assert now["billing_mode"]["type"] == "classic"
    changed = await old.post(f"subscriptions/{made['id']}", coupon="", cancel_at_period_end=True)
    assert changed["discount"] is None
    assert changed["cancel_at"] == changed["current_period_end"]
    reset = await old.post(
        f"subscriptions/{made['id']}", billing_cycle_anchor="now", proration_behavior="none"
    )
    assert reset["current_period_start"] >= made["current_period_start"]


@pytest.mark.parametrize(
    ("version", "mode"), [(V2024, "classic"), (BASIL, "classic"), (CLOVER, "flexible")]
)
async def test_the_billing_mode_that_a_version_defaults_to(
    stripe: Stripe, clients: dict[str, Old], version: str, mode: str
) -> None:
    life = await begin(stripe)
    made = await clients[version].post(
        "subscriptions", customer=life.customer, items=[{"price": life.price}]
    )
    assert (await stripe.get(f"subscriptions/{made['id']}"))["billing_mode"]["type"] == mode


async def test_the_upcoming_invoice_of_2024(stripe: Stripe, clients: dict[str, Old]) -> None:
    life = await begin(stripe)
    item = (await life.now())["items"]["data"][0]["id"]
    upcoming = await clients[V2024].get("invoices/upcoming", subscription=life.id)
    assert (upcoming["amount_due"], upcoming["subscription"]) == (1500, life.id)
    more = await clients[V2024].get(
        "invoices/upcoming",
        subscription=life.id,
        subscription_items=[{"id": item, "quantity": 2}],
        subscription_proration_behavior="none",
    )
    assert more["amount_due"] == 3000
    assert (await clients[BASIL].call("GET", "invoices/upcoming")).status_code == 404
    assert (await clients[V2024].call("GET", "invoice_payments")).status_code == 404


async def test_invoice_items_of_2024(stripe: Stripe, clients: dict[str, Old]) -> None:
    product = await stripe.product()
    price = await stripe.price(product, every=None)
    customer = (await stripe.post("customers", email="old@box.example"))["id"]
    made = await clients[V2024].post("invoiceitems", customer=customer, price=price)
    assert (made["price"]["id"], made["unit_amount"], made["subscription"]) == (price, 1500, None)
    assert made["plan"] is None
    assert "pricing" not in made
    bill = await clients[V2024].post(
        "invoices", customer=customer, pending_invoice_items_behavior="include"
    )
    (line,) = bill["lines"]["data"]
    assert (line["type"], line["invoice_item"]) == ("invoiceitem", made["id"])
    assert (bill["paid"], bill["payment_intent"]) == (False, None)
    await clients[V2024].post(f"invoices/{bill['id']}/pay", paid_out_of_band=True)
    paid = await clients[V2024].get(f"invoices/{bill['id']}")
    assert (paid["paid"], paid["paid_out_of_band"]) == (True, True)


async def test_coupons_of_discounts_and_codes(stripe: Stripe, clients: dict[str, Old]) -> None:
    coupon = (await stripe.post("coupons", percent_off=10, duration="forever"))["id"]
    code = await clients[BASIL].post("promotion_codes", coupon=coupon, code="BASIL")
    assert (code["coupon"]["id"], "promotion" in code) == (coupon, False)
    for version in (CLOVER, DAHLIA):
        same = await clients[version].get(f"promotion_codes/{code['id']}")
        assert same["promotion"] == {"coupon": coupon, "type": "coupon"}
    life = await begin(stripe, discounts=[{"promotion_code": code["id"]}])
    for version, where in ((BASIL, "coupon"), (CLOVER, "source")):
        found = await clients[version].get(f"subscriptions/{life.id}", expand=["discounts"])
        assert where in found["discounts"][0]


async def test_checkout_modes_have_older_names(stripe: Stripe, clients: dict[str, Old]) -> None:
    price = await stripe.price(await stripe.product(), every=None)
    session = await stripe.checkout(price, mode="payment")
    for version, name in (
        (V2024, "hosted"),
        (CLOVER, "hosted"),
        (DAHLIA, "hosted_page"),
    ):
        found = await clients[version].get(f"checkout/sessions/{session['id']}")
        assert found["ui_mode"] == name
    made = await clients[CLOVER].post(
        "checkout/sessions",
        mode="payment",
        ui_mode="hosted",
        line_items=[{"price": price, "quantity": 1}],
        success_url="https://a.example/",
    )
    assert made["ui_mode"] == "hosted"


async def test_events_have_the_version_of_their_endpoint(stripe: Stripe) -> None:
    with receiving() as old, receiving() as new:
        for receiver, version in ((old, V2024), (new, API_VERSION)):
            made = await stripe.post(
                "webhook_endpoints",
                url=receiver.url,
                enabled_events=["customer.subscription.created", "customer.subscription.updated"],
                api_version=version,
            )
            assert made["api_version"] == version
        life = await begin(stripe)
        await life.update(cancel_at_period_end=True)
        await life.update(
            items=[{"id": (await life.now())["items"]["data"][0]["id"], "quantity": 3}],
            proration_behavior="none",
        )
        await stripe.control("idle")
        theirs = {body["type"]: body for body in old.bodies()}
        ours = {body["type"]: body for body in new.bodies()}
        created = theirs["customer.subscription.created"]
        assert created["api_version"] == V2024
        assert "current_period_end" in created["data"]["object"]
        assert ours["customer.subscription.created"]["api_version"] == API_VERSION
        assert "current_period_end" not in ours["customer.subscription.created"]["data"]["object"]
        changes = [
            set(body["data"]["previous_attributes"])
            for body in old.bodies()
            if body["type"] == "customer.subscription.updated"
        ]
        assert {"quantity", "items"} <= set.union(*changes)
        assert not any("current_period_end" in change for change in changes)


async def test_listed_events_have_the_shape_of_the_accounts_version(stripe: Stripe) -> None:
    await stripe.control("settings", events_version=V2024)
    life = await begin(stripe)
    rows = (await stripe.get("events", type="customer.subscription.created"))["data"]
    assert (rows[0]["api_version"], rows[0]["data"]["object"]["id"]) == (V2024, life.id)
    assert "current_period_end" in rows[0]["data"]["object"]


async def test_unknown_parameters_are_refused_in_every_version(clients: dict[str, Old]) -> None:
    for client in clients.values():
        answer = await client.call("POST", "customers", colour="red")
        assert answer.json()["error"]["code"] == "parameter_unknown"


async def test_schedules_repeat_in_older_versions(stripe: Stripe, clients: dict[str, Old]) -> None:
    life = await begin(stripe)
    made = await clients[BASIL].post(
        "subscription_schedules",
        customer=life.customer,
        start_date="now",
        phases=[{"items": [{"price": life.price}], "iterations": 3}],
    )
    phase = made["phases"][0]
    assert 89 <= (phase["end_date"] - phase["start_date"]) / 86400 <= 92
