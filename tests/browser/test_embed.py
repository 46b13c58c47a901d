"""A page of another site, under a strict content security policy, in a real browser: it shows the
price, in its visitor's language, learns who its visitor is, and opens what they have."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from re import Pattern
from uuid import uuid4

import pytest
import uvicorn
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from latchkey import passwords
from latchkey.store import site_settings
from tests.browser.conftest import OpenPage
from tests.harness import Latchkey, free_port, until
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PAGE = """
<!doctype html><html lang="en"><head><title>The shop</title></head><body><h1>The shop</h1>
<p><script src="{site}/embed.js" data-product="{slug}" async></script></p>
<div data-latchkey="{slug}" hidden>The lesson</div>
<div data-latchkey-not="{slug}">The teaser</div>
<div data-latchkey-pricing-table="prctbl_1" data-publishable-key="pk_1" data-product="{slug}"></div>
</body></html>
"""
IN_LANGUAGES = """
<!doctype html><title>The shop</title>
<p id="browser"><script src="{site}/embed.js" data-product="{slug}" async></script></p>
<p lang="ar"><script src="{site}/embed.js" data-product="{slug}" async></script></p>
<p lang="fr"><script src="{site}/embed.js" data-product="{slug}" data-lang="DE_at" async></script>
<p lang="ja"><script src="{site}/embed.js" data-product="{slug}" data-lang="nl" async></script></p>
<p id="own"><script src="{site}/embed.js" data-product="{slug}" data-buy="Join" async></script></p>
"""
PASSWORD = "purple anvils sing"


@asynccontextmanager
async def serving(site: Latchkey, slug: str, host: str, html: str = PAGE) -> AsyncIterator[str]:
    """A page of another origin. `localhost` is another site than 127.0.0.1, whose cookies browsers
    don't send; another port of 127.0.0.1 is the same site."""
    policy = f"default-src 'none'; script-src {site.url}; connect-src {site.url}"
    text = html.format(site=site.url, slug=slug)

    async def page(request: Request) -> Response:
        return HTMLResponse(text, headers={"Content-Security-Policy": policy})

    port = free_port()
    app = Starlette(routes=[Route("/course", page), Route("/favicon.ico", page)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the other site serves")
    origin = f"http://{host}:{port}"
    async with site.pool.acquire() as connection, connection.transaction():
        await site_settings.change(connection, embed_origins=[origin])

    async def known() -> bool:
        answer = await site.api.get(f"{site.url}/embed/products/{slug}", headers={"Origin": origin})
        return answer.status_code == 200

    await until(known, "the web process has read the setting")
    yield f"{origin}/course?from=mail"
    server.should_exit = True
    await task


async def sold(site: Latchkey, slug: str, name: str = "Lesson") -> str:
    """A product that is sold; its id."""
    stripe_product = await site.stripe.product(name)
    price = await site.stripe.price(stripe_product, 2900, every=None)
    product = await site.product(name, slug=slug)
    await site.link(product, stripe_product)
    body = {"enabled": True, "price": price, "payment_link": False}
    await site.call("PUT", f"/products/{product}/checkout", json=body)
    return product


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_page_elsewhere_learns_what_its_visitor_has(
    shared: Latchkey, page: Page, host: str
) -> None:
    name = uuid4().hex[:8]
    slug, email = f"lesson-{name}", f"{name}@shop.example"
    await sold(shared, slug)
    made = await user(shared, email)
    hashed = await passwords.hash_password(PASSWORD)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", made, hashed)

    async with serving(shared, slug, host) as address:
        await page.goto(address)
        buy = page.get_by_role("link", name="Buy Lesson: $29.00 once", exact=True)
        assert await buy.get_attribute("href") == f"{shared.url}/buy/{slug}"
        await expect(page.get_by_text("The teaser", exact=True)).to_be_visible()
        await expect(page.get_by_text("The lesson", exact=True)).to_be_hidden()
        table = page.locator("stripe-pricing-table[pricing-table-id=prctbl_1]")
        await expect(table).to_have_attribute("publishable-key", "pk_1")
        assert await table.get_attribute("client-reference-id") is None

        if host == "localhost":
            await page.goto(f"{address}&campaign={'x' * 300}")
            address = address.partition("?")[0]
        await page.get_by_role("link", name="Bought it already? Sign in", exact=True).click()
        await page.get_by_label("Email", exact=True).first.fill(email)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.wait_for_url(address)
        await expect(buy).to_be_visible()
        await expect(
            page.get_by_role("link", name="Bought it already? Sign in", exact=True)
        ).to_have_count(0)
        reference = await table.get_attribute("client-reference-id")
        assert reference is not None
        assert reference.startswith("lk2_")

        await shared.call("POST", f"/products/{slug}/grants", 201, json={"email": email})
        await page.reload()
        await expect(page.get_by_role("link", name="Open Lesson", exact=True)).to_be_visible()
        await expect(page.get_by_text("The lesson", exact=True)).to_be_visible()
        await expect(page.get_by_text("The teaser", exact=True)).to_be_hidden()

        if host == "127.0.0.1":
            await page.evaluate("localStorage.clear()")
            await page.reload()
            await expect(page.get_by_role("link", name="Open Lesson", exact=True)).to_be_visible()

        await page.evaluate("localStorage.clear()")
        await page.goto(f"{address}#latchkey=v2:planted&state=guessed")
        await page.reload()
        assert await page.evaluate("localStorage.getItem('latchkey')") is None


async def test_buttons_speak_the_language_of_their_place_or_of_their_visitor(
    shared: Latchkey, open_page: OpenPage
) -> None:
    slug, name = f"lesson-{uuid4().hex[:8]}", "A$$ {price} $&"
    await sold(shared, slug, name)
    page = await open_page(locale="pt-PT")
    async with serving(shared, slug, "localhost", IN_LANGUAGES) as address:
        await page.goto(address)

        async def says(place: str, buy: str | Pattern[str], sign_in: str) -> None:
            await expect(page.locator(f"{place} .latchkey-buy")).to_have_text(buy)
            await expect(page.locator(f"{place} .latchkey-sign-in")).to_have_text(sign_in)

        await says("#browser", f"Comprar {name}: US$\xa029,00 uma vez", "Já comprou? Entrar")
        arabic_buy = re.compile(f"^شراء {re.escape(name)}: .*29.00.* مرة واحدة$")
        await says("[lang=ar]", arabic_buy, "هل اشتريته من قبل؟ سجّل الدخول")
        await says("[lang=fr]", f"{name} kaufen: 29,00\xa0$ einmalig", "Schon gekauft? Anmelden")
        japanese_buy = re.compile(f"^{re.escape(name)}を購入：.*29")
        await says("[lang=ja]", japanese_buy, "すでに購入済みですか？ログイン")
        await says("#own", "Join", "Já comprou? Entrar")
        arabic = page.locator("[lang=ar] .latchkey-buy")
        assert await arabic.evaluate("link => link.matches(':dir(rtl)')")
        assert await page.locator("#own .latchkey-buy").get_attribute("lang") is None
