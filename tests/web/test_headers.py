"""The headers of every kind of response, and what an error gives away."""

import re
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from latchkey.settings import Settings
from latchkey.store.products import products
from tests.harness import Latchkey
from tests.web.pages import visit
from web.security import SecurityHeaders

pytestmark = pytest.mark.anyio

CACHED = ("/static/", "/theme.css")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/login", 200),
        ("GET", "/library", 303),
        ("GET", "/login/", 308),
        ("GET", "/nothing", 404),
        ("POST", "/login", 403),
        ("GET", "/static/latchkey.css", 200),
        ("GET", "/static/icon.svg", 200),
        ("GET", "/static/nothing.css", 404),
        ("GET", "/theme.css", 200),
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/users", 401),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/webhooks/stripe", 405),
        ("POST", "/webhooks/stripe", 400),
    ],
)
async def test_every_kind_of_response_has_the_headers(
    shared: Latchkey, method: str, path: str, status: int
) -> None:
    async with visit(shared) as visitor:
        answer = await visitor.client.request(method, path)
    assert answer.status_code == status
    headers = answer.headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers or "uvicorn" in headers["server"], "the command hides it"
    assert (headers["cache-control"] == "no-store") is not path.startswith(CACHED) or status == 404
    kind = headers.get("content-type", "")
    assert not kind.startswith("text/") or "charset=utf-8" in kind, kind


async def test_lists_of_people_are_not_cached(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        for path in ("/admin/users.csv", "/admin/activity.csv", "/account"):
            assert (await admin.get(path)).headers["cache-control"] == "no-store", path


async def test_signing_out_clears_what_the_browser_kept(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        answer = await admin.send("/account", "/logout")
        assert answer.headers["clear-site-data"] == '"cache", "storage"'


@pytest.mark.parametrize(
    ("hsts", "public_url", "wanted"),
    [
        ("host", "https://x.example", "max-age=31536000"),
        ("subdomains", "https://x.example", "max-age=31536000; includeSubDomains"),
        ("off", "https://x.example", None),
        ("subdomains", "http://127.0.0.1:8000", None),
    ],
)
async def test_browsers_are_told_to_stay_on_https(
    hsts: str, public_url: str, wanted: str | None
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    given: Any = {"LATCHKEY_HSTS": hsts, "LATCHKEY_PUBLIC_URL": public_url}
    wrapped = SecurityHeaders(app, Settings.model_validate(given))
    await wrapped({"type": "http"}, None, send)  # type: ignore[arg-type]
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert headers.get("strict-transport-security") == wanted


async def test_a_broken_call_says_nothing_of_the_cause(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("select secret from somewhere")

    monkeypatch.setattr(products, "find", broken)
    answer = await shared.api.get("/products/x")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    async with visit(shared) as visitor:
        page = await visitor.client.get("/products/x")
    for shown in (answer, page):
        assert shown.status_code == 500
        assert not re.search("secret|RuntimeError|Traceback", shown.text)
        assert shown.headers["x-content-type-options"] == "nosniff"
