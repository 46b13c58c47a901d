"""What changes customers' balances."""

from sandbox import balances, lists
from sandbox.calls.registry import Call, call
from sandbox.fields import apply
from sandbox.shop import missing, snapshot
from sandbox.world import Json

_URL = "/v1/customers/{}/balance_transactions"


@call("POST", _URL)
def create(c: Call) -> Json:
    customer, params = c.find("customer"), c.params
    before = snapshot(customer)
    with c.shop.row():
        made = balances.change(
            c.shop,
            customer,
            params["amount"],
            kind="adjustment",
            currency=params["currency"].lower(),
            description=params.get("description"),
            metadata=params.get("metadata"),
        )
        c.shop.save(customer, "customer.updated", before)
    return made


@call("GET", _URL)
def list_of(c: Call) -> Json:
    c.find("customer")
    equal = {"customer": c.ids[0]}
    if "invoice" in c.params:
        equal["invoice"] = c.params["invoice"]
    return lists.page(c.shop, balances.KIND, c.path, c.params, equal=equal)


@call("GET", f"{_URL}/{{}}")
def one(c: Call) -> Json:
    found = c.shop.find(balances.KIND, c.ids[1])
    if found["customer"] != c.ids[0]:
        raise missing(balances.KIND, c.ids[1])
    return found


@call("POST", f"{_URL}/{{}}")
def update(c: Call) -> Json:
    found = one(c)
    apply(c.shop, balances.KIND, found, c.params)
    return c.shop.save(found)
