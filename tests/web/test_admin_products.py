"""The admin's products: list, categories, tabs, members."""

import re
from collections.abc import AsyncIterator
from html import unescape

import httpx
import pytest

from tests.harness import ADMIN, PASSWORD, Latchkey, http_client
from tests.web.test_pages import post, token

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=shared.url) as client:
        answer = await post(client, "/login", "/login", email=ADMIN, password=PASSWORD)
        assert answer.status_code == 303
        yield client


async def shown(client: httpx.AsyncClient, path: str) -> str:
    """A page's text without tags."""
    answer = await client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code}"
    main = answer.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def test_the_list_shows_each_products_details(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    stripe_product = await shared.stripe.product("Listed in Stripe")
    for amount in (900, 2900):
        price = await shared.stripe.price(stripe_product, amount)
    await shared.stripe.subscribe("listed@products.example", price)
    product = await shared.product("Zebra listed")
    await shared.link(product, stripe_product)
    text = await shown(admin, "/admin/products?q=Zebra listed")
    assert "Zebra listed /products/zebra-listed Live 1 $9.00 – $29.00" in text
    assert "Listed in Stripe In sync since" in text
    assert "No results" in await shown(admin, "/admin/products?q=Zebra&status=draft")
    info = await shown(admin, f"/admin/products/{product}")
    assert "1 active" in info
    assert "$29.00 every month" in info
    assert "1 active" in (await admin.get(f"/admin/products/{product}/stripe/state")).text


async def test_one_time_products_count_their_buyers(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    stripe_product = await shared.stripe.product("Bought once")
    price = await shared.stripe.price(stripe_product, every=None)
    product = await shared.product("Bought once")
    await shared.link(product, stripe_product)
    info = await shown(admin, f"/admin/products/{product}")
    assert "0 buyers" in info
    assert "active" not in info.partition("0 buyers")[2].partition("Prices")[0]
    await shared.stripe.buy("once@buyers.example", price, mode="payment")
    await shared.has(product, "once@buyers.example")
    assert "1 buyer " in await shown(admin, f"/admin/products/{product}")
    assert "1 buyer<" in (await admin.get(f"/admin/products/{product}/stripe/progress")).text


async def test_a_search_for_an_unknown_id_looks_it_up_in_stripe(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    product = await shared.product("Searched")
    stripe_product = await shared.stripe.product("Made a moment ago, too")
    await shared.know(stripe_product)
    await shared.settled()
    await shared.pool.execute("delete from stripe_products where id = $1", stripe_product)
    found = await shown(admin, f"/admin/products/{product}/stripe?q={stripe_product}")
    assert "Made a moment ago, too" in found


async def test_pages_of_the_list_show_every_product_once(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    for number in range(103):
        await shared.product(f"Page by page {number % 7}")
    address: str | None = "/admin/products?q=page by page"
    found: list[str] = []
    while address:
        page = (await admin.get(address)).text
        found += re.findall(r'href="/admin/products/(prd_\w+)"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(more[1]) if more else None
    assert len(found) == len(set(found)) == 103


async def test_categories_are_created_renamed_moved_and_deleted(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    here = "/admin/products/categories"
    for name in ("Courses", "Books", "Films"):
        assert (await post(admin, here, here, name=name)).status_code == 303
    assert (
        "There is a category books already." in (await post(admin, here, here, name="books")).text
    )
    rows = await shared.pool.fetch("select id, name from categories order by position")
    ids = {row["name"]: row["id"] for row in rows}
    films = f"{here}/{ids['Films']}"
    for _ in rows:
        await post(admin, here, films, do="up")
    await post(admin, here, films, do="rename", **{f"name-{ids['Films']}": "Moving pictures"})
    await post(admin, here, f"{here}/{ids['Books']}", do="delete")
    rows = await shared.pool.fetch("select name from categories order by position, id")
    names = [row["name"] for row in rows]
    assert names[0] == "Moving pictures"
    assert "Courses" in names
    assert "Books" not in names

    product = await shared.product("Sorted thing")
    await post(
        admin, f"/admin/products/{product}", f"/admin/products/{product}",
        name="Sorted thing", slug="sorted-thing", status="live", category=str(ids["Films"]),
    )  # fmt: skip
    assert "Sorted thing" in await shown(admin, f"/admin/products?category={ids['Films']}")
    assert "Sorted thing" not in await shown(admin, f"/admin/products?category={ids['Courses']}")


async def test_each_tab_saves_its_own_fields(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    product = await shared.product("Tabs", description="Old", content="Old content")
    base = f"/admin/products/{product}"
    saved = await post(admin, base, base, name="Tabs!", slug="tabs-new", status="draft")
    assert saved.status_code == 303
    saved = await post(
        admin, f"{base}/content", f"{base}/content", do="save", content_url="https://x.example/"
    )
    assert saved.status_code == 303
    await post(admin, f"{base}/settings", f"{base}/settings", access_mode="public")
    found = await shared.call("GET", f"/products/{product}")
    assert found["name"] == "Tabs!"
    assert found["description"] == found["content"] == ""
    assert found["content_url"] == "https://x.example/"
    assert (found["status"], found["access_mode"]) == ("draft", "public")
    assert found["access_mail"] is False


async def test_a_preview_of_the_content_saves_nothing(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    product = await shared.product("Previewed", content="Before")
    path = f"/admin/products/{product}/content"
    answer = await post(admin, path, path, do="preview", content="# After\n\n<b>bold</b>")
    assert "<h1>After</h1>" in answer.text
    assert "<b>bold" not in answer.text
    assert (await shared.call("GET", f"/products/{product}"))["content"] == "Before"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "This must not be empty."),
        ("name", "x" * 201, "Use up to 200 characters"),
        ("slug", "Not A Slug", "Use only lowercase letters"),
        ("image_url", "javascript:alert(1)", "must start with https://"),
        ("image_url", "http://pictures.example/a.png", "must start with https://"),
    ],
)
async def test_errors_appear_beside_their_field(
    shared: Latchkey, admin: httpx.AsyncClient, field: str, value: str, words: str
) -> None:
    product = await shared.product("Wrong")
    path = f"/admin/products/{product}"
    fields = {"name": "Wrong", "slug": "wrong-fields", "status": "live", field: value}
    answer = await post(admin, path, path, **fields)
    assert answer.status_code == 422
    beside = re.search(rf'id="{field}-error">([^<]*)<', answer.text)
    assert beside
    assert words in unescape(beside[1])


async def test_members_say_why_and_until(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    stripe_product = await shared.stripe.product("Reasons")
    price = await shared.stripe.price(stripe_product)
    product = await shared.product("Reasons")
    await shared.link(product, stripe_product)
    await shared.stripe.subscribe("runs@members.example", price)
    ending = await shared.stripe.subscribe("ends@members.example", price)
    await shared.has(product, "runs@members.example")
    await shared.has(product, "ends@members.example")
    await shared.stripe.post(f"subscriptions/{ending['id']}", cancel_at_period_end=True)
    await shared.settled()
    base = f"/admin/products/{product}"
    form = f"{base}/grants"
    given = await post(
        admin, form, form,
        email="free@members.example", reason="A friend",
        until="2040-03-05T12:00", zone="Asia/Tokyo",
    )  # fmt: skip
    assert given.status_code == 303
    free = (await shared.access(product, "free@members.example"))["grants"][0]
    assert free["until"].startswith("2040-03-05T03:00:00")

    text = await shown(admin, f"{base}/members")
    assert re.search(
        r"runs@members\.example Test Person Subscribed, next payment on \d+ \w+ \d{4}", text
    )
    assert re.search(r"ends@members\.example Test Person Ends on \d+ \w+ \d{4} : cancelled", text)
    assert "Complimentary, ends on 5 March 2040" in text
    only = await shown(admin, f"{base}/members?ending=yes")
    assert "runs@" not in only
    assert "ends@" in only
    assert "No results" in await shown(admin, f"{base}/members?q=nobody")

    grant = (await shared.access(product, "runs@members.example"))["grants"][0]["id"]
    asked = await shown(admin, f"/admin/grants/{grant}/end")
    assert "Billing doesn't stop:" in asked
    done = await admin.post(
        f"/admin/grants/{grant}/end",
        data={"csrf_token": await token(admin, f"/admin/grants/{grant}/end")},
    )
    assert done.headers["location"] == f"{base}/members?done=ended"
    assert not (await shared.access(product, "runs@members.example"))["access"]


async def test_bad_grants_keep_the_input(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    product = await shared.product("Bad grants")
    form = f"/admin/products/{product}/grants"
    answer = await post(admin, form, form, email="nobody", reason="Kept")
    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert 'value="Kept"' in answer.text
    answer = await post(admin, form, form, email="a@bad.example", until="tomorrow")
    assert 'id="until-error"' in answer.text
    assert (await shared.call("GET", f"/products/{product}/grants"))["data"] == []


async def test_support_reads_and_changes_nothing(shared: Latchkey) -> None:
    from latchkey import signin_links
    from tests.harness import SECRETS

    product = await shared.product("Looked at")
    user = await shared.pool.fetchval(
        "insert into users (email, role) values ('helper@site.example', 'support') returning id"
    )
    link = signin_links.sign(user, "helper", secrets=SECRETS)
    async with http_client(base_url=shared.url) as helper:
        await post(helper, f"/login/{link}", f"/login/{link}")
        for path in ("/admin/products", f"/admin/products/{product}/members", "/admin/activity"):
            assert (await helper.get(path)).status_code == 200
        refused = await post(
            helper, "/admin/products", f"/admin/products/{product}/grants", email="a@b.example"
        )
        assert refused.status_code == 403
        assert "Your role, support," in refused.text


async def test_the_current_tab_is_marked_for_any_product_name(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    """Pages are reached by the product's id and by its slug."""
    product = await shared.product("Tabbed", slug="tabbed")
    for name in (product, "tabbed"):
        for part in ("", "/content", "/checkout", "/settings", "/members", "/activity"):
            page = (await admin.get(f"/admin/products/{name}{part}")).text
            tabs = page.partition('class="tabs"')[2].partition("</nav>")[0]
            marked = re.findall(r'href="([^"]+)" aria-current="page"', tabs)
            assert marked == [f"/admin/products/{product}{part}"], (name, part)
