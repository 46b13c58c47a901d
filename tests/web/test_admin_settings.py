"""The dashboard, the connectors, the site's settings, its team and tokens."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.harness import ADMIN, Latchkey, until
from tests.web.pages import user, visit
from tests.web.test_admin_users import shown, words
from web import theme

pytestmark = pytest.mark.anyio


async def test_home_says_what_needs_attention(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        mail = await shared.pool.fetchval(
            """
            insert into mails (key, kind, user_id, state)
            select 'unsendable', 'access_granted', id, 'failed' from users limit 1 returning id
            """
        )
        shared.forget_alarms()
        try:
            text = await shown(admin, "/admin")
        finally:
            await shared.pool.execute("delete from mails where id = $1", mail)
            shared.forget_alarms()
    assert "couldn't be sent. View emails" in text
    assert "with access" in text


async def test_site_settings_show_everywhere_at_once(shared: Latchkey) -> None:
    async with visit(shared) as admin, visit(shared) as visitor:
        await admin.sign_in()
        before = await shared.pool.fetchval("select value from site_settings where key = 'site'")
        try:
            await admin.send("/admin/settings", name="Sailing <School>")
            fields: dict[str, Any] = {"colour": "#FFEE00", "font": "serif"}
            await admin.send("/admin/settings/brand", **fields)
            page = (await admin.get("/admin")).text
            assert "<span>Sailing &lt;School&gt;</span>" in page
            assert "/theme.css?colour=ffee00" in page
            answer = await admin.send("/admin/settings/brand", expect=422, colour="red")
            assert 'id="colour-error"' in answer.text
            assert "a colour such as" in answer.text
            sheet = await visitor.get("/theme.css?colour=ffee00")
            assert sheet.headers["content-type"].startswith("text/css")
            await visitor.get("/theme.css?colour=%3Cscript")
        finally:
            await shared.pool.execute(
                "update site_settings set value = $1::jsonb where key = 'site'", before or {}
            )


@pytest.mark.parametrize(
    "colour", ["#3d4ed8", "#ffee00", "#000000", "#ffffff", "#7f7f7f", "#ff0000"]
)
def test_every_colour_is_readable(colour: str) -> None:
    light, _, dark = theme.style_sheet(colour).partition("@media")
    for sheet, card in ((light, "#ffffff"), (dark, "#161b23")):
        values = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", sheet))
        assert theme.contrast(values["accent-ink"], values["accent-back"]) >= 4.5
        assert theme.contrast(values["accent-ink"], card) >= 4.5
        assert theme.contrast(values["on-accent"], values["accent"]) >= 4.5


@asynccontextmanager
async def the_only_owner(site: Latchkey, me: int) -> AsyncIterator[None]:
    """Nobody else owns the site meanwhile, whom other tests of it have made an owner."""
    others = await site.pool.fetch(
        "update users set role = 'member' where role = 'owner' and id <> $1 returning id", me
    )
    try:
        yield
    finally:
        await site.pool.execute(
            "update users set role = 'owner' where id = any($1::bigint[])",
            [row["id"] for row in others],
        )


async def test_the_team_is_invited_and_keeps_an_owner(shared: Latchkey) -> None:
    here = "/admin/settings/team"
    async with visit(shared) as owner, visit(shared) as admin:
        await owner.sign_in()
        await owner.send(here, email="new.admin@team.example", role="admin")
        found = await shared.pool.fetchrow(
            "select id, role from users where email = 'new.admin@team.example'"
        )
        assert found is not None
        assert found["role"] == "admin"
        mails = await shared.pool.fetch("select kind from mails where user_id = $1", found["id"])
        assert [mail["kind"] for mail in mails] == ["login_instructions"]
        answer = await owner.send(here, expect=422, email="new.admin@team.example", role="support")
        assert "is already on the team" in answer.text
        await owner.send(here, expect=422, email="nonsense", role="support")

        await admin.sign_in_as(found["id"], "team-admin")
        me = await shared.pool.fetchval("select id from users where email = $1", ADMIN)
        refused = await admin.send(here, f"{here}/{me}", 422, role="support")
        assert "Only an owner" in words(refused.text)
        async with the_only_owner(shared, me):
            refused = await owner.send(here, f"{here}/{me}", 422, role="member")
        assert "needs an owner" in words(refused.text)

        await owner.send(here, f"{here}/{found['id']}", role="support")
        await admin.get("/admin/products")
        await admin.send("/admin/products", "/admin/settings", 403, name="x", colour="#000000")
        await owner.send(here, f"{here}/{found['id']}", role="member")
        await admin.get("/admin/products", 403)
    assert len(await shared.lines(type="role_changed", user=found["id"])) == 3


async def test_tokens_are_shown_once_and_revoked_after_asking(shared: Latchkey) -> None:
    async with visit(shared) as admin:
        await admin.sign_in()
        made = await admin.send("/admin/tokens", expect=200, name="Forum <b>")
        token = re.search(r'<code id="token"[^>]*>(lk_[\w-]+)<', made.text)
        assert token
        assert token[1] not in (await admin.get("/admin/tokens")).text
        headers = {"Authorization": f"Bearer {token[1]}"}
        answer = await admin.client.get("/api/v1/products", headers=headers)
        assert answer.status_code == 200
        where = re.search(r'href="(/admin/tokens/\d+/revoke)"', made.text)
        assert where
        assert "stop working" in await shown(admin, where[1])
        await admin.send(where[1])

        async def refused() -> bool:
            answer = await admin.client.get("/api/v1/products", headers=headers)
            return answer.status_code == 401

        await until(refused, "the token is refused")
        await admin.get(where[1], 404)
        await admin.send("/admin/tokens", expect=422, name="")


async def test_the_connectors_page_lists_missing_permissions(shared: Latchkey) -> None:
    findings = await shared.pool.fetchval("select findings from stripe_connection")
    missing = [
        {**finding, "ok": False, "message": "No <rak_disputes>"}
        if finding["area"] == "Disputes"
        else finding
        for finding in findings
    ]
    async with visit(shared) as admin:
        await admin.sign_in()
        text = await shown(admin, "/admin/connectors")
        assert "Stripe Connected Test mode" in text
        assert "missing permissions" not in text
        await shared.pool.execute("update stripe_connection set findings = $1::jsonb", missing)
        text = await shown(admin, "/admin/connectors")
        await shared.pool.execute("update stripe_connection set findings = $1::jsonb", findings)
        assert "Disputes : read, for disputes. Stripe says: “No <rak_disputes>”" in text

        form = "/admin/connectors/stripe/portal"
        await admin.send(
            "/admin/connectors", form, portal="yes", privacy_url="https://x.example/privacy"
        )
        kept = await shared.pool.fetchval("select value from site_settings where key = 'site'")
        assert kept["portal"] is True
        assert kept["portal_cancel"] is False
        assert kept["privacy_url"] == "https://x.example/privacy"
        answer = await admin.send("/admin/connectors", form, 422, terms_url="javascript:1")
        assert 'id="terms_url-error"' in answer.text
        await admin.send("/admin/connectors", form, portal="yes", portal_cancel="yes")


def offered(page: str) -> set[str]:
    """The texts of a page's links, buttons and headings."""
    found = re.findall(r"(?s)<(a|button|h2)\b[^>]*>(.*?)</\1>", page.partition("<main")[2])
    return {" ".join(re.sub(r"<[^>]+>", " ", text).split()) for _, text in found}


async def test_support_sees_only_forms_it_may_send(shared: Latchkey) -> None:
    forms = {
        "/admin/settings": "Save",
        "/admin/settings/team": "Invite someone",
        "/admin/tokens": "Create token",
        "/admin/users": "Import",
    }
    async with visit(shared) as helper, visit(shared) as admin:
        await helper.sign_in_as(await user(shared, "forms@team.example", "support"), "forms")
        await admin.sign_in()
        for path, form in forms.items():
            assert form in offered((await admin.get(path)).text), path
            assert offered((await helper.get(path)).text).isdisjoint(forms.values()), path
        assert "Only admins can change this." in await shown(helper, "/admin/settings")
