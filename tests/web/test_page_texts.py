"""The page on which the team writes the texts of members' pages, and the pages that show them."""

from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from latchkey import languages
from latchkey.languages import LANGUAGES
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import comes_back, for_sale, opened

pytestmark = pytest.mark.anyio

TEXTS = "/admin/settings/texts"
IN_TURKISH = {"accept-language": "tr"}
"""The language of all texts here: other tests read pages in others."""


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor
    await shared.without_texts()


async def stored(site: Latchkey, place: str) -> list[tuple[str, str, str]]:
    rows = await site.pool.fetch(
        "select language, heading, body from page_texts where place = $1", place
    )
    return [tuple(row) for row in rows]


async def write(admin: Visitor, place: str, body: str, **fields: Any) -> None:
    await admin.send(f"{TEXTS}/{place}/tr", do="save", body=body, **fields)


async def read(visitor: Visitor, path: str, status: int = 200) -> str:
    return unescape((await visitor.get(path, status, headers=IN_TURKISH)).text)


async def test_a_text_is_written_seen_and_taken_back(shared: Latchkey, admin: Visitor) -> None:
    page = f"{TEXTS}/sign_in/tr"
    with languages.using(LANGUAGES["tr"]):
        sign_in = languages.translated("Sign in")
    ours = unescape((await admin.get(page)).text)
    assert "This is our text, to start from" in ours
    assert f'value="{sign_in}"' in ours
    await admin.send(page, do="save", heading="Hoş geldin", body="Bir\r\n\r\n*İki* {site}")
    assert await stored(shared, "sign_in") == [("tr", "Hoş geldin", "Bir\n\n*İki* {site}")]
    assert f'href="{page}"' in (await admin.get(TEXTS)).text
    shown = (await admin.get(page)).text
    assert "This is your text." in shown
    assert 'value="Hoş geldin"' in shown
    async with visit(shared) as visitor:
        text = await read(visitor, "/login")
        assert "<h1>Hoş geldin</h1>" in text
        assert "<p>Bir</p>\n<p><em>İki</em> Latchkey</p>" in text
        assert "Hoş geldin" not in (await visitor.get("/login")).text
        await admin.send(page, do="default")
        assert await stored(shared, "sign_in") == []
        assert f"<h1>{sign_in}</h1>" in await read(visitor, "/login")


async def test_what_is_ours_already_is_not_kept(shared: Latchkey, admin: Visitor) -> None:
    """So it changes with later releases, and no text is called the team's that isn't."""
    page = f"{TEXTS}/library_empty.visitor/tr"
    shown = unescape((await admin.get(page)).text)
    body = shown.partition('id="body"')[2].partition(">\n")[2].partition("</textarea>")[0]
    assert "](/login)" in body
    heading = shown.partition('id="heading"')[2].partition('value="')[2].partition('"')[0]
    await admin.send(page, do="save", heading=heading, body=body)
    assert await stored(shared, "library_empty.visitor") == []


async def test_what_is_wrong_is_said_beside_the_field(shared: Latchkey, admin: Visitor) -> None:
    page = f"{TEXTS}/library_empty.member/tr"
    for do in ("save", "preview"):
        refused = await admin.send(page, expect=422, do=do, heading="Bye {name}", body="{product}")
        text = unescape(refused.text)
        assert "This text doesn't have {name}. It has {site}, {email}." in text
        assert "This text doesn't have {product}." in text
        assert 'id="heading-error"' in text
        assert 'id="body-error"' in text
        assert "Bye {name}" in text
    for wrong in (
        {"heading": "", "body": "x"},
        {"heading": "x", "body": ""},
        {"heading": "x", "body": "y" * 2001},
        {"heading": "x" * 201, "body": "y"},
        {"heading": "x\u2028y", "body": "y"},
    ):
        await admin.send(page, expect=422, do="save", **wrong)
    assert await stored(shared, "library_empty.member") == []
    for path in ("library/en", "sign_in/nl", "sign_in.member/en"):
        await admin.get(f"{TEXTS}/{path}", 404)


async def test_a_preview_fills_the_variables_and_saves_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    page = f"{TEXTS}/library.member/tr"
    given = {"heading": "Ahoy {email}", "body": "On <b>{site}</b>: [go](/library)"}
    shown = unescape((await admin.send(page, expect=200, do="preview", **given)).text)
    assert "Ahoy owner@" in shown
    assert '<p>On <b>Latchkey</b>: <a href="/library"' in shown
    assert await stored(shared, "library.member") == []


async def test_pages_show_the_texts(shared: Latchkey, admin: Visitor) -> None:
    """Each place that a page of the shared site has."""
    await shared.product("Turkish locked", slug="turkish-locked")
    ended = await shared.product("Turkish ended", slug="turkish-ended")
    await shared.product("Turkish empty", slug="turkish-empty", access_mode="signed_in")
    given = await shared.call(
        "POST", f"/products/{ended}/grants", 201, json={"email": "reader@turkish.example"}
    )
    await shared.call("DELETE", f"/grants/{given['id']}", 200)
    for place, body in {
        "library.member": "Merhaba {email}",
        "locked.new": "Yeni {product}",
        "locked.ended": "Bitti {product}",
        "not_for_sale": "Satılık değil",
        "product_empty": "Boş {product}",
    }.items():
        heading = {"heading": "Raflar"} if place == "library.member" else {}
        await write(admin, place, body, **heading)
    async with visit(shared) as member:
        await member.sign_in_as(given["user_id"], "turkish")
        library = await read(member, "/library")
        assert "<h1>Raflar</h1>" in library
        assert "<p>Merhaba reader@turkish.example</p>" in library
        new = await read(member, "/products/turkish-locked", 403)
        assert "<p>Yeni Turkish locked</p>" in new
        assert "<p>Satılık değil</p>" in new
        over = await read(member, "/products/turkish-ended", 403)
        assert "<p>Bitti Turkish ended</p>" in over
        assert "Yeni" not in over
        assert "<p>Boş Turkish empty</p>" in await read(member, "/products/turkish-empty")


async def test_buyers_read_the_texts(shared: Latchkey, admin: Visitor) -> None:
    await write(admin, "buy", "Hemen **{product}**")
    await write(admin, "bought.paid", "Aldın: {products}", heading="Harika")
    await write(admin, "bought.pending", "Bekle", heading="Az kaldı")
    _, slug, _, _ = await for_sale(shared, "Turkish & sold", every=None)
    buyer = await user(shared, "buyer@turkish.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(buyer, "turkish buyer")
        buy = await read(visitor, f"/buy/{slug}?back=1")
        assert "<p>Hemen <strong>Turkish & sold</strong></p>" in buy
        for card, heading, body in (
            ("sepa_debit", "Az kaldı", "Bekle"),
            ("pm_card_visa", "Harika", "Aldın: Turkish & sold"),
        ):
            session = await opened(shared, await visitor.goes(f"/buy/{slug}/checkout?again=1"))
            await shared.stripe.pay(session, "buyer@turkish.example", card=card)
            await comes_back(visitor, session)
            shown = await read(visitor, f"/checkout/success?session={session['id']}")
            assert f"<h1>{heading}</h1>" in shown
            assert f"<p>{body}</p>" in shown


async def test_a_change_is_in_the_audit_log(shared: Latchkey, admin: Visitor) -> None:
    await write(admin, "buy", "Denetim")
    found = await shared.pool.fetch("select action from audit_log where after->>'body' = 'Denetim'")
    assert [row["action"] for row in found] == ["settings_changed"]
