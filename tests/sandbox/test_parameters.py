"""Every published parameter of every call is declared as played, or refused."""

from typing import Any

import pytest

from sandbox import played
from sandbox.calls.registry import _shape
from sandbox.schema import Published
from tests.harness import Json
from tests.sandbox.inside import Inside
from tests.sandbox.parameter_table import DOCUMENT, document, inner, served, split


def leaf_of(published: Published, schema: Json, path: list[str]) -> Any:
    """A value that the call's types allow, at the end of a path."""
    if not path:
        for choice in published.alternatives(schema):
            if choice.get("type") == "array":
                return [leaf_of(published, choice["items"], [])]
            if choice.get("type") == "object":
                more = choice.get("properties") or {}
                needed = choice.get("required") or list(more)[:1]
                return {name: leaf_of(published, more[name], []) for name in needed if name in more}
            if choice.get("enum") and choice["enum"] != [""]:
                return choice["enum"][-1]
        return "1"
    name, *rest = path
    value = leaf_of(published, inner(published, schema)[name], rest)
    kinds = [choice.get("type") for choice in published.alternatives(schema)]
    tree = {"key" if name == "*" else name: value}
    return tree if "object" in kinds else [tree]


def test_what_is_declared_is_published(published: Published) -> None:
    known = {(route.method, _shape(route.template)): route for route in served(published)}

    def unpublished(schema: Json, declared: played.Played, path: str) -> list[str]:
        names = inner(published, schema)
        found = []
        for name, more in declared.names.items():
            if name in played.ALWAYS or (name == "*" and "*" not in names):
                continue
            if name not in names:
                found.append(f"{path} {name}")
            elif more is not None:
                found += unpublished(names[name], more, f"{path} {name}")
        return found

    for call, declared in played.declared().items():
        assert call in known, call
        assert unpublished(published.request_schema(known[call]), declared, " ".join(call)) == []


def test_every_parameter_that_is_not_played_is_refused_by_name(published: Published) -> None:
    refused = 0
    for route in served(published):
        schema = published.request_schema(route)
        declared = played.played_by(route.method, _shape(route.template))
        for name, known in split(published, schema, declared):
            if known or name.endswith("(other values)"):
                continue
            path = [part.rstrip("]") for part in name.split("[")]
            tree = leaf_of(published, schema, path)
            tree = tree[0] if isinstance(tree, list) else tree
            assert next(declared.unplayed(tree), None), f"{route.method} {route.template} {name}"
            refused += 1
    assert refused > 300


@pytest.mark.parametrize("name", ["transfer_data", "on_behalf_of"])
def test_a_refusal_is_the_answer_and_nothing_changes(published: Published, name: str) -> None:
    account = Inside.empty(published)
    given: Any = {"destination": "acct_1"} if name == "transfer_data" else "acct_1"
    status, body = account.ask(
        "POST", "payment_intents", amount=100, currency="usd", **{name: given}
    )
    assert (status, body["error"]["code"]) == (400, "sandbox_unsupported")
    assert body["error"]["param"] == name
    assert len(account.shop.world.table("payment_intent")) == 0


def test_the_documents_table_is_current(published: Published) -> None:
    text = DOCUMENT.read_text()
    assert document(text, published) == text, "run python -m tests.sandbox.parameter_table"
