"""Translations: the catalogs are complete, and say what the source says; the language is found."""

import ast
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes
from markupsafe import Markup

from latchkey import languages
from latchkey.contracts import Wake
from latchkey.languages import A_, ENGLISH, LANGUAGES, MEMBERS, Language, _, ngettext
from latchkey.mail.letters import KINDS
from latchkey.mail.render import render
from latchkey.rules.key_permissions import PERMISSIONS, PROMOTION_WRITES, READ, WRITE
from latchkey.store.feed.mails import OutMail
from latchkey.store.site_settings import SiteSettings
from scripts import messages
from web.wording.amounts import money, price
from web.wording.explain import WAKES
from web.wording.permissions import LEVELS, USED_FOR
from web.wording.scripts import MESSAGES
from web.wording.times import day, when

ROOT = Path(__file__).parents[1]
OTHERS = [language for language in LANGUAGES.values() if language is not ENGLISH]
OFFERED = [
    (language, domain)
    for language, domain in messages.CATALOGS
    if domain == MEMBERS or language.code in languages.TEAMS
]
"""The catalogs that are in use; others may be incomplete."""
CATALOGS = [pytest.param(*one, id=f"{one[0].code}-{one[1]}") for one in OFFERED]
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?\w?")
TAG = re.compile(r"<[^>]*>")
FOR_ADMINS = {"webhooks_off", "webhook_digest"}
"""Emails that only the team gets, in English."""

every_language = pytest.mark.parametrize("language", OTHERS, ids=lambda one: one.code)


def forms(text: Any) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def test_catalogs_hold_each_message_once_and_nothing_else() -> None:
    for language, domain in OFFERED:
        wanted = {(m.context, m.id) for m in messages.sources()[domain] if m.id}
        catalog = messages.translated(language, domain)
        found = {(m.context, m.id) for m in catalog if m.id}
        assert found == wanted, f"{language.code}: run `make messages`"
        assert not catalog.obsolete, language.code
        for message in catalog:
            if message.id:
                assert not message.fuzzy, f"{language.code}: {message.id}"
                texts = forms(message.string)
                assert all(text.strip() for text in texts), f"{language.code}: {message.id}"


@pytest.mark.parametrize(("language", "domain"), CATALOGS)
def test_translations_keep_what_the_source_fills_in_and_its_markup(
    language: Language, domain: str
) -> None:
    catalog = messages.translated(language, domain)
    for message in catalog:
        if not message.id:
            continue
        singular = forms(message.id)[0]
        fills = set(PLACEHOLDER.findall(forms(message.id)[-1]))
        plural = not isinstance(message.id, str)
        assert len(forms(message.string)) == (catalog.num_plurals if plural else 1), message.id
        for text in forms(message.string):
            left_out = fills - set(PLACEHOLDER.findall(text))
            assert left_out <= ({"%(count)s"} if plural else set()), message.id
            assert set(PLACEHOLDER.findall(text)) <= fills, message.id
            assert sorted(TAG.findall(text)) == sorted(TAG.findall(singular)), message.id
            assert text.strip() == text, message.id
        if plural and "%(count)s" in fills:
            assert "%(count)s" in forms(message.string)[-1], message.id


def test_french_keeps_its_marks_on_the_line_of_their_word() -> None:
    for message in messages.translated(LANGUAGES["fr"]):
        for text in forms(message.string) if message.id else ():
            assert not re.search(" [:;!?»]", text), text


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("de", "de"),
        ("de-AT,en;q=0.9", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("nl, de;q=0.5, en;q=0.8", "en"),
        ("de;q=0, en;q=0.1", "en"),
        ("DE_ch", "de"),
        ("de;q=x", None),
        ("nl,pl;q=0.5", None),
        ("*", None),
        ("", None),
        (";;,,q=1" * 9999, None),
    ],
)
def test_browsers_ask_for_languages_in_their_order(header: str, found: str | None) -> None:
    language = languages.accepted(header)
    assert (language.code if language else None) == found


def test_a_language_is_in_use_for_a_while() -> None:
    assert languages.current() is ENGLISH
    with languages.using(LANGUAGES["de"]):
        assert _("Sign in") == "Anmelden"
        assert _("") == ""
        with languages.using(ENGLISH):
            assert _("Sign in") == "Sign in"
        assert languages.current() is LANGUAGES["de"]
    assert languages.current() is ENGLISH


def test_counts_dates_and_amounts_are_written_as_the_language_does() -> None:
    moment = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
    monthly = Price(123456, "eur", "month", 1)
    quarterly = Price(123456, "eur", "month", 3)
    assert price(monthly) == "€1,234.56 every month"
    assert price(quarterly) == "€1,234.56 every 3 months"
    assert ">1 March 2026<" in day(moment)
    assert ">1 Mar 2026, 14:05 UTC<" in when(moment)
    assert ngettext("%(count)s purchase", "%(count)s purchases", 1000) == "1,000 purchases"
    with languages.using(LANGUAGES["de"]):
        assert money(123456, "eur") == "1.234,56\xa0€"
        assert price(monthly) == "1.234,56\xa0€ pro Monat"
        assert price(quarterly) == "1.234,56\xa0€ alle 3 Monate"
        assert ">1. März 2026<" in day(moment)
        assert ngettext("%(count)s purchase", "%(count)s purchases", 1000) == "1.000 Käufe"
        assert languages.listed(["A", "B", "C"]) == "A, B und C"
    assert languages.listed(["A", "B", "C"]) == "A, B and C"


class Price:
    """What a price on a page has."""

    def __init__(self, unit_amount: int, currency: str, interval: str, interval_count: int) -> None:
        self.unit_amount, self.currency = unit_amount, currency
        self.interval, self.interval_count = interval, interval_count


SETUP = {"setup.html", "setup_over.html", "setup.py"}
"""Where an owner sets the site up: in the team's words."""
FOR_DEVELOPERS = re.compile(
    r"\((client_id|id_token_hint|post_logout_redirect_uri)\)|which signs nobody in|given twice"
)


def ours(pattern: str) -> list[Path]:
    return sorted(path for path in ROOT.glob(pattern) if path.name not in SETUP)


@pytest.mark.parametrize("path", ours("web/templates/member/*.html"), ids=lambda path: path.name)
def test_templates_of_members_hold_no_unmarked_text(path: Path) -> None:
    text = path.read_text()
    for part in (r"\{% trans .*?endtrans %\}", r"\{[{%#].*?[#%}]\}", r"<[^>]*>", r"&\w+;"):
        text = re.sub(part, " ", text, flags=re.S)
    assert set(re.findall(r"[^\W\d_]{2,}", text)) <= {"narrow", "middle"}


@pytest.mark.parametrize("path", ours("web/pages/member/*.py"), ids=lambda path: path.name)
def test_sentences_of_members_pages_are_marked(path: Path) -> None:
    tree = ast.parse(path.read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    marked = {
        id(text)
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id in ("_", "N_", "ngettext")
        for text in ast.walk(call)
    }
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    unmarked = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and LOOKS_SPOKEN.match(node.value)
        and id(node) not in marked | docs
        and not FOR_DEVELOPERS.search(node.value)
    ]
    assert unmarked == []


MARKS = ("_", "A_", "N_", "NN_", "gettext", "ngettext", "pgettext")
NOT_TRANSLATED = {
    *(
        "Latchkey",
        "Stripe",
        "PostgreSQL",
        "Temporal",
        "Discord",
        "Slack",
        "narrow",
        "username webauthn",
        "middle",
        "wide",
    ),
    *("nbsp", "amp", "UTC", "OK", "JSON", "CSV", "MiB", "ms", "autofocus"),
}
SPOKEN = re.compile(r' (?:title|aria-label|placeholder|alt|data-label)="([^"{]*[a-z]{2} [^"{]*)"')
TEAMS_TEMPLATES = sorted(ROOT.glob("web/templates/admin/*.html"))


@pytest.mark.parametrize("path", TEAMS_TEMPLATES, ids=lambda path: path.name)
def test_templates_of_the_team_hold_no_unmarked_text(path: Path) -> None:
    text = path.read_text()
    assert SPOKEN.findall(text) == []
    for part in (
        r"<(pre|code|script)\b.*?</\1>",
        r"\{% trans .*?endtrans \+?%\}",
        r"\{[{%#].*?[#%}]\}",
        r"<[^>]*>",
        r"&\w+;",
    ):
        text = re.sub(part, " ", text, flags=re.S)
    assert set(re.findall(r"[^\W\d_]{2,}", text)) <= NOT_TRANSLATED


def constants(node: nodes.Node) -> Iterator[str]:
    """The texts within an expression that aren't marked, but for a dictionary's keys."""
    for child in [node.value] if isinstance(node, nodes.Pair) else node.iter_child_nodes():
        if isinstance(child, nodes.Call) and getattr(child.node, "name", "") in MARKS:
            continue
        if isinstance(child, nodes.Const) and isinstance(child.value, str):
            yield child.value
        yield from constants(child)


def shown(node: nodes.Node) -> Iterator[str]:
    """The texts that an expression may be, where they aren't marked."""
    match node:
        case nodes.Const():
            yield str(node.value)
        case nodes.CondExpr():
            yield from shown(node.expr1)
            if node.expr2:
                yield from shown(node.expr2)
        case nodes.Or():
            yield from shown(node.left)
            yield from shown(node.right)
        case nodes.Concat():
            for part in node.nodes:
                yield from shown(part)
        case nodes.Filter(name="default"):
            for part in node.args:
                yield from shown(part)
        case _:
            pass


@pytest.mark.parametrize("path", ours("web/templates/**/*.html"), ids=lambda path: path.name)
def test_expressions_of_templates_hold_no_unmarked_text(path: Path) -> None:
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text())
    unmarked = [text for text in constants(tree) if re.match(r"[A-Z][a-z]|[a-z]+ .*[a-z]", text)]
    before = ""
    for output in tree.find_all(nodes.Output):
        for part in output.nodes:
            if isinstance(part, nodes.TemplateData):
                before += part.data
            elif before.rfind(">") >= before.rfind("<"):
                unmarked += [text for text in shown(part) if re.match(r"[A-Za-z]{2}", text)]
    assert set(unmarked) <= NOT_TRANSLATED


TEAMS_MODULES = [*ours("web/pages/admin/*.py"), *ours("web/wording/*.py"), *ours("web/periods.py")]
LOOKS_SPOKEN = re.compile(r"[A-Z ].* .*[.?!]$|[A-Z][a-z'-]+(?: [a-z'-]+)+$")
"""A sentence, or a label of several words."""


@pytest.mark.parametrize("path", TEAMS_MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_the_teams_pages_say_is_marked(path: Path) -> None:
    tree = ast.parse(path.read_text())
    marked = {
        id(text)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in MARKS
        for text in ast.walk(call)
    }
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    unmarked = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and LOOKS_SPOKEN.match(node.value)
        and id(node) not in marked | docs
    ]
    assert unmarked == []


def test_each_permission_of_a_key_is_marked() -> None:
    known = {one.used_for for one in (*PERMISSIONS, *PROMOTION_WRITES)}
    assert set(USED_FOR) == known
    assert set(LEVELS) == {READ, WRITE}


def test_what_wakes_a_workflow_is_marked() -> None:
    assert set(WAKES) == {wake.words for wake in Wake}


def test_scripts_say_what_their_pages_tell_them() -> None:
    said: set[str] = set()
    for path in ROOT.glob("web/static/*.js"):
        said |= set(re.findall(r'spoken\((?:[^"()]* \? )?"([^"]*)"', path.read_text()))
        said |= set(re.findall(r'spoken\([^"()]* \? "[^"]*" : "([^"]*)"', path.read_text()))
    assert said == set(MESSAGES)


def test_the_team_reads_its_own_words_and_constants_when_they_are_shown() -> None:
    constant = A_("Refunded")
    assert f"{constant}" == "Refunded"
    with languages.using(LANGUAGES["de"]):
        languages.use(LANGUAGES["de"], for_team=True)
        assert constant == "Refunded"
        assert f"{constant}" == str(constant) == Markup("{}").format(constant) == "Erstattet"
        assert json.dumps(constant) == '"Refunded"'
        with languages.using(LANGUAGES["tr"]):
            assert _("Sign in") == "Oturum aç"
    assert f"{constant}" == "Refunded"


@every_language
@pytest.mark.parametrize("kind", KINDS)
def test_emails_are_written_in_their_readers_language(kind: str, language: Language) -> None:
    ours, english = (
        render(mail(kind, code), public_url="https://site.example", secrets=("s" * 40,))
        for code in (language.code, "en")
    )
    assert f'<html lang="{language.code}"' in ours.html
    assert ('dir="rtl"' in ours.html) is language.right_to_left
    if kind in FOR_ADMINS:
        assert ours.subject == english.subject
        return
    assert ours.subject != english.subject
    shared = set(ours.text.split("\n\n")) & set(english.text.split("\n\n"))
    assert {part for part in shared if not part.startswith(("-- ", "•"))} == set()
    assert languages.current() is ENGLISH


def test_an_unknown_reader_gets_the_sites_language() -> None:
    site = SiteSettings(language="de")
    written = [
        render(
            mail("sign_in", code), public_url="https://x.example", secrets=("s" * 40,), site=site
        )
        for code in (None, "nl", "en")
    ]
    assert [one.subject for one in written] == [
        "Dein Anmeldelink",
        "Dein Anmeldelink",
        "Your sign-in link",
    ]


def mail(kind: str, language: str | None) -> OutMail:
    now = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
    data = {"change": "app_added", "claim": 1, "request": 1, "abandoned": 1, "code": "BACK"}
    return OutMail(
        id=1,
        key=f"test:{kind}",
        kind=kind,
        user_id=7,
        email="ada@site.example",
        name="Ada",
        role="member",
        language=language,
        link_epoch=0,
        product_id="prd_1",
        product_name="Sailing",
        products=[{"name": "Sailing", "slug": "sailing", "status": "live"}],
        data=data | ({"change": 1} if kind == "email_change" else {"ends": now.isoformat()}),
        state="queued",
        pace="now",
        attempts=0,
        error=None,
        due_at=now,
        issue=0,
        issued_at=now - timedelta(hours=1),
        created_at=now,
        sent_at=None,
    )
