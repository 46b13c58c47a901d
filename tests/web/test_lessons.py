"""Lessons: written by admins, read in order by members, each from the moment at which it opens."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from latchkey.store.products import lesson_files, lessons
from tests.harness import Latchkey
from tests.web.pages import Visitor, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def write(admin: Visitor, product: str, title: str, expect: int = 303, **more: Any) -> str:
    """Write a lesson by its form; its id."""
    page = f"/admin/products/{product}/lessons/new"
    found = re.search(r'name="lesson_id" value="(les_\w+)"', (await admin.get(page)).text)
    assert found, "the form names the lesson"
    fields = {
        "lesson_id": found[1],
        "title": title,
        "body": f"**All** of {title}",
        "video_url": "",
        "released_after_days": "0",
        "status": "live",
    }
    await admin.send(page, expect=expect, **fields | more)
    return found[1]


async def member(site: Latchkey, visitor: Visitor, product: str, name: str) -> int:
    """Sign the visitor in as somebody with access."""
    body = {"email": f"{name}@lessons.example"}
    given = await site.call("POST", f"/products/{product}/grants", 201, json=body)
    await visitor.sign_in_as(given["user_id"], name)
    return int(given["user_id"])


def plain(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


async def test_a_member_reads_marks_and_continues(
    shared: Latchkey, admin: Visitor, visitor: Visitor
) -> None:
    product = await shared.product("Les knots", content="# Before the lessons")
    video: dict[str, Any] = {"video_url": "https://video.example/1"}
    first = await write(admin, product, "Les first", **video)
    second = await write(admin, product, "Les second")
    third = await write(admin, product, "Les third", released_after_days="7")
    hidden = await write(admin, product, "Les hidden", status="draft")
    reader = await member(shared, visitor, product, "reads")
    base = "/products/les-knots"

    text = (await visitor.get(base)).text
    assert "Before the lessons</h1>" in text
    assert "0 of 3 lessons done" in text
    assert "Les hidden" not in text
    assert f'href="{base}/lessons/{third}"' not in text
    assert re.search(r"Les third Opens on \d+ \w+ 20\d\d, \d\d:\d\d UTC", plain(text))
    assert f'<a class="button" href="{base}/lessons/{first}">Start</a>' in text
    await visitor.get(f"{base}/lessons/{hidden}", 404)
    await visitor.get(f"{base}/lessons/none", 404)

    text = (await visitor.get(f"{base}/lessons/{first}")).text
    assert "<strong>All</strong> of Les first" in text
    assert 'href="https://video.example/1" rel="noopener noreferrer"' in text
    assert "Lesson 1 of 3" in text
    answer = await visitor.send(f"{base}/lessons/{first}", f"{base}/lessons/{first}/done")
    assert answer.headers["location"] == f"{base}/lessons/{second}"
    shelf = plain((await visitor.get("/library")).text)
    assert "Continue where you stopped Les second Les knots Continue" in shelf
    assert "1 of 3 lessons done" in shelf
    done = await visitor.send(f"{base}/lessons/{second}", f"{base}/lessons/{second}/done")
    assert done.headers["location"] == f"{base}#lessons"
    text = plain((await visitor.get(base)).text)
    assert "2 of 3 lessons done" in text
    assert "The next lesson opens on" in text
    assert "Continue where" not in plain((await visitor.get("/library")).text)

    locked = await visitor.get(f"{base}/lessons/{third}", 403)
    assert "This lesson opens on" in locked.text
    assert "All of Les third" not in plain(locked.text)
    await visitor.send(f"{base}/lessons/{first}", f"{base}/lessons/{third}/done", 403)
    count = "select count(*) from lesson_marks where user_id = $1"
    assert await shared.pool.fetchval(count, reader) == 2
    await shared.pool.execute(
        "update grants set since = since - interval '7 days' where user_id = $1", reader
    )
    assert "All of Les third" in plain((await visitor.get(f"{base}/lessons/{third}")).text)
    undone = f"{base}/lessons/{first}"
    answer = await visitor.send(undone, f"{undone}/done", do="undo")
    assert answer.headers["location"] == undone
    await visitor.send(f"{base}/lessons/{third}", f"{base}/lessons/{third}/done")
    await visitor.send(undone, f"{undone}/done")
    text = plain((await visitor.get(base)).text)
    assert "3 of 3 lessons done You've done all lessons." in text


async def test_only_who_may_open_the_product_may_open_its_lessons(
    shared: Latchkey, admin: Visitor, visitor: Visitor
) -> None:
    product = await shared.product("Les shut")
    lesson = await write(admin, product, "Les secret title")
    here = f"/products/les-shut/lessons/{lesson}"
    assert await visitor.goes(here) == f"/login?next={here}"
    reader = await member(shared, visitor, product, "shut")
    assert "Les secret title" in (await visitor.get(here)).text
    await shared.pool.execute("update grants set ended_at = now() where user_id = $1", reader)
    for path in (here, "/products/les-shut"):
        text = (await visitor.get(path, 403)).text
        assert "Your access has ended" in text
        assert "Les secret title" not in text
    await visitor.send("/account", f"{here}/done", 403)
    assert (
        await shared.pool.fetchval("select count(*) from lesson_marks where lesson_id = $1", lesson)
        == 0
    )
    other = await shared.product("Les other", access_mode="public")
    assert other
    await visitor.get(f"/products/les-other/lessons/{lesson}", 404)


async def test_visitors_read_what_is_public_and_mark_nothing(
    shared: Latchkey, admin: Visitor, visitor: Visitor
) -> None:
    product = await shared.product("Les public", access_mode="public")
    lesson = await write(admin, product, "Les for all", released_after_days="9")
    text = (await visitor.get("/products/les-public")).text
    assert "lessons done" not in text
    text = (await visitor.get(f"/products/les-public/lessons/{lesson}")).text
    assert "All of Les for all" in plain(text)
    assert "Mark as done" not in text


async def test_the_team_reads_the_lessons_of_a_draft(shared: Latchkey, admin: Visitor) -> None:
    product = await shared.product("Les draft")
    lesson = await write(admin, product, "Les far off", released_after_days="900")
    await shared.pool.execute("update products set status = 'draft' where id = $1", product)
    text = (await admin.get(f"/products/les-draft/lessons/{lesson}")).text
    assert "All of Les far off" in plain(text)


async def test_who_sees_the_site_as_a_member_marks_nothing_for_them(
    shared: Latchkey, admin: Visitor, visitor: Visitor
) -> None:
    product = await shared.product("Les acted")
    lesson = await write(admin, product, "Les acted on")
    reader = await member(shared, visitor, product, "acted")
    await admin.see_as(reader)
    here = f"/products/les-acted/lessons/{lesson}"
    assert "Mark as done" not in (await admin.get(here)).text
    await admin.send(here, f"{here}/done", 403)
    count = "select count(*) from lesson_marks where user_id = $1"
    assert await shared.pool.fetchval(count, reader) == 0


async def test_admins_order_preview_change_and_delete(shared: Latchkey, admin: Visitor) -> None:
    product = await shared.product("Les office")
    base = f"/admin/products/{product}/lessons"
    assert "No lessons yet" in (await admin.get(base)).text
    ids = [await write(admin, product, f"Les office {n}") for n in (1, 2, 3)]

    async def order() -> list[str]:
        return re.findall(r'<tr id="(les_\w+)"', (await admin.get(base)).text)

    await admin.send(base, f"{base}/{ids[0]}/move", do="down")
    assert await order() == [ids[1], ids[0], ids[2]]
    await admin.send(base, f"{base}/{ids[2]}/move", do="up")
    await admin.send(base, f"{base}/{ids[2]}/move", do="up")
    assert await order() == [ids[2], ids[1], ids[0]]
    one = f"{base}/{ids[0]}"
    fields: dict[str, Any] = {
        "title": "Les renamed",
        "body": "# Seen first",
        "video_url": "",
        "status": "draft",
    }
    shown = await admin.send(one, expect=200, do="preview", released_after_days="3", **fields)
    assert "Seen first</h1>" in shown.text
    assert "Les renamed" not in (await admin.get(base)).text
    for wrong in ("-1", "3651", "1.5", "", "soon", "9" * 400):
        answer = await admin.send(one, expect=422, released_after_days=wrong, **fields)
        assert "must be a whole number of days" in answer.text, wrong
    bad = fields | {"video_url": "javascript:alert(1)", "released_after_days": "3"}
    assert "must start with https://" in (await admin.send(one, expect=422, **bad)).text
    await admin.send(one, released_after_days="3", **fields)
    text = plain((await admin.get(base)).text)
    assert "Les renamed Draft: hidden from members After 3 days" in text
    await admin.send(f"{one}/delete")
    assert await order() == [ids[2], ids[1]]
    await admin.get(one, 404)
    await write(admin, product, "", expect=422)
    elsewhere = await shared.product("Les elsewhere")
    await admin.get(f"/admin/products/{elsewhere}/lessons/{ids[1]}", 404)
    taken = await write(admin, elsewhere, "Les taken", 404, lesson_id=ids[1])
    assert taken not in (await admin.get(f"/admin/products/{elsewhere}/lessons")).text


async def upload(
    admin: Visitor, address: str, name: str, body: bytes, expect: int = 303
) -> httpx.Response:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', (await admin.get(address)).text)
    assert found
    answer = await admin.client.post(
        f"{address}/files", data={"csrf_token": found[1]}, files={"file": (name, body)}
    )
    assert answer.status_code == expect, answer.text
    return answer


async def test_members_download_a_lessons_files_in_whole_or_in_part(
    shared: Latchkey, admin: Visitor, visitor: Visitor
) -> None:
    product = await shared.product("Les files")
    lesson = await write(admin, product, "Les with files")
    office = f"/admin/products/{product}/lessons/{lesson}"
    body = bytes(range(256)) * 2300
    await upload(admin, office, "../../knots <b>ä\u202e.html", body)
    reader = await member(shared, visitor, product, "downloads")
    here = f"/products/les-files/lessons/{lesson}"
    text = (await visitor.get(here)).text
    assert "../knots" not in text
    assert "589 kB" in text
    found = re.search(rf'download href="({here}/files/fil_\w+)">knots &lt;b&gt;ä', text)
    assert found, text
    whole = await visitor.get(found[1])
    assert whole.content == body
    assert whole.headers["content-type"] == "application/octet-stream"
    assert whole.headers["content-disposition"].startswith("attachment; filename*=UTF-8''knots%20")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["content-length"] == str(len(body))
    assert "content-encoding" not in whole.headers
    tag = whole.headers["etag"]
    for header, first, last in (
        ("bytes=262140-262150", 262140, 262150),
        ("bytes=-3", len(body) - 3, len(body) - 1),
        ("bytes=524288-", 524288, len(body) - 1),
    ):
        part = await visitor.get(found[1], 206, headers={"range": header, "if-range": tag})
        assert part.content == body[first : last + 1]
        assert part.headers["content-range"] == f"bytes {first}-{last}/{len(body)}"
    other = await visitor.get(found[1], headers={"range": "bytes=0-1", "if-range": '"other"'})
    assert other.content == body
    beyond = await visitor.get(found[1], 416, headers={"range": f"bytes={len(body)}-"})
    assert beyond.headers["content-range"] == f"bytes */{len(body)}"
    head = await visitor.client.head(found[1])
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(body)))

    await shared.pool.execute("update lessons set released_after_days = 2 where id = $1", lesson)
    locked = await visitor.get(found[1], 403)
    assert "This lesson opens on" in locked.text
    await shared.pool.execute("update lessons set released_after_days = 0 where id = $1", lesson)
    await shared.pool.execute("update grants set ended_at = now() where user_id = $1", reader)
    assert "Your access has ended" in (await visitor.get(found[1], 403)).text
    elsewhere = await write(admin, product, "Les without files")
    file = found[1].rpartition("/")[2]
    await admin.get(f"/admin/products/{product}/lessons/{elsewhere}/files/{file}/delete", 404)
    await admin.send(f"{office}/files/{file}/delete")
    assert (
        await shared.pool.fetchval(
            "select count(*) from lesson_file_parts where file_id = $1", file
        )
        == 0
    )


async def test_files_that_cant_be_added_are_refused(
    shared: Latchkey, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await shared.product("Les refused")
    lesson = await write(admin, product, "Les refuses files")
    office = f"/admin/products/{product}/lessons/{lesson}"
    assert "Choose a file." in (await upload(admin, office, "", b"", 422)).text
    assert "The file is empty." in (await upload(admin, office, "none.txt", b"", 422)).text
    most = shared.settings.file_mib * 1024 * 1024
    large = await upload(admin, office, "large.bin", bytes(most + 1), 422)
    assert f"larger than {shared.settings.file_mib} MiB" in large.text
    await upload(admin, office, "larger.bin", bytes(most + 2 * 1024 * 1024), 413)
    monkeypatch.setattr(lesson_files, "MOST", 1)
    await upload(admin, office, "one.txt", b"1")
    assert "up to 1 files" in (await upload(admin, office, "two.txt", b"2", 422)).text
    kept = "select count(*) from lesson_files where lesson_id = $1"
    assert await shared.pool.fetchval(kept, lesson) == 1


async def test_programs_write_change_and_order_lessons(
    shared: Latchkey, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await shared.product("Les by program", slug="les-by-program")
    calls = "/products/les-by-program/lessons"
    first = await shared.call("POST", calls, 201, json={"title": "Les one"})
    assert first == {
        "id": first["id"],
        "product_id": product,
        "title": "Les one",
        "body": "",
        "video_url": None,
        "released_after_days": 0,
        "status": "draft",
        "created_at": first["created_at"],
        "updated_at": first["created_at"],
    }
    one = f"{calls}/{first['id']}"
    body = {"title": "Les two", "video_url": "https://video.example/2", "status": "live"}
    second = await shared.call("POST", calls, 201, json=body)
    changes = {"body": "# Knots", "released_after_days": 3, "status": "live"}
    changed = await shared.call("PATCH", one, json=changes)
    assert changed == first | changes | {"updated_at": changed["updated_at"]}
    assert await shared.call("PATCH", one, json={}) == changed == await shared.call("GET", one)
    cleared = await shared.call("PATCH", f"{calls}/{second['id']}", json={"video_url": None})
    assert cleared["video_url"] is None
    order = {"lessons": [second["id"], first["id"]]}
    put = await shared.call("PUT", "/products/les-by-program/lesson-order", json=order)
    assert put == await shared.call("GET", calls)
    assert [row["id"] for row in put["data"]] == order["lessons"]
    assert put["data"][1]["released_after_days"] == 3
    start = await shared.call("GET", f"{calls}?limit=1")
    rest = await shared.call("GET", f"{calls}?limit=1&after={start['next']}")
    assert (start["data"] + rest["data"], rest["next"]) == (put["data"], None)
    page = (await admin.get(f"/admin/products/{product}/lessons")).text
    assert page.index("Les two") < page.index("Les one")

    monkeypatch.setattr(lessons, "MOST", 2)
    full = await shared.call("POST", calls, 409, json={"title": "Les three"})
    assert full["code"] == "too_many_lessons"
    await shared.call("DELETE", f"{calls}/{second['id']}", 204)
    gone = await shared.call("GET", f"{calls}/{second['id']}", 404)
    assert gone["detail"].startswith("there is no lesson")
    stale = await shared.call("PUT", "/products/les-by-program/lesson-order", 409, json=order)
    assert stale["code"] == "lessons_differ"
    done = await shared.pool.fetch(
        """
        select distinct action from audit_log
         where target_kind = 'product' and target_id in ($1, 'les-by-program')
           and outcome = 'done' order by action
        """,
        product,
    )
    assert [row["action"] for row in done if row["action"] != "product_created"] == [
        "lesson_deleted",
        "lessons_changed",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": None},
        {"title": "two\nlines"},
        {"title": "x" * 201},
        {"body": "x" * 200_001},
        {"body": None},
        {"video_url": "javascript:alert(1)"},
        {"video_url": "http://video.example"},
        {"released_after_days": -1},
        {"released_after_days": 3651},
        {"released_after_days": "3"},
        {"released_after_days": None},
        {"status": "hidden"},
        {"position": 1},
    ],
)
async def test_a_wrong_lesson_of_a_program_changes_nothing(
    shared: Latchkey, wrong: dict[str, Any]
) -> None:
    product = await shared.product("Les wrong")
    calls = f"/products/{product}/lessons"
    kept = await shared.call("POST", calls, 201, json={"title": "Les kept"})
    one = f"{calls}/{kept['id']}"
    assert (await shared.call("PATCH", one, 422, json=wrong))["code"] == "invalid"
    if None not in wrong.values():
        await shared.call("POST", calls, 422, json={"title": "Les new"} | wrong)
    assert await shared.call("GET", one) == kept
    assert len((await shared.call("GET", calls))["data"]) == 1
    elsewhere = await shared.product("Les foreign")
    for method, given in (("GET", None), ("PATCH", {"title": "Mine"}), ("DELETE", None)):
        path = f"/products/{elsewhere}/lessons/{kept['id']}"
        await shared.call(method, path, 404, json=given)
