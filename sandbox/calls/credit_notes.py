"""Credit notes."""

from sandbox import credit_notes, lists
from sandbox.calls.registry import Call, call, listable, readable, updatable
from sandbox.world import Json

_URL = "/v1/credit_notes"
readable(credit_notes.KIND, _URL)
listable(credit_notes.KIND, _URL, "customer", "invoice")
updatable(credit_notes.KIND, _URL, f"{credit_notes.KIND}.updated")
call("POST", _URL)(lambda c: credit_notes.create(c.shop, c.params))
call("POST", f"{_URL}/{{}}/void")(lambda c: credit_notes.void(c.shop, c.find(credit_notes.KIND)))
call("GET", f"{_URL}/preview")(lambda c: credit_notes.build(c.shop, c.params))


@call("GET", f"{_URL}/{{}}/lines")
def lines(c: Call) -> Json:
    return lists.slice_of(c.path, c.find(credit_notes.KIND)["lines"]["data"], c.params)


@call("GET", f"{_URL}/preview/lines")
def lines_of_preview(c: Call) -> Json:
    return lists.slice_of(c.path, credit_notes.build(c.shop, c.params)["lines"]["data"], c.params)
