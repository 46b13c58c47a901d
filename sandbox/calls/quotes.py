"""Quotes and what they offer."""

from sandbox import lists, quotes
from sandbox.calls.registry import Call, call, listable, readable
from sandbox.world import Json

readable("quote", "/v1/quotes")
listable("quote", "/v1/quotes", "customer", "status", "test_clock")
call("POST", "/v1/quotes")(lambda c: quotes.create(c.shop, c.params))
call("POST", "/v1/quotes/{}")(lambda c: quotes.update(c.shop, c.find("quote"), c.params))
call("POST", "/v1/quotes/{}/finalize")(lambda c: quotes.finalize(c.shop, c.find("quote"), c.params))
call("POST", "/v1/quotes/{}/accept")(lambda c: quotes.accept(c.shop, c.find("quote")))
call("POST", "/v1/quotes/{}/cancel")(lambda c: quotes.cancel(c.shop, c.find("quote")))


@call("GET", "/v1/quotes/{}/line_items")
def lines(c: Call) -> Json:
    return lists.slice_of(c.path, quotes.lines_of(c.shop, c.find("quote")), c.params)


@call("GET", "/v1/quotes/{}/computed_upfront_line_items")
def upfront_lines(c: Call) -> Json:
    return lists.slice_of(c.path, quotes.upfront_lines(c.shop, c.find("quote")), c.params)
