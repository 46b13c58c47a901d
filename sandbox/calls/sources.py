"""Tokens, sources, and the cards and bank accounts of customers."""

from sandbox import lists, sources
from sandbox.calls.registry import Call, call, readable
from sandbox.fields import apply
from sandbox.shop import invalid, snapshot
from sandbox.world import Json

_URL = "/v1/customers/{}/sources"
call("POST", "/v1/tokens")(lambda c: sources.new_token(c.shop, c.params))
call("POST", "/v1/sources")(lambda c: sources.create_source(c.shop, c.params))
readable("token", "/v1/tokens")
readable("source", "/v1/sources")


@call("POST", "/v1/sources/{}")
def update_source(c: Call) -> Json:
    found = c.find("source")
    if "amount" in c.params and found["status"] != "pending":
        raise invalid("Only a pending source can change its amount.", param="amount")
    apply(c.shop, "source", found, c.params)
    return c.shop.save(found)


@call("GET", "/v1/sources/{}/source_transactions")
def transactions(c: Call) -> Json:
    c.find("source")
    return lists.slice_of(c.path, [], c.params)


@call("POST", _URL)
def add(c: Call) -> Json:
    with c.shop.row():
        return sources.add(
            c.shop, c.find("customer"), c.params["source"], metadata=c.params.get("metadata")
        )


@call("GET", _URL)
def list_of(c: Call) -> Json:
    kind = c.params.get("object")
    rows = sources.of_customer(c.shop, c.find("customer"))
    return lists.slice_of(c.path, [row for row in rows if kind in (None, row["object"])], c.params)


def _mine(c: Call) -> Json:
    return sources.mine(c.shop, c.find("customer"), c.ids[1])


call("GET", f"{_URL}/{{}}")(_mine)


@call("POST", f"{_URL}/{{}}")
def update(c: Call) -> Json:
    found = _mine(c)
    before = snapshot(found)
    apply(c.shop, found["object"], found, c.params)
    return c.shop.save(found, "customer.source.updated", before)


@call("DELETE", f"{_URL}/{{}}")
def remove(c: Call) -> Json:
    found = _mine(c)
    with c.shop.row():
        sources.remove(c.shop, c.find("customer"), found)
    if found["object"] == "source":
        return found
    return {"id": found["id"], "object": found["object"], "deleted": True}


@call("POST", f"{_URL}/{{}}/verify")
def verify(c: Call) -> Json:
    found = _mine(c)
    if found["object"] != "bank_account":
        raise invalid("Only a bank account can be verified.")
    amounts = c.params.get("amounts")
    if not amounts:
        raise invalid("Missing required param: amounts.", param="amounts", code="parameter_missing")
    return sources.verify(c.shop, found, [int(amount) for amount in amounts])
