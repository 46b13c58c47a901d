"""Importing members from CSV, by its pages and a worker: from the upload to the welcome emails."""

import asyncio
import csv
import io
import re
import threading
from collections.abc import Iterator
from html import unescape
from typing import Any, BinaryIO
from uuid import uuid4

import httpx
import pytest

from latchkey.csv_files import CsvFormat, CsvLine
from latchkey.store.users import erasure, labels, member_imports
from tests.harness import PATIENCE, Latchkey, until
from tests.web.pages import Visitor, user, visit
from tests.web.test_admin_users import shown, words
from web import imported_files
from web.api.cursors import cursor

pytestmark = pytest.mark.anyio

IMPORT = "/admin/users/import"


async def uploaded(admin: Visitor, content: bytes, name: str = "members.csv") -> httpx.Response:
    """Choose a file on the form and send it."""
    token = re.search(r'name="csrf_token" value="(\w+)"', (await admin.get(IMPORT)).text)
    assert token
    return await admin.client.post(
        IMPORT, data={"csrf_token": token[1]}, files={"file": (name, content, "text/csv")}
    )


async def pasted(admin: Visitor, lines: str) -> str:
    """The address of an import of pasted lines."""
    return (await admin.send(IMPORT, lines=lines)).headers["location"]


async def worked(site: Latchkey, here: str) -> None:
    """Wait until nothing works on an import."""

    async def idle() -> bool:
        async with site.pool.acquire() as connection:
            found = await member_imports.find(connection, here.rpartition("/")[2])
        return found is not None and not found.working

    await until(idle, "the import waits, or is done")


async def run_of(admin: Visitor, page: str) -> str:
    found = re.search(r'name="run" value="(\d+)"', (await admin.get(page)).text)
    assert found
    return found[1]


async def previewed(site: Latchkey, admin: Visitor, here: str, **choices: Any) -> str:
    """Leave the columns as they are suggested, choose plans, and wait for the preview's text."""
    shown_columns = (await admin.get(f"{here}/columns")).text
    chosen: dict[str, Any] = dict(
        re.findall(
            r'<select name="(column-\d+)".*?<option value="([^"]*)" selected>', shown_columns
        )
    )
    await admin.send(f"{here}/columns", **chosen)
    choices["run"] = await run_of(admin, f"{here}/plans")
    await admin.send(f"{here}/plans", **choices)
    await worked(site, here)
    return await shown(admin, here)


async def test_from_a_file_to_the_welcome_emails(shared: Latchkey) -> None:
    gold = await shared.product("Moved gold")
    await user(shared, "known@moved.example")
    text = (
        "Name;Email;Patron Status;Tier;Access Expiration\r\n"
        "Zoë;zoe@moved.example;Active patron;Moved gold;2031-05-06 00:00:00\r\n"
        "Old;old@moved.example;Former patron;Moved gold;\r\n"
        "Known;known@moved.example;Active patron;Moved gold;\r\n"
        "Bad;nonsense;Active patron;Moved gold;\r\n"
        "Odd;odd@moved.example;Sleeping;Moved gold;\r\n"
        "Free;free@moved.example;Active patron;Follower;\r\n"
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        answer = await uploaded(admin, text.encode("utf-16"))
        assert answer.status_code == 303
        here = answer.headers["location"]
        assert await admin.goes(here) == f"{here}/columns"
        assert "members.csv, 6 lines. This looks like an export of Patreon" in await shown(
            admin, f"{here}/columns"
        )
        refused = await admin.send(f"{here}/columns", expect=422)
        assert "Choose the column with the email addresses." in refused.text
        text = await previewed(shared, admin, here, **{"plan-0": gold, "status-0": "unknown"})
        assert "Nothing is imported yet." in text
        assert "3 new people 1 known person 2 refused lines" in text
        assert "Moved gold 2 1 6 May 2031" in text
        plans = (await admin.get(f"{here}/plans")).text
        assert re.search(rf'value="{gold}" selected', plans)
        assert "Sleeping" in plans
        lines = await shown(admin, f"{here}/lines?outcome=refused")
        assert "Email: “nonsense” isn't a valid email address." in lines
        assert "Patron Status: “Sleeping” isn't a status" in lines
        rows = list(csv.DictReader(io.StringIO((await admin.get(f"{here}/refused.csv")).text)))
        assert [(row["Email"], row["Line"], row["Column"]) for row in rows] == [
            ("nonsense", "5", "Email"),
            ("odd@moved.example", "6", "Patron Status"),
        ]
        count = "select count(*) from users where email like '%@moved.example'"
        assert await shared.pool.fetchval(count) == 1
        stale = await admin.send(here, f"{here}/start", run="0")
        assert stale.headers["location"].endswith("?done=import-elsewhere")
        await admin.send(here, f"{here}/start", run=await run_of(admin, here))
        await worked(shared, here)
        assert "Nobody was emailed." in await shown(admin, here)
        assert await shared.pool.fetchval(count) == 4
        await shared.has(gold, "zoe@moved.example")
        await shared.has(gold, "old@moved.example", access=False)
        mails = (
            "select count(*) from mails where user_id in"
            " (select id from users where email like '%@moved.example')"
        )
        assert await shared.pool.fetchval(mails) == 0
        await shared.call("PATCH", f"/products/{gold}", json={"status": "draft"})
        assert "to a live product by this import. Nobody has" in await shown(admin, here)
        await shared.call("PATCH", f"/products/{gold}", json={"status": "live"})
        assert "Send the welcome email to 2 people" in await shown(admin, here)
        await admin.send(here, f"{here}/mail")
        await worked(shared, here)
        assert "The welcome email was queued for 2 people." in await shown(admin, here)
        assert await shared.pool.fetchval(mails) == 2
        again = await admin.send(IMPORT, f"{here}/mail")
        assert again.headers["location"].endswith("?done=import-elsewhere")
        kept = await admin.send(IMPORT, f"{here}/remove")
        assert kept.headers["location"] == f"{here}?done=import-elsewhere"
        zoe = await shared.pool.fetchval("select id from users where email = 'zoe@moved.example'")
        (line,) = await shared.lines(type="manual_grant", user=zoe)
        assert (line["product"], line["cause"]) == (gold, "bulk")


async def test_lines_can_be_pasted_without_a_heading(shared: Latchkey) -> None:
    await user(shared, "known@pasted.example")
    lines = "ada@pasted.example, Ada\n\nknown@pasted.example\nADA@pasted.example\nnonsense\n"
    async with visit(shared) as admin:
        await admin.sign_in()
        here = await pasted(admin, lines)
        text = await previewed(shared, admin, here)
        assert "1 new person 1 known person 1 refused line" in text
        await admin.send(here, f"{here}/start", run=await run_of(admin, here))
        await worked(shared, here)
        found = await shared.pool.fetchrow(
            "select id, name from users where email = 'ada@pasted.example'"
        )
        assert found is not None
        assert found["name"] == "Ada"
        assert len(await shared.lines(type="user_created", user=found["id"])) == 1
        assert "ada@pasted.example" in await shown(admin, f"{here}/lines")


async def test_an_import_can_be_removed_until_it_starts(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        here = await pasted(admin, "email\nremoved@pasted.example\n")
        await admin.send(f"{here}/columns", f"{here}/remove")
        for page in (here, f"{here}/columns", f"{here}/plans", f"{here}/refused.csv"):
            await admin.get(page, 404)


async def test_too_many_different_plans_lead_back_to_the_columns(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_imports, "MOST_PLANS", 2)
    async with visit(shared) as admin:
        await admin.sign_in()
        here = await pasted(admin, "email,plan\n" + "".join(f"p{n}@x.example,{n}\n" for n in "123"))
        chosen: dict[str, Any] = {"column-0": "email", "column-1": "plan"}
        await admin.send(f"{here}/columns", **chosen)
        text = words((await admin.get(f"{here}/plans", 422)).text)
        assert "“plan” has more than 2 different values" in text
        assert "What do the columns hold?" in text


async def test_erasing_somebody_takes_them_out_of_a_file_that_waits(shared: Latchkey) -> None:
    person = await user(shared, "gone@pasted.example")
    async with visit(shared) as admin:
        await admin.sign_in()
        here = await pasted(admin, "email\ngone@pasted.example\nstays@pasted.example\n")
        async with shared.pool.acquire() as connection, connection.transaction():
            await erasure.erase(connection, person, actor=1)
        assert "gone@" not in (await admin.get(f"{here}/columns")).text


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("users.csv", b"", "The file is empty."),
        ("users.csv", b"email,name\n", "no lines below it"),
        ("users.csv", b"a@b.example\x00", "t a text file"),
        ("users.csv", b"PK\x03\x04", "Save the list as CSV"),
        ("users.csv", b"email" + b"," * 120 + b"last\na@b.example", "more than 100 columns"),
        ("users.xlsx", b"a@b.example", "name ends in .csv, .tsv or .txt"),
        ("users.csv.exe", b"a@b.example", "name ends in .csv, .tsv or .txt"),
    ],
)
async def test_invalid_files_are_refused(
    shared: Latchkey, name: str, content: bytes, problem: str
) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        answer = await uploaded(admin, content, name)
        assert answer.status_code == 422
        assert problem in unescape(answer.text)


async def test_too_many_lines_are_refused_and_nothing_is_kept(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported_files, "MOST_LINES", 2)
    async with visit(shared) as admin:
        await admin.sign_in()
        answer = await uploaded(admin, b"email\na@b.example\nb@b.example\nc@b.example", "long.csv")
        assert answer.status_code == 422
        assert "There are more than 2 lines." in answer.text
        assert "long.csv" not in (await admin.get(IMPORT)).text


async def test_reading_a_long_file_holds_nobody_up(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, reading = threading.Event(), threading.Event()

    def slowly(_: BinaryIO, __: CsvFormat) -> Iterator[CsvLine]:
        yield CsvLine(1, ["email"])
        reading.set()
        assert answered.wait(PATIENCE), "the site answers meanwhile"
        yield CsvLine(2, ["a@x.example"])

    monkeypatch.setattr(imported_files, "lines_of", slowly)
    async with visit(shared) as admin, visit(shared) as other:
        await admin.sign_in()
        sent = asyncio.create_task(admin.send(IMPORT, lines="a@x.example"))
        await asyncio.to_thread(reading.wait, 20)
        await other.get("/healthz")
        answered.set()
        await sent


async def test_programs_import_members_as_the_pages_do(shared: Latchkey) -> None:
    silver = await shared.product("Moved silver", slug="moved-silver")
    text = "Email,Plan,Expires,State,Group\n"
    text += "ann@program.example,Silver,2031-05-06,napping,Program\n"
    text += "bob@program.example,Free,,active\n"
    text += "nonsense,Silver,,active\ncarl@program.example,Silver,,gone\n"
    body: dict[str, Any] = {
        "csv": text,
        "file_name": "from-a-program.csv",
        "columns": ["email", "plan", "until", "status", "labels"],
        "plans": [{"plan": "Silver", "product": "moved-silver"}, {"plan": "Free", "product": None}],
        "statuses": [{"status": "Napping", "meaning": "goes_on"}],
    }
    key = {"Idempotency-Key": uuid4().hex}
    made, again = [
        await shared.call("POST", "/member-imports", 202, json=body, headers=key) for _ in range(2)
    ]
    assert again == made, "whoever got no answer may ask again"
    assert (made["state"], made["lines"], made["file_name"]) == ("checking", 4, body["file_name"])
    here = f"/member-imports/{made['id']}"
    await worked(shared, here)
    ready = await shared.call("GET", here)
    assert (ready["state"], ready["worked"]) == ("ready", 4)
    outcomes = {name: ready["figures"][name] for name in ("given", "person_only", "refused")}
    assert outcomes == {"given": 1, "person_only": 1, "refused": 2}
    last = "2031-05-06T23:59:59Z"
    assert ready["products"] == [
        {"product_id": silver, "people": 1, "without_end": 0, "last_end": last}
    ]
    assert ready["labels"] == [{"label": "Program", "people": 1, "new": True}]
    refused = await shared.call("GET", f"{here}/lines?outcome=refused&limit=1")
    [wrong] = refused["data"]
    assert (wrong["line"], wrong["column"], wrong["email"]) == (4, "Email", None)
    rest = await shared.call("GET", f"{here}/lines?outcome=refused&after={refused['next']}")
    assert [(row["line"], row["column"]) for row in rest["data"]] == [(5, "State")]
    assert rest["next"] is None
    assert (await shared.call("GET", f"{here}/lines?after={cursor(10**12)}"))["data"] == []

    count = "select count(*) from users where email like '%@program.example'"
    assert await shared.pool.fetchval(count) == 0
    stale = await shared.call("POST", f"{here}/start", 409, json={"preview": ready["preview"] + 1})
    assert stale["code"] == "not_ready"
    start = {"preview": ready["preview"]}
    clicks = await asyncio.gather(*(shared.api.post(f"{here}/start", json=start) for _ in range(3)))
    assert sorted(click.status_code for click in clicks) == [202, 409, 409]
    assert {click.json().get("state") for click in clicks} == {"running", None}
    late = [click.json()["detail"] for click in clicks if click.status_code == 409]
    assert all(said.startswith(("the import is running", "the import is done")) for said in late)
    await worked(shared, here)
    done = await shared.call("GET", here)
    assert (done["state"], done["worked"]) == ("done", 4)
    assert done["finished_at"] is not None
    assert await shared.pool.fetchval(count) == 2
    await shared.has(silver, "ann@program.example")
    [ann] = (await shared.call("GET", "/users?label=Program"))["data"]
    assert (ann["email"], ann["labels"]) == ("ann@program.example", ["Program"])
    mailed = "select count(*) from mails where data ->> 'bulk' = $1"
    assert await shared.pool.fetchval(mailed, made["id"]) == 0
    twice = await shared.call("POST", f"{here}/start", 409, json=start)
    kept = await shared.call("DELETE", here, 409)
    assert twice["code"] == kept["code"] == "not_ready"
    async with visit(shared) as admin:
        await admin.sign_in()
        assert "from-a-program.csv" in await shown(admin, f"{IMPORT}/{made['id']}")
        await admin.get(f"{IMPORT}/{made['id']}/lines?after={10**12}")


async def test_an_import_is_undone_as_its_preview_says(shared: Latchkey) -> None:
    gold = await shared.product("Undone gold")
    known = await user(shared, "known@undo.example")
    async with shared.pool.acquire() as connection, connection.transaction():
        await labels.add(connection, "Undone press", [known])
    text = (
        "Email,Tags\nnew@undo.example,undone press\nknown@undo.example,UNDONE press; <i>Undone\n"
        "seen@undo.example,\n"
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        here = await pasted(admin, text)
        text = await previewed(shared, admin, here, **{"plan-0": gold})
        assert "Label People Undone press 2 <i>Undone New 1" in text
        early = await admin.client.get(f"{here}/undo")
        assert early.headers["location"] == f"{here}?done=import-elsewhere"
        await admin.send(here, f"{here}/start", run=await run_of(admin, here))
        await worked(shared, here)
        await admin.get(f"{here}/undone.csv", 404)
        seen = "update users set last_seen_at = now() where email = 'seen@undo.example'"
        await shared.pool.execute(seen)
        assert "Undo this import" in await shown(admin, here)
        page = await shown(admin, f"{here}/undo")
        assert "3 people lose access." in page
        assert "Undone gold 3 0 0" in page
        assert "Also delete 1 account that nobody used" in page
        assert "Label People <i>Undone 1 Undone press 1" in page
        stale = await admin.send(f"{here}/undo", shown="0", accounts="yes")
        assert stale.headers["location"] == f"{here}/undo?done=import-undo-stale"
        found = re.search(r'name="shown" value="(\w+)"', (await admin.get(f"{here}/undo")).text)
        assert found
        both = [
            await admin.send(f"{here}/undo", shown=found[1], accounts="yes"),
            await admin.send(IMPORT, f"{here}/undo", shown=found[1], accounts="yes"),
        ]
        assert [answer.headers["location"] for answer in both] == [
            here,
            f"{here}?done=import-elsewhere",
        ]
        await worked(shared, here)
        page = await shown(admin, here)
        assert (
            "Access is taken back The import gave it, or it would be over without the import. 3"
            in page
        )
        assert "Deleted Nothing happened in the account since. 1" in page
        assert "Undo this import" not in page
        assert "Undone" in await shown(admin, IMPORT)
        csv_text = (await admin.get(f"{here}/undone.csv")).text
        rows = [[*row[:3], row[4], row[6], row[8]] for row in csv.reader(io.StringIO(csv_text))]
        assert rows[1:] == [
            ["2", "", "Undone gold", "Access is taken back", "Deleted", "Undone press"],
            ["3", "known@undo.example", "Undone gold", "Access is taken back", "", "<i>Undone"],
            ["4", "seen@undo.example", "Undone gold", "Access is taken back", "Stays", ""],
        ]
        async with shared.pool.acquire() as connection:
            assert await labels.of_users(connection, [known]) == {known: ["Undone press"]}
        for name in ("known", "seen"):
            await shared.has(gold, f"{name}@undo.example", access=False)
        undone = here.rpartition("/")[2].replace("imp_", "undo_")
        feed = await shown(admin, f"/admin/activity?q={undone}")
        assert "Complimentary access was taken back 3 times. 1 account was deleted." in feed
        assert "Access ended" in feed
        why = await shown(admin, "/admin/audit?action=import_undone")
        assert here.rpartition("/")[2] in why


async def test_programs_undo_imports_too(shared: Latchkey) -> None:
    bronze = await shared.product("Undone bronze")
    body = {
        "csv": "Email\nann@program-undo.example\n",
        "plans": [{"plan": "", "product": bronze}],
    }
    made = await shared.call("POST", "/member-imports", 202, json=body)
    here = f"/member-imports/{made['id']}"
    await worked(shared, here)
    ready = await shared.call("GET", here)
    for early in (
        await shared.call("GET", f"{here}/undo", 409),
        await shared.call("POST", f"{here}/undo", 409, json={"preview": "x"}),
    ):
        assert early["code"] == "not_ready"
    await shared.call("POST", f"{here}/start", 202, json={"preview": ready["preview"]})
    await worked(shared, here)
    shown_first = await shared.call("GET", f"{here}/undo")
    assert (shown_first["people"], shown_first["access"]) == (1, {"taken_back": 1})
    assert shown_first["products"] == [
        {"product_id": bronze, "people": 1, "by_purchase": 0, "by_collection": 0}
    ]
    await shared.call(
        "POST",
        f"/products/{bronze}/grants",
        201,
        json={"email": "ann@program-undo.example", "until": "2031-01-01T00:00:00Z"},
    )
    old = {"preview": shown_first["preview"], "delete_accounts": True}
    stale = await shared.call("POST", f"{here}/undo", 409, json=old)
    assert stale["code"] == "not_ready"
    assert "changed since the preview" in stale["detail"]
    fresh = await shared.call("GET", f"{here}/undo")
    assert fresh["access"] == {"changed": 1}
    started = await shared.call("POST", f"{here}/undo", 202, json={"preview": fresh["preview"]})
    assert started["state"] == "undoing"
    await worked(shared, here)
    done = await shared.call("GET", here)
    assert done["state"] == "undone"
    assert done["undone_at"] is not None
    [line] = (await shared.call("GET", f"{here}/lines"))["data"]
    assert (line["undo"], line["account"]) == ("changed", None)
    await shared.has(bronze, "ann@program-undo.example")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"csv": ""}, "invalid"),
        ({"csv": "Email,Plan\n"}, "unreadable_file"),
        ({"csv": "nothing\nat all\n"}, "unreadable_file"),
        ({"columns": ["email"]}, "unreadable_file"),
        ({"columns": ["plan", "name"]}, "unreadable_file"),
        ({"columns": ["email", "price"]}, "invalid"),
        ({"plans": []}, "plan_missing"),
        ({"plans": [{"plan": "Gold", "product": "none"}]}, "unknown_product"),
        ({"statuses": [{"status": "x", "meaning": "unknown"}]}, "invalid"),
        ({"file_name": "two\nlines"}, "invalid"),
        ({"csv": "x" * (8 * 1024 * 1024)}, "too_large"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_programs_file_that_cant_be_used_is_refused(
    shared: Latchkey, changes: dict[str, Any], code: str
) -> None:
    name = f"{uuid4().hex}.csv"
    body = {
        "csv": "Email,Plan\na@b.example,Gold\n",
        "file_name": name,
        "plans": [{"plan": "Gold", "product": None}],
    }
    status = 413 if code == "too_large" else 422
    refused = await shared.call("POST", "/member-imports", status, json=body | changes)
    assert refused["code"] == code
    stored = "select count(*) from member_imports where file_name = $1"
    assert await shared.pool.fetchval(stored, name) == 0


async def test_a_programs_file_can_be_removed_before_it_is_started(shared: Latchkey) -> None:
    body = {"csv": "Email\na@removed.example\n", "plans": [{"plan": "", "product": None}]}
    made = await shared.call("POST", "/member-imports", 202, json=body)
    here = f"/member-imports/{made['id']}"
    await shared.call("DELETE", here, 204)
    for method, path in (("GET", here), ("GET", f"{here}/lines"), ("POST", f"{here}/start")):
        gone = await shared.call(method, path, 404, json={"preview": 1})
        assert gone["detail"].startswith("there is no import")
