"""What happens in Stripe to what is sold reaches every page that sells it."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest

from latchkey.store.products.checkout import Obstacle
from tests.harness import Latchkey, until
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import opened
from tests.web.test_member_library import sold, tile
from web.wording import labels

pytestmark = pytest.mark.anyio

STEPS = 10


@dataclass
class Sale:
    """A product on sale, with two prices of its Stripe product to choose from."""

    site: Latchkey
    name: str
    product: str
    stripe_product: str
    prices: tuple[str, ...]
    target: str

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "-")

    async def checkout(self) -> dict[str, Any]:
        return await self.site.call("GET", f"/products/{self.product}/checkout")

    async def choose(self, price: str) -> int:
        """Choose a price; returns the answer's status."""
        body = {"enabled": True, "price": price}
        answer = await self.site.api.put(f"/products/{self.product}/checkout", json=body)
        await self.site.settled()
        return answer.status_code

    async def obstacle(self) -> Obstacle | None:
        """What keeps buyers from paying, asked of Stripe itself."""
        now = await self.checkout()
        stripe = self.site.stripe
        if not (await stripe.get(f"products/{self.stripe_product}"))["active"]:
            return Obstacle.PRODUCT_ARCHIVED
        if not (await stripe.get(f"prices/{now['price']}"))["active"]:
            return Obstacle.PRICE_ARCHIVED
        if self.target == "stripe":
            return None
        link = stripe.box.shop.world.table("payment_link").get(now["payment_link"])
        if link is None:
            return Obstacle.LINK_OFF
        limit = (link["restrictions"] or {}).get("completed_sessions")
        if limit and limit["count"] >= limit["limit"]:
            return Obstacle.LINK_SPENT
        return None if link["active"] else Obstacle.LINK_OFF

    async def look(self) -> None:
        """Have a day pass for the product."""
        await self.site.pool.execute(
            "update products set sale_read_at = now() - interval '2 days',"
            " sale_asked_at = now() - interval '2 days' where id = $1",
            self.product,
        )

        async def looked() -> bool:
            found: bool = await self.site.pool.fetchval(
                "select sale_read_at > now() - interval '1 day' from products where id = $1",
                self.product,
            )
            return found

        await until(looked, "what is on sale was looked at")


async def on_sale(site: Latchkey, name: str, *, target: str = "stripe") -> Sale:
    product, price = await sold(site, name)
    await site.call("PATCH", f"/products/{product}", json={"checkout_target": target})
    stripe_product = (await site.call("GET", f"/products/{product}/link"))["stripe_product"]
    other = await site.stripe.price(stripe_product, 4900)
    await site.settled()
    await site.pool.execute(
        "insert into sales_pages (product_id, headline, body, status) values ($1, $2, '', 'live')",
        product,
        f"Why {name}",
    )
    return Sale(site, name, product, stripe_product, (price, other), target)


@pytest.fixture
async def stranger(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


async def spend(sale: Sale, *, heard: bool) -> str:
    """Limit the payment link to one sale, and make it; unheard, Stripe leaves it active."""
    stripe, link = sale.site.stripe, (await sale.checkout())["payment_link"]
    limit = {"completed_sessions": {"limit": 1}}
    made = stripe.box.shop.world.table("payment_link").get(link)
    if made is None or await sale.obstacle() is not None:
        return "not sold"
    if heard:
        await stripe.post(f"payment_links/{link}", restrictions=limit)
        session = await stripe.control(f"payment_links/{link}/open")
        await stripe.pay(session, f"spends-{link[-8:].lower()}@states.example")
        await sale.site.settled()
    else:
        made["restrictions"] = {"completed_sessions": {"limit": 1, "count": 1}}
        await sale.look()
    return f"spent, {'heard' if heard else 'unheard'}"


async def lose(sale: Sale) -> str:
    """Stripe has the payment link no more, as after its test data was deleted."""
    link = (await sale.checkout())["payment_link"]
    sale.site.stripe.box.shop.world.table("payment_link").remove(link)
    await sale.look()
    return "lost"


async def step(sale: Sale, chance: random.Random) -> str:
    """Change something, in Stripe or here. What is changed without an event is seen by the look
    that every product gets once a day."""
    if sale.target == "payment_link" and (roll := chance.random()) < 0.3:
        return await lose(sale) if roll < 0.1 else await spend(sale, heard=roll < 0.2)
    stripe, on = sale.site.stripe, chance.random() < 0.5
    world = stripe.box.shop.world
    kind, thing = {
        "price": ("prices", chance.choice(sale.prices)),
        "product": ("products", sale.stripe_product),
        "link": ("payment_links", str((await sale.checkout())["payment_link"])),
        "choose": ("", chance.choice(sale.prices)),
    }[what := chance.choice(("price", "price", "product", "link", "choose"))]
    if what == "choose":
        sold_there = await stripe.get(f"products/{sale.stripe_product}")
        may = sold_there["active"] and (await stripe.get(f"prices/{thing}"))["active"]
        assert await sale.choose(thing) == (200 if may else 422)
        assert not may or await sale.obstacle() is None, "saving mends it"
        return f"choose {thing}: {may}"
    if chance.random() < 0.3:
        table = {"prices": "price", "products": "product", "payment_links": "payment_link"}[kind]
        if thing in world.table(table):
            world.table(table)[thing]["active"] = on
        await sale.look()
        return f"{what} {on}, unheard"
    if what == "link" and thing not in world.table("payment_link"):
        return "no link to switch"
    await stripe.post(f"{kind}/{thing}", active=on)
    await sale.site.settled()
    return f"{what} {on}"


@pytest.mark.parametrize(("seed", "target"), [(1, "payment_link"), (2, "stripe")])
async def test_every_page_tells_whether_it_can_be_bought(
    shared: Latchkey, stranger: Visitor, admin: Visitor, seed: int, target: str
) -> None:
    """Over generated histories: where Stripe would take the money, every page leads there; where it
    wouldn't, none does, each says so, and the admin is told why and what to do."""
    sale = await on_sale(shared, f"Sale State {seed}", target=target)
    member = await user(shared, f"sale-{seed}@states.example")
    chance, history = random.Random(seed), []
    async with visit(shared) as reader:
        await reader.sign_in_as(member, f"sale-{seed}")
        for _ in range(STEPS):
            history.append(await step(sale, chance))
            obstacle = await sale.obstacle()
            now = await sale.checkout()
            assert now["obstacle"] == obstacle, history
            await _tells(sale, stranger, reader, closed=obstacle is not None, history=history)
            report = unescape((await admin.get("/admin/health")).text)
            shown = unescape((await admin.get(f"/admin/products/{sale.product}")).text)
            address = f'href="/admin/products/{sale.product}/checkout">{sale.name}</a>'
            assert (address in report) is (obstacle is not None), history
            assert ("Nobody can buy it" in shown) is (obstacle is not None), history


async def _tells(
    sale: Sale, stranger: Visitor, reader: Visitor, *, closed: bool, history: list[str]
) -> None:
    card = tile(unescape((await reader.get(f"/library?q={sale.name}")).text), sale.name)
    page = unescape((await stranger.get(f"/sales/{sale.slug}")).text)
    assert ("can't be bought at the moment" in card) is closed, (card, history)
    assert ("can't be bought at the moment" in page) is closed, history
    assert (f'href="/buy/{sale.slug}/checkout"' in page) is not closed, history
    locked = unescape((await reader.get(f"/products/{sale.slug}", 403)).text)
    assert ("can't be bought at the moment" in locked) is closed, history
    if closed:
        answer = await stranger.get(f"/buy/{sale.slug}", 404)
        assert "can't be bought at the moment" in unescape(answer.text), history
    else:
        assert (await stranger.goes(f"/buy/{sale.slug}")).startswith(sale.site.stripe.url), history


async def test_saving_opens_what_was_switched_off_in_stripe(
    shared: Latchkey, stranger: Visitor, admin: Visitor
) -> None:
    sale = await on_sale(shared, "Switched Off", target="payment_link")
    link = (await sale.checkout())["payment_link"]
    await shared.stripe.post(f"payment_links/{link}", active=False)
    await shared.settled()
    selling = f"/admin/products/{sale.product}/checkout"
    shown = unescape((await admin.get(selling)).text)
    assert "The payment link was deactivated in Stripe. Save again to activate it" in shown
    shared.forget_alarms()
    alarm = "On sale, but nobody can buy it at the moment: "
    assert alarm in (await admin.get("/admin")).text, "every admin page says so"
    listed = f'href="{selling}">Switched Off</a>'
    assert listed in (await admin.get("/admin/health")).text, "the alarm may name others first"
    refused = unescape((await admin.get(f"/buy/{sale.slug}", 404)).text)
    assert "deactivated in Stripe" in refused, "the team reads why"
    await stranger.get(f"/buy/{sale.slug}", 404)
    choice: dict[str, Any] = {
        "purchase_method": "checkout",
        "checkout_target": "payment_link",
        "enabled": "yes",
    }
    await admin.send(selling, **choice, price=sale.prices[0])
    assert (await shared.stripe.get(f"payment_links/{link}"))["active"] is True
    assert (await stranger.goes(f"/buy/{sale.slug}")).startswith(shared.stripe.url)


async def test_an_archived_price_is_shown_and_refused(shared: Latchkey, admin: Visitor) -> None:
    sale = await on_sale(shared, "Archived Price")
    await shared.stripe.post(f"prices/{sale.prices[0]}", active=False)
    await shared.settled()
    selling = f"/admin/products/{sale.product}/checkout"
    assert "(archived in Stripe)" in (await admin.get(selling)).text
    choice: dict[str, Any] = {
        "purchase_method": "checkout",
        "checkout_target": "stripe",
        "enabled": "yes",
    }
    refused = await admin.send(selling, expect=422, **choice, price=sale.prices[0])
    assert "archived in Stripe: choose an active one" in unescape(refused.text)
    await admin.send(selling, **choice, price=sale.prices[1])
    assert (await sale.checkout())["obstacle"] is None


async def test_a_foreign_payment_link_is_left_alone(shared: Latchkey) -> None:
    price = await shared.stripe.price(await shared.stripe.product("Elsewhere"))
    lines = [{"price": price, "quantity": 1}]
    made = await shared.stripe.post("payment_links", line_items=lines)
    await shared.stripe.post(f"payment_links/{made['id']}", active=False)
    await shared.settled()
    states = await shared.pool.fetch(
        "select state from events where object_id = $1 and type = 'payment_link.updated'",
        made["id"],
    )
    assert [row["state"] for row in states] == ["handled"]


@pytest.mark.parametrize("trouble", ["spent", "unheard", "lost"])
async def test_saving_mends_a_payment_link(
    shared: Latchkey, stranger: Visitor, admin: Visitor, trouble: str
) -> None:
    """One that has made all the sales it is limited to, and one that Stripe lost."""
    sale = await on_sale(shared, f"Link {trouble}", target="payment_link")
    before = await sale.checkout()
    if trouble == "lost":
        await lose(sale)
    else:
        await spend(sale, heard=trouble == "spent")
    off = Obstacle.LINK_OFF if trouble == "lost" else Obstacle.LINK_SPENT
    assert (await sale.checkout())["obstacle"] == off
    shown = unescape((await admin.get(f"/admin/products/{sale.product}/checkout")).text)
    assert labels.obstacle(off) in shown
    await stranger.get(f"/buy/{sale.slug}", 404)
    assert await sale.choose(sale.prices[0]) == 200
    now = await sale.checkout()
    assert now["obstacle"] is None
    assert (now["payment_link"] == before["payment_link"]) is (trouble != "lost")
    session = await opened(shared, await stranger.goes(f"/buy/{sale.slug}"))
    buyer = f"{trouble}@states.example"
    await shared.stripe.pay(session, buyer)
    await shared.has(sale.product, buyer)


async def test_a_payment_link_that_stripe_lost_can_be_closed(shared: Latchkey) -> None:
    """Nobody has heard yet that it is lost."""
    sale = await on_sale(shared, "Link lost and closed", target="payment_link")
    lost = (await sale.checkout())["payment_link"]
    shared.stripe.box.shop.world.table("payment_link").remove(lost)
    assert await sale.choose(sale.prices[1]) == 200

    async def closed() -> bool:
        found: bool = await shared.pool.fetchval(
            "select settled and not active from payment_links where stripe_id = $1", lost
        )
        return found

    await until(closed, "the link counts as closed")
    assert await sale.obstacle() is None


async def test_a_form_that_is_saved_says_so_though_stripe_refuses_the_link(
    shared: Latchkey, admin: Visitor
) -> None:
    sale = await on_sale(shared, "Refused Link")
    shared.stripe.box.shop.world.table("price")[sale.prices[1]]["active"] = False
    selling = f"/admin/products/{sale.product}/checkout"
    choice = {
        "purchase_method": "checkout",
        "checkout_target": "payment_link",
        "enabled": "yes",
        "price": sale.prices[1],
    }
    for language, told in (("en", "Saved, but there's a problem."), ("de", "Gespeichert, aber ")):
        admin.client.headers["accept-language"] = language
        said = unescape((await admin.send(selling, expect=422, **choice)).text)
        assert told in said
        assert "The price specified is inactive" in said
    assert (await sale.checkout())["price"] == sale.prices[1]
    choice["price"] = "price_none"
    unsaved = unescape((await admin.send(selling, expect=422, **choice)).text)
    assert "Nicht gespeichert" in unsaved
    assert "Gespeichert, aber" not in unsaved
