"""Pictures by the admin's forms: uploaded, shown, replaced, removed; and how they are served."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from tests.harness import Latchkey
from tests.images import opened, picture
from tests.web.pages import Visitor, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor


async def save(
    admin: Visitor, page: str, raw: bytes | None = None, expect: int = 303, **fields: Any
) -> httpx.Response:
    """Send the form of a product with a picture in it, as a browser does."""
    shown = (await admin.get(page)).text
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', shown)
    kept = re.search(r'name="image_url_kept" value="([^"]+)"', shown)
    assert token
    given = {"csrf_token": token[1], "status": "live", "image_url": ""} | fields
    if kept:
        given.setdefault("image_url_kept", unescape(kept[1]))
    parts: dict[str, Any] = {name: (None, value) for name, value in given.items()}
    parts["image_url_file"] = ("a.png", raw, "image/png") if raw is not None else ("", b"")
    answer = await admin.client.post(page, files=parts)
    assert answer.status_code == expect, answer.text
    return answer


async def image_of(shared: Latchkey, product: str) -> str | None:
    found: str | None = await shared.pool.fetchval(
        "select image_url from products where id = $1", product
    )
    return found


async def test_a_product_gets_a_picture_and_loses_it(shared: Latchkey, admin: Visitor) -> None:
    product = await shared.product("With an uploaded picture", access_mode="public")
    page = f"/admin/products/{product}"
    fields: dict[str, Any] = {
        "name": "With an uploaded picture",
        "slug": "with-an-uploaded-picture",
    }
    await save(admin, page, picture(size=(900, 500)), **fields)
    address = await image_of(shared, product)
    assert address
    assert re.fullmatch(r"/pictures/[0-9a-f]{64}-900\.webp", address)
    for shown in (page, "/products/with-an-uploaded-picture", "/library?q=uploaded"):
        text = (await admin.get(shown)).text
        assert f'src="{address}" srcset="{address} 900w, ' in text, shown
    await save(admin, page, **fields)
    assert await image_of(shared, product) == address, "saving something else keeps it"
    await save(admin, page, image_url="https://elsewhere.example/a.png", **fields)
    assert await image_of(shared, product) == "https://elsewhere.example/a.png"
    await save(admin, page, picture(size=(900, 500)), **fields)
    assert await image_of(shared, product) == address
    await save(admin, page, image_url_remove="yes", **fields)
    assert await image_of(shared, product) is None


async def test_a_refused_file_is_named_and_changes_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    product = await shared.product("With a refused picture")
    page = f"/admin/products/{product}"
    fields: dict[str, Any] = {"name": "With a refused picture", "slug": "with-a-refused-picture"}
    await save(admin, page, picture(), **fields)
    before = await image_of(shared, product)
    refused = await save(admin, page, b"<svg><script>alert(1)</script></svg>", expect=422, **fields)
    assert "SVG files can contain scripts" in unescape(refused.text)
    assert 'id="image_url-error"' in refused.text
    gone = "/pictures/" + "0" * 64 + "-640.webp"
    missing = await save(admin, page, expect=422, image_url_kept=gone, **fields)
    assert "This picture isn't here any more" in unescape(missing.text)
    assert await image_of(shared, product) == before
    await save(admin, page, picture(), expect=413, description="x" * 13_000_000, **fields)


async def test_a_picture_survives_another_fields_error(shared: Latchkey, admin: Visitor) -> None:
    refused = await save(
        admin, "/admin/products/new", picture(size=(321, 100)), expect=422, name=""
    )
    kept = re.search(r'name="image_url_kept" value="([^"]+)"', refused.text)
    assert kept
    made = await save(
        admin, "/admin/products/new", name="Kept after an error", image_url_kept=kept[1]
    )
    product = made.headers["location"].partition("?")[0].rpartition("/")[2]
    assert await image_of(shared, product) == kept[1]


async def test_pictures_are_served_as_pictures_and_nothing_else(
    shared: Latchkey, admin: Visitor
) -> None:
    product = await shared.product("With a served picture")
    fields: dict[str, Any] = {"name": "With a served picture", "slug": "with-a-served-picture"}
    await save(admin, f"/admin/products/{product}", picture(size=(700, 70)), **fields)
    address = await image_of(shared, product)
    assert address
    async with visit(shared) as stranger:
        answer = await stranger.get(address)
        assert opened(answer.content).size == (700, 70)
        headers = answer.headers
        assert headers["content-type"] == "image/webp"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
        assert "content-encoding" not in headers
        tag = {"If-None-Match": headers["etag"]}
        assert (await stranger.get(address, 304, headers=tag)).content == b""
        small = await stranger.get(address.replace("-700.", "-320."))
        assert opened(small.content).size == (320, 32)
        for other in ("-700.png", "-701.webp", "-700.svg", "-700.webp/..%2fx"):
            await stranger.get(address.replace("-700.webp", other), 404)


async def test_the_api_shows_the_whole_address_and_takes_it_back(
    shared: Latchkey, admin: Visitor
) -> None:
    product = await shared.product("With a picture in the API")
    fields: dict[str, Any] = {
        "name": "With a picture in the API",
        "slug": "with-a-picture-in-the-api",
    }
    await save(admin, f"/admin/products/{product}", picture(size=(64, 64)), **fields)
    address = await image_of(shared, product)
    shown = (await shared.call("GET", f"/products/{product}"))["image_url"]
    assert shown == f"{shared.url}{address}"
    other = await shared.product("With the same picture")
    changed = await shared.call("PATCH", f"/products/{other}", json={"image_url": shown})
    assert changed["image_url"] == shown
    assert await image_of(shared, other) == address
    gone = f"{shared.url}/pictures/{'0' * 64}-640.webp"
    refused = await shared.call("PATCH", f"/products/{other}", 422, json={"image_url": gone})
    assert "isn't here any more" in str(refused)


async def test_a_sales_page_takes_over_the_picture_and_gets_another(
    shared: Latchkey, admin: Visitor
) -> None:
    product = await shared.product("Sold with a picture")
    fields: dict[str, Any] = {"name": "Sold with a picture", "slug": "sold-with-a-picture"}
    await save(admin, f"/admin/products/{product}", picture(size=(30, 20)), **fields)
    first = await image_of(shared, product)
    page = f"/admin/products/{product}/sales-page"
    await admin.send(page, f"{page}/start", begin="template")
    await admin.send(page, edition="1", headline="Sold", status="live")
    block = re.search(r'<a href="([^"]+)"><strong>Picture<', (await admin.get(page)).text)
    assert block
    for edition, raw, expected in (
        ("1", None, first),
        ("2", picture(size=(31, 20)), "-31.webp"),
        ("3", None, "-31.webp"),
    ):
        await save(admin, block[1], raw, edition=edition, alt="A boat")
        shown = (await admin.get("/sales/sold-with-a-picture")).text
        assert expected
        assert re.search(rf'<img class="picture" src="[^"]*{re.escape(expected)}"', shown)
        assert 'alt="A boat"' in shown
