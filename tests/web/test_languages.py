"""The language of the pages: what people chose, what their browser asks for, or the site's own."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from latchkey.languages import ENGLISH, LANGUAGES, Language
from latchkey.store.feed import mails
from latchkey.store.products import lessons
from scripts import messages
from tests.harness import ADMIN, Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_account import mail_link

pytestmark = pytest.mark.anyio

VOID = {"meta", "link", "input", "img", "br", "hr", "path", "circle"}
SAME = {"Latchkey", "Stripe", "Admin", "Passkeys", *(one.name for one in LANGUAGES.values())}
"""Texts that stay as they are in other languages."""


class Texts(HTMLParser):
    """The texts of a page, and whether its tags are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == [], page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("aria-label", "placeholder", "data-errors") and value:
                self.found.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.found.append(" ".join(data.split()))


def texts(page: str) -> list[str]:
    """What a page says, but for banners for the team."""
    page = re.sub(r'<p class="banner.*?</p>', "", page, flags=re.S)
    found = [text.removesuffix(" · Latchkey") for text in Texts(page).found]
    return [text for text in found if re.search(r"[^\W\d_]{2}", text)]


@pytest.fixture(scope="module")
def translations() -> dict[str, set[str]]:
    """All translations, by the code of the language."""
    return {
        language.code: {str(m.string) for m in messages.translated(language) if m.id}
        for language in LANGUAGES.values()
        if language is not ENGLISH
    }


async def test_no_english_is_left_on_members_pages(
    shared: Latchkey, translations: dict[str, set[str]]
) -> None:
    """Each text of a page differs from the English one, unless the catalog has it that way."""
    owned, locked = await shared.product("Zq owned"), await shared.product("Zq locked")
    grant = {"email": "reads@lang.example", "until": "2040-01-01T00:00:00Z"}
    given = await shared.call("POST", f"/products/{owned}/grants", 201, json=grant)
    taught: list[str] = []
    find = "select slug from products where id = $1"
    slugs = [await shared.pool.fetchval(find, one) for one in (owned, locked)]
    for after in (0, 0, 9):
        await shared.pool.execute(
            """
            insert into lessons (id, product_id, position, title, status, released_after_days)
            values ($1, $2, 1, $1, 'live', $3)
            """,
            lesson := lessons.new_id(),
            owned,
            after,
        )
        taught.append(lesson)
    data = {"reads@lang.example", "Zq owned", "Zq locked", "python-httpx", *taught}
    data |= {row["name"] for row in await shared.pool.fetch("select name from categories")}
    async with visit(shared) as member, visit(shared) as visitor:
        await member.sign_in_as(given["user_id"], "languages")
        for path in (
            *paths(*slugs),
            *(f"/products/{slugs[0]}/lessons/{id_}" for id_ in taught[1:]),
        ):
            for reader in (member, visitor):
                english = await shown(reader, path, ENGLISH)
                for code in translations:
                    theirs = await shown(reader, path, LANGUAGES[code])
                    left = set(english) & set(theirs) - SAME - data - translations[code]
                    assert not left, (path, code)


def paths(owned: str, locked: str) -> Iterator[str]:
    yield from (
        "/login",
        "/login?done=link-sent",
        "/login/recover",
        "/library?q=zq",
        "/library?q=zzz",
    )
    yield from (f"/products/{owned}", f"/products/{locked}", f"/buy/{locked}", "/products/none")
    yield from ("/account", "/account/settings?done=saved", "/account/security", "/account/claims")
    yield from ("/account/sites", "/account/billing", "/account/email/x", "/account/claims/x")
    yield from ("/login/x", "/merge/x", "/billing/card/x", "/unsubscribe/x", "/checkout/success")
    yield from ("/checkout/again/x", "/oauth/authorize/x", "/nowhere", "/acting/stop")


async def shown(reader: Visitor, path: str, language: Language) -> list[str]:
    answer = await reader.client.get(
        path, headers={"accept-language": language.code}, follow_redirects=False
    )
    if answer.status_code in (302, 303):
        return []
    html = f'<html lang="{language.code}"'
    assert html in answer.text
    assert ('dir="rtl"' in answer.text[:200]) is language.right_to_left
    return texts(answer.text)


async def test_a_members_choice_counts_before_the_browsers(shared: Latchkey) -> None:
    chooser = await user(shared, "chooses@lang.example")
    async with visit(shared) as visitor:
        german = {"accept-language": "de-CH"}
        await visitor.get("/login", headers=german)
        assert "Anmelden" in (await visitor.get("/login", headers=german)).text
        assert (await visitor.goes("/language?to=en&next=/login?done=signed-out")).endswith("out")
        assert "Sign in" in (await visitor.get("/login", headers=german)).text
        await visitor.sign_in_as(chooser, "chooses")
        assert await locale_of(shared, chooser) == "en"
        await visitor.send("/account", "/account/language", to="de", next="/account/settings")
        assert await locale_of(shared, chooser) == "de"
        assert "Dein Konto" in (await visitor.get("/account")).text
    found = await shared.call("GET", f"/users/{chooser}")
    assert found["locale"] == "de"
    async with visit(shared) as elsewhere:
        await elsewhere.sign_in_as(chooser, "elsewhere")
        english = await elsewhere.get("/account", headers={"accept-language": "en"})
        assert "Dein Konto" in english.text


async def test_the_first_sign_in_remembers_what_the_browser_asks_for(shared: Latchkey) -> None:
    first, silent = await user(shared, "first@lang.example"), await user(shared, "s@lang.example")
    for reader, language in ((first, "de"), (first, "en"), (silent, "nl")):
        async with visit(shared) as visitor:
            visitor.client.headers["accept-language"] = language
            await visitor.sign_in_as(reader, f"first-{language}")
    assert await locale_of(shared, first) == "de"
    assert await locale_of(shared, silent) is None


async def test_new_subscribers_read_the_language_of_their_checkout(shared: Latchkey) -> None:
    """The customer that Stripe makes for them needn't name any."""
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product()
    await shared.link(product, stripe_product)
    for asked, kept in (("ja", "ja"), ("pt-BR", "pt-BR"), ("auto", None)):
        email = f"{asked.lower()}@checkout.example"
        session = await shared.stripe.checkout(price, locale=asked)
        await shared.stripe.pay(session, email)
        await shared.has(product, email)
        known = await shared.pool.fetchval("select locale from users where email = $1", email)
        assert known == kept


async def test_links_come_in_the_language_of_whoever_asks_if_theirs_isnt_known(
    shared: Latchkey,
) -> None:
    for kind, known, written in (("sign_in", None, "ja"), ("recovery", "de", "de")):
        email = f"asks-{kind}@lang.example"
        asks = await user(shared, email)
        await shared.pool.execute("update users set locale = $2 where id = $1", asks, known)
        async with visit(shared) as visitor:
            visitor.client.headers["accept-language"] = "ja"
            path = {"sign_in": "/login/link", "recovery": "/login/recover"}[kind]
            await visitor.send("/login", path, email=email)
        await mail_link(shared, email, kind)
        async with shared.pool.acquire() as connection:
            [mail] = await mails.listed(connection, search=email)
        assert (mail.kind, mail.language) == (kind, written)


async def locale_of(site: Latchkey, user_id: int) -> Any:
    return await site.pool.fetchval("select locale from users where id = $1", user_id)


async def test_only_languages_that_there_are_can_be_chosen(shared: Latchkey) -> None:
    async with visit(shared) as visitor:
        for to in ("nl", "", "de\r\nx: y", "../de"):
            await visitor.get("/language", 404, params={"to": to})
        for target in ("https://evil.example", "//evil.example", "/\\evil.example", ""):
            answer = await visitor.get("/language", 303, params={"to": "de", "next": target})
            assert answer.headers["location"] == "/", target


@pytest.mark.parametrize(("asked", "team"), [("de", "de"), ("tr", "en"), ("nl", "en")])
async def test_admin_pages_are_in_english_and_german(
    shared: Latchkey, asked: str, team: str
) -> None:
    """Whoever asks for another language has members' pages in it, if they exist in it."""
    member = "en" if asked == "nl" else asked
    async with visit(shared) as admin:
        await admin.sign_in()
        admin.client.headers["accept-language"] = asked
        assert f'<html lang="{team}"' in (await admin.get("/admin")).text
        assert f'<html lang="{member}"' in (await admin.get("/library")).text
    await shared.pool.execute("update users set locale = null where email = $1", ADMIN)


async def test_visitors_who_ask_for_another_language_get_the_sites(shared: Latchkey) -> None:
    fields: dict[str, Any] = {"name": "Latchkey", "colour": "#3d4ed8"}
    dutch = {"accept-language": "nl"}
    async with visit(shared) as admin, visit(shared) as visitor:
        await admin.sign_in()
        refused = await admin.send("/admin/settings", expect=422, language="nl", **fields)
        assert "must be one of the languages" in refused.text
        await admin.send("/admin/settings", language="de", **fields)
        assert "Anmelden" in (await visitor.get("/login", headers=dutch)).text
        await admin.send("/admin/settings", language="en", **fields)
        assert "Sign in" in (await visitor.get("/login", headers=dutch)).text
