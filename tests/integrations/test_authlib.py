"""A Starlette app with Authlib's client, in a real browser: in, out, and told when it is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from authlib.integrations.starlette_client import OAuth
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from latchkey.store.oauth.clients import ClientFields
from tests.harness import Latchkey, free_port, http_client, until
from tests.integrations.conftest import PASSWORD, Member
from tests.web.relying import FIELDS, RelyingParty, register

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

LONG_ENOUGH = "a secret for the cookies of the site of the tests"


@dataclass
class Site:
    """A site as one writes it with Authlib. `over` are the sessions that it was told have ended."""

    latchkey: Latchkey
    url: str
    party: RelyingParty
    options: dict[str, str]
    over: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.oauth = OAuth()
        self.oauth.register(
            "latchkey",
            client_id=self.party.id,
            client_secret=self.party.secret,
            server_metadata_url=f"{self.latchkey.url}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email access offline_access",
                "code_challenge_method": "S256",
            },
        )

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.home),
                Route("/login", self.login),
                Route("/callback", self.callback, methods=["GET", "POST"]),
                Route("/logout", self.logout),
                Route("/told", self.told, methods=["POST"]),
            ],
            middleware=[
                Middleware(
                    SessionMiddleware,
                    secret_key=LONG_ENOUGH,
                    session_cookie="the_other_site",
                    same_site="none" if "response_mode" in self.options else "lax",
                    https_only="response_mode" in self.options,
                )
            ],
        )

    async def home(self, request: Request) -> Response:
        user = request.session.get("user")
        if user is None or user["sid"] in self.over:
            return HTMLResponse("<h1>Nobody is signed in</h1><a href='/login'>Sign in</a>")
        return HTMLResponse(
            f"<h1>Hello {user['email']}</h1><p>{', '.join(user['groups']) or 'no groups'}</p>"
            "<a href='/logout'>Sign out</a>"
        )

    async def login(self, request: Request) -> Response:
        found: Response = await self.oauth.latchkey.authorize_redirect(
            request, f"{self.url}/callback", **self.options
        )
        return found

    async def callback(self, request: Request) -> Response:
        token = await self.oauth.latchkey.authorize_access_token(request)
        user: dict[str, Any] = token["userinfo"]
        known = ("sub", "email", "groups", "sid")
        request.session["user"] = {name: user[name] for name in known}
        request.session["id_token"] = token["id_token"]
        return RedirectResponse("/", 303)

    async def logout(self, request: Request) -> Response:
        wish = {
            "id_token_hint": request.session.pop("id_token"),
            "post_logout_redirect_uri": f"{self.url}/",
        }
        request.session.clear()
        return RedirectResponse(f"{self.latchkey.url}/oauth/logout?{urlencode(wish)}", 303)

    async def told(self, request: Request) -> Response:
        form = await request.form()
        async with http_client() as client:
            keys = (await client.get(f"{self.latchkey.url}/oauth/jwks")).json()
        notice = jwt.decode(str(form["logout_token"]), KeySet.import_key_set(keys))
        assert notice.header["typ"] == "logout+jwt"
        assert notice.claims["aud"] == self.party.id
        self.over.add(notice.claims["sid"])
        return Response()


@asynccontextmanager
async def running(
    latchkey: Latchkey, options: dict[str, str], fields: ClientFields = FIELDS
) -> AsyncIterator[Site]:
    port = free_port()
    url = f"http://localhost:{port}"
    fields = replace(
        fields,
        name="The other site",
        redirect_uris=(f"{url}/callback",),
        post_logout_redirect_uris=(f"{url}/",),
        backchannel_logout_uri=f"http://127.0.0.1:{port}/told",
    )
    site = Site(latchkey, url, await register(latchkey, fields), options)
    config = uvicorn.Config(site.app(), host="localhost", port=port, log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the other site serves")
    yield site
    server.should_exit = True
    await serving


async def sign_in_here(page: Page, member: Member) -> None:
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email").fill(member.email)
    await form.get_by_label("Password").fill(PASSWORD)
    await form.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("options", [{}, {"prompt": "login"}])
async def test_in_and_out_and_told(
    shared: Latchkey, page: Page, member: Member, options: dict[str, str]
) -> None:
    async with running(shared, options) as site:
        await page.goto(f"{site.url}/login")
        await sign_in_here(page, member)
        hello = page.get_by_role("heading", name=f"Hello {member.email}")
        await expect(hello).to_be_visible()
        await expect(page.get_by_text(member.slug)).to_be_visible()

        await page.get_by_role("link", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Nobody is signed in")).to_be_visible()
        await page.goto(f"{shared.url}/account")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

        await page.goto(f"{site.url}/login")
        await sign_in_here(page, member)
        await expect(hello).to_be_visible()
        await page.goto(f"{shared.url}/account/sites")
        await expect(page.get_by_text("The other site")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url("**/login?done=signed-out")

        async def told() -> bool:
            return len(site.over) == 2

        await until(told, "the other site hears that both sessions have ended")
        await page.goto(site.url)
        await expect(page.get_by_role("heading", name="Nobody is signed in")).to_be_visible()


async def test_an_answer_that_is_posted_arrives(
    shared: Latchkey, page: Page, member: Member
) -> None:
    """The policy of that one page lets its form leave. A site that wants this keeps its session in
    a cookie that comes with requests from elsewhere."""
    async with running(shared, {"response_mode": "form_post"}) as site:
        await page.goto(f"{site.url}/login")
        await sign_in_here(page, member)
        hello = page.get_by_role("heading", name=f"Hello {member.email}")
        await expect(hello).to_be_visible()


async def test_who_lacks_the_product_pays_and_comes_back(
    shared: Latchkey, page: Page, member: Member
) -> None:
    stripe_product = await shared.stripe.product("Navigation")
    price = await shared.stripe.price(stripe_product, 2900)
    slug = f"navigation-{member.id}"
    product = await shared.product("Navigation", slug=slug)
    await shared.link(product, stripe_product)
    body = {"enabled": True, "price": price}
    await shared.call("PUT", f"/products/{product}/checkout", json=body)
    fields = replace(FIELDS, first_party=False, product_required=True, product_id=product)
    async with running(shared, {}, fields) as site:
        await page.goto(f"{site.url}/login")
        await sign_in_here(page, member)
        await page.wait_for_url(f"{shared.stripe.url}/**")
        await page.get_by_label("Card number").fill("4242424242424242")
        await page.get_by_label("Name").fill("Ada")
        await page.locator("button.pay").click()
        await page.wait_for_url("**/oauth/authorize/*")
        await page.get_by_role("button", name="Agree and continue").click()
        await expect(page.get_by_role("heading", name=f"Hello {member.email}")).to_be_visible()
        await expect(page.get_by_text(slug)).to_be_visible()
