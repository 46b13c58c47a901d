"""The JSON API takes what its description says, and nothing else."""

import re
from typing import Any

import orjson
import pytest

from tests.digest import digest
from tests.harness import Latchkey

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/activities?since=0.5", "since"),
        ("/activities?since=1767225600", "since"),
        ("/activities?since=2026-01-01", "since"),
        ("/activities?user=1_0", "user"),
        ("/users?limit=%2B5", "limit"),
        ("/users?limit=5.0", "limit"),
        ("/products/course/access?on=0", "on"),
        ("/products/course/access?on=2026-01-01T00:00:00Z", "on"),
        ("/stripe/products?refresh=yes", "refresh"),
        ("/stripe/products?refresh=1", "refresh"),
        ("/stripe/products?limit=0", "limit"),
    ],
)
async def test_parameters_have_the_types_of_the_description(
    shared: Latchkey, path: str, named: str
) -> None:
    answer = await shared.api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert f"query: {named}: " in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/users", "/products", "/activities", "/stripe/products"])
async def test_an_empty_cursor_is_no_cursor(shared: Latchkey, path: str) -> None:
    answer = await shared.api.get(f"{path}?after=")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("PUT", "/products/{id}/checkout", {"enabled": 1}, "enabled"),
        ("PUT", "/products/{id}/checkout", {"enabled": False, "promotion_codes": 0}, "promotion"),
        ("PUT", "/products/{id}/checkout", {"enabled": "false"}, "enabled"),
        (
            "PUT",
            "/products/{id}/link",
            {"create": {"amount": False, "currency": "usd"}},
            "create.amount",
        ),
        (
            "PUT",
            "/products/{id}/link",
            {"create": {"amount": "100", "currency": "usd"}},
            "create.amount",
        ),
        ("POST", "/products/{id}/grants", {"email": "a@x.test", "mail": "yes"}, "mail"),
        ("POST", "/products/{id}/grants", {"email": "a@x.test", "until": "0.5"}, "until"),
        ("POST", "/products/{id}/grants", {"email": "a@x.test", "until": 1893456000}, "until"),
        ("POST", "/products", {"name": 5}, "name"),
        ("POST", "/reconciliations", {"dry_run": "true"}, "dry_run"),
        ("POST", "/reconciliations/1/repair", {"differences": [2**63]}, "differences"),
    ],
)
async def test_bodies_have_the_types_of_the_description(
    shared: Latchkey, method: str, path: str, body: dict[str, Any], named: str
) -> None:
    product = await shared.product("Strict")
    before = await digest(shared)
    answer = await shared.api.request(method, path.format(id=product), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert f"body: {named}" in answer.json()["detail"]
    assert await digest(shared) == before


async def test_times_in_any_notation_of_rfc_3339_are_taken(shared: Latchkey) -> None:
    product = await shared.product("On time")
    for until in ("2031-01-31T12:00:00Z", "2031-01-31T12:00:00.25+01:30", "2031-01-31t12:00:00z"):
        body = {"email": "on.time@x.test", "until": until}
        made = await shared.call("POST", f"/products/{product}/grants", 201, json=body)
        assert made["until"].startswith("2031-01-31T1")


async def test_a_whole_number_may_be_written_with_a_point(shared: Latchkey) -> None:
    """It is one by JSON Schema."""
    path = "/policy/preview"
    answer = await shared.api.post(path, json={"past_due_days": 20.0})
    assert answer.status_code == 200, answer.text
    assert (await shared.api.post(path, json={"past_due_days": 20.5})).status_code == 422


@pytest.mark.parametrize("method", ["TRACE", "DELETE", "PUT"])
async def test_other_methods_are_not_allowed(shared: Latchkey, method: str) -> None:
    answer = await shared.api.request(method, "/products")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert (await shared.api.request(method, "/nothing")).status_code == 404


async def test_stripe_products_come_in_pages(shared: Latchkey) -> None:
    names = [f"In pages {letter}" for letter in "abcde"]
    for name in names:
        await shared.know(await shared.stripe.product(name))
    found: list[str] = []
    parameters: dict[str, Any] = {"search": "In pages ", "limit": 2}
    for _ in range(3):
        page = await shared.call("GET", "/stripe/products", params=parameters)
        assert len(page["data"]) <= 2
        found += [one["name"] for one in page["data"]]
        parameters["after"] = page["next"]
    assert (found, page["next"]) == (names, None)


async def test_the_description_says_which_bodies_may_be_left_out(shared: Latchkey) -> None:
    """And each of those may."""
    described = orjson.loads((await shared.api.get("/openapi.json")).content)
    optional = [
        (method, path)
        for path, calls in described["paths"].items()
        for method, call in calls.items()
        if "requestBody" in call and not call["requestBody"]["required"]
    ]
    assert 0 < len(optional) < 10
    for method, path in optional:
        nothing = re.sub(r"\{\w+\}", "none", path.removeprefix("/api/v1"))
        answer = await shared.api.request(method, nothing)
        assert answer.status_code not in (400, 422), f"{method} {path}: {answer.text}"


async def test_only_calls_that_keep_their_answer_describe_an_idempotency_key(
    shared: Latchkey,
) -> None:
    described = (await shared.api.get("/openapi.json")).json()["paths"]
    keeping = {
        path
        for path, calls in described.items()
        for part in calls.get("post", {}).get("parameters", [])
        if part["name"] == "Idempotency-Key"
    }
    assert "/api/v1/products" in keeping
    assert not keeping & {"/api/v1/access", "/api/v1/policy/preview"}
