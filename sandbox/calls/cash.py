"""Customers' cash balances."""

from sandbox import cash, lists
from sandbox.calls.registry import Call, call
from sandbox.shop import invalid, missing
from sandbox.world import Json

_URL = "/v1/customers/{}"
call("GET", f"{_URL}/cash_balance")(lambda c: cash.balance(c.shop, c.find("customer")))


@call("POST", f"{_URL}/cash_balance")
def set_balance(c: Call) -> Json:
    mode = (c.params.get("settings") or {}).get("reconciliation_mode")
    customer = c.find("customer")
    return cash.set_mode(c.shop, customer, mode) if mode else cash.balance(c.shop, customer)


@call("GET", f"{_URL}/cash_balance_transactions")
def transactions(c: Call) -> Json:
    c.find("customer")
    return lists.page(c.shop, cash.KIND, c.path, c.params, equal={"customer": c.ids[0]})


@call("GET", f"{_URL}/cash_balance_transactions/{{}}")
def transaction(c: Call) -> Json:
    found = c.shop.find(cash.KIND, c.ids[1])
    if found["customer"] != c.ids[0]:
        raise missing(cash.KIND, c.ids[1])
    return found


@call("POST", f"{_URL}/funding_instructions")
def instructions(c: Call) -> Json:
    c.find("customer")
    base = c.shop.world.blanks.make("funding_instructions")
    return cash.instructions(c.params["currency"].lower(), c.params["bank_transfer"], base)


@call("POST", "/v1/test_helpers/customers/{}/fund_cash_balance")
def fund(c: Call) -> Json:
    params = c.params
    return cash.fund(
        c.shop,
        c.find("customer"),
        params["amount"],
        params["currency"].lower(),
        params.get("reference"),
    )


@call("POST", "/v1/payment_intents/{}/apply_customer_balance")
def apply(c: Call) -> Json:
    intent = c.find("payment_intent")
    customer = c.shop.world.table("customer").get(intent["customer"])
    if customer is None:
        raise invalid("This PaymentIntent has no customer.")
    currency = str(c.params.get("currency") or intent["currency"])
    if currency.lower() != intent["currency"]:
        raise invalid("The currency must be that of the PaymentIntent.", param="currency")
    return cash.apply(c.shop, customer, intent, c.params.get("amount"))
