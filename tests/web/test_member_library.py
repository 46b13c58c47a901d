"""The library, locked products and sales pages."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from tests.harness import Latchkey, until
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@pytest.fixture
async def open_library(shared: Latchkey) -> AsyncIterator[None]:
    """Open the library to visitors for the duration of the test."""
    await _public(shared, True)
    yield
    await _public(shared, False)


async def _public(site: Latchkey, value: bool) -> None:
    await _set(site, public_content=value)


async def _set(site: Latchkey, **values: Any) -> None:
    """Change some of the site's settings."""
    await site.pool.execute(
        """
        insert into site_settings (key, value) values ('site', $1)
        on conflict (key) do update set value = site_settings.value || excluded.value
        """,
        values,
    )


async def sold(site: Latchkey, name: str, **price: Any) -> tuple[str, str]:
    """A product with a checkout: its id and price."""
    stripe_product = await site.stripe.product(name)
    price_id = await site.stripe.price(stripe_product, 2900, **price)
    product = await site.product(name)
    await site.link(product, stripe_product)
    await site.call(
        "PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price_id}
    )
    return product, price_id


def tile(text: str, name: str) -> str:
    """The text of one card."""
    found = [part for part in re.findall(r"<li>(.*?)</li>", text, re.S) if f">{name}<" in part]
    assert len(found) <= 1, f"{len(found)} cards {name}"
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split()) if found else ""


def address(text: str, name: str) -> str:
    found = re.search(rf'<a class="tile[^"]*" href="([^"]+)">(?:(?!</a>).)*>{name}<', text, re.S)
    assert found, f"no card {name}"
    return found[1]


async def test_each_state_of_a_card(shared: Latchkey, visitor: Visitor) -> None:
    mine, _ = await sold(shared, "Lib Mine")
    await sold(shared, "Lib Once", every=None)
    ending, ending_price = await sold(shared, "Lib Ending")
    trouble, trouble_price = await sold(shared, "Lib Trouble")
    await shared.product("Lib Plain")
    hidden, _ = await sold(shared, "Lib Hidden")
    await shared.pool.execute("update products set show_locked = false where id = $1", hidden)
    await shared.call("POST", "/products", 201, json={"name": "Lib Draft"})
    await shared.product("Lib Signed", access_mode="signed_in")
    email = "states@library.example"
    await shared.call("POST", f"/products/{mine}/grants", 201, json={"email": email})
    session = await shared.stripe.buy(email, ending_price)
    await shared.stripe.control(f"subscriptions/{session['subscription']}/portal_cancel")
    late = await shared.stripe.buy(email, trouble_price)
    await shared.has(ending, email)
    await shared.has(trouble, email)
    await shared.settled()
    await shared.pool.execute(
        "update subscriptions set status = 'past_due' where id = $1", late["subscription"]
    )
    await visitor.sign_in_as(await user(shared, email), "states")
    text = (await visitor.get("/library", params={"q": "Lib "})).text
    assert "Yours" in tile(text, "Lib Mine")
    assert re.search(r"Cancelled, ends on \d+ \w+ 20\d\d", tile(text, "Lib Ending"))
    assert "Payment problem" in tile(text, "Lib Trouble")
    assert tile(text, "Lib Once").endswith("Locked $29.00 once Buy")
    assert address(text, "Lib Once") == "/buy/lib-once"
    assert "Included" in tile(text, "Lib Signed")
    for absent in ("Lib Hidden", "Lib Draft", "Lib Plain"):
        assert tile(text, absent) == "", "what leads nowhere is not shown"
    plain = (await visitor.get("/products/lib-plain", 403)).text
    assert "for sale at the moment" in plain
    names = re.findall(r'class="name wrap">([^<]+)', text)
    assert names == sorted(names[:4]) + sorted(names[4:])
    assert "Lib Once" in names[4:]
    await shared.pool.execute(
        "update grants set ended_at = now() where source_id = $1", late["subscription"]
    )
    text = (await visitor.get("/library", params={"q": "Lib Trouble"})).text
    assert "Locked: payment failed" in tile(text, "Lib Trouble")
    assert "Update your card" in tile(text, "Lib Trouble")
    locked = await visitor.get("/products/lib-trouble", 403)
    assert "Update your card" in locked.text
    assert "No results" in (await visitor.get("/library?q=no+such+thing")).text


async def test_former_products_stay_on_the_shelf(shared: Latchkey, visitor: Visitor) -> None:
    """Former products stay visible and say what can be done, or that nothing can."""
    product = await shared.product("Was Mine")
    email = "was@library.example"
    given = await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    await visitor.sign_in_as(await user(shared, email), "was")
    assert "Yours" in tile((await visitor.get("/library?q=Was")).text, "Was Mine")
    await shared.call("DELETE", f"/grants/{given['id']}")
    text = (await visitor.get("/library?q=Was")).text
    words = "Your access has ended Not for sale at the moment."
    assert tile(text, "Was Mine").endswith(words)
    locked = unescape((await visitor.get(address(text, "Was Mine"), 403)).text)
    assert "Your access has ended" in locked
    assert "write to" not in locked
    await _set(shared, reply_to="help@library.example")
    async with visit(shared) as stranger:
        await stranger.sign_in_as(await user(shared, "no@library.example"), "no")
        assert tile((await stranger.get("/library?q=Was")).text, "Was Mine") == ""

        async def contact() -> bool:
            page = (await stranger.get("/products/was-mine", 403)).text
            return "mailto:help@library.example" in page

        await until(contact, "the page says whom to ask")
    await _set(shared, reply_to=None)
    await shared.pool.execute("update products set show_locked = false where id = $1", product)
    assert tile((await visitor.get("/library?q=Was")).text, "Was Mine") == ""


async def test_visitors_see_the_library_if_the_site_allows_it(
    shared: Latchkey, visitor: Visitor, open_library: None
) -> None:
    await sold(shared, "Vis Locked")
    await shared.product("Vis Public", access_mode="public")
    await shared.product("Vis Signed", access_mode="signed_in")
    assert await visitor.goes("/") == "/library"
    text = (await visitor.get("/library?q=Vis")).text
    assert tile(text, "Vis Locked").endswith("$29.00 every month Subscribe")
    assert "Free for everyone" in tile(text, "Vis Public")
    assert tile(text, "Vis Signed").endswith("Sign in to open")
    assert address(text, "Vis Signed") == "/login?next=/products/vis-signed"
    locked = await visitor.get("/products/vis-locked", 403)
    assert 'href="/buy/vis-locked"' in locked.text
    await _public(shared, False)
    assert await visitor.goes("/library") == "/login?next=/library"
    assert await visitor.goes("/products/vis-locked") == "/login?next=/products/vis-locked"
    assert await visitor.goes("/") == "/login"


async def test_a_long_library_is_paged(shared: Latchkey, visitor: Visitor) -> None:
    await shared.pool.execute(
        """
        insert into products (id, slug, name, status, access_mode)
        select 'prd_page_' || n, 'shelf-' || n, 'Shelved ' || lpad(n::text, 3, '0'), 'live',
               'signed_in'
          from generate_series(1, 130) n
        """
    )
    await visitor.sign_in_as(await user(shared, "pages@library.example"), "pages")
    seen: list[str] = []
    path = "/library?q=Shelved+"
    for _ in range(3):
        text = (await visitor.get(path)).text
        seen += re.findall(r'class="name wrap">([^<]+)', text)
        more = re.search(r'rel="next" href="([^"]+)"', text)
        path = f"/library{unescape(more[1])}" if more else ""
    assert path == ""
    assert seen == [f"Shelved {n:03}" for n in range(1, 131)]
    await visitor.get("/library?after=1:x%00:y", 400)
    await shared.pool.execute("delete from products where id like 'prd_page_%'")


async def test_categories_sort_the_shelf(shared: Latchkey, visitor: Visitor) -> None:
    inside = await shared.product("Cat Inside", access_mode="signed_in")
    await shared.product("Cat Outside", access_mode="signed_in")
    category = await shared.pool.fetchval(
        "insert into categories (name, position) values ('Boats & more', 1) returning id"
    )
    await shared.pool.execute("insert into product_categories values ($1, $2)", inside, category)
    await visitor.sign_in_as(await user(shared, "cats@library.example"), "cats")
    text = (await visitor.get("/library?q=Cat")).text
    assert "Boats &amp; more" in text
    assert tile(text, "Cat Outside")
    text = (await visitor.get(f"/library?q=Cat&category={category}")).text
    assert tile(text, "Cat Inside")
    assert not tile(text, "Cat Outside")
    assert "Nothing in this category" in (await visitor.get("/library?category=999999")).text


async def test_sales_pages_from_template_and_copy(shared: Latchkey, visitor: Visitor) -> None:
    product, price = await sold(shared, "Sp First")
    other, _ = await sold(shared, "Sp Second")
    await visitor.sign_in()
    base = f"/admin/products/{product}/sales-page"
    await visitor.send(base, f"{base}/start", begin="template")
    text = (await visitor.get(base)).text
    assert "What you get" in text
    fields: dict[str, Any] = {
        "edition": "1",
        "headline": "Learn <b>it</b>",
        "status": "draft",
    }
    assert "Sp First" in (await visitor.get("/sales/sp-first")).text
    await visitor.send(base, expect=422, **fields | {"headline": " "})
    await visitor.send(base, **fields)
    await visitor.send(base, **fields)
    plans = re.search(r'<a href="([^"]+)"><strong>Plans<', text)
    assert plans
    await visitor.send(plans[1], edition="1", button="I want it")
    async with visit(shared) as stranger:
        await stranger.get("/sales/sp-first", 404)
        assert (await stranger.goes("/buy/sp-first")).startswith(shared.stripe.url)
        stale = await visitor.send(base, expect=409, **fields | {"headline": "Late"})
        assert "Someone else saved" in stale.text
        await visitor.send(base, **fields | {"edition": "2", "status": "live"})
        await visitor.send(
            f"/admin/products/{product}/checkout",
            purchase_method="sales_page",
            checkout_target="stripe",
            enabled="yes",
            price=await shared.pool.fetchval(
                "select price_id from offers where product_id = $1", product
            ),
        )
        assert await stranger.goes("/buy/sp-first?utm_source=x") == "/sales/sp-first?utm_source=x"
        page = (await stranger.get("/sales/sp-first?utm_source=x")).text
        assert "Learn &lt;b&gt;it&lt;/b&gt;" in page
        assert "$29.00 every month" in page
        assert 'href="/buy/sp-first/checkout?utm_source=x">I want it' in page
        going = await stranger.goes("/buy/sp-first/checkout?utm_source=x")
        assert going.startswith(shared.stripe.url)
        for body in ({"enabled": False}, {"enabled": True, "price": price}):
            await shared.call("PUT", f"/products/{product}/checkout", json=body)

            async def offered(on: bool = body["enabled"] is True) -> bool:
                page = unescape((await stranger.get("/sales/sp-first")).text)
                return ("I want it" in page, "isn't for sale at the moment" in page) == (on, not on)

            await until(offered, "the page offers a button only where it leads somewhere")
    copy = f"/admin/products/{other}/sales-page"
    await visitor.send(copy, f"{copy}/start", begin="copy", copy_of=product)
    assert "Learn &lt;b&gt;it" in (await visitor.get(copy)).text
    index = (await visitor.get("/admin/sales")).text
    assert index.count("Learn &lt;b&gt;it") == 2
    member = await user(shared, "sp@library.example")
    await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "sp@library.example"}
    )
    async with visit(shared) as owner:
        await owner.sign_in_as(member, "sp")
        assert 'href="/products/sp-first">Open</a>' in (await owner.get("/sales/sp-first")).text
    await visitor.send(base, f"{base}/delete")
    await visitor.get("/sales/sp-first", 404)

    async def straight() -> bool:
        async with visit(shared) as stranger:
            return (await stranger.goes("/buy/sp-first")).startswith(shared.stripe.url)

    await until(straight, "the purchase goes straight to the checkout")
