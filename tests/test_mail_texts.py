"""The texts of emails in the team's words: variants, variables, and what stays ours."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey import languages, variables
from latchkey.languages import LANGUAGES
from latchkey.mail.letters import KINDS, letter
from latchkey.mail.render import render
from latchkey.mail.variants import (
    VARIABLES,
    VARIANTS,
    default_text,
    example,
    paragraphs,
    reworded,
    variant_of,
)
from latchkey.store.mail_texts import MailText
from latchkey.store.site_settings import SiteSettings
from tests.harness import SECRETS

SITE = SiteSettings(name="Seaside School")
TEAM_ONLY = {"webhooks_off", "webhook_digest"}
SEVERAL = "product_access.several"
"""Our text counts the products, and has a line for each: no variables do that."""


def test_every_email_to_members_has_its_variants() -> None:
    assert {variant.kind for variant in VARIANTS.values()} == KINDS.keys() - TEAM_ONLY


@pytest.mark.parametrize("key", VARIANTS)
def test_our_own_text_says_the_same_when_it_is_saved(key: str) -> None:
    """So whoever changes one word changes nothing else, in any language."""
    variant = VARIANTS[key]
    mail = example(variant, product="Knots & Charts", email="ada@sea.example")
    assert key == SEVERAL or variant_of(mail) == key
    for language in LANGUAGES.values():
        text = default_text(variant, language)
        assert not variables.unknown(text.subject + text.body, variant.variables)
        with languages.using(language):
            ours = letter(mail, SITE)
            assert reworded(ours, text, mail, SITE) == ours, language.code


def test_the_other_variants_are_recognised() -> None:
    several = example(VARIANTS[SEVERAL], product="Knots", email="ada@sea.example")
    assert variant_of(replace(several, products=several.products * 2)) == SEVERAL
    for kind in TEAM_ONLY:
        assert variant_of(replace(several, kind=kind)) not in VARIANTS


@given(st.text())
def test_any_text_can_be_filled(text: str) -> None:
    variant = VARIANTS["cancellation.over"]
    mail = example(variant, product="Knots", email="ada@sea.example")
    ours = letter(mail, SITE)
    said = reworded(ours, MailText(text, text), mail, SITE)
    assert (said.action, said.path, said.note) == (ours.action, ours.path, ours.note)
    if "{" not in text:
        assert said.paragraphs == paragraphs(text)


def test_variables_are_filled_once_and_others_are_found() -> None:
    variant = VARIANTS["cancellation.scheduled"]
    text = "{products} until {ends}, {site}: {email} {code} {Ends} { ends } {}"
    assert variables.unknown(text, variant.variables) == ["code", "Ends", ""]
    mail = example(variant, product="{site}", email="ada@sea.example")
    said = reworded(
        letter(mail, SITE), MailText("{products}", "{products} and {nothing}"), mail, SITE
    )
    assert said.subject == "{site}", "what a product is called isn't read as a variable"
    assert said.paragraphs == ["{site} and {nothing}"]
    assert all(VARIABLES[name] for name in variant.variables)


def test_an_email_is_in_the_teams_words_in_its_readers_language() -> None:
    variant = VARIANTS["cancellation.over"]
    mail = replace(
        example(variant, product="<b>Knots</b>", email="ada@sea.example"), user_id=7, language="de"
    )
    texts = {
        (variant.key, "de"): MailText("Ahoi, {products}", "Erste\nzweite <i>Zeile</i>\n\nEnde."),
        (variant.key, "fr"): MailText("Autre", "Chose"),
    }

    def rendered(**changes: object) -> tuple[str, str, str]:
        made = render(
            replace(mail, **changes),  # type: ignore[arg-type]
            public_url="https://sea.example",
            secrets=SECRETS,
            site=SITE,
            texts=texts,
        )
        return made.subject, made.text, made.html

    subject, text, html = rendered()
    assert subject == "Ahoi, <b>Knots</b>"
    assert "Erste\nzweite <i>Zeile</i>\n\nEnde.\n\n" in text
    assert "Erste<br>zweite &lt;i&gt;Zeile&lt;/i&gt;</p>" in html
    assert "https://sea.example/login/" in text, "the button still signs in"
    assert "48 Stunden" in text, "and the small print says how"
    assert rendered(language="en")[0] == "Your subscription has ended"
    assert rendered(data={"ends": "2031-01-01"})[0] != subject, "another variant has its own text"
