"""What Stripe's documentation promises to a connector, call by call."""

import time
from typing import Any

import pytest
import stripe

from tests.contract.conftest import Account, contract_key


def test_a_live_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_CONTRACT_KEY", "sk_live_nothing")
    with pytest.raises(pytest.UsageError, match="refused"):
        contract_key()


def test_customers_are_created_updated_and_deleted(account: Account) -> None:
    made = account.customer(card=None, name="Ada", metadata={"a": "1", "b": "2"})
    assert made["id"].startswith("cus_")
    assert made["object"] == "customer"
    assert made["livemode"] is False
    path = f"customers/{made['id']}"
    changed = account.call("post", path, metadata={"b": "", "c": "3"}, name="Ada L.")
    assert changed["metadata"] == {"a": "1", "c": "3"}
    assert account.call("get", path)["name"] == "Ada L."
    event = account.event("customer.updated", made["id"])
    assert event["data"]["previous_attributes"]["name"] == "Ada"
    assert account.call("delete", path) == {
        "id": made["id"],
        "object": "customer",
        "deleted": True,
    }
    assert account.call("get", path)["deleted"] is True


def test_errors_name_the_mistake(account: Account) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        account.call("get", "customers/cus_nothing")
    assert missing.value.http_status == 404
    assert missing.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        account.call("post", "customers", nonsense="1")
    assert unknown.value.http_status == 400
    assert unknown.value.code == "parameter_unknown"
    assert unknown.value.param == "nonsense"
    with pytest.raises(stripe.InvalidRequestError) as lacking:
        account.call("post", "prices", unit_amount=100, product="prod_nothing")
    assert lacking.value.code == "parameter_missing"
    assert lacking.value.param == "currency"
    with pytest.raises(stripe.InvalidRequestError) as nowhere:
        account.call("get", "no_such_thing")
    assert nowhere.value.http_status == 404


def test_an_idempotency_key_answers_once(account: Account) -> None:
    key = f"{account.run}-key"

    def create(name: str) -> Any:
        made = account.client.v1.customers.create({"name": name}, {"idempotency_key": key})
        account.later(lambda: account.call("delete", f"customers/{made.id}"))
        return made.id

    assert create("One") == create("One")
    with pytest.raises(stripe.IdempotencyError):
        create("Two")


def test_lists_are_newest_first_with_cursors(account: Account) -> None:
    email = f"list@{account.run}.example"
    made = [account.customer(card=None, email=email)["id"] for _ in range(3)]
    page = account.call("get", "customers", email=email, limit=2)
    assert page["object"] == "list"
    assert page["url"] == "/v1/customers"
    assert [row["id"] for row in page["data"]] == [made[2], made[1]]
    assert page["has_more"] is True
    rest = account.call("get", "customers", email=email, limit=2, starting_after=made[1])
    assert [row["id"] for row in rest["data"]] == [made[0]]
    assert rest["has_more"] is False
    back = account.call("get", "customers", email=email, limit=2, ending_before=made[0])
    assert [row["id"] for row in back["data"]] == [made[2], made[1]]
    for limit in (0, 101):
        with pytest.raises(stripe.InvalidRequestError):
            account.call("get", "customers", limit=limit)


def test_a_subscription_is_paid_and_active(account: Account) -> None:
    price, customer = account.price(), account.customer()
    made = account.subscription(
        customer["id"], price["id"], expand=["latest_invoice.payments", "customer"]
    )
    assert made["status"] == "active"
    assert made["customer"]["id"] == customer["id"]
    assert "current_period_end" not in made
    (item,) = made["items"]["data"]
    assert item["price"]["id"] == price["id"]
    assert 27 <= (item["current_period_end"] - item["current_period_start"]) / 86400 <= 32
    bill = made["latest_invoice"]
    assert (bill["status"], bill["amount_paid"]) == ("paid", 1500)
    assert bill["billing_reason"] == "subscription_create"
    assert bill["parent"]["subscription_details"]["subscription"] == made["id"]
    (payment,) = bill["payments"]["data"]
    assert payment["status"] == "paid"
    assert payment["payment"]["type"] == "payment_intent"
    account.event("customer.subscription.created", made["id"])
    account.event("invoice.paid", bill["id"])
    account.event("invoice.payment_succeeded", bill["id"])
    account.event("payment_intent.succeeded", payment["payment"]["payment_intent"])


def test_cancelling_at_the_period_end_and_undoing_it(account: Account) -> None:
    made = account.subscription(account.customer()["id"], account.price()["id"])
    path = f"subscriptions/{made['id']}"
    ending = account.call("post", path, cancel_at_period_end="true")
    assert ending["cancel_at_period_end"] is True
    assert ending["cancel_at"] == ending["items"]["data"][0]["current_period_end"]
    assert ending["canceled_at"] is not None
    assert ending["status"] == "active"
    assert ending["cancellation_details"]["reason"] == "cancellation_requested"
    going_on = account.call("post", path, cancel_at_period_end="false")
    assert (going_on["cancel_at"], going_on["canceled_at"]) == (None, None)
    gone = account.call("delete", path)
    assert gone["status"] == "canceled"
    assert gone["ended_at"] is not None
    account.event("customer.subscription.deleted", made["id"])
    with pytest.raises(stripe.InvalidRequestError):
        account.call("delete", path)
    listed = account.call("get", "subscriptions", customer=made["customer"])
    assert listed["data"] == []
    listed = account.call("get", "subscriptions", customer=made["customer"], status="all")
    assert [row["id"] for row in listed["data"]] == [made["id"]]


def test_cancel_at_alone_ends_a_flexible_subscription(account: Account) -> None:
    made = account.subscription(
        account.customer()["id"], account.price()["id"], billing_mode={"type": "flexible"}
    )
    assert made["billing_mode"]["type"] == "flexible"
    end = made["items"]["data"][0]["current_period_end"]
    ending = account.call("post", f"subscriptions/{made['id']}", cancel_at="min_period_end")
    assert ending["cancel_at"] == end
    assert ending["cancel_at_period_end"] is False


def test_a_trial_costs_nothing_yet(account: Account) -> None:
    made = account.subscription(
        account.customer()["id"],
        account.price()["id"],
        trial_period_days=7,
        expand=["latest_invoice"],
    )
    assert made["status"] == "trialing"
    assert abs(made["trial_end"] - time.time() - 7 * 86400) < 120
    assert made["items"]["data"][0]["current_period_end"] == made["trial_end"]
    assert made["latest_invoice"]["amount_due"] == 0
    assert made["latest_invoice"]["status"] == "paid"


def test_a_card_that_fails_leaves_it_incomplete(account: Account) -> None:
    customer = account.customer(card="pm_card_chargeCustomerFail")
    made = account.subscription(customer["id"], account.price()["id"])
    assert made["status"] == "incomplete"
    bill = account.call("get", f"invoices/{made['latest_invoice']}")
    assert (bill["status"], bill["attempt_count"]) == ("open", 1)
    account.event("invoice.payment_failed", bill["id"])
    with pytest.raises(stripe.CardError) as declined:
        account.subscription(
            customer["id"], account.price()["id"], payment_behavior="error_if_incomplete"
        )
    assert declined.value.http_status == 402
    assert declined.value.code == "card_declined"


def test_paying_the_first_invoice_completes_it(account: Account) -> None:
    made = account.subscription(
        account.customer()["id"], account.price()["id"], payment_behavior="default_incomplete"
    )
    assert made["status"] == "incomplete"
    paid = account.call("post", f"invoices/{made['latest_invoice']}/pay")
    assert paid["status"] == "paid"
    now = account.until(
        lambda: account.call("get", f"subscriptions/{made['id']}")["status"] == "active", "active"
    )
    assert now


def test_items_change_price_and_quantity(account: Account) -> None:
    first, second = account.price(), account.price(3000)
    made = account.subscription(account.customer()["id"], first["id"])
    item = made["items"]["data"][0]["id"]
    changed = account.call(
        "post",
        f"subscriptions/{made['id']}",
        items=[{"id": item, "price": second["id"], "quantity": 2}],
    )
    (row,) = changed["items"]["data"]
    assert (row["id"], row["price"]["id"], row["quantity"]) == (item, second["id"], 2)
    event = account.event("customer.subscription.updated", made["id"])
    assert "items" in event["data"]["previous_attributes"]
    listed = account.call("get", "subscription_items", subscription=made["id"])
    assert [entry["id"] for entry in listed["data"]] == [item]


def test_paused_collection_does_not_change_the_status(account: Account) -> None:
    made = account.subscription(account.customer()["id"], account.price()["id"])
    path = f"subscriptions/{made['id']}"
    paused = account.call("post", path, pause_collection={"behavior": "void"})
    assert paused["status"] == "active"
    assert paused["pause_collection"]["behavior"] == "void"
    assert account.call("post", path, pause_collection="")["pause_collection"] is None


def test_an_archived_price_takes_no_new_subscriber(account: Account) -> None:
    price = account.price()
    account.call("post", f"prices/{price['id']}", active="false")
    with pytest.raises(stripe.InvalidRequestError):
        account.subscription(account.customer()["id"], price["id"])
    listed = account.call("get", "prices", product=price["product"], active="false")
    assert [row["id"] for row in listed["data"]] == [price["id"]]


def test_a_checkout_session_waits_to_be_paid(account: Account) -> None:
    price = account.price()
    made = account.call(
        "post",
        "checkout/sessions",
        mode="subscription",
        line_items=[{"price": price["id"], "quantity": 1}],
        success_url="https://example.com/?s={CHECKOUT_SESSION_ID}",
        client_reference_id="reference",
    )
    assert made["id"].startswith("cs_test_")
    assert (made["status"], made["payment_status"]) == ("open", "unpaid")
    assert made["url"].startswith("http")
    assert made["client_reference_id"] == "reference"
    assert (made["amount_total"], made["currency"]) == (1500, "usd")
    assert 23.5 * 3600 <= made["expires_at"] - made["created"] <= 24.5 * 3600
    lines = account.call("get", f"checkout/sessions/{made['id']}/line_items")
    assert [(line["price"]["id"], line["quantity"]) for line in lines["data"]] == [(price["id"], 1)]
    over = account.call("post", f"checkout/sessions/{made['id']}/expire")
    assert (over["status"], over["url"]) == ("expired", None)
    account.event("checkout.session.expired", made["id"])
    with pytest.raises(stripe.InvalidRequestError):
        account.call("post", f"checkout/sessions/{made['id']}/expire")


def test_a_session_needs_the_mode_of_its_prices(account: Account) -> None:
    once = account.price(interval=None)
    with pytest.raises(stripe.InvalidRequestError):
        account.call(
            "post",
            "checkout/sessions",
            mode="subscription",
            line_items=[{"price": once["id"], "quantity": 1}],
            success_url="https://example.com/",
        )


def test_a_payment_link_is_deactivated(account: Account) -> None:
    price = account.price()
    made = account.call("post", "payment_links", line_items=[{"price": price["id"], "quantity": 1}])
    assert made["active"] is True
    assert made["url"].startswith("http")
    lines = account.call("get", f"payment_links/{made['id']}/line_items")
    assert [line["price"]["id"] for line in lines["data"]] == [price["id"]]
    assert account.call("post", f"payment_links/{made['id']}", active="false")["active"] is False


def test_the_portal_opens_for_a_customer(account: Account) -> None:
    made = account.call(
        "post",
        "billing_portal/configurations",
        features={
            "subscription_cancel": {"enabled": "true", "mode": "at_period_end"},
            "invoice_history": {"enabled": "true"},
        },
    )
    account.later(
        lambda: account.call("post", f"billing_portal/configurations/{made['id']}", active="false")
    )
    assert made["features"]["subscription_cancel"]["mode"] == "at_period_end"
    session = account.call(
        "post",
        "billing_portal/sessions",
        customer=account.customer()["id"],
        configuration=made["id"],
        return_url="https://example.com/account",
    )
    assert session["url"].startswith("http")
    assert session["return_url"] == "https://example.com/account"


def test_refunds_add_up(account: Account) -> None:
    customer = account.customer()
    intent = account.call(
        "post",
        "payment_intents",
        amount=2000,
        currency="usd",
        customer=customer["id"],
        payment_method="pm_card_visa",
        confirm="true",
        automatic_payment_methods={"enabled": "true", "allow_redirects": "never"},
    )
    assert intent["status"] == "succeeded"
    charge = intent["latest_charge"]
    part = account.call("post", "refunds", payment_intent=intent["id"], amount=500)
    assert (part["status"], part["amount"], part["charge"]) == ("succeeded", 500, charge)
    seen = account.call("get", f"charges/{charge}")
    assert (seen["amount_refunded"], seen["refunded"]) == (500, False)
    account.call("post", "refunds", charge=charge)
    seen = account.call("get", f"charges/{charge}")
    assert (seen["amount_refunded"], seen["refunded"]) == (2000, True)
    account.event("charge.refunded", charge)
    account.event("refund.created", part["id"])
    with pytest.raises(stripe.InvalidRequestError) as again:
        account.call("post", "refunds", charge=charge)
    assert again.value.code == "charge_already_refunded"
    listed = account.call("get", "refunds", payment_intent=intent["id"])
    assert sorted(row["amount"] for row in listed["data"]) == [500, 1500]


def test_a_card_may_be_declined_or_require_authentication(account: Account) -> None:
    automatic = {"enabled": "true", "allow_redirects": "never"}
    with pytest.raises(stripe.CardError) as declined:
        account.call(
            "post",
            "payment_intents",
            amount=2000,
            currency="usd",
            payment_method="pm_card_visa_chargeDeclinedInsufficientFunds",
            confirm="true",
            automatic_payment_methods=automatic,
        )
    error: Any = declined.value.json_body
    error = error["error"]
    assert (error["code"], error["decline_code"]) == ("card_declined", "insufficient_funds")
    asks = account.call(
        "post",
        "payment_intents",
        amount=2000,
        currency="usd",
        payment_method="pm_card_threeDSecure2Required",
        confirm="true",
        automatic_payment_methods=automatic,
        return_url="https://example.com/",
    )
    assert asks["status"] == "requires_action"
    assert account.call("post", f"payment_intents/{asks['id']}/cancel")["status"] == "canceled"


def test_an_invoice_without_a_subscription(account: Account) -> None:
    customer, once = account.customer(), account.price(4900, interval=None)
    account.call("post", "invoiceitems", customer=customer["id"], pricing={"price": once["id"]})
    draft = account.call(
        "post",
        "invoices",
        customer=customer["id"],
        pending_invoice_items_behavior="include",
        auto_advance="false",
    )
    assert (draft["status"], draft["amount_due"], draft["parent"]) == ("draft", 4900, None)
    opened = account.call("post", f"invoices/{draft['id']}/finalize")
    assert opened["status"] == "open"
    assert opened["number"]
    lines = account.call("get", f"invoices/{draft['id']}/lines")
    assert lines["data"][0]["pricing"]["price_details"]["price"] == once["id"]
    paid = account.call("post", f"invoices/{draft['id']}/pay")
    assert (paid["status"], paid["amount_remaining"]) == ("paid", 0)
    with pytest.raises(stripe.InvalidRequestError):
        account.call("post", f"invoices/{draft['id']}/void")


def test_an_open_invoice_is_voided_or_marked_uncollectible(account: Account) -> None:
    customer = account.customer()
    for action, status in (("void", "void"), ("mark_uncollectible", "uncollectible")):
        account.call("post", "invoiceitems", customer=customer["id"], amount=900, currency="usd")
        made = account.call(
            "post",
            "invoices",
            customer=customer["id"],
            pending_invoice_items_behavior="include",
            auto_advance="false",
        )
        account.call("post", f"invoices/{made['id']}/finalize")
        assert account.call("post", f"invoices/{made['id']}/{action}")["status"] == status


def test_a_preview_of_the_next_invoice_stores_nothing(account: Account) -> None:
    made = account.subscription(account.customer()["id"], account.price()["id"])
    preview = account.call("post", "invoices/create_preview", subscription=made["id"])
    assert preview["amount_due"] == 1500
    assert preview["status"] == "draft"
    assert (
        preview["lines"]["data"][0]["period"]["start"]
        == (made["items"]["data"][0]["current_period_end"])
    )
    listed = account.call("get", "invoices", subscription=made["id"])
    assert [row["id"] for row in listed["data"]] == [made["latest_invoice"]]


def test_a_webhook_endpoint_shows_its_secret_once(account: Account) -> None:
    made = account.call(
        "post",
        "webhook_endpoints",
        url="https://example.com/hook",
        enabled_events=["invoice.paid"],
        metadata={"run": account.run},
    )
    path = f"webhook_endpoints/{made['id']}"
    account.later(lambda: account.call("delete", path))
    assert made["secret"].startswith("whsec_")
    assert made["status"] == "enabled"
    assert "secret" not in account.call("get", path)
    changed = account.call("post", path, disabled="true")
    assert changed["status"] == "disabled"
    assert account.call("delete", path)["deleted"] is True


def test_coupons_and_promotion_codes(account: Account) -> None:
    coupon = account.call("post", "coupons", percent_off=20, duration="once")
    account.later(lambda: account.call("delete", f"coupons/{coupon['id']}"))
    code = account.run.upper().replace("-", "")
    made = account.call(
        "post",
        "promotion_codes",
        promotion={"type": "coupon", "coupon": coupon["id"]},
        code=code,
    )
    assert made["promotion"]["coupon"] == coupon["id"]
    listed = account.call("get", "promotion_codes", code=code)
    assert [row["id"] for row in listed["data"]] == [made["id"]]


def test_search_finds_by_field_and_metadata(account: Account) -> None:
    made = account.customer(card=None, name=f"Searched {account.run}")
    other = account.customer(card=None, name="Other")

    def found(query: str) -> list[str]:
        answer = account.call("get", "customers/search", query=query)
        assert answer["object"] == "search_result"
        return [row["id"] for row in answer["data"]]

    by_run = f'metadata["run"]:"{account.run}"'
    account.until(lambda: len(found(by_run)) == 2, "the index", seconds=90)
    assert found(f'email:"{made["email"]}"') == [made["id"]]
    assert found(f'{by_run} AND name~"searched"') == [made["id"]]
    assert found(f'{by_run} AND -name~"searched"') == [other["id"]]
    with pytest.raises(stripe.InvalidRequestError):
        found('nonsense:"1"')


def test_a_test_clock_renews_a_subscription(account: Account) -> None:
    began = int(time.time())
    clock = account.call("post", "test_helpers/test_clocks", frozen_time=began, name=account.run)
    path = f"test_helpers/test_clocks/{clock['id']}"
    account.later(lambda: account.call("delete", path))
    assert (clock["status"], clock["frozen_time"]) == ("ready", began)
    customer = account.customer(test_clock=clock["id"])
    assert customer["test_clock"] == clock["id"]
    made = account.subscription(customer["id"], account.price()["id"])
    assert made["test_clock"] == clock["id"]
    first = made["items"]["data"][0]["current_period_end"]
    moved = account.call("post", f"{path}/advance", frozen_time=first + 2 * 3600)
    assert moved["status"] == "advancing"
    account.until(lambda: account.call("get", path)["status"] == "ready", "the clock", seconds=120)
    renewed = account.call("get", f"subscriptions/{made['id']}", expand=["latest_invoice"])
    assert renewed["items"]["data"][0]["current_period_start"] == first
    assert renewed["latest_invoice"]["billing_reason"] == "subscription_cycle"
    assert renewed["latest_invoice"]["status"] == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        account.call("post", f"{path}/advance", frozen_time=began)
    assert account.call("delete", path)["deleted"] is True
    with pytest.raises(stripe.InvalidRequestError):
        account.call("get", f"subscriptions/{made['id']}")
