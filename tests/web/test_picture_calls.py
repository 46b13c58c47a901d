"""Pictures by the JSON API: uploaded, listed with what shows them, replaced, deleted."""

import json
from typing import Any
from uuid import uuid4

import pytest

from latchkey.pictures import MOST_BYTES
from tests.harness import Latchkey
from tests.images import opened, picture
from tests.test_pictures import declared
from tests.web.pages import visit

pytestmark = pytest.mark.anyio


def own() -> bytes:
    """A picture that no other test has."""
    number = uuid4().int
    colour = tuple(number >> shift & 255 for shift in (0, 8, 16))
    return picture(size=(300 + (number >> 24) % 900, 40 + (number >> 40) % 60), colour=colour)


async def upload(site: Latchkey, raw: bytes, use: str = "photo", **options: Any) -> dict[str, Any]:
    """A new picture."""
    path = f"/pictures?use={use}"
    return await site.call("POST", path, 201, content=raw, **options)


async def test_an_uploaded_picture_is_shown_where_its_address_is_given(shared: Latchkey) -> None:
    raw = own()
    width, height = opened(raw).size
    made = await upload(shared, raw, headers={"Content-Type": "text/html"})
    assert made["url"] == f"{shared.url}/pictures/{made['id']}-{width}.webp"
    assert made["urls"][0] == made["url"]
    assert made["shown_by"] == []
    async with visit(shared) as stranger:
        served = await stranger.get(made["url"])
        assert served.headers["content-type"] == "image/webp"
        assert opened(served.content).size == (width, height)
    product = await shared.product("Pictured by a program")
    await shared.call("PATCH", f"/products/{product}", json={"image_url": made["url"]})
    other = await shared.product(
        "Mentions it twice", content=f"![]({made['url']})\n\n![]({made['urls'][-1]})"
    )
    found = await shared.call("GET", f"/pictures/{made['id']}")
    places = [{"kind": "product", "id": one} for one in sorted((product, other))]
    assert found == made | {"shown_by": places}
    again = await upload(shared, raw)
    assert again == found, "the same picture is the same one"


async def test_the_list_has_each_picture_once(shared: Latchkey) -> None:
    mine = {(await upload(shared, own()))["id"] for _ in range(3)}
    seen: list[str] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = await shared.call("GET", "/pictures", params=parameters)
        seen += [one["id"] for one in page["data"]]
        if page["next"] is None:
            break
        parameters["after"] = page["next"]
    assert len(seen) == len(set(seen))
    assert mine <= set(seen)


@pytest.mark.parametrize(
    ("raw", "status", "says"),
    [
        (b"", 422, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", 422, "script"),
        (b"<!doctype html><script>alert(1)</script>", 422, "isn't a picture"),
        (b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", 422, "isn't a picture"),
        (declared(60_000, 60_000), 422, "20 million pixels"),
        (b"x" * (MOST_BYTES + 1), 422, "larger than 10 MB"),
        (b"x" * (12 * 1024 * 1024 + 1), 413, "larger than 12 MiB"),
    ],
    ids=["empty", "svg", "page", "lie", "bomb", "large", "larger"],
)
async def test_what_isnt_a_picture_is_refused_whatever_it_says_it_is(
    shared: Latchkey, raw: bytes, status: int, says: str
) -> None:
    answer = await shared.call(
        "POST", "/pictures", status, content=raw, headers={"Content-Type": "image/png"}
    )
    assert answer["code"] == ("too_large" if status == 413 else "unreadable_picture")
    assert says in answer["detail"]


async def test_an_upload_with_a_key_happens_once(shared: Latchkey) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    raw = own()
    made = await upload(shared, raw, headers=key)
    await shared.call("DELETE", f"/pictures/{made['id']}", 204)
    assert await upload(shared, raw, headers=key) == made
    await shared.call("GET", f"/pictures/{made['id']}", 404)
    for other in ("/pictures?use=icon", "/pictures"):
        body = raw if "use" in other else own()
        answer = await shared.call("POST", other, 409, content=body, headers=key)
        assert answer["code"] == "idempotency_key_reused"


async def test_a_picture_is_replaced_wherever_it_is_shown(shared: Latchkey) -> None:
    old, new = await upload(shared, own()), await upload(shared, own())
    ours, theirs = (one["url"].removeprefix(shared.url) for one in (old, new))
    product = await shared.product("Shows it everywhere", content=f"![]({old['urls'][-1]})")
    await shared.call("PATCH", f"/products/{product}", json={"image_url": old["url"]})
    lesson = await shared.call(
        "POST", f"/products/{product}/lessons", 201, json={"title": "L", "body": f"![]({ours})"}
    )
    blocks = [{"id": "blk_1", "kind": "picture", "image_url": ours, "caption": "“\\"}]
    place = f"{uuid4().hex[:8]}.test"
    await shared.pool.execute(
        "insert into sales_pages (product_id, body, blocks) values ($1, $2, $3)",
        product,
        f"![]({ours})",
        blocks,
    )
    await shared.pool.execute(
        "insert into page_texts (place, language, heading, body) values ($1, 'en', '', $2)",
        place,
        f"![]({ours})",
    )
    await shared.pool.execute(
        "insert into site_settings (key, value) values ($1, $2)", place, {"a": ours}
    )
    shown = (await shared.call("GET", f"/pictures/{old['id']}"))["shown_by"]
    everywhere = [
        {"kind": "brand", "id": place},
        {"kind": "lesson", "id": lesson["id"]},
        {"kind": "product", "id": product},
        {"kind": "sales_page", "id": product},
        {"kind": "text", "id": place},
    ]
    assert shown == everywhere
    refused = await shared.call("DELETE", f"/pictures/{old['id']}", 409)
    assert refused["code"] == "picture_in_use"
    answer = await shared.call("POST", f"/pictures/{old['id']}/replace", json={"by": new["url"]})
    assert answer["id"] == new["id"]
    assert answer["shown_by"] == everywhere
    found = await shared.call("GET", f"/products/{product}")
    assert found["image_url"] == new["url"]
    assert found["content"] == f"![]({new['url']})"
    row = await shared.pool.fetchrow(
        "select body, blocks from sales_pages where product_id = $1", product
    )
    assert row is not None
    assert row["body"] == f"![]({theirs})"
    assert row["blocks"] == [blocks[0] | {"image_url": theirs}]
    logged = await shared.pool.fetchrow(
        "select action, after from audit_log where target_id = $1 order by id desc limit 1",
        old["id"],
    )
    assert logged is not None
    assert logged["action"] == "picture_replaced"
    assert logged["after"] == {"by": new["id"], "places": 7}
    await shared.pool.execute("delete from page_texts where place = $1", place)
    await shared.pool.execute("delete from site_settings where key = $1", place)
    await shared.call("DELETE", f"/pictures/{old['id']}", 204)
    async with visit(shared) as stranger:
        await stranger.get(ours, 404)
        await stranger.get(theirs)


async def test_only_a_picture_of_the_same_use_can_replace_another(shared: Latchkey) -> None:
    raw = own()
    photo, logo, icon = [await upload(shared, raw, use) for use in ("photo", "logo", "icon")]
    assert [url.rpartition(".")[2] for url in icon["urls"]] == ["png"]
    assert {url.rpartition(".")[2] for url in logo["urls"]} == {"webp", "png"}
    for by, status, code in (
        (logo["id"], 409, "other_use"),
        (icon["url"], 409, "other_use"),
        (photo["id"], 422, "invalid"),
        ("0" * 64, 404, "not_found"),
        ("https://elsewhere.example/a.png", 404, "not_found"),
    ):
        answer = await shared.call(
            "POST", f"/pictures/{photo['id']}/replace", status, json={"by": by}
        )
        assert answer["code"] == code, by
    assert json.dumps(await shared.call("GET", f"/pictures/{photo['id']}")) == json.dumps(photo)
