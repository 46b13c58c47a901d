"""nginx, Caddy, HAProxy and Traefik in front of a site that knows nothing of accounts, with the
configurations of `integrations/`."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.browser.conftest import OpenPage
from tests.harness import Latchkey, free_port, http_client
from tests.integrations.conftest import PASSWORD, Member
from tests.integrations.install import proxies
from tests.integrations.proxies import Front, running, site_behind
from tests.integrations.test_authlib import sign_in_here
from tests.web.pages import Visitor, visit
from tests.web.protected import protect

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

FRONTS = sorted(proxies())
CLIENT_SENT = {
    "X-Latchkey-User": "1",
    "X-Latchkey-Email": "root@evil.example",
    "X-Latchkey-Products": "everything",
    "X_Latchkey_User": "1",
    "X-Latchkey_User": "1",
    "x_latchkey-user": "1",
    "X_LATCHKEY_PRODUCTS": "everything",
    "X_Latchkey_Email": "root@evil.example",
    "X-Original-URL": "https://evil.example/",
    "X-Original-Method": "GET",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Uri": "/elsewhere",
    "X-Forwarded-Method": "GET",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the program's own user can read, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="latchkey-proxy-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@asynccontextmanager
async def fronted(
    name: str, folder: Path, latchkey: str, product: str, *, https: bool = False
) -> AsyncIterator[Front]:
    async with site_behind() as behind:
        address = latchkey.removeprefix("http://")
        front = Front(name, folder, free_port(), behind, address, product, https)
        async with running(front):
            yield front


@pytest.mark.parametrize("name", FRONTS)
async def test_a_member_signs_in_reads_and_is_let_out(
    shared: Latchkey, page: Page, member: Member, folder: Path, name: str
) -> None:
    async with fronted(name, folder, shared.url, member.slug) as front:
        await protect(shared, front.origin, member.product)
        wanted = f"{front.origin}/week/1?part=a%2Fb&to=https://x.example/"
        await page.goto(wanted)
        await sign_in_here(page, member)
        await expect(page.get_by_role("heading", name=f"Hello {member.email}")).to_be_visible()
        assert page.url == wanted
        grant = await shared.pool.fetchval("select id from grants where user_id = $1", member.id)
        await shared.call("DELETE", f"/grants/{grant}")
        await page.reload()
        await expect(page.get_by_role("heading", name="Hello")).to_have_count(0)
        assert page.url.startswith(f"{shared.url}/buy/{member.slug}")


@pytest.mark.parametrize("name", [name for name in FRONTS if name in ("nginx", "caddy")])
async def test_who_lacks_the_product_pays_and_reads_until_it_is_cancelled(
    shared: Latchkey, page: Page, member: Member, folder: Path, name: str
) -> None:
    stripe_product = await shared.stripe.product("Navigation")
    price = await shared.stripe.price(stripe_product, 2900)
    slug = f"navigation-{member.id}"
    product = await shared.product("Navigation", slug=slug)
    await shared.link(product, stripe_product)
    await shared.call(
        "PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price}
    )
    async with fronted(name, folder, shared.url, slug) as front:
        await protect(shared, front.origin, product)
        wanted = f"{front.origin}/week/2?from=email"
        await page.goto(wanted)
        await sign_in_here(page, member)
        await page.wait_for_url(f"{shared.stripe.url}/**")
        await page.get_by_label("Card number").fill("4242424242424242")
        await page.get_by_label("Name").fill("Ada")
        await page.locator("button.pay").click()
        await page.wait_for_url(wanted)
        await expect(page.get_by_role("heading", name=f"Hello {member.email}")).to_be_visible()
        subscription = await shared.pool.fetchval(
            "select id from subscriptions where user_id = $1", member.id
        )
        await shared.stripe.client.delete(f"/v1/subscriptions/{subscription}")
        await shared.has(product, member.email, access=False)
        await page.reload()
        await page.wait_for_url(f"{shared.stripe.url}/**")


@pytest.mark.parametrize("name", [name for name in FRONTS if name == "nginx"])
async def test_over_https(
    shared: Latchkey, open_page: OpenPage, member: Member, folder: Path, name: str
) -> None:
    """Browsers take the cookies, whose names bind them to the host."""
    async with fronted(name, folder, shared.url, member.slug, https=True) as front:
        await protect(shared, front.origin, member.product)
        page = await open_page(ignore_https_errors=True)
        await page.goto(f"{front.origin}/week/1")
        await sign_in_here(page, member)
        await expect(page.get_by_role("heading", name=f"Hello {member.email}")).to_be_visible()
        kept = {one["name"]: one for one in await page.context.cookies(front.origin)}
        assert set(kept) == {"__Host-latchkey_entry", "__Host-latchkey_pass"}
        for cookie in kept.values():
            assert cookie["secure"]
            assert cookie["httpOnly"]
            assert (cookie["sameSite"], cookie["path"]) == ("Lax", "/")


async def enter(visitor: Visitor, front: Front) -> dict[str, str]:
    """Sign in through the program, as a browser without JavaScript does; the site's cookies."""
    answer = await visitor.client.get(f"{front.origin}/headers", follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert str(answer.url) == f"{front.origin}/headers"
    return {
        one.name: str(one.value) for one in visitor.client.cookies.jar if "127" not in one.domain
    }


@pytest.mark.parametrize("name", FRONTS)
async def test_requests_of_every_kind(
    shared: Latchkey, member: Member, folder: Path, name: str
) -> None:
    async with (
        fronted(name, folder, shared.url, member.slug) as front,
        http_client(base_url=front.origin) as stranger,
        visit(shared) as visitor,
    ):
        unknown = await stranger.get("/headers")
        assert unknown.status_code == 403, "nobody has named this site"
        await protect(shared, front.origin, member.product)
        await visitor.sign_in(member.email, PASSWORD)

        led = await stranger.get("/headers?a=b")
        way = urlsplit(led.headers["location"])
        assert led.status_code == 302
        assert f"{way.scheme}://{way.netloc}{way.path}" == f"{front.origin}/.latchkey/enter"
        assert parse_qs(way.query) == {"product": [member.slug], "to": ["/headers?a=b"]}
        assert (await stranger.head("/headers")).status_code == 302
        for refused in (
            await stranger.post("/headers", content="x"),
            await stranger.get("/headers", headers={"Sec-Fetch-Mode": "cors"}),
        ):
            assert refused.status_code == 401
            assert "location" not in refused.headers
            assert "sign in" in refused.text
        forged = await stranger.get("/headers", headers=CLIENT_SENT)
        assert forged.status_code in (302, 400, 403)
        assert "evil" not in forged.headers.get("location", "")
        await refuses_socket(front, {}, 401)
        assert (await stranger.get("/.latchkey/verify")).status_code == 404
        assert (await stranger.get("/.latchkey/ticket?t=x")).status_code == 403

        kept = await enter(visitor, front)
        assert set(kept) == {"latchkey_entry", "latchkey_pass"}
        cookies = "; ".join(f"{name}={value}" for name, value in kept.items())
        body = "x" * 100_000
        posted = await stranger.post(
            "/headers", content=body, headers={"Cookie": cookies, **CLIENT_SENT}
        )
        assert posted.status_code == 200, posted.text
        told = posted.json()
        assert (told["method"], told["body"]) == ("POST", body)
        learnt = {key: value for key, value in told["headers"].items() if "latchkey" in key}
        learnt.pop("cookie", None)
        assert learnt == {
            "x-latchkey-user": str(member.id),
            "x-latchkey-email": member.email,
            "x-latchkey-products": member.slug,
        }
        headed = await stranger.head("/week", headers={"Cookie": cookies})
        assert (headed.status_code, headed.content) == (200, b"")
        socket = f"ws://localhost:{front.port}/socket"
        async with connect(socket, additional_headers={"Cookie": cookies}) as connection:
            assert await connection.recv() == member.email

        await shared.pool.execute("update grants set until = now() where user_id = $1", member.id)
        await refuses_socket(front, {"Cookie": cookies}, 403)
        ended = await stranger.post("/headers", headers={"Cookie": cookies})
        assert ended.status_code == 403
        assert ended.text


async def refuses_socket(front: Front, headers: dict[str, str], status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://localhost:{front.port}/socket", additional_headers=headers):
            pass
    assert refused.value.response.status_code == status


@pytest.mark.parametrize("name", FRONTS)
async def test_nobody_is_let_in_while_latchkey_is_away(
    member: Member, folder: Path, name: str
) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    async with (
        fronted(name, folder, away, member.slug) as front,
        http_client(base_url=front.origin) as stranger,
    ):
        for answer in (
            await stranger.get("/week"),
            await stranger.post("/headers", headers={"X-Latchkey-User": "1"}),
        ):
            says_why = name != "traefik"
            assert answer.status_code == (503 if says_why else 500)
            assert ("Back in a moment" in answer.text) is says_why


@pytest.mark.parametrize("name", FRONTS)
async def test_a_product_that_does_not_open_the_site(
    shared: Latchkey, member: Member, folder: Path, name: str
) -> None:
    async with fronted(name, folder, shared.url, "something-else") as front:
        await protect(shared, front.origin, member.product)
        async with http_client(base_url=front.origin) as stranger:
            assert (await stranger.get("/week")).status_code == 403
