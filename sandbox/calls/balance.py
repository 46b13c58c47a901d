"""The account's own balance, and its payouts."""

from sandbox import accounting
from sandbox.calls.registry import Call, call, listable, readable, updatable
from sandbox.world import Json

call("GET", "/v1/balance")(lambda c: accounting.balance(c.shop))
readable("payout", "/v1/payouts")
listable("payout", "/v1/payouts", "status", times=("arrival_date",))
updatable("payout", "/v1/payouts", "payout.updated")


@call("POST", "/v1/payouts")
def pay_out(c: Call) -> Json:
    return accounting.pay_out(c.shop, c.params)


@call("POST", "/v1/payouts/{}/reverse")
def reverse(c: Call) -> Json:
    return accounting.reverse(c.shop, c.find("payout"), c.params)


@call("POST", "/v1/payouts/{}/cancel")
def cancel(c: Call) -> Json:
    return accounting.cancel(c.shop, c.find("payout"))
