"""The JSON API: its answers, and that bad input gets a clear error and changes nothing."""

import secrets
from typing import Any

import pytest

from tests.digest import digest
from tests.harness import Latchkey, http_client

pytestmark = pytest.mark.anyio

HOSTILE = '<script>alert("x")</script>'


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/access?product=none&email=a@b.example", None, 404, "not_found"),
        ("GET", "/access?product=none", None, 422, "invalid"),
        ("GET", "/access?product=none&email=a@b.example&user=1", None, 422, "invalid"),
        ("GET", "/access?email=a@b.example", None, 422, "invalid"),
        ("GET", "/access?product=none&email=anna+club@b.example", None, 422, "invalid"),
        ("GET", "/why?product=none&email=anna+club@b.example", None, 422, "invalid"),
        ("GET", "/access?product=none&email=two@a.example,three@b.example", None, 422, "invalid"),
        ("GET", "/access?product=none&user=x", None, 422, "invalid"),
        ("GET", "/products?limit=0", None, 422, "invalid"),
        ("GET", "/products?limit=201", None, 422, "invalid"),
        ("GET", "/products?after=%21%21", None, 400, "bad_cursor"),
        ("GET", "/users?after=bm90IGEgbnVtYmVy", None, 400, "bad_cursor"),
        ("GET", "/products?colour=red", None, 422, "invalid"),
        ("GET", "/products?limit=1&limit=2", None, 422, "invalid"),
        ("GET", "/activities?user=99999999999999999999", None, 422, "invalid"),
        ("GET", "/products/none", None, 404, "not_found"),
        ("GET", "/users/none", None, 404, "not_found"),
        ("GET", "/users/99999999999999999999", None, 404, "not_found"),
        ("GET", "/users/²", None, 404, "not_found"),
        ("GET", "/users/²/addresses", None, 404, "not_found"),
        ("GET", "/users?after=wrI", None, 400, "bad_cursor"),
        ("GET", "/policy/changes/²", None, 404, "not_found"),
        ("GET", "/policy/changes/99999999999999999999", None, 404, "not_found"),
        ("DELETE", "/grants/²", None, 404, "not_found"),
        ("GET", "/nothing", None, 404, "not_found"),
        ("GET", "/events?state=lost", None, 422, "invalid"),
        ("GET", "/activities?since=yesterday", None, 422, "invalid"),
        ("POST", "/products", {}, 422, "invalid"),
        ("POST", "/products", {"name": ""}, 422, "invalid"),
        ("POST", "/products", {"name": "x" * 10_000}, 422, "invalid"),
        ("POST", "/products", {"name": "a\nb"}, 422, "invalid"),
        ("POST", "/products", {"name": "a\u0000b"}, 422, "invalid"),
        ("POST", "/products", {"name": "a", "description": "\u0000"}, 422, "invalid"),
        ("POST", "/products", {"name": "a", "slug": "Not A Slug"}, 422, "invalid"),
        ("POST", "/products", {"name": "a", "colour": "red"}, 422, "invalid"),
        ("POST", "/products", {"name": "a", "image_url": "javascript:alert(1)"}, 422, "invalid"),
        ("POST", "/products", {"name": "a", "status": "alive"}, 422, "invalid"),
        ("POST", "/products", [], 422, "invalid"),
        ("PUT", "/products/none/link", {"stripe_product": "prod_x"}, 404, "not_found"),
        ("POST", "/products/none/grants", {"email": "a@b.example"}, 404, "not_found"),
        ("DELETE", "/grants/0", None, 404, "not_found"),
        ("POST", "/events/evt_none/resend", None, 404, "not_found"),
    ],
)
async def test_bad_input_is_named_and_changes_nothing(
    shared: Latchkey, method: str, path: str, body: Any, status: int, code: str
) -> None:
    before = await digest(shared)
    answer = await shared.api.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["detail"]
    assert await digest(shared) == before


async def test_a_stripe_product_that_is_not_known_yet_is_looked_up(shared: Latchkey) -> None:
    product = await shared.product()
    stripe_product = await shared.stripe.product("Made a moment ago")
    await shared.know(stripe_product)
    await shared.settled()
    await shared.pool.execute("delete from stripe_products where id = $1", stripe_product)
    body = {"stripe_product": stripe_product}
    await shared.call("PUT", f"/products/{product}/link", 202, json=body)
    await shared.listening(product)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"stripe_product": "prod_unknown"}, "unknown_stripe_product"),
        ({"stripe_product": "prod_x", "create": {"amount": 1, "currency": "usd"}}, "invalid"),
        ({"create": {"amount": -1, "currency": "usd"}}, "invalid"),
        ({"create": {"amount": 1, "currency": "dollars"}}, "invalid"),
        ({"create": {"amount": 1, "currency": "usd", "interval": "eon"}}, "invalid"),
        ({"create": {"amount": "1.5", "currency": "usd"}}, "invalid"),
        ({"stripe_product": "prod_x", "mail": "shout"}, "invalid"),
    ],
)
async def test_an_invalid_link_is_refused(shared: Latchkey, body: Any, code: str) -> None:
    product = await shared.product()
    before = await digest(shared)
    answer = await shared.call("PUT", f"/products/{product}/link", 422, json=body)
    assert answer["code"] == code
    assert await digest(shared) == before


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "nobody"},
        {"email": "a b@c.example"},
        {"email": "a@b.example", "until": "tomorrow"},
        {"email": "a@b.example", "until": "2027-01-01T00:00:00"},
        {"email": "x" * 300 + "@b.example"},
    ],
)
async def test_an_invalid_grant_is_refused(shared: Latchkey, body: Any) -> None:
    product = await shared.product()
    before = await digest(shared)
    await shared.call("POST", f"/products/{product}/grants", 422, json=body)
    assert await digest(shared) == before


async def test_malformed_and_oversized_bodies_are_refused(shared: Latchkey) -> None:
    before = await digest(shared)
    deep = b'{"name":' + b"[" * 600 + b"]" * 600 + b"}"
    many = b'{"name":[[' + b"0," * 50_000 + b"0]]}"
    cases = (
        (b"{", 400),
        (b"\xff", 400),
        (deep, 400),
        (many, 400),
        (b" " * (2 * 1024 * 1024), 413),
    )
    for content, status in cases:
        answer = await shared.api.post("/products", content=content)
        assert answer.status_code == status
    assert await digest(shared) == before


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer lk_wrong"]
)
async def test_wrong_tokens_are_refused(shared: Latchkey, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with http_client(
        base_url=f"{shared.url}/api/v1",
        headers=headers,
    ) as client:
        for path in ("/products", "/access?product=x&email=a@b.example", "/users"):
            answer = await client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_products_are_created_changed_listed_and_deleted(shared: Latchkey) -> None:
    name = f"{HOSTILE} {secrets.token_hex(3)}"
    made = await shared.call("POST", "/products", 201, json={"name": name})
    assert made["name"] == name
    assert made["slug"].startswith("script-alert")
    twin = await shared.call("POST", "/products", 201, json={"name": name})
    assert twin["slug"] != made["slug"]
    taken = await shared.call("POST", "/products", 409, json={"name": "x", "slug": made["slug"]})
    assert taken["code"] == "slug_taken"
    changed = await shared.call(
        "PATCH", f"/products/{made['id']}", json={"status": "live", "description": "New"}
    )
    assert (changed["status"], changed["description"], changed["name"]) == ("live", "New", name)
    await shared.call("PATCH", f"/products/{made['id']}", 422, json={"name": None})
    await shared.call("PATCH", f"/products/{made['id']}", 409, json={"slug": twin["slug"]})
    by_slug = await shared.call("GET", f"/products/{made['slug']}")
    assert by_slug["id"] == made["id"]
    seen: list[str] = []
    after = None
    while True:
        params = {"limit": 2} | ({"after": after} if after else {})
        page = await shared.call("GET", "/products", params=params)
        seen += [row["id"] for row in page["data"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen))
    assert {made["id"], twin["id"]} <= set(seen)
    await shared.call("DELETE", f"/products/{made['id']}", 204)
    await shared.call("GET", f"/products/{made['id']}", 404)


async def test_a_linked_product_is_not_deleted(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    product = await shared.product()
    await shared.link(product, stripe_product)
    refused = await shared.call("DELETE", f"/products/{product}", 409)
    assert refused["code"] == "linked"


async def test_complimentary_access_begins_changes_and_ends(shared: Latchkey) -> None:
    product = await shared.product()
    path = f"/products/{product}/grants"
    body = {"email": "Friend@Grant.Example", "reason": "Helped us", "until": "2031-01-01T00:00:00Z"}
    made = await shared.call("POST", path, 201, json=body)
    assert (made["source"], made["state"], made["reason"]) == ("manual", "ending", "Helped us")
    found = await shared.access(product, "friend@grant.example")
    assert found["access"] is True
    assert found["until"] == "2031-01-01T00:00:00Z"
    again = await shared.call("POST", path, 201, json={"email": "friend@grant.example"})
    assert (again["id"], again["until"]) == (made["id"], None)
    listed = await shared.call("GET", path)
    assert [row["id"] for row in listed["data"]] == [made["id"]]
    for _ in range(2):
        ended = await shared.call("DELETE", f"/grants/{made['id']}")
        assert ended["state"] == "ended"
    assert (await shared.access(product, "friend@grant.example"))["access"] is False
    types = [line["type"] for line in await shared.lines(product=product)]
    assert types == ["access_ended", "manual_grant"]


async def test_an_idempotency_key_gives_the_same_answer(shared: Latchkey) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    first = await shared.call("POST", "/products", 201, json={"name": "Once"}, headers=headers)
    again = await shared.call("POST", "/products", 201, json={"name": "Once"}, headers=headers)
    assert again == first
    other = await shared.call("POST", "/products", 409, json={"name": "Two"}, headers=headers)
    assert other["code"] == "idempotency_key_reused"


async def test_an_answer_that_cannot_be_opened_any_more_says_so(shared: Latchkey) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    await shared.call("POST", "/products", 201, json={"name": "Sealed"}, headers=headers)
    await shared.pool.execute(
        "update idempotency_keys set body = 'sealed by another' where key = $1",
        headers["Idempotency-Key"],
    )
    before = await shared.pool.fetchval("select count(*) from products")
    lost = await shared.call("POST", "/products", 409, json={"name": "Sealed"}, headers=headers)
    assert lost["code"] == "idempotency_answer_lost"
    assert await shared.pool.fetchval("select count(*) from products") == before


async def test_access_is_asked_with_a_body(shared: Latchkey) -> None:
    product, email = await shared.product("Asked"), "asked+1@access.example"
    body = {"product": product, "email": email}
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    before = await shared.call("POST", "/access", 200, json=body, headers=headers)
    assert before["access"] is False
    await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    answer = await shared.call("POST", "/access", 200, json=body, headers=headers)
    assert answer["access"] is True, "an answer about access is never a kept one"
    assert answer == await shared.call("GET", "/access", 200, params=body)
    await shared.call("POST", "/access", 404, json={"product": "unknown", "email": email})
    await shared.call("POST", "/access", 422, json={"product": product})


async def test_access_modes(shared: Latchkey) -> None:
    await shared.product()
    assigned = await shared.product()
    await shared.call("POST", f"/products/{assigned}/grants", 201, json={"email": "m@mode.example"})
    for mode, expected in (("assigned", False), ("signed_in", True), ("public", True)):
        product = await shared.product("Mode", access_mode=mode)
        found = await shared.access(product, "m@mode.example")
        assert found["access"] is expected
        unknown = await shared.access(product, "unknown@mode.example")
        assert unknown["access"] is False


async def test_the_openapi_description_is_accurate(shared: Latchkey) -> None:
    """Every declared call exists, and every answer that we get fits its schema."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    async with http_client() as client:
        document = (await client.get(f"{shared.url}/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    schema = Resource.from_contents(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    )
    registry = Registry().with_resource("urn:api", schema)
    contract = {
        "/access", "/why", "/products", "/products/{id}", "/stripe/products",
        "/products/{id}/link/preview", "/products/{id}/link", "/products/{id}/grants",
        "/grants/{id}", "/users", "/users/{id}", "/activities", "/events", "/events/{id}/resend",
    }  # fmt: skip
    assert {f"/api/v1{path}" for path in contract} <= set(document["paths"])
    product = await shared.product()
    await shared.call("POST", f"/products/{product}/grants", 201, json={"email": "s@spec.example"})
    user = (await shared.call("GET", "/users", params={"search": "s@spec.example"}))["data"][0]
    for path, url in {
        "/access": f"/access?product={product}&email=s@spec.example",
        "/why": f"/why?product={product}&user={user['id']}",
        "/products": "/products",
        "/products/{id}": f"/products/{product}",
        "/products/{id}/grants": f"/products/{product}/grants",
        "/users": "/users?limit=3",
        "/users/{id}": f"/users/{user['id']}",
        "/activities": "/activities?limit=20",
        "/events": "/events?limit=20",
        "/stripe/products": "/stripe/products",
    }.items():
        answer = await shared.call("GET", url)
        operation = document["paths"][f"/api/v1{path}"]["get"]
        reference = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        validator = Draft202012Validator({"$ref": f"urn:api{reference}"}, registry=registry)
        assert list(validator.iter_errors(answer)) == [], path
