"""Stripe's search: a small query language over some fields of some objects."""

import re
from collections.abc import Callable
from itertools import islice

from sandbox.shop import Shop, invalid
from sandbox.world import Json

_CLAUSE = re.compile(
    r"""(?P<not>-)?(?P<field>[a-z_]+(?:\.[a-z0-9_]+)*(?:\[(?:"[^"]+"|'[^']+')\])?)
        (?P<op>>=|<=|>|<|:|~)
        (?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s]+)""",
    re.VERBOSE,
)
_JOIN = re.compile(r"\s+(AND|OR)\s+|\s+", re.IGNORECASE)
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">": lambda have, bound: have > bound,
    ">=": lambda have, bound: have >= bound,
    "<": lambda have, bound: have < bound,
    "<=": lambda have, bound: have <= bound,
    ":": lambda have, bound: have == bound,
}
_OF_CARDS = ("brand", "exp_month", "exp_year", "fingerprint", "last4")
SEARCHABLE: dict[str, frozenset[str]] = {
    "charge": frozenset(
        {"amount", "created", "currency", "customer", "disputed", "metadata", "refunded", "status"}
        | {"billing_details.address.postal_code", "payment_method_details.type"}
        | {f"payment_method_details.card.{name}" for name in _OF_CARDS}
    ),
    "payment_intent": frozenset(
        {"amount", "created", "currency", "customer", "metadata", "status"}
    ),
    "customer": frozenset({"created", "email", "metadata", "name", "phone"}),
    "invoice": frozenset(
        {"created", "currency", "customer", "metadata", "number", "status", "subscription", "total"}
    ),
    "price": frozenset(
        {"active", "currency", "lookup_key", "metadata", "product", "type", "created"}
    ),
    "product": frozenset(
        {"active", "created", "description", "metadata", "name", "shippable", "url"}
    ),
    "subscription": frozenset({"canceled_at", "created", "metadata", "status"}),
}
"""The fields that Stripe documents for each kind."""

Test = Callable[[Json], bool]


def page(shop: Shop, kind: str, url: str, params: Json) -> Json:
    """One page of a query's results, newest first; `page` is the previous page's `next_page`."""
    test = compile_query(kind, params["query"])
    limit = params.get("limit", 10)
    before = None
    if given := params.get("page"):
        before = shop.world.table(kind).position(given)
        if before is None:
            raise invalid(f"Invalid page: {given}", param="page")
    found = (row for row in shop.index.newest_first(kind, before=before) if test(row))
    rows = list(islice(found, limit + 1))
    more = len(rows) > limit
    rows = rows[:limit]
    return {
        "object": "search_result",
        "data": rows,
        "has_more": more,
        "next_page": rows[-1]["id"] if more else None,
        "url": url,
    }


def compile_query(kind: str, query: str) -> Test:
    """Compile a query into a test of an object. Raises Stripe's 400 if it can't be parsed."""
    tests: list[Test] = []
    joins: set[str] = set()
    at, text = 0, query.strip()
    while at < len(text):
        clause = _CLAUSE.match(text, at)
        if clause is None:
            raise invalid(f"We were unable to parse your search query: {query}", param="query")
        tests.append(_test(kind, clause))
        at = clause.end()
        if at < len(text):
            join = _JOIN.match(text, at)
            if join is None:
                raise invalid(f"We were unable to parse your search query: {query}", param="query")
            joins.add((join[1] or "AND").upper())
            at = join.end()
    if not tests:
        raise invalid("You passed an empty query.", param="query")
    if len(joins) > 1:
        raise invalid("You cannot combine AND and OR in the same query.", param="query")
    if joins == {"OR"}:
        return lambda row: any(test(row) for test in tests)
    return lambda row: all(test(row) for test in tests)


def _test(kind: str, clause: re.Match[str]) -> Test:
    name, _, key = clause["field"].partition("[")
    if name not in SEARCHABLE[kind]:
        raise invalid(f"Field `{name}` is an unsupported search field for {kind}s.", param="query")
    wanted, operator = _value(clause["value"]), clause["op"]
    if operator == "~" and len(wanted or "") < 3:
        raise invalid("A substring needs at least three characters.", param="query")
    path = (name, key[1:-2]) if key else tuple(name.split("."))

    def test(row: Json) -> bool:
        return _matches(_found(row, path), operator, wanted)

    return (lambda row: not test(row)) if clause["not"] else test


def _value(text: str) -> str | None:
    if text[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return None if text == "null" else text


def _found(row: Json, path: tuple[str, ...]) -> object:
    if path == ("subscription",):
        details = (row.get("parent") or {}).get("subscription_details") or {}
        return details.get("subscription")
    value: object = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _matches(have: object, operator: str, wanted: str | None) -> bool:
    if wanted is None:
        return have is None
    if have is None:
        return False
    if isinstance(have, bool):
        return str(have).lower() == wanted.lower()
    if isinstance(have, int):
        try:
            return _ORDER[operator](have, float(wanted))
        except (KeyError, ValueError):
            return False
    return (
        wanted.lower() in str(have).lower()
        if operator == "~"
        else (wanted.lower() == str(have).lower())
    )
