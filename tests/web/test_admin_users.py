"""The admin's users: filters, CSV export, one user, impersonating, erasing."""

import asyncio
import csv
import io
import re
import threading
from html import unescape
from typing import Any

import pytest

from latchkey.store.users import erasure
from tests.harness import ADMIN, PATIENCE, Latchkey
from tests.web.pages import Visitor, user, visit
from web.pages.admin import bulk_grants
from web.pages.admin import users as users_page

pytestmark = pytest.mark.anyio


async def shown(visitor: Visitor, path: str) -> str:
    """A page's text without tags."""
    return words((await visitor.get(path)).text)


def words(html: str) -> str:
    main = html.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def buyer(site: Latchkey, email: str, name: str) -> tuple[int, str, str]:
    """A person with a running subscription: their id, the product and the subscription."""
    stripe_product = await site.stripe.product(name)
    price = await site.stripe.price(stripe_product)
    product = await site.product(name)
    await site.link(product, stripe_product)
    session = await site.stripe.buy(email, price, name="Nora Buyer")
    await site.has(product, email)
    await site.settled()
    found = await site.pool.fetchval("select id from users where email_key = lower($1)", email)
    return int(found), product, str(session["subscription"])


async def test_filters_and_csv(shared: Latchkey) -> None:
    product = await shared.product("Filtered for")
    for number in range(3):
        email = f"+filter{number}@users.example"
        await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    await user(shared, "helper-filter@users.example", "support")
    async with visit(shared) as admin:
        await admin.sign_in()
        text = await shown(admin, f"/admin/users?product={product}&q=filter1")
        assert "+filter1@users.example Filtered for Member never" in text
        assert "+filter2@" not in text
        text = await shown(admin, "/admin/users?role=support&q=filter")
        assert "helper-filter@" in text
        assert "+filter0@" not in text
        assert "No results" in await shown(admin, "/admin/users?seen=month&q=filter")
        answer = await admin.get(f"/admin/users.csv?product={product}")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["email"] for row in rows] == [f"'+filter{n}@users.example" for n in (2, 1, 0)]
    assert rows[0]["products"] == "Filtered for"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("users.csv", b"", "Choose a file or paste lines."),
        ("users.csv", b"\xff\xfe\x00", "t UTF-8"),
        ("users.csv", b"a@b.example\x00", "t a text file"),
        ("users.csv", b"x" * 8_000_001, "larger than 8 MB"),
        ("users.xlsx", b"a@b.example", "name ends in .csv, .tsv or .txt"),
        ("users.csv.exe", b"a@b.example", "name ends in .csv, .tsv or .txt"),
    ],
)
async def test_invalid_files_are_refused(
    shared: Latchkey, name: str, content: bytes, problem: str
) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        form = (await admin.get("/admin/grants")).text
        token = re.search(r'name="csrf_token" value="(\w+)"', form)
        assert token
        answer = await admin.client.post(
            "/admin/grants",
            data={"csrf_token": token[1]},
            files={"file": (name, content, "text/csv")},
        )
        assert answer.status_code == 422
        assert problem in unescape(answer.text)


async def test_reading_a_long_file_holds_nobody_up(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, reading = threading.Event(), threading.Event()

    def read(*_: object, **__: object) -> tuple[list[object], list[object]]:
        reading.set()
        assert answered.wait(PATIENCE), "the site answers meanwhile"
        return [], []

    monkeypatch.setattr(bulk_grants, "read_grants", read)
    async with visit(shared) as admin, visit(shared) as other:
        await admin.sign_in()
        sent = asyncio.create_task(admin.send("/admin/grants", expect=200, lines="a@x.example"))
        await asyncio.to_thread(reading.wait, 20)
        await other.get("/healthz")
        answered.set()
        await sent


async def test_a_user_page_shows_everything_about_them(shared: Latchkey) -> None:
    person, product, subscription = await buyer(shared, "nora@users.example", "Everything")
    async with visit(shared) as admin:
        await admin.sign_in()
        here = f"/admin/users/{person}"
        await admin.send(here, f"{here}/notes", text="Called on Monday\n<b>twice</b>")
        await admin.send(here, f"{here}/link")
        text = await shown(admin, here)
        assert "Nora Buyer nora@users.example" in text
        assert re.search(r"Everything Subscribed, next payment on \d+ \w+ \d+", text)
        assert re.search(rf"{subscription} Active, next payment on", text)
        links = (await admin.get(here)).text
        for name in ("subscriptions", "purchases", "customers"):
            address = f"/admin/{name}?q=nora%40users.example"
            assert f'href="{address}"' in links
            found = (await admin.get(address)).text
            assert (f"/admin/users/{person}" in found) is (name != "purchases"), name
        assert "Called on Monday <b>twice</b>" in text
        assert "View as this user" in text
        assert "Product purchased" in text
        mails = await shared.pool.fetch("select kind from mails where user_id = $1", person)
        assert {row["kind"] for row in mails} == {"product_access", "sign_in"}
        await admin.send(here, f"{here}/notes", 422, text="")
        note = await shared.pool.fetchval("select id from user_notes where user_id = $1", person)
        await admin.send(here, f"/admin/notes/{note}/delete")
        assert "Called on Monday" not in await shown(admin, here)
        sent = await admin.send(f"{here}/grant", product=product)
        assert sent.headers["location"].endswith("/grants?email=nora%40users.example")
        data = (await admin.send(here, f"{here}/export", 200)).json()
    assert data["user"]["email"] == "nora@users.example"
    assert data["subscriptions"][0]["id"] == subscription
    assert data["access"][0]["product"] == "Everything"
    assert len(await shared.lines(type="user_exported", user=person)) == 1


async def test_impersonating_a_member(shared: Latchkey) -> None:
    person, _, _ = await buyer(shared, "looked@users.example", "Looked into")
    async with visit(shared) as admin, visit(shared) as helper:
        await admin.sign_in()
        path = f"/admin/users/{person}/sign-in-as"
        handover = await admin.handover(person)
        await admin.send(path, expect=403)
        await admin.send(path, expect=403, handover=handover[:-2])
        other, _, _ = await buyer(shared, "other@users.example", "Another")
        elsewhere = await admin.send(
            path.replace(str(person), str(other)), expect=403, handover=handover
        )
        assert "still signed in as yourself" in elsewhere.text
        began = await admin.send(path, handover=handover)
        assert began.headers["location"] == "/library"
        page = (await admin.get("/library")).text
        assert "viewing the site as <strong>looked@users.example</strong>" in page
        assert "Looked into" in page
        assert "can't open admin pages" in unescape((await admin.get("/admin/users", 403)).text)
        refused = await admin.send("/library", "/account/password", 403, password="x")
        assert "Only they can change" in unescape(refused.text)
        stopped = await admin.send("/library", "/acting/stop")
        assert stopped.headers["location"] == f"/admin/users/{person}?done=acting-over"
        assert "as yourself again" in (await admin.get(stopped.headers["location"])).text
        again = await admin.send(path, expect=403, handover=handover)
        assert "This form has already been used" in again.text
        await admin.get("/admin/users")
        for kind in ("signed_in_as", "signed_out_as"):
            (line,) = await shared.lines(type=kind, user=person)
            shown_line = (await admin.get(f"/admin/activity/{line['id']}")).text
            assert f"By an admin: {ADMIN}" in shown_line

        owner = await shared.pool.fetchval("select id from users where role = 'owner' limit 1")
        await admin.get(f"/admin/users/{owner}/sign-in-as", 403)
        await helper.sign_in_as(await user(shared, "helps@users.example", "support"), "acting")
        await helper.send("/admin/users", f"/admin/users/{person}/sign-in-as", 403)

        await admin.see_as(person)
        await shared.pool.execute("update sessions set acting_until = now() where acting_as > 0")
        await admin.get("/admin/users")


async def test_erasing_leaves_only_amounts_and_dates(shared: Latchkey) -> None:
    email = "Forget.Me@users.example"
    person, product, subscription = await buyer(shared, email, "Forgotten")
    price = await shared.stripe.price(await shared.stripe.product("Once"), 500, every=None)
    await shared.stripe.buy(email, price, mode="payment", name="Norina Forgotten")
    await shared.settled()
    async with visit(shared) as admin:
        await admin.sign_in()
        here = f"/admin/users/{person}"
        await admin.send(here, f"{here}/notes", text=f"Writes as {email}")
        assert "for 1 live subscription" in await shown(admin, f"{here}/erase")
        await admin.send(f"{here}/erase", expect=422)
        assert (await shared.access(product, email))["access"]
        await admin.send(f"{here}/erase", billed="yes")
        text = await shown(admin, here)
    assert f"erased-{person}@erased.invalid" in text
    assert await places(shared, email) == []
    kept = await shared.pool.fetchrow(
        "select status, created_at from subscriptions where id = $1", subscription
    )
    assert kept is not None
    assert kept["status"] == "active"
    assert not (await shared.access(product, email))["access"]

    await shared.stripe.post(f"subscriptions/{subscription}", metadata={"again": "1"})
    customer = await shared.pool.fetchval("select id from customers where user_id = $1", person)
    await shared.stripe.post(f"customers/{customer}", metadata={"again": "1"})
    await shared.settled()
    again = await shared.pool.fetchrow("select email, name from customers where id = $1", customer)
    assert again is not None
    assert (again["email"], again["name"]) == (None, None)
    assert await places(shared, email) == [], "events that arrive later name nobody"
    assert await places(shared, "Norina Forgotten") == []


async def test_an_erased_user_holds_no_collection(shared: Latchkey) -> None:
    email = "holds.all@users.example"
    first, later = [await shared.product(name) for name in ("In it first", "In it later")]
    body = {"name": "All of theirs", "products": [first]}
    path = f"/collections/{(await shared.call('POST', '/collections', 201, json=body))['id']}"
    gift = {"email": email, "reason": f"as {email} asked"}
    person = (await shared.call("POST", f"{path}/grants", 201, json=gift))["user_id"]
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.send(f"/admin/users/{person}/erase")
    assert await places(shared, email) == []
    await shared.call("PATCH", path, json={"products": [first, later]})
    grants = await shared.pool.fetch(
        "select product_id from grants where user_id = $1 and ended_at is null", person
    )
    assert grants == []
    assert await shared.lines(product=later) == []
    assert (await shared.call("GET", path))["holders"] == 0


async def places(site: Latchkey, text: str) -> list[str]:
    """Every column of the database that contains a text, ignoring case."""
    columns = await site.pool.fetch(
        """
        select table_name, column_name from information_schema.columns
         where table_schema = 'public' and is_updatable = 'YES'
           and data_type in ('text', 'jsonb', 'ARRAY', 'character varying')
        """
    )
    found = []
    for row in columns:
        table, column = row["table_name"], row["column_name"]
        hit = await site.pool.fetchval(
            f"select exists (select from {table} where position($1 in lower({column}::text)) > 0)",
            text.lower(),
        )
        if hit:
            found.append(f"{table}.{column}")
    return found


async def test_every_table_with_an_address_is_known_to_erasing(shared: Latchkey) -> None:
    """A new table that keeps addresses fails here until erasing knows it."""
    rows = await shared.pool.fetch(
        """
        select distinct table_name from information_schema.columns
          join information_schema.tables using (table_schema, table_name)
         where table_schema = 'public' and table_type = 'BASE TABLE'
           and column_name similar to '%(email|recipient|agent)%'
        """
    )
    told = " ".join(erasure.STEPS).replace("audit_erase(", " audit_log ")
    assert [row["table_name"] for row in rows if f" {row['table_name']} " not in told] == []


async def test_staff_are_not_erased(shared: Latchkey) -> None:
    person = await user(shared, "colleague@users.example", "admin")
    async with visit(shared) as admin:
        await admin.sign_in()
        refused = await admin.send(f"/admin/users/{person}/erase", expect=422)
    assert "remove their role first" in refused.text


@pytest.mark.parametrize("change", ["role = 'support'", "erased_at = now()"])
async def test_impersonation_ends_when_they_stop_being_a_member(
    shared: Latchkey, change: str
) -> None:
    """Whoever is promoted meanwhile has rights that the admin must not take over."""
    email = f"promoted-{len(change)}@users.example"
    person = await user(shared, email)
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.see_as(person)
        assert "/acting/stop" in (await admin.get("/library")).text
        await shared.pool.execute(f"update users set {change} where id = $1", person)
        page = (await admin.get("/library")).text
    assert "/acting/stop" not in page
    assert email not in page


async def test_people_are_labelled_one_by_one_chosen_and_all_that_a_filter_finds(
    shared: Latchkey,
) -> None:
    names = [f"labelled{n}" for n in range(3)]
    ids = [await user(shared, f"{name}@page.example", "member") for name in names]
    path = "/admin/users?q=labelled"
    async with visit(shared) as admin:
        await admin.sign_in()
        here = f"/admin/users/{ids[0]}"
        refused = await admin.send(here, f"{here}/labels", expect=422, label="x" * 41)
        assert "Enter a label of up to 40 characters, without semicolons." in refused.text
        await admin.send(here, f"{here}/labels", expect=303, label="<b>Press</b> friends")
        assert "&lt;b&gt;Press&lt;/b&gt; friends" in (await admin.get(here)).text
        label = path.replace("users", "users/labels")
        nobody = await admin.send(path, label, expect=422, label="Early birds")
        assert "Tick at least one row, or choose all of them." in nobody.text
        assert f'href="{path}&amp;sort=seen"' in nobody.text
        long = await admin.send(path, label, expect=422, label="x" * 41, chosen=ids[0])
        assert f'value="{ids[0]}" checked form="chosen"' in long.text
        await admin.send(path, label, expect=303, label="Early birds", chosen=ids[1], change="add")
        await admin.send(path, label, expect=303, label="All of them", all="yes", change="add")
        await admin.send(
            path, label, expect=303, label="all of THEM", chosen=ids[2], change="remove"
        )
        found = (await admin.get(f"{path}&label=All+of+them")).text
        assert [name in found for name in names] == [True, True, False]
        rows = csv.DictReader(io.StringIO((await admin.get("/admin/users.csv?q=labelled")).text))
        assert {row["email"].partition("@")[0]: row["labels"] for row in rows} == {
            "labelled0": "<b>Press</b> friends; All of them",
            "labelled1": "All of them; Early birds",
            "labelled2": "",
        }
        await admin.send(here, f"{here}/labels/remove", expect=303, label="<b>Press</b> friends")
    given = await shared.call("PUT", f"/users/{ids[2]}/labels", json={"labels": ["early BIRDS"]})
    assert given["labels"] == ["Early birds"]
    listed = await shared.call("GET", "/users", params={"label": "Early birds"})
    assert [row["id"] for row in listed["data"]] == [ids[2], ids[1]]
    await shared.call("PUT", f"/users/{ids[2]}/labels", 422, json={"labels": [" "]})


@pytest.mark.parametrize("role", ["admin", "support"])
async def test_ticked_people_are_exported_and_their_emails_copied(
    shared: Latchkey, role: str
) -> None:
    names = [f"={role}-ticked{n}" for n in range(4)]
    ids = [await user(shared, f"{name}@page.example", "member") for name in names]
    staff = await user(shared, f"{role}@ticking.example", role)
    async with shared.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, ids[3], actor=staff)
    path = f"/admin/users?q={role}-ticked&sort=oldest"
    async with visit(shared) as person:
        await person.sign_in_as(staff, f"{role} ticks")
        assert ('name="change"' in (await person.get(path)).text) is (role == "admin")
        for what in ("users.csv", "users/emails"):
            here = path.replace("users", what, 1)
            nobody = await person.send(path, here, expect=422)
            assert "Tick at least one row, or choose all of them." in nobody.text
            two: dict[str, Any] = {"chosen": [ids[2], ids[0], ids[3], "nonsense"]}
            ticked = await person.send(path, here, expect=200, **two)
            everybody = await person.send(path, here, expect=200, all="yes", chosen=ids[0])
            assert [name in ticked.text for name in names] == [True, False, True, False]
            assert [name in everybody.text for name in names] == [True, True, True, False]
            assert ("erased-" in ticked.text) is (what == "users.csv")
            if what == "users.csv":
                rows = list(csv.DictReader(io.StringIO(ticked.text)))
                assert [row["email"][:2] for row in rows] == ["'=", "'=", "er"]
        lines = await shared.pool.fetch(
            "select after from audit_log where action = 'exported' and outcome = 'done'"
            " and actor_id = $1 order by id",
            staff,
        )
        ticked_users = {"list": "users", "rows": 4}
        assert [line["after"] for line in lines] == [ticked_users, {"list": "users"}] * 2


async def test_each_order_goes_on_from_page_to_page(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users_page, "PAGE", 2)
    ids = [await user(shared, f"paged{n}@page.example") for n in range(5)]
    seen = "update users set last_seen_at = now() - id * interval '1 day' where id = any($1)"
    await shared.pool.execute(seen, ids[1:4])
    async with visit(shared) as admin:
        await admin.sign_in()
        for sort in users_page.ORDERS:
            path: str | None = f"/admin/users?q=paged&sort={sort}"
            found: list[int] = []
            while path:
                page = (await admin.get(path)).text
                found += [int(row) for row in re.findall(r'name="chosen" value="(\d+)"', page)]
                more = re.search(r'rel="next" href="([^"]+)">More users', page)
                path = unescape(more[1]) if more else None
                assert path is None or "%40" not in path, "addresses aren't in addresses"
            assert len(found) == len(set(found)), sort
            assert set(found) == set(ids), sort
        for odd in ("1.2", "x", "9" * 30, f"{10**17}.1"):
            await admin.get(f"/admin/users?sort=seen&after={odd}")
