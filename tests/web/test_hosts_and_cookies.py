"""Cookies, host names, and where forms may lead."""

from types import SimpleNamespace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from latchkey import signin_links
from latchkey.settings import Settings
from tests.harness import SECRETS, Latchkey, http_client
from tests.web.pages import left_for, user, visit
from web.hosts import KnownHosts
from web.security import (
    SESSION_COOKIE,
    forget_cookie,
    read_cookie,
    session_token,
    set_cookie,
)

pytestmark = pytest.mark.anyio


async def _cookies(request: Request) -> Response:
    response = PlainTextResponse(f"{session_token(request)}|{read_cookie(request, 'other')}")
    if "set" in request.query_params:
        set_cookie(request, response, SESSION_COOKIE, "a token", max_age=60)
    if "forget" in request.query_params:
        forget_cookie(request, response, SESSION_COOKIE)
    return response


def _client(public_url: str) -> httpx.AsyncClient:
    """A site of one page, reached at its public address."""
    app = Starlette(routes=[Route("/", _cookies)])
    app.state.site = SimpleNamespace(public_url=public_url, secrets=SECRETS)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=public_url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://members.example.com", "__Host-latchkey_session"),
        ("http://127.0.0.1:8000", "latchkey_session"),
    ],
)
async def test_cookies_are_bound_to_the_host_over_https(url: str, name: str) -> None:
    async with _client(url) as client:
        given = (await client.get("/?set=1")).headers["set-cookie"].lower()
        assert given.startswith(f'{name.lower()}="a token";')
        assert "path=/" in given
        assert "httponly" in given
        assert "samesite=lax" in given
        assert "domain" not in given
        assert ("secure" in given) is url.startswith("https")
        assert (await client.get("/")).text == "a token|None"
        assert name in client.cookies
        await client.get("/?forget=1")
        assert (await client.get("/")).text == "|None"


async def test_a_cookie_that_another_host_may_have_set_is_ignored_over_https() -> None:
    async with _client("https://members.example.com") as client:
        planted = {"Cookie": "latchkey_session=planted"}
        assert (await client.get("/", headers=planted)).text == "|None"


@pytest.mark.parametrize("path", ["/login", "/", "/theme.css", "/static/latchkey.css"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil", ""])
async def test_foreign_hosts_are_refused(shared: Latchkey, host: str, path: str) -> None:
    async with http_client(base_url=shared.url) as client:
        answer = await client.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert shared.url in answer.text
    assert "LATCHKEY_ALLOWED_HOSTS" in answer.text
    assert "set-cookie" not in answer.headers


async def test_the_api_refuses_foreign_hosts_as_a_problem(shared: Latchkey) -> None:
    answer = await shared.api.get("/products", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/webhooks/stripe"])
async def test_machines_ask_by_any_name(shared: Latchkey, path: str) -> None:
    async with http_client(base_url=shared.url) as client:
        answer = await client.get(path, headers={"Host": "10.0.0.7:8000"})
    assert answer.status_code == (405 if "webhooks" in path else 200)


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ("", "members.example.com", 200),
        ("", "MEMBERS.example.com:443", 200),
        ("", "localhost:8000", 200),
        ("", "[::1]:8000", 200),
        ("", "web:8000", 400),
        ("web, Other.example", "web:8000", 200),
        ("web, Other.example", "other.example", 200),
        ("*", "anything.example", 200),
    ],
)
async def test_host_names_can_be_added(allowed: str, host: str, status: int) -> None:
    settings = Settings.model_validate(
        {
            "LATCHKEY_PUBLIC_URL": "https://members.example.com",
            "LATCHKEY_ALLOWED_HOSTS": allowed,
        }
    )
    app = KnownHosts(PlainTextResponse("here"), settings=settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        answer = await client.get("http://any/", headers={"Host": host})
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("hosts", "status"),
    [(["members.example.com"], 200), (["members.example.com", "evil.example"], 400), ([], 400)],
)
async def test_a_request_names_one_host(hosts: list[str], status: int) -> None:
    """Of two, a proxy may go by one and the site by the other."""
    settings = Settings.model_validate({"LATCHKEY_PUBLIC_URL": "https://members.example.com"})
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", host.encode()) for host in hosts]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    await KnownHosts(PlainTextResponse("here"), settings=settings)(scope, receive, send)
    assert sent[0]["status"] == status


async def test_forms_stay_on_the_site(shared: Latchkey) -> None:
    for path in ("/login", "/nothing", "/api/v1/openapi.json"):
        async with visit(shared) as visitor:
            policy = (await visitor.client.get(path)).headers["content-security-policy"]
        assert "form-action 'self';" in policy, path


async def test_signing_in_leads_on_to_a_purchase_by_a_page(shared: Latchkey) -> None:
    """`/buy` redirects to Stripe, where a form may not lead."""
    member = await user(shared, "buys-next@headers.example")
    async with visit(shared) as visitor:
        epoch = await shared.pool.fetchval("select link_epoch from users where id = $1", member)
        link = signin_links.sign(member, "buys-next", secrets=SECRETS, epoch=epoch)
        answer = await visitor.send(f"/login/{link}?next=/buy/some", expect=200)
        assert left_for(answer) == "/buy/some"
