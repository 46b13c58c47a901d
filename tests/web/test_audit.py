"""The audit log: every change leaves a line with the change itself, every refusal is counted."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from activities.base import ActivityDeps
from activities.catch_up import CatchUpActivities
from latchkey import first_owner, signin_links
from latchkey.keyring import Keyring
from latchkey.picture_files import DatabasePictures
from latchkey.recovery import recover
from latchkey.rotation import rotate
from latchkey.rules.vocabulary import AuditAction, AuditOutcome
from latchkey.settings import Settings
from latchkey.store import audit
from latchkey.store.audit import AuditEntry, AuditFilter, AuditOrigin, AuditTarget
from latchkey.store.pool import Pool
from latchkey.store.stripe.connection import save_key
from latchkey.vault import Purpose, Vault
from tests.digest import digest
from tests.harness import ADMIN, SECRETS, Latchkey, until
from tests.web.pages import Visitor, user, visit
from web.audit import MOST_COUNTED, VISITOR, AuditCounts
from web.audit_actions import CALLS, PAGES

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def settings_as_before(shared: Latchkey) -> AsyncIterator[None]:
    """Other tests share the site, and these send every form."""
    before = await shared.pool.fetchval("select value from site_settings where key = 'site'")
    yield
    await shared.pool.execute("delete from site_settings where key = 'site'")
    if before is not None:
        await shared.pool.execute(
            "insert into site_settings (key, value) values ('site', $1)", before
        )


@pytest.fixture(autouse=True)
async def nothing_counted(shared: Latchkey) -> None:
    """What earlier tests were refused is written now, not when its minute is over, and the first
    refusal of each kind is written at once again."""
    assert shared._app is not None
    counts = shared._app.state.site.audit
    await counts.flush(shared.pool, everything=True)
    counts._counts.clear()


@pytest.fixture
async def owner(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor


async def lines(site: Latchkey, after: int = 0, **columns: Any) -> list[dict[str, Any]]:
    """Lines after an id with these values."""
    rows = await site.pool.fetch("select * from audit_log where id > $1 order by id", after)
    return [dict(row) for row in rows if all(row[name] == value for name, value in columns.items())]


async def last(site: Latchkey) -> int:
    return int(await site.pool.fetchval("select coalesce(max(id), 0) from audit_log"))


async def test_a_sign_in_is_recorded(shared: Latchkey) -> None:
    before = await last(shared)
    async with visit(shared) as visitor:
        visitor.client.headers["user-agent"] = "Browser of the audit test"
        await visitor.sign_in()
        me = await shared.pool.fetchval("select id from users where email = $1", ADMIN)
        (line,) = await lines(shared, before, action="signed_in")
        assert (line["outcome"], line["actor_kind"], line["actor_id"]) == ("done", "user", me)
        assert (line["ip"], line["agent"]) == ("127.0.0.1", "Browser of the audit test")
        assert line["after"] == {"via": "password"}
        await visitor.send("/account/settings", "/logout")
        (line,) = await lines(shared, before, action="signed_out")
        assert (line["actor_id"], line["outcome"]) == (me, "done")


async def test_failed_sign_ins_are_counted(shared: Latchkey) -> None:
    member = await user(shared, "target@audit.example")
    before, began = await last(shared), time.monotonic()
    async with visit(shared) as visitor:
        for _ in range(4):
            await visitor.send("/login", expect=401, email="target@audit.example", password="x")
    minutes = 2 + (time.monotonic() - began) // 60

    async def counted() -> bool:
        found = await lines(shared, before, action="sign_in_failed", target_id=str(member))
        return bool(found)

    await until(counted, "the failed sign-ins are recorded")
    (first, *_) = await lines(shared, before, action="sign_in_failed")
    assert (first["outcome"], first["actor_kind"]) == ("refused", "visitor")
    assert first["after"] == {"reason": "wrong password"}
    found = await lines(shared, before, action="sign_in_failed", target_id=str(member))
    assert len(found) <= 2 * minutes, "one line at once and one for the rest of each minute"


async def test_links_that_are_refused_are_counted(shared: Latchkey) -> None:
    member = await user(shared, "link@audit.example")
    before = await last(shared)
    link = signin_links.sign(member, "audit-link", secrets=SECRETS, epoch=99)
    async with visit(shared) as visitor:
        await visitor.send("/login", f"/login/{link}", expect=400)
        await visitor.sign_in_as(member, "audit-link")
        await visitor.send("/account/settings", f"/login/{link}")

    async def refused() -> list[dict[str, Any]]:
        return await lines(shared, before, action="sign_in_failed", target_id=str(member))

    async def counted() -> bool:
        return len(await refused()) == 2

    await until(counted, "both are recorded")
    found = await refused()
    assert {line["after"]["reason"] for line in found} == {"link not accepted"}
    assert {line["actor_id"] for line in found} == {None, member}
    assert len(await lines(shared, before, action="signed_in", outcome="done")) == 1


async def test_lines_cannot_be_changed(shared: Latchkey) -> None:
    assert await last(shared)
    for statement in (
        "update audit_log set outcome = 'done'",
        "delete from audit_log",
        "truncate audit_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await shared.pool.execute(statement)
    with pytest.raises(asyncpg.RaiseError, match="30 days"):
        await shared.pool.execute("select audit_forget('1 day', 10)")


async def test_the_page_the_csv_and_the_api_show_it(shared: Latchkey, owner: Visitor) -> None:
    me = await shared.pool.fetchval("select id from users where email = $1", ADMIN)
    shown = (await owner.get("/admin/audit", params={"actor": ADMIN, "action": "signed_in"})).text
    assert "Signed in" in shown
    assert "127.0.0.1" in shown
    assert "Exported" not in shown
    csv = await owner.get("/admin/audit.csv", params={"actor": f"user:{me}"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert f"signed_in,done,1,user,{me}" in csv.text
    (line,) = (await lines(shared, action="exported"))[-1:]
    assert (line["actor_id"], line["outcome"]) == (me, "done")
    await owner.get("/admin/audit", 422, params={"actor": "nobody"})
    await owner.get("/admin/audit", 422, params={"from": "yesterday"})
    seen: list[int] = []
    after = None
    while after is not None or not seen:
        params: dict[str, Any] = {"limit": 3, "actor": f"user:{me}"} | (
            {"after": after} if after else {}
        )
        answer = await shared.call("GET", "/audit", params=params)
        seen += [row["id"] for row in answer["data"]]
        assert {(row["actor"], row["actor_id"]) for row in answer["data"]} == {("user", me)}
        after = answer["next"]
        if after is None:
            break
    assert seen == sorted(set(seen), reverse=True)
    for params in ({"actor": "user:x"}, {"action": "slept"}, {"since": "yesterday"}):
        await shared.call("GET", "/audit", 422, params=params)


async def test_only_admins_read_it(shared: Latchkey) -> None:
    support = await user(shared, "support@audit.example", "support")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(support, "audit")
        before = await last(shared)
        assert "/admin/audit" not in (await visitor.get("/admin/activity")).text
        await visitor.get("/admin/audit", 403)
        await visitor.get("/admin/audit.csv", 403)

    async def denied() -> bool:
        return len(await lines(shared, before, action="page_denied", actor_id=support)) == 2

    await until(denied, "the refusals are recorded")


async def test_forged_forms_and_wrong_tokens_are_counted(shared: Latchkey, owner: Visitor) -> None:
    before = await last(shared)
    forged = await owner.client.post("/admin/settings", data={"csrf_token": "forged"})
    assert forged.status_code == 403
    wrong = await shared.api.get("/products", headers={"Authorization": "Bearer lk_wrong"})
    assert wrong.status_code == 401

    async def counted() -> bool:
        found = await lines(shared, before, outcome="refused")
        seen = {(line["action"], line["target_id"]) for line in found}
        return seen >= {
            ("forged_form", "POST /admin/settings"),
            ("token_denied", "GET /products"),
        }

    await until(counted, "both are recorded")


@pytest.mark.slow
async def test_a_change_and_its_line_are_one(site: Latchkey) -> None:
    """Without its line nothing is changed: here, the log takes none for a while."""
    product = await site.product("Atomic")
    grant = await site.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "atom@audit.example"}
    )
    member = grant["user_id"]
    collection = (await site.call("POST", "/collections", 201, json={"name": "Atoms"}))["id"]
    category = await site.pool.fetchval(
        "insert into categories (name, position) values ($1, 1) returning id", secrets.token_hex(4)
    )
    token = await site.pool.fetchval(
        """
        insert into api_tokens (name, token_hash, created_by)
        select 'atomic', $1, id from users where role = 'owner' limit 1 returning id
        """,
        secrets.token_bytes(32),
    )
    note = await site.pool.fetchval(
        "insert into user_notes (user_id, text) values ($1, 'note') returning id", member
    )
    forms: list[tuple[str, str, dict[str, Any]]] = [
        ("/admin/tokens", "/admin/tokens", {"name": "made"}),
        (f"/admin/tokens/{token}/revoke", "", {}),
        ("/admin/products/categories", "", {"name": secrets.token_hex(4)}),
        (
            "/admin/products/categories",
            f"/admin/products/categories/{category}",
            {f"name-{category}": secrets.token_hex(4)},
        ),
        ("/admin/products/new", "", {"name": "Made", "status": "draft"}),
        (
            f"/admin/products/{product}",
            "",
            {"name": "Renamed", "slug": secrets.token_hex(4), "status": "live"},
        ),
        (f"/admin/products/{product}/content", "", {"content": "new"}),
        (f"/admin/products/{product}/settings", "", {"access_mode": "assigned"}),
        (f"/admin/products/{product}/grants", "", {"email": "more@audit.example"}),
        (f"/admin/products/{product}/checkout", "", {"purchase_method": "none"}),
        (
            f"/admin/products/{product}/sales-page",
            f"/admin/products/{product}/sales-page/start",
            {},
        ),
        ("/admin/collections", "", {"name": "Made"}),
        (f"/admin/collections/{collection}", "", {"name": "Renamed"}),
        (
            f"/admin/collections/{collection}",
            f"/admin/collections/{collection}/grants",
            {"email": "more@audit.example"},
        ),
        (
            f"/admin/collections/{collection}",
            f"/admin/collections/{collection}/sales",
            {"product": product},
        ),
        (
            f"/admin/collections/{collection}",
            f"/admin/collections/{collection}/sales/{product}/end",
            {},
        ),
        (f"/admin/collections/{collection}", f"/admin/collections/{collection}/delete", {}),
        (f"/admin/users/{member}", f"/admin/users/{member}/notes", {"text": "a note"}),
        (f"/admin/users/{member}", f"/admin/users/{member}/link", {}),
        (f"/admin/users/{member}", f"/admin/users/{member}/export", {}),
        (f"/admin/users/{member}", f"/admin/notes/{note}/delete", {}),
        (f"/admin/grants/{grant['id']}/end", "", {}),
        (f"/admin/users/{member}/erase", "", {}),
        ("/admin/settings", "", {"name": "Atomic site"}),
        (
            "/admin/settings/team",
            "",
            {"email": f"{secrets.token_hex(4)}@audit.example", "role": "support"},
        ),
        ("/admin/mails/settings", "", {"mails_per_minute": "60", "spread_per_hour": "60"}),
        ("/admin/connectors", "/admin/connectors/stripe/portal", {"portal": "yes"}),
        (f"/admin/products/{product}/delete", "", {}),
        ("/admin/drift", "/admin/drift", {}),
    ]
    me = await site.pool.fetchval("select id from users where email = $1", ADMIN)
    async with visit(site) as owner:
        await owner.sign_in()
        for page, path, fields in forms:
            before = await digest(site, without={"tries"})
            await site.pool.execute(BLOCK)
            try:
                await owner.send(page, path or None, expect=500, **fields)
            finally:
                await site.pool.execute("drop trigger blocked on audit_log")
            assert await digest(site, without={"tries"}) == before, path or page
            since = await last(site)
            shown = (await owner.client.get(page)).text
            csrf = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
            answer = await owner.client.post(path or page, data={"csrf_token": csrf, **fields})
            assert answer.status_code in (200, 303), (path or page, answer.text)
            done = await lines(site, since, actor_id=me, outcome="done")
            assert len(done) == 1, (path or page, done)


SIGNING_OUT = ("/login", "/logout", "/oauth/logout")


async def test_no_form_is_left_out(shared: Latchkey, owner: Visitor) -> None:
    """Every form that is listed leaves a line, even where nothing comes of it."""
    since = await last(shared)
    shown = (await owner.get("/admin/settings")).text
    csrf = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
    expected = {}
    for name, action in PAGES.items():
        method, path = name.split()
        if method == "POST" and action and not path.startswith(SIGNING_OUT):
            expected[name] = action
            address = re.sub(r"\{\w+\}", "999999", path)
            answer = await owner.client.post(address, data={"csrf_token": csrf})
            assert answer.status_code != 500, name

    async def all_there() -> bool:
        return {line["action"] for line in await lines(shared, since)} >= set(expected.values())

    await until(all_there, "each has its line")
    assert len(expected) > 50


CALLED: dict[str, tuple[str, dict[str, Any] | None]] = {
    "POST /products": ("/products", {"name": "Called"}),
    "PATCH /products/{id}": ("/products/{product}", {"name": "Renamed"}),
    "POST /products/{id}/grants": ("/products/{product}/grants", {"email": "a@called.example"}),
    "POST /products/{id}/grants/bulk": (
        "/products/{product}/grants/bulk",
        {"grants": [{"email": "b@called.example"}]},
    ),
    "DELETE /grants/{id}": ("/grants/{grant}", None),
    "POST /grants/{id}/lift": ("/grants/{grant}/lift", None),
    "PUT /products/{id}/checkout": ("/products/{product}/checkout", {"enabled": False}),
    "PUT /products/{id}/policy": ("/products/{product}/policy", {"past_due_days": 3}),
    "POST /collections": ("/collections", {"name": "Called"}),
    "PATCH /collections/{id}": ("/collections/{collection}", {"name": "Renamed"}),
    "POST /collections/{id}/grants": (
        "/collections/{collection}/grants",
        {"email": "c@called.example"},
    ),
    "DELETE /collections/{id}": ("/collections/{collection}", None),
    "POST /users/{id}/merge-requests": ("/users/{user}/merge-requests", {"user": "other"}),
    "POST /users/{id}/merge": ("/users/{user}/merge", {"user": "other"}),
    "POST /users/{id}/unmerge": ("/users/{other}/unmerge", None),
    "DELETE /products/{id}": ("/products/{product}", None),
    "PUT /policy": ("/policy", {}),
    "POST /reconciliations": ("/reconciliations", {"dry_run": True}),
}


@pytest.mark.slow
async def test_no_call_is_left_out(site: Latchkey) -> None:
    """Every call that is listed leaves a line, and where it succeeds, one with the change."""
    product = await site.product("Called")
    grant = await site.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "called@audit.example"}
    )
    collection = (await site.call("POST", "/collections", 201, json={"name": "Called"}))["id"]
    names = {"product": product, "grant": grant["id"], "collection": collection}
    names |= {"user": await user(site, "one@called.example")}
    names |= {"other": await user(site, "two@called.example")}
    order = [*CALLED, *(name for name in CALLS if name not in CALLED and CALLS[name])]
    for name in order:
        method, path = name.split()
        address, body = CALLED.get(name, (re.sub(r"\{\w+\}", "999999", path), None))
        if body and "user" in body:
            body = {"user": names["other"], "reason": "same person"}
        before, since = await digest(site, without=BUSY), await last(site)
        await site.pool.execute(BLOCK)
        try:
            blocked = await site.api.request(method, address.format(**names), json=body)
        finally:
            await site.pool.execute("drop trigger blocked on audit_log")
        assert (blocked.status_code == 500) is (name in CALLED), (name, blocked.text)
        assert await digest(site, without=BUSY) == before, name
        answer = await site.api.request(method, address.format(**names), json=body)
        assert (answer.status_code < 300) is (name in CALLED), (name, answer.text)
        if answer.status_code < 300:
            found = await lines(site, since, action=CALLS[name], outcome="done")
            assert [line["actor_kind"] for line in found] == ["settings"], name

        async def there(action: str = str(CALLS[name]), since: int = since) -> bool:
            return bool(await lines(site, since, action=action))

        await until(there, f"{name} has its line")


BUSY = {"reconciliations", "reconciliation_seen", "policy_changes"}
"""What one call starts goes on in the background while the next ones are tried."""

BLOCK = """
create or replace function block_audit() returns trigger language plpgsql as
    $$ begin raise exception 'blocked by a test'; end $$;
create trigger blocked before insert on audit_log for each row execute function block_audit()
"""


async def test_erasing_a_person_removes_where_they_were(shared: Latchkey, owner: Visitor) -> None:
    member = await user(shared, "gone@audit.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "gone")
        (line,) = await lines(shared, action="signed_in", actor_id=member)
        assert line["ip"] == "127.0.0.1"
        await owner.send(f"/admin/users/{member}/erase")
    (line,) = await lines(shared, action="signed_in", actor_id=member)
    assert (line["ip"], line["agent"], line["actor_id"]) == (None, None, member)
    (line,) = await lines(shared, action="user_erased", target_id=str(member))
    assert line["ip"] == "127.0.0.1", "where the admin was stays"
    assert not await shared.pool.fetchval(
        "select exists (select from audit_log l where l::text ilike '%gone@audit.example%')"
    )


async def test_what_an_admin_does_as_a_member_names_both(shared: Latchkey, owner: Visitor) -> None:
    member = await user(shared, "seen@audit.example")
    me = await shared.pool.fetchval("select id from users where email = $1", ADMIN)
    since = await last(shared)
    await owner.see_as(member)
    await owner.send("/library", "/account/mails", 403)
    await owner.send("/library", "/acting/stop")

    async def denied() -> list[dict[str, Any]]:
        return await lines(shared, since, action="page_denied", on_behalf_of=member)

    (line,) = await until(denied, "the refusal is recorded")
    assert line["actor_id"] == me
    (line,) = await lines(shared, since, action="impersonation_ended")
    assert (line["actor_id"], line["on_behalf_of"]) == (me, member)


async def test_a_change_of_role_is_told_with_before_and_after(
    shared: Latchkey, owner: Visitor
) -> None:
    member = await user(shared, "role@audit.example", "support")
    since = await last(shared)
    await owner.send("/admin/settings/team", f"/admin/settings/team/{member}", role="admin")
    (line,) = await lines(shared, since, action="role_changed")
    assert (line["target_kind"], line["target_id"]) == ("user", str(member))
    assert (line["before"], line["after"]) == ({"role": "support"}, {"role": "admin"})
    await user(shared, "role@audit.example")


async def test_lines_expire(pool: Pool) -> None:
    entry = AuditEntry(AuditAction.SIGNED_OUT, AuditOutcome.DONE, VISITOR)
    ages = [timedelta(days=399), timedelta(days=401)]
    async with pool.acquire() as connection:
        await audit.write(connection, [replace(entry, at=datetime.now(UTC) - age) for age in ages])
    keyring = Keyring(
        pool, Vault(SECRETS), key=None, secrets=(), api_base=None, address="http://127.0.0.1"
    )
    deps = ActivityDeps(pool, keyring, SECRETS)
    await CatchUpActivities(
        deps,
        body_days=90,
        event_days=400,
        activity_days=None,
        audit_days=400,
        files=DatabasePictures(),
    ).do_chores()
    assert await pool.fetchval("select count(*) from audit_log") == 1


async def test_a_flood_of_refusals_takes_few_lines(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.audit._minute", lambda: 1)
    counts = AuditCounts()
    entry = AuditEntry(
        AuditAction.PAGE_DENIED, AuditOutcome.REFUSED, VISITOR, AuditOrigin("192.0.2.1")
    )
    for turn in range(10):
        for _ in range(1000):
            counts.count(entry)
        await counts.flush(pool, everything=turn == 9)
    rows = await pool.fetch("select count from audit_log order by id")
    assert sum(row["count"] for row in rows) == 10_000
    assert len(rows) <= 3
    for n in range(100):
        counts.count(replace(entry, origin=AuditOrigin(f"2001:db8::{n:x}")))
    await counts.flush(pool, everything=True)
    of_one_network = "select count from audit_log where ip like '2001:db8:%'"
    assert [row["count"] for row in await pool.fetch(of_one_network)] == [100]
    for n in range(MOST_COUNTED + 500):
        counts.count(replace(entry, origin=AuditOrigin(f"10.0.{n // 250}.{n % 250}")))
    await counts.flush(pool)
    assert await pool.fetchval("select count(*) from audit_log") <= MOST_COUNTED + 5
    assert await pool.fetchval("select sum(count) from audit_log") == 10_100 + MOST_COUNTED + 500


async def test_counts_are_written_before_the_process_ends_unless_the_database_is_away(
    pool: Pool,
) -> None:
    counts = AuditCounts()
    entry = AuditEntry(AuditAction.PAGE_DENIED, AuditOutcome.REFUSED, VISITOR)
    for _ in range(2):
        counts.count(entry)
        await counts.flush_last(pool)
    assert await pool.fetchval("select count(*) from audit_log") == 2
    counts.count(entry)
    await pool.close()
    await counts.flush_last(pool)


async def test_text_that_postgres_cannot_hold_is_recorded_all_the_same(pool: Pool) -> None:
    odd = "a\0b\ud800" + "x" * 500
    entry = AuditEntry(
        AuditAction.NOTE_ADDED,
        AuditOutcome.DONE,
        VISITOR,
        AuditOrigin("192.0.2.1", odd),
        AuditTarget("user", odd),
        after={"name": odd, "list": [odd] * 100},
    )
    async with pool.acquire() as connection:
        await audit.write(connection, [entry])
        (line,) = await audit.listed(connection, AuditFilter())
    assert line.agent is not None
    assert line.agent.startswith("a�b�xxx")
    assert line.after is not None
    assert len(line.after["name"]) == 200


async def test_commands_name_the_account_they_run_under(shared: Latchkey) -> None:
    since = await last(shared)
    recovered = await recover(shared.settings, "back@audit.example")
    (line,) = await lines(shared, since, action="owner_recovered")
    assert (line["actor_kind"], line["ip"]) == ("command", None)
    assert line["agent"].startswith("latchkey owner, run by ")
    assert line["after"] == {"role": "owner"}
    assert recovered.link.rpartition("/")[2][:20] not in str(line)
    await user(shared, "back@audit.example")


async def test_the_first_owner_and_a_rotation_are_recorded(pool: Pool, dsn: str) -> None:
    settings = Settings.model_validate(
        {
            "DATABASE_URL": dsn,
            "LATCHKEY_ADMIN_EMAIL": "first@audit.example",
            "LATCHKEY_ADMIN_PASSWORD": "a long and unusual password",
        }
    )
    await first_owner.ensure(pool, settings)
    old, new = (
        "an old secret of more than 32 characters",
        "a new secret of more than 32 characters",
    )
    sealed = Vault((old,)).seal("sk_test_audit", Purpose.STRIPE_KEY)
    async with pool.acquire() as connection:
        await save_key(connection, sealed=sealed, fingerprint="f")
    await rotate(dsn, (new, old), dry_run=True)
    await rotate(dsn, (new, old))
    rows = await pool.fetch("select action, actor_kind, outcome from audit_log order by id")
    assert [tuple(row) for row in rows] == [
        ("role_changed", "settings", "done"),
        ("secrets_rotated", "command", "done"),
    ]
