"""A collection that is sold as a product: from the admin's page and Stripe to what members see."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from tests.harness import ADMIN, PASSWORD, Latchkey, http_client, until
from tests.web.pages import user, visit
from tests.web.test_admin_products import shown
from tests.web.test_member_library import tile
from tests.web.test_pages import post

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Sold:
    """Ids: the product that is sold, its price, the collection, and the two products in it."""

    product: str
    price: str
    collection: str
    inside: tuple[str, str]


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=shared.url) as client:
        answer = await post(client, "/login", "/login", email=ADMIN, password=PASSWORD)
        assert answer.status_code == 303
        yield client


async def sold(site: Latchkey, name: str) -> Sold:
    """A live product that opens a collection of *`name` A* and *`name` B*, and is sold once."""
    inside = (await site.product(f"{name} A"), await site.product(f"{name} B"))
    product = await site.product(name)
    body = {"name": f"{name} shelf", "products": list(inside)}
    collection = (await site.call("POST", "/collections", 201, json=body))["id"]
    path = f"/collections/{collection}"
    made = await site.call("PATCH", path, json={"sold_as": [product]})
    assert (made["sold_as"], made["holders"], made["buyers"]) == ([product], 0, 0)
    stripe_product = await site.stripe.product(name)
    price = await site.stripe.price(stripe_product, 9900)
    await site.link(product, stripe_product)
    checkout = {"enabled": True, "price": price}
    await site.call("PUT", f"/products/{product}/checkout", json=checkout)
    return Sold(product, price, collection, inside)


async def test_a_subscription_opens_and_closes_what_is_in_the_collection(
    shared: Latchkey,
) -> None:
    name, email = "Bundle of life", "life@bundle.example"
    it = await sold(shared, name)
    first, second = it.inside
    subscription = await shared.stripe.subscribe(email, it.price)
    answer = await shared.has(first, email)
    [grant] = answer["grants"]
    assert (grant["source"], grant["until"]) == ("product", None)
    [opener] = (await shared.access(it.product, email))["grants"]
    assert grant["source_id"] == f"{it.product}/{opener['id']}"
    asked = {"product": first, "email": email}
    why = await shared.call("GET", "/why", params=asked)
    assert why["chain"][0]["explanation"] == f"Lasts as long as access to {name}, which opens it"

    path = f"subscriptions/{subscription['id']}"
    await shared.stripe.post(path, cancel_at_period_end=True)

    async def ends() -> bool:
        return (await shared.access(it.product, email))["until"] is not None

    await until(ends, "the end is known")
    ending = await shared.access(it.product, email)
    for product in it.inside:
        assert (await shared.access(product, email))["until"] == ending["until"]

    await shared.call("PATCH", f"/collections/{it.collection}", json={"products": [second]})
    assert not (await shared.access(first, email))["access"]
    await shared.stripe.delete(path)
    await shared.has(it.product, email, access=False)
    assert not (await shared.access(second, email))["access"]
    [ended] = await shared.lines(product=second, type="access_ended")
    [reason] = await shared.lines(product=it.product, type="access_ended")
    same = ("at", "due_at", "cause", "event_id", "workflow_id")
    assert [ended[name] for name in same] == [reason[name] for name in same]
    mails = await shared.pool.fetch(
        """
        select m.product_id, m.data from mails m join users u on u.id = m.user_id
         where u.email = $1 and m.kind = 'product_access'
        """,
        email,
    )
    assert [row["product_id"] for row in mails] == [it.product], "one email, about what was bought"


async def test_members_see_what_is_in_it_and_what_they_have(shared: Latchkey) -> None:
    it = await sold(shared, "Bundle shown")
    for product in it.inside:
        await shared.call("PATCH", f"/products/{product}", json={"status": "live"})
    await shared.call(
        "POST", f"/products/{it.inside[0]}/grants", 201, json={"email": "one@shown.example"}
    )
    member = await user(shared, "one@shown.example")
    async with visit(shared) as visitor:
        page = (await visitor.client.get("/buy/bundle-shown?back=1")).text
        assert "Bundle shown A" in page
        assert "of 2 yours" not in page
        await visitor.sign_in_as(member, "bundle")
        page = (await visitor.client.get("/buy/bundle-shown?back=1")).text
        assert "1 of 2 yours" in page
        library = (await visitor.client.get("/library?q=Bundle shown")).text
        assert "From" not in tile(library, "Bundle shown A")
        assert "1 of 2 yours" in tile(library, "Bundle shown")
        locked = (await visitor.client.get("/products/bundle-shown-b")).text
        assert re.search(r'Also included in <a href="/buy/bundle-shown">Bundle shown</a>', locked)
        await shared.call(
            "POST", f"/products/{it.product}/grants", 201, json={"email": "one@shown.example"}
        )
        library = (await visitor.client.get("/library?q=Bundle shown")).text
        assert "From Bundle shown" in tile(library, "Bundle shown B")
        assert "of 2 yours" not in tile(library, "Bundle shown"), "all of it is"
        page = (await visitor.client.get("/products/bundle-shown")).text
        assert 'href="/products/bundle-shown-b"' in page
        assert (await visitor.client.get("/products/bundle-shown-b")).status_code == 200


async def test_an_admin_sells_a_collection(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    inside = await shared.product("Shelf item")
    body = {"name": "Whole shelf", "description": "All of it", "products": [inside]}
    collection = (await shared.call("POST", "/collections", 201, json=body))["id"]
    page = f"/admin/collections/{collection}"
    assert "Not for sale" in await shown(admin, page)

    answer = await post(admin, page, f"{page}/sales", product="")
    made = answer.headers["location"].partition("?")[0]
    product = await shared.call("GET", f"/products/{made.rpartition('/')[2]}")
    assert (product["name"], product["description"], product["status"]) == (
        "Whole shelf",
        "All of it",
        "draft",
    )
    assert product["opens_collection"] == collection
    assert "has everything in Whole shelf" in await shown(admin, made)

    other = await shared.product("Other way")
    await post(admin, page, f"{page}/sales", product=other)
    text = await shown(admin, page)
    assert "Whole shelf Draft Stop" in text
    assert "Other way Stop" in text
    refused = await post(admin, page, f"{page}/delete")
    assert refused.status_code == 422
    refused = await post(admin, page, f"{page}/sales", product=inside)
    assert "in a collection itself" in refused.text
    await shared.call("PATCH", f"/collections/{collection}", 409, json={"products": [other]})
    await shared.call("DELETE", f"/products/{other}", 409)
    await shared.call("DELETE", f"/collections/{collection}", 409)
    await post(admin, page, f"{page}/sales/{other}/end")
    assert "Other way Stop" not in await shown(admin, page)
    answer = await post(admin, page, f"{page}/sales/{other}/end")
    assert answer.status_code == 404
