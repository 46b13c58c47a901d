"""The brand: its form, and what it changes on pages and in emails."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from latchkey.mail.look import FONTS
from latchkey.mail.render import render
from latchkey.rules.pictures import of_address
from latchkey.store import site_settings
from latchkey.store.feed import mails
from latchkey.store.site_settings import SiteSettings
from tests.harness import SECRETS, Latchkey
from tests.images import opened, picture
from tests.web.pages import Visitor, visit
from web import theme

pytestmark = pytest.mark.anyio

HERE = "/admin/settings/brand"


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    """An admin of a site that looks as before afterwards."""
    before = await shared.pool.fetchval("select value from site_settings where key = 'site'")
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor
    await shared.pool.execute(
        "update site_settings set value = $1::jsonb where key = 'site'", before or {}
    )


async def save(admin: Visitor, expect: int = 303, **fields: Any) -> str:
    """Send the form as a browser does; files are bytes."""
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', (await admin.get(HERE)).text)
    assert token
    given = {"csrf_token": token[1], "colour": "#1b7f3b", "font": "system"} | fields
    parts = {
        name: ("a.png", value, "image/png") if isinstance(value, bytes) else (None, value)
        for name, value in given.items()
    }
    answer = await admin.client.post(HERE, files=parts)
    assert answer.status_code == expect, answer.text
    return unescape(answer.text)


async def look(site: Latchkey) -> SiteSettings:
    async with site.pool.acquire() as connection:
        return await site_settings.read(connection)


async def test_the_brand_is_on_pages_and_in_emails(shared: Latchkey, admin: Visitor) -> None:
    await save(
        admin,
        logo_url_file=picture(size=(300, 80), colour=(200, 30, 30)),
        icon_url_file=picture(size=(64, 64), colour=(200, 30, 30)),
        bar="yes",
        bar_colour="#0b3d2e",
        font="old-style",
        link_name_0="Imprint & contact",
        link_url_0="https://seaside.example/imprint?a=1&b=2",
        link_name_3="Privacy",
        link_url_3="https://seaside.example/privacy",
    )
    kept = await look(shared)
    assert [link["name"] for link in kept.links] == ["Imprint & contact", "Privacy"]
    async with visit(shared) as visitor:
        page = (await visitor.get("/login")).text
        assert f'<img src="{kept.logo_url}"' in page
        assert f'<link rel="icon" href="{kept.icon_url}">' in page
        assert 'href="https://seaside.example/imprint?a=1&amp;b=2"' in page
        sheet = re.search(r'href="(/theme\.css[^"]+)"', page)
        assert sheet
        css = (await visitor.get(unescape(sheet[1]))).text
        assert "--card:#0b3d2e;--ink:#ffffff" in css
        assert FONTS["old-style"].stack in css
        logo = await visitor.get("/logo.png")
        assert opened(logo.content).format == "PNG"
        assert opened(logo.content).size == (300, 80)
        icon = await visitor.get(str(kept.icon_url))
        assert opened(icon.content).size == (64, 64)
    async with shared.pool.acquire() as connection:
        owner = await connection.fetchval("select id from users where role = 'owner' limit 1")
        mail = await mails.sample(connection, "sign_in", user_id=owner)
    assert mail
    rendered = render(mail, public_url="https://a.example", secrets=SECRETS, site=kept)
    uploaded = of_address(kept.logo_url)
    assert uploaded
    assert f'src="https://a.example/logo.png?v={uploaded.digest[:12]}"' in rendered.html
    assert "background:#0b3d2e" in rendered.html
    assert "Iowan Old Style" in rendered.html
    assert 'href="https://seaside.example/imprint?a=1&amp;b=2"' in rendered.html
    assert "Imprint & contact: https://seaside.example/imprint?a=1&b=2" in rendered.text
    frame = await admin.get("/admin/mails/samples/sign_in/html")
    assert "Imprint &amp; contact" in frame.text


async def test_what_is_refused_is_said_beside_its_field(shared: Latchkey, admin: Visitor) -> None:
    before = await look(shared)
    text = await save(
        admin,
        422,
        font="Comic Sans",
        bar="yes",
        bar_colour="blue",
        link_name_0="Imprint",
        link_url_0="javascript:alert(1)",
        link_name_1="",
        link_url_1="https://seaside.example/nameless",
        logo_url_file=b"<svg></svg>",
    )
    for name in ("font", "bar_colour", "link_url_0", "link_name_1", "logo_url"):
        assert f'id="{name}-error"' in text, name
    assert "https://seaside.example/nameless" in text
    assert await look(shared) == before


async def test_a_preview_changes_nothing(shared: Latchkey, admin: Visitor) -> None:
    before = await look(shared)
    text = await save(admin, 200, colour="#ffee00", do="preview")
    assert "/theme.css?colour=ffee00&font=system&v=" in text
    assert "Links in this colour would be hard to read on white: the contrast is 1.2 : 1" in text
    assert await look(shared) == before


async def test_a_site_without_a_logo_has_none_for_emails(shared: Latchkey, admin: Visitor) -> None:
    await save(admin)
    await admin.get("/logo.png", 404)
    await save(admin, logo_url="https://seaside.example/logo.png")
    answer = await admin.get("/logo.png", 302)
    assert answer.headers["location"] == "https://seaside.example/logo.png"


@pytest.mark.parametrize("bar", ["#000000", "#ffffff", "#7f7f7f", "#767676", "#ff0000", "#0088aa"])
def test_the_bar_is_readable_in_each_mode(bar: str) -> None:
    sheets = theme.style_sheet("#3d4ed8", bar=bar).split("header.bar{")[1:]
    assert len(sheets) == 2
    for sheet in sheets:
        values = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", sheet))
        assert theme.contrast(values["ink"], values["card"]) >= theme.ENOUGH
        assert theme.contrast(values["ink"], values["plain-back"]) >= theme.ENOUGH
