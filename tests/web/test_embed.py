"""What pages of other sites are told: prices, and who has what; only those that an admin named."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import orjson
import pytest

from latchkey import references
from latchkey.languages import LANGUAGES
from latchkey.store import site_settings
from latchkey.store.users import embedding
from latchkey.store.users.embedding import EmbedVisitor
from latchkey.vault import Purpose, Vault
from tests.digest import digest
from tests.harness import Latchkey, http_client
from tests.web.pages import Visitor, user, visit
from web.pages.member import embed
from web.site import Site

pytestmark = pytest.mark.anyio

SHOP = "https://shop.example"
PAGE = f"{SHOP}/course?from=mail"


@pytest.fixture
async def named(shared: Latchkey) -> None:
    """Pages of the shop may ask."""
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.send("/admin/settings/embed", origins=SHOP)


@dataclass(frozen=True)
class Buyer:
    """Somebody who has the first of two live products."""

    id: int
    slug: str
    other: str


@pytest.fixture
async def buyer(shared: Latchkey) -> Buyer:
    name = uuid4().hex[:8]
    email = f"{name}@embed.example"
    slug, other = f"has-{name}", f"lacks-{name}"
    await shared.product("Has", slug=slug)
    await shared.product("Lacks", slug=other)
    made = await user(shared, email)
    await shared.call("POST", f"/products/{slug}/grants", 201, json={"email": email})
    return Buyer(made, slug, other)


@asynccontextmanager
async def a_page(site: Latchkey, origin: str = SHOP, token: str = "") -> AsyncIterator[Any]:
    """Asks as a page of that origin does, in a browser that sends no cookies of ours."""
    headers = {"Origin": origin.encode()}
    if token:
        headers["Authorization"] = f"Bearer {token}".encode("latin-1")
    async with http_client(base_url=site.url, headers=headers) as client:
        yield client


async def signed_in(visitor: Visitor, page: str = PAGE, state: str = "s") -> str:
    """The token with which somebody comes back to the page."""
    query = urlencode({"return": page, "state": state})
    ticket = await visitor.goes(f"/embed/sign-in?{query}")
    back = urlsplit(await visitor.goes(ticket))
    assert back._replace(fragment="").geturl() == page
    given = dict(parse_qsl(back.fragment))
    assert given["state"] == state
    return given["latchkey"]


async def asked(site: Latchkey, buyer: Buyer, token: str, origin: str = SHOP) -> Any:
    async with a_page(site, origin, token) as page:
        answer = await page.get(
            "/embed/access", params=[("product", buyer.slug), ("product", buyer.other)]
        )
    return answer.json()


def web_site(site: Latchkey) -> Site:
    """What the request handlers of its web process share."""
    assert site._app is not None
    found: Site = site._app.state.site
    return found


NOBODY: dict[str, Any] = {"signed_in": False, "references": {}}


@pytest.mark.usefixtures("named")
async def test_a_wrong_origin_is_refused_and_nothing_changes(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.get("/admin/settings/embed")
        before = await digest(shared)
        for wrong in (
            "https://other.example/page",
            "http://other.example",
            "null",
            "*",
            "a.example",
        ):
            given = f"{SHOP}\n{wrong}"
            answer = await admin.send("/admin/settings/embed", expect=422, origins=given)
            assert f"“{wrong}” " in answer.text
        many = "\n".join(f"https://{n}.shop.example" for n in range(51))
        answer = await admin.send("/admin/settings/embed", expect=422, origins=many)
        assert "at most 50 origins" in answer.text
        assert await digest(shared) == before


async def test_origins_are_kept_as_browsers_write_them(shared: Latchkey) -> None:
    given = "https://WWW.Shop.example:443/\n\nhttps://www.shop.example\nhttp://localhost:3000"
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.send("/admin/settings/embed", origins=given)
    async with shared.pool.acquire() as connection:
        kept = (await site_settings.read(connection)).embed_origins
    assert kept == ["http://localhost:3000", "https://www.shop.example"]


@pytest.mark.usefixtures("named")
async def test_the_price_is_the_same_for_everybody_and_cacheable(
    shared: Latchkey, buyer: Buyer
) -> None:
    async with a_page(shared) as page:
        answer = await page.get(f"/embed/products/{buyer.slug}")
        unknown = await page.get("/embed/products/no-such-product")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "Origin" in answer.headers["vary"]
    assert answer.json() == {
        "product": buyer.slug,
        "name": "Has",
        "price": None,
        "amount": None,
        "currency": None,
        "buy": None,
        "open": f"{shared.url}/products/{buyer.slug}",
    }
    assert unknown.status_code == 404
    assert unknown.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("named")
async def test_what_is_sold_has_its_prices_and_where_to_buy_it(shared: Latchkey) -> None:
    slug = f"sold-{uuid4().hex[:8]}"
    stripe_product = await shared.stripe.product("Sold")
    prices = [await shared.stripe.price(stripe_product, amount) for amount in (2900, 29000)]
    product = await shared.product("Sold", slug=slug)
    await shared.link(product, stripe_product)
    body = {"enabled": True, "price": prices[0], "payment_link": False}
    await shared.call("PUT", f"/products/{product}/checkout", json=body)
    async with a_page(shared) as page:
        one = (await page.get(f"/embed/products/{slug}")).json()
        assert (one["price"], one["buy"]) == ("$29.00 every month", f"{shared.url}/buy/{slug}")
        both = {"data": [{"price": price} for price in prices]}
        await shared.call("PUT", f"/products/{product}/prices", json=both)
        two = (await page.get(f"/embed/products/{slug}")).json()
        german = (await page.get(f"/embed/products/{slug}?lang=de-AT")).json()
        strange = (await page.get(f"/embed/products/{slug}?lang=nl")).json()
    assert two["price"] == strange["price"] == "from $29.00 every month"
    assert german["price"] == "ab 29,00\xa0$ pro Monat"


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize("origin", ["https://other.example", f"{SHOP}:8443", "null", ""])
async def test_other_origins_are_told_nothing(shared: Latchkey, buyer: Buyer, origin: str) -> None:
    async with a_page(shared, origin) as page:
        for method, path in (
            ("GET", f"/embed/products/{buyer.slug}"),
            ("GET", f"/embed/access?product={buyer.slug}"),
            ("OPTIONS", "/embed/access"),
        ):
            answer = await page.request(method, path)
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers
    async with visit(shared) as visitor:
        await visitor.get(f"/embed/sign-in?{urlencode({'return': f'{origin}/page'})}", 404)


@pytest.mark.usefixtures("named")
async def test_a_token_says_what_its_holder_has(shared: Latchkey, buyer: Buyer) -> None:
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer.id, "embed")
        token = await signed_in(visitor)
        found = await asked(shared, buyer, token)
        assert found["signed_in"] is True
        assert found["access"] == {buyer.slug: True, buyer.other: False}
        reference = found["references"].pop(buyer.other)
        assert found["references"] == {}, "who has it doesn't buy it"
        vault = Vault(shared.settings.require_secrets())
        read = references.read(reference, vault=vault, secrets=())
        assert read is not None
        assert read.user_id == buyer.id

        elsewhere = await asked(shared, buyer, token[:-4] + "AAAA")
        assert elsewhere["signed_in"] is False
        await visitor.send("/account", "/logout")
    assert await asked(shared, buyer, token) == NOBODY | {
        "access": {buyer.slug: False, buyer.other: False}
    }


@pytest.mark.usefixtures("named")
async def test_a_token_counts_for_one_origin_and_for_its_time(
    shared: Latchkey, buyer: Buyer
) -> None:
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer.id, "embed")
        await signed_in(visitor)
    session = await shared.pool.fetchval("select id from sessions where user_id = $1", buyer.id)
    vault = Vault(shared.settings.require_secrets())

    def token(purpose: Purpose = Purpose.EMBED_TOKEN, **changes: Any) -> str:
        claims = {"session": session, "origin": SHOP, "ends": int(time.time()) + 60} | changes
        return vault.seal(orjson.dumps(claims).decode(), purpose).decode()

    assert (await asked(shared, buyer, token()))["signed_in"] is True
    for refused in (
        token(origin="https://other.example"),
        token(ends=int(time.time()) - 1),
        token(Purpose.EMBED_RETURN),
        "v2:nothing",
        "é",
    ):
        assert (await asked(shared, buyer, refused))["signed_in"] is False


@pytest.mark.usefixtures("named")
async def test_the_cookie_counts_before_a_token(shared: Latchkey, buyer: Buyer) -> None:
    other = await user(shared, f"other-{buyer.slug}@embed.example")
    async with visit(shared) as elsewhere, visit(shared) as visitor:
        await elsewhere.sign_in_as(other, "other")
        await visitor.sign_in_as(buyer.id, "embed")
        token = await signed_in(elsewhere)
        found = await visitor.get(
            f"/embed/access?product={buyer.slug}",
            headers={"Origin": SHOP, "Authorization": f"Bearer {token}"},
        )
    assert found.json()["access"] == {buyer.slug: True}
    assert (await asked(shared, buyer, token))["access"][buyer.slug] is False


@pytest.mark.usefixtures("named")
async def test_an_origin_that_is_no_longer_named_gets_no_token(
    shared: Latchkey, buyer: Buyer
) -> None:
    async with visit(shared) as visitor, visit(shared) as admin:
        await visitor.sign_in_as(buyer.id, "embed")
        query = urlencode({"return": PAGE, "state": "s"})
        ticket = await visitor.goes(f"/embed/sign-in?{query}")
        assert (await visitor.get(ticket, 303)).headers["referrer-policy"] == "no-referrer"
        await admin.sign_in()
        await admin.send("/admin/settings/embed", origins="")
        await visitor.get(ticket, 404)


async def test_what_a_visitor_has_depends_on_the_product(shared: Latchkey, buyer: Buyer) -> None:
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer.id, "embed")
    rules = web_site(shared).session_rules
    session = await shared.pool.fetchval("select id from sessions where user_id = $1", buyer.id)
    somebody = EmbedVisitor("", session, staff_factor=False, member_factor=False)
    nobody = replace(somebody, session_id=None)

    async def has(visitor: EmbedVisitor) -> list[tuple[int | None, bool]]:
        async with shared.pool.acquire() as connection:
            found = await embedding.answer(connection, [buyer.other], visitor, rules=rules)
        return [(one.user_id, one.access) for one in found]

    async def set_product(name: str, value: str) -> None:
        await shared.pool.execute(
            f"update products set {name} = $2 where slug = $1", buyer.other, value
        )

    assert await has(somebody) == [(buyer.id, False)]
    await set_product("access_mode", "signed_in")
    assert (await has(somebody), await has(nobody)) == ([(buyer.id, True)], [(None, False)])
    without = replace(somebody, member_factor=True)
    assert await has(without) == [(None, False)], "the second factor that the site requires"
    assert await has(replace(somebody, staff_factor=True)) == [(buyer.id, True)]
    await shared.pool.execute("update sessions set second_factor = 'app' where id = $1", session)
    assert await has(without) == [(buyer.id, True)]
    await set_product("access_mode", "public")
    assert await has(nobody) == [(None, True)]
    await set_product("status", "draft")
    assert await has(somebody) == []


@pytest.mark.usefixtures("named")
async def test_the_cookie_says_it_on_the_sites_own_domain(shared: Latchkey, buyer: Buyer) -> None:
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer.id, "embed")
        asking: dict[str, Any] = {"headers": {"Origin": SHOP}}
        found = await visitor.get(f"/embed/access?product={buyer.slug}", **asking)
        assert found.json()["access"] == {buyer.slug: True}
        assert found.headers["access-control-allow-credentials"] == "true"
        assert found.headers["cache-control"] == "no-store"
        await visitor.get("/embed/access", 400, **asking)
        await visitor.get(f"/embed/access?{'product=x&' * 51}", 400, **asking)


@pytest.mark.usefixtures("named")
async def test_an_admin_who_sees_the_site_as_a_member_is_nobody(
    shared: Latchkey, buyer: Buyer
) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.see_as(buyer.id)
        asking: dict[str, Any] = {"headers": {"Origin": SHOP}}
        found = await admin.get(f"/embed/access?product={buyer.slug}", **asking)
        assert found.json() == NOBODY | {"access": {buyer.slug: False}}
        ticket = await admin.goes(f"/embed/sign-in?{urlencode({'return': PAGE, 'state': 's'})}")
        await admin.get(ticket, 403)


@pytest.mark.usefixtures("named")
async def test_browsers_may_ask_with_a_token(shared: Latchkey) -> None:
    async with a_page(shared) as page:
        answer = await page.options("/embed/access")
        script = await page.get("/embed.js")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == "Authorization"
    assert len(script.content) < 8000
    assert script.headers["cross-origin-resource-policy"] == "cross-origin"


def test_the_script_says_everything_once_in_each_language_and_the_sites_first() -> None:
    script = embed._script(LANGUAGES["tr"]).decode()
    words = orjson.loads(re.findall(r"const words = (\{.*\});", script)[0])
    assert next(iter(words)) == "tr"
    assert words.keys() == LANGUAGES.keys()
    assert words["en"][:2] == ["Open {name}", "Buy {name}"]
    for language, said in words.items():
        filled = [set(re.findall(r"[{}%]\w*[})]?", text)) for text in said]
        assert filled == [{"{name}"}, {"{name}"}, {"{name}", "{price}"}, set()], language


async def test_the_script_comes_even_if_the_database_is_away(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(web_site(shared), "refresh_look", away)
    async with a_page(shared) as page:
        assert (await page.get("/embed.js")).status_code == 200
        assert (await page.get("/embed/products/any")).status_code == 503


@pytest.mark.usefixtures("named")
async def test_a_strange_address_to_come_back_to_is_refused(shared: Latchkey) -> None:
    long = f"{SHOP}/{'x' * embed.LONGEST_RETURN}"
    async with visit(shared) as visitor:
        for strange in ("", "https://[", f"{SHOP}℀/", f"{SHOP}\\@evil.example/", "\t"):
            query = urlencode({"return": strange, "state": "s"})
            assert "name its origin" in (await visitor.get(f"/embed/sign-in?{query}", 404)).text
        query = urlencode({"return": long, "state": "s"})
        assert "is too long" in (await visitor.get(f"/embed/sign-in?{query}", 404)).text
        query = urlencode({"return": PAGE, "state": "s" * 65})
        await visitor.get(f"/embed/sign-in?{query}", 404)


async def test_a_strange_ticket_signs_nobody_in(shared: Latchkey, buyer: Buyer) -> None:
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer.id, "embed")
        await visitor.get("/embed/sign-in/v2:nothing", 404)
        await visitor.get("/embed/sign-in", 404)
