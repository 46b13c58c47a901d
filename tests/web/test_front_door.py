"""What Postgres can't hold is refused with a clear answer, and nothing changes."""

import base64
import re
from typing import Any

import pytest
from starlette.routing import Route

from tests.digest import digest
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_forms import encoded
from web import pages
from web.api.registry import ENDPOINTS

pytestmark = pytest.mark.anyio

NUL = "a\x00b"
LOGS = ("sessions", "tries")
"""Tables that signing in and trying write to."""


def paths(method: str) -> list[str]:
    """The paths of every page that takes a method."""
    return [r.path for r in pages.routes() if isinstance(r, Route) and method in (r.methods or ())]


def at(path: str, value: str) -> str:
    """A path with the same value for each parameter."""
    return re.sub(r"{\w+(:\w+)?}", value, path)


async def token_of(visitor: Visitor) -> str:
    page = (await visitor.get("/account/settings")).text
    found = re.search(r'name="csrf_token" value="(\w+)"', page)
    assert found
    return found[1]


async def test_a_path_with_a_control_character_leads_nowhere(shared: Latchkey) -> None:
    placed = [path for path in paths("GET") if "{" in path]
    assert len(placed) > 30
    async with visit(shared) as owner:
        await owner.sign_in()
        before = await digest(shared, without=LOGS)
        for path in [*placed, "/", "/login", "/static/site.css", "/nothing"]:
            answer = await owner.client.get(f"{at(path, 'x')}%00")
            refused = (404, 400, 410) if "{token}" in path else (404,)
            refused = (403,) if path.startswith("/embed/products/") else refused  # no named origin
            assert answer.status_code in refused, f"{path}: {answer.status_code}"
    called = [one for one in ENDPOINTS if "{" in one.path and one.method in ("GET", "DELETE")]
    assert len(called) > 15
    for one in called:
        answer = await shared.api.request(one.method, f"{at(one.path, 'x')}%00")
        assert answer.status_code in (404, 422), f"{one.path}: {answer.text}"
    assert await digest(shared, without=LOGS) == before


async def test_a_query_with_a_nul_character_is_refused(shared: Latchkey) -> None:
    product = await shared.product("Asked for", slug="asked-for")
    async with visit(shared) as owner:
        await owner.sign_in()
        for path in set(paths("GET")) - {"/theme.css", "/embed.js"}:
            given = at(path, product)
            for query in ("q=a%00b", "%00=1"):
                answer = await owner.client.get(f"{given}?{query}")
                assert answer.status_code == 400, f"{given}: {answer.status_code}"
        assert "invisible character (NUL)" in answer.text
    for one in ENDPOINTS:
        if one.method == "GET":
            path = f"{at(one.path, product)}"
            answer = await shared.api.get(path, params={"search": NUL})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), path
            assert "search: must not contain a NUL character" in answer.json()["detail"]


async def test_a_form_field_with_a_nul_character_is_refused(shared: Latchkey) -> None:
    product = await shared.product("Written to")
    person = await user(shared, "written-to@door.example")
    refused = 0
    async with visit(shared) as owner:
        await owner.sign_in()
        before = await digest(shared, without=LOGS)
        fields = {"csrf_token": await token_of(owner), "name": NUL}
        for path in paths("POST"):
            given = at(path, str(person) if "users" in path else product)
            answer = await owner.client.post(given, data=fields)
            assert answer.status_code in (404, 422) or "{token}" in path, (
                f"{given}: {answer.status_code}"
            )
            if answer.status_code == 422:
                refused += 1
                assert "contains an invisible character" in answer.text
        assert refused > 50
        odd = await owner.client.post("/logout", data=fields | {"name": "", NUL: "x"})
        assert odd.status_code == 422
    assert await digest(shared, without=LOGS) == before


SIGN_IN = "/login"


@pytest.mark.parametrize(
    ("page", "path", "bad", "kept"),
    [
        (SIGN_IN, SIGN_IN, "password", {"email": "kept@door.example"}),
        (SIGN_IN, SIGN_IN, "email", {"next": "/library"}),
        ("/admin/products/new", "", "name", {"description": "Kept text"}),
        ("/admin/settings/team", "", "email", {}),
        ("/admin/connectors", "/admin/connectors/stripe/portal", "terms_url", {}),
        ("/account/settings", "/account/email", "email", {}),
        ("/account/settings", "/account/password", "password", {}),
    ],
)
async def test_an_invisible_character_is_an_error_beside_its_field(
    shared: Latchkey, page: str, path: str, bad: str, kept: dict[str, str]
) -> None:
    async with visit(shared) as visitor:
        if page != SIGN_IN:
            await visitor.sign_in()
        fields: dict[str, Any] = {**kept, bad: "be\0fore"}
        text = (await visitor.send(page, path or None, expect=422, **fields)).text
    assert f'<p class="field-error" id="{bad}-error">This contains an invisible character' in text
    assert re.search(rf'name="{bad}"[^>]* aria-invalid="true" aria-describedby="{bad}-error', text)
    for value in kept.values():
        assert value in text
    assert ("be\ufffdfore" in text) is (bad != "password"), "a password isn't shown again"


@pytest.mark.parametrize("password", [NUL, "\ud800"])
async def test_an_odd_password_is_wrong_at_most(shared: Latchkey, password: str) -> None:
    async with visit(shared) as visitor:
        found = re.search(r'value="(\w+)"', (await visitor.get("/login")).text)
        assert found
        given = {"csrf_token": found[1], "email": "x@y.example"}
        answer = await visitor.client.post("/login", **encoded({**given, "password": password}))
    assert answer.status_code == (422 if password == NUL else 401)


def strings(schema: dict[str, Any], everything: dict[str, Any]) -> list[str]:
    """The names of the text fields of an input."""
    named = everything.get("$defs", {}).get(schema.get("$ref", "").rpartition("/")[2], schema)
    return [
        name
        for name, field in named.get("properties", {}).items()
        if "string" in [one.get("type") for one in (field, *field.get("anyOf", []))]
    ]


async def test_a_field_of_the_api_with_a_nul_character_is_refused(shared: Latchkey) -> None:
    product = await shared.product("Called")
    before = await digest(shared)
    tried = 0
    for one in ENDPOINTS:
        if one.body is None:
            continue
        schema = one.body.model_json_schema()
        for name in strings(schema, schema):
            path = f"{at(one.path, product)}"
            answer = await shared.api.request(one.method, path, json={name: NUL})
            assert answer.status_code == 422, f"{path} {name}: {answer.text}"
            assert answer.json()["errors"] == [
                {"name": name, "message": "must not contain a NUL character"}
            ]
            tried += 1
    assert tried > 20
    assert await digest(shared) == before


NESTED = [
    ({"products": ["x", NUL]}, "products.1"),
    ({"products": [], NUL: 1}, f"{NUL}".replace("\x00", "\ufffd")),
]


@pytest.mark.parametrize(("body", "where"), NESTED)
async def test_the_answer_says_where_the_nul_character_is(
    shared: Latchkey, body: dict[str, Any], where: str
) -> None:
    answer = await shared.call("POST", "/collections", 422, json={"name": "C", **body})
    assert answer["detail"] == f"body: {where}: must not contain a NUL character"


ENDS = [
    "0270-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "9999-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    -53_649_000_000,
    1e300,
]


@pytest.mark.parametrize("until", ENDS)
async def test_an_end_in_an_odd_year_is_refused(shared: Latchkey, until: object) -> None:
    product = await shared.product("Ends oddly")
    group = await shared.call("POST", "/collections", 201, json={"name": "Ends oddly"})
    before = await digest(shared)
    gift = {"email": "odd@door.example", "until": until}
    for path in (f"/products/{product}/grants", f"/collections/{group['id']}/grants"):
        answer = await shared.call("POST", path, 422, json=gift)
        assert "until: " in answer["detail"]
    assert await digest(shared) == before


@pytest.mark.parametrize("until", ["0270-01-01", "9999-12-31T23:59-14:00", "10000-01-01", "1e9"])
async def test_an_end_in_an_odd_year_is_refused_in_forms(shared: Latchkey, until: str) -> None:
    product = await shared.product("Ends oddly in a form")
    async with visit(shared) as owner:
        await owner.sign_in()
        before = await digest(shared, without=LOGS)
        path = f"/admin/products/{product}/grants"
        gift = {"email": "odd@door.example", "until": until}
        answer = await owner.send(path, expect=422, **gift)
        assert "odd@door.example" in answer.text
        bulk = {"lines": "odd@door.example", "until": until, "target": f"product:{product}"}
        answer = await owner.send("/admin/grants", expect=422, do="give", **bulk)
        assert "odd@door.example" in answer.text
    assert await digest(shared, without=LOGS) == before


async def test_numbers_beyond_the_databases_are_refused(shared: Latchkey) -> None:
    person = await user(shared, "number@door.example")
    answer = await shared.call("POST", f"/users/{person}/merge", 422, json={"user": 2**63})
    assert answer["errors"][0]["name"] == "user"
    for moment in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        await shared.call("GET", "/activities", 422, params={"since": moment})
    after = base64.urlsafe_b64encode(b"a\0b").decode()
    answer = await shared.call("GET", "/products", 400, params={"after": after})
    assert answer["code"] == "bad_cursor"


@pytest.mark.parametrize("amount", ["Infinity", "NaN", "sNaN", "1e999999", "1e-999999", "9" * 999])
async def test_odd_amounts_are_refused(shared: Latchkey, amount: str) -> None:
    product = await shared.product("Costs oddly")
    async with visit(shared) as owner:
        await owner.sign_in()
        before = await digest(shared, without=LOGS)
        price = {"choice": "new", "currency": "EUR", "amount": amount}
        await owner.send(f"/admin/products/{product}/stripe", expect=422, **price)
    assert await digest(shared, without=LOGS) == before


@pytest.mark.parametrize("line", ["a\rb", "a\u2028b", "a\x7fb", "a\u0085b"])
async def test_a_name_is_one_line(shared: Latchkey, line: str) -> None:
    product = await shared.product("One line")
    answer = await shared.call("PATCH", f"/products/{product}", 422, json={"name": line})
    assert "must be a single line" in answer["detail"]
    async with visit(shared) as owner:
        await owner.sign_in()
        before = await digest(shared, without=LOGS)
        for path in ("/admin/products/categories", "/admin/tokens"):
            await owner.send(path, expect=422, name=line)
    assert await digest(shared, without=LOGS) == before


@pytest.mark.parametrize("origin", ["http://[", "https://[::1", "http://x:y", "é"])
async def test_an_origin_that_is_no_address_is_a_foreign_one(shared: Latchkey, origin: str) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        data = {"csrf_token": await token_of(owner), "name": "From elsewhere"}
        headers = [(b"origin", origin.encode("latin-1"))]
        answer = await owner.client.post("/admin/tokens", data=data, headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("token", ["é", "😀", "\x00", ""])
async def test_any_text_but_the_token_is_refused(shared: Latchkey, token: str) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        answer = await owner.client.post("/admin/tokens", data={"csrf_token": token, "name": "No"})
    assert answer.status_code == 403


async def test_pages_have_another_token_each_time(shared: Latchkey) -> None:
    """Pages are compressed: the length of one that also shows what was asked for would otherwise
    give the token away, character by character."""
    async with visit(shared) as owner:
        await owner.sign_in()
        first, second = await token_of(owner), await token_of(owner)
        assert first[:16] != second[:16]
        assert first[16:] != second[16:]
        for token, status in ((first, 422), (second, 422), (first[:16] + second[16:], 403)):
            data = {"csrf_token": token, "name": ""}
            answer = await owner.client.post("/admin/tokens", data=data)
            assert answer.status_code == status


async def test_pages_are_compressed_for_browsers(shared: Latchkey) -> None:
    async with visit(shared) as anybody:
        answer = await anybody.get("/login", headers={"Accept-Encoding": "gzip, deflate, br"})
        plain = await anybody.get("/login")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert 'action="/login"' in answer.text
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize(("charset", "status"), [("undefined", 400), ("unicode_escape", 403)])
async def test_a_form_in_an_odd_encoding_is_refused(
    shared: Latchkey, charset: str, status: int
) -> None:
    lines = (
        b"--x",
        b'Content-Disposition: form-data; name="csrf_token"',
        b"",
        rb"\ud800",
        b"--x--",
        b"",
    )
    headers = {"Content-Type": f"multipart/form-data; boundary=x; charset={charset}"}
    async with visit(shared) as anybody:
        await anybody.get("/login")
        answer = await anybody.client.post("/login", content=b"\r\n".join(lines), headers=headers)
    assert answer.status_code == status


@pytest.mark.parametrize("url", ["https://[", "https://", "http://x.example/a b", "https://x:y/"])
async def test_an_address_that_browsers_cannot_follow_is_refused(
    shared: Latchkey, url: str
) -> None:
    product = await shared.product("Leads away")
    path = f"/products/{product}"
    before = await digest(shared)
    answer = await shared.call("PATCH", path, 422, json={"external_url": url})
    assert "external_url: " in answer["detail"]
    assert await digest(shared) == before
