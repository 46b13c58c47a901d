"""The texts of members' pages in the team's words: places, variables, what stands there without."""

import re
from html import escape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import web
from latchkey import languages, variables
from latchkey.languages import LANGUAGES
from latchkey.store.page_texts import PageText
from latchkey.store.site_settings import SiteSettings
from web.wording.page_texts import LONGEST, PLACES, VARIABLES, default_text, reworded, words_at

SITE = SiteSettings(name="Seaside School")
FACTS = {
    "site": "Seaside School",
    "email": "ada_lovelace@sea.example",
    "product": "Knots & *Charts*",
    "products": "Knots & *Charts* and <b>Tides</b>",
}
TEMPLATES = Path(web.__file__).with_name("templates")


@pytest.mark.parametrize("key", PLACES)
def test_our_own_text_says_the_same_when_it_is_saved(key: str) -> None:
    """So whoever changes one word changes nothing else, in any language, links included."""
    place = PLACES[key]
    facts = {name: FACTS[name] for name in place.own}
    for language in LANGUAGES.values():
        text = default_text(place, language)
        assert len(text.body) <= LONGEST
        assert not variables.unknown(text.heading + text.body, place.variables)
        with languages.using(language):
            ours = words_at({}, SITE, key, **facts)
            theirs = words_at({(key, language.code): text}, SITE, key, **facts)
        assert ours.ours
        assert not theirs.ours
        assert theirs.heading == ours.heading
        assert theirs.body.striptags() == ours.body.striptags(), language.code
        assert re.findall('href="[^"]+"', theirs.body) == re.findall('href="[^"]+"', ours.body)


def test_every_place_is_on_a_page_with_its_variables() -> None:
    found: dict[str, set[str]] = {}
    for template in TEMPLATES.rglob("*.html"):
        for call in re.findall(r"words_at\(([^()]+)\)", template.read_text()):
            for key in re.findall(r'"([a-z_.]+)"', call):
                found[key] = set(re.findall(r"(\w+)=", call))
    assert found == {key: set(place.own) for key, place in PLACES.items()}


@given(st.text(), st.text(max_size=LONGEST))
def test_what_a_variable_stands_for_is_never_html(value: str, around: str) -> None:
    text = f'{{product}}\n\n[a](/b "{{product}}") **{{product}}** ![{{product}}](/c)\n\n{around}'
    same = reworded(PageText("{product}", text), {"product": "x"})
    said = reworded(PageText("{product}", text), {"product": value})
    assert said.heading == value
    assert len(re.findall("<", said.body)) == len(re.findall("<", same.body))
    assert len(re.findall('"', said.body)) == len(re.findall('"', same.body))


def test_what_a_variable_stands_for_is_shown_as_it_is() -> None:
    said = reworded(PageText("", "Open **{products}** as {email}, {other}."), FACTS)
    products = escape(FACTS["products"])
    assert said.body == Markup(
        f"<p>Open <strong>{products}</strong> as {FACTS['email']}, {{other}}.</p>\n"
    )
    twice = reworded(PageText("{product}", "{product}"), {"product": "{email}", "email": "x"})
    assert (twice.heading, twice.body) == ("{email}", "<p>{email}</p>\n")


def test_scripts_are_taken_out() -> None:
    said = reworded(
        PageText("", "<script>alert(1)</script> [x](javascript:alert(1)) <b onclick=x>y</b>"), {}
    )
    assert "<script" not in said.body
    assert "<b" not in said.body
    assert "href" not in said.body


def test_readers_of_other_languages_see_our_words_and_the_sites_text_where_we_have_none() -> None:
    german = SiteSettings(name="Seaside School", language="de")
    texts = {
        ("library.member", "de"): PageText("Willkommen", "Schön, dass du *da* bist."),
        ("not_for_sale", "de"): PageText("", "Ausverkauft."),
        ("buy", "ar"): PageText("", "نص"),
    }
    with languages.using(LANGUAGES["fr"]):
        library = words_at(texts, german, "library.member", email="x")
        assert library.heading == languages.translated("Your library")
        assert library.body == Markup("<p>Schön, dass du <em>da</em> bist.</p>\n")
        assert library.language == LANGUAGES["de"]
        assert words_at(texts, german, "not_for_sale", product="x").ours
        assert words_at(texts, german, "buy", product="x").body == ""
    with languages.using(LANGUAGES["de"]):
        library = words_at(texts, german, "library.member", email="x")
        assert (library.heading, library.language) == ("Willkommen", None)
        assert words_at(texts, german, "not_for_sale", product="x").body == "<p>Ausverkauft.</p>\n"


def test_every_variable_is_explained() -> None:
    used = {name for place in PLACES.values() for name in place.variables}
    assert used == VARIABLES.keys()
