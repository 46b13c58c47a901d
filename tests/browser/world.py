"""A site where everything has happened once, by people with names of every kind."""

import re
from dataclasses import dataclass
from typing import Any

from latchkey.store.figures import counting
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_imports import pasted, previewed, run_of, worked

HOSTILE = "\"><script>alert(1)</script><b>'{{7*7}}"
LONG = "Pneumonoultramicroscopic" * 8
ARABIC = "محمد العربي ‮الطويل"
NAMES = {"html": HOSTILE, "long": LONG, "arabic": ARABIC, "emoji": "Zoë 👩‍🚀 O'Neill-Ñandú"}


@dataclass(frozen=True)
class World:
    """The created ids. `member` has a running subscription, `staff` are ids by role."""

    product: str
    member: int
    staff: dict[str, int]


async def furnish(site: Latchkey) -> World:
    """Create products, links, buyers, cancellations, grants, emails, notes, tokens and categories,
    and count the figures."""
    stripe_product = await site.stripe.product("Sailing")
    price = await site.stripe.price(stripe_product, 2900)
    once = await site.stripe.price(stripe_product, 9900, every=None)
    content = f"# Hello\n\n{HOSTILE}\n\n- one\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    product = await site.product("Sailing course", description="How to sail.", content=content)
    await site.stripe.subscribe("before@crawl.example", price)
    await site.link(product, stripe_product)
    for key, name in NAMES.items():
        await site.product(name, description=name * 3)
        await site.stripe.buy(f"{key}@crawl.example", price, name=name)
    await site.stripe.buy("once@crawl.example", once, mode="payment", name="Once")
    session = await site.stripe.buy("member@crawl.example", price, name="Mem Ber")
    ending = await site.stripe.buy("ending@crawl.example", price, name="End Ing")
    await site.has(product, "member@crawl.example")
    await site.has(product, "ending@crawl.example")
    await site.stripe.post(f"subscriptions/{ending['subscription']}", cancel_at_period_end=True)
    for email in ("gift@crawl.example", "gone@crawl.example"):
        given = await site.call(
            "POST",
            f"/products/{product}/grants",
            201,
            json={"email": email, "reason": HOSTILE, "until": "2040-01-01T00:00:00Z"},
        )
    await site.call("DELETE", f"/grants/{given['id']}")
    await site.settled()
    assert session["subscription"]
    member = await site.pool.fetchval("select id from users where email like 'member@crawl%'")
    staff = {role: await user(site, f"{role}@crawl.example", role) for role in ("support", "admin")}
    async with site.pool.acquire() as connection:
        await counting.count(connection)
    async with visit(site) as owner:
        await owner.sign_in()
        await _by_hand(owner, product, member, price)
        await _moved_in(site, owner)
    return World(product, int(member), staff)


async def _moved_in(site: Latchkey, owner: Visitor) -> None:
    """Imports that wait for their columns, for a look at the preview, and that are done."""
    text = (
        f"email,name,plan,status,labels\nmoved@crawl.example,{ARABIC},{LONG},{LONG[:90]},"
        f"<b>{LONG[:30]}; {ARABIC}\nbad,,{LONG},\n"
    )
    waiting, ready, done = [await pasted(owner, text) for _ in range(3)]
    for here in (ready, done):
        await previewed(site, owner, here, **{"status-0": "goes_on"})
    await owner.send(done, f"{done}/start", run=await run_of(owner, done))
    await worked(site, done)
    await owner.get(waiting, 303)


async def _by_hand(owner: Visitor, product: str, member: int, price: str) -> None:
    """Create what an admin creates on pages."""
    for name in ("Courses", HOSTILE[:60], ARABIC):
        await owner.send("/admin/products/categories", name=name)
    for title, after in (("Knots", "0"), (HOSTILE, "0"), (LONG[:200], "400")):
        await owner.send(
            f"/admin/products/{product}/lessons/new",
            title=title,
            body=f"# Aboard\n\n{HOSTILE}",
            video_url="https://video.example/1",
            released_after_days=after,
            status="live",
        )
    listed = (await owner.get(f"/admin/products/{product}/lessons")).text
    lesson = re.findall(r'<tr id="(les_\w+)"', listed)[0]
    here = f"/admin/products/{product}/lessons/{lesson}"
    token = re.findall(r'name="csrf_token" value="(\w+)"', (await owner.get(here)).text)[0]
    file = (f"{HOSTILE} {LONG}.pdf", b"%PDF-1.7")
    await owner.client.post(f"{here}/files", data={"csrf_token": token}, files={"file": file})
    await owner.send("/admin/tokens", expect=200, name=HOSTILE)
    await owner.send(
        "/admin/clients/new",
        expect=200,
        name=HOSTILE,
        kind="confidential",
        party="third",
        redirect_uris="https://forum.example/callback",
        scopes="access",
    )
    await owner.send(
        "/admin/protected-sites/new",
        origin="https://course.example",
        products=product,
        without_access="buy",
    )
    hook = {"format": "json", "url": "http://127.0.0.1:9/hook", "description": HOSTILE}
    made = await owner.send("/admin/webhooks/new", expect=200, **hook)
    [endpoint] = set(re.findall(r'href="(/admin/webhooks/we_\w+)"', made.text))
    await owner.send(endpoint, f"{endpoint}/test")
    here = f"/admin/users/{member}"
    await owner.send(here, f"{here}/notes", text=f"{ARABIC}\n{HOSTILE}\n{LONG}")
    selling = f"/admin/products/{product}/checkout"
    await owner.send(
        selling,
        purchase_method="sales_page",
        checkout_target="stripe",
        enabled="yes",
        price=price,
        show_locked="yes",
    )
    sales = f"/admin/products/{product}/sales-page"
    await owner.send(sales, f"{sales}/start", begin="template")
    voices: dict[str, Any] = {"heading": ARABIC, "quote-0": HOSTILE, "name-0": LONG, "role-0": LONG}
    await owner.send(f"{sales}/blocks/new/testimonials", **voices)
    asked: dict[str, Any] = {"question-0": HOSTILE, "answer-0": f"{LONG}\n\n{ARABIC}"}
    await owner.send(f"{sales}/blocks/new/questions", **asked)
