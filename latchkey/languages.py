"""The languages that people read, and the one in use: what `_` and `ngettext` translate to.

The language is held for the task, so functions that write sentences needn't be told. English, the
language of the source, is in use wherever nothing sets another: in the API and in logs.

There are two catalogs: what members read, and what only the team reads, which there is in fewer
languages. The team's pages look in their own first, then in the members'.
"""

import gettext
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import escape

CATALOGS = Path(__file__).with_name("locales")
MEMBERS, TEAM = "members", "admin"
"""The catalogs of what members read, and of what only the team does."""

_DAY_IN_ENGLISH = "d MMMM y"
_LISTS_IN_ENGLISH = "en_GB"
"""Without a comma before the "and"."""


@dataclass(frozen=True)
class Language:
    """A language that members can choose. `code` is its BCP 47 tag, `name` its name in itself.
    `stripe` is what Stripe's pages call it, None for one that they don't have."""

    code: str
    name: str
    stripe: str | None

    @property
    def locale(self) -> Locale:
        """How it writes dates, amounts and numbers."""
        return _locale(self.code)

    @property
    def right_to_left(self) -> bool:
        return self.locale.text_direction == "rtl"


LANGUAGES = {
    language.code: language
    for language in (
        Language("en", "English", "en"),
        Language("de", "Deutsch", "de"),
        Language("fr", "Français", "fr"),
        Language("es", "Español", "es"),
        Language("pt-BR", "Português (Brasil)", "pt-BR"),
        Language("tr", "Türkçe", "tr"),
        Language("ja", "日本語", "ja"),
        Language("ar", "العربية", None),
    )
}
ENGLISH = LANGUAGES["en"]
TEAMS = ("en", "de")
"""The codes of the languages that the team's pages are in."""

_current: ContextVar[Language] = ContextVar("language", default=ENGLISH)
_for_team: ContextVar[bool] = ContextVar("for_team", default=False)


def current() -> Language:
    """The language in use."""
    return _current.get()


def use(language: Language, *, for_team: bool = False) -> None:
    """Use a language for the rest of this task: the members' words, or the team's."""
    _current.set(language)
    _for_team.set(for_team)


@contextmanager
def using(language: Language) -> Iterator[None]:
    """Use a language for a while, in the members' words."""
    before, reader = _current.set(language), _for_team.set(False)
    try:
        yield
    finally:
        _current.reset(before)
        _for_team.reset(reader)


def named(code: str | None) -> Language | None:
    """The language with this code, however its letters are written; None if there isn't one."""
    return _BY_CODE.get((code or "").replace("_", "-").lower())


_BY_CODE = {code.lower(): language for code, language in LANGUAGES.items()}


def nearest(tag: str) -> Language | None:
    """The language that a BCP 47 tag asks for: `de-AT` finds German, `pt` finds `pt-BR`."""
    wanted = tag.replace("_", "-").lower()
    if exact := named(wanted):
        return exact
    base = wanted.partition("-")[0]
    return next((one for one in LANGUAGES.values() if one.code.partition("-")[0] == base), None)


def accepted(header: str) -> Language | None:
    """The first language that an `Accept-Language` header asks for and that there is."""
    asked: list[tuple[float, Language]] = []
    for part in header[:1000].split(","):
        tag, _, weight = part.strip().partition(";")
        found = nearest(tag.strip())
        quality = _quality(weight)
        if found is not None and quality > 0:
            asked.append((quality, found))
    return max(asked, key=lambda one: one[0])[1] if asked else None


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


def _(message: str, /, **values: object) -> str:
    """A message in the language in use, with its `%(name)s` filled in. Empty stays empty."""
    found = translated(message)
    return found % values if values else found


def ngettext(
    one: str, many: str, count: int, /, *, most: int | None = None, **values: object
) -> str:
    """The form of a message that goes with a count, which fills in `%(count)s` as a number is
    written. `most` is where the counting stopped: from there on it is "1,000+"."""
    beyond = most is not None and count >= most
    found = translated_count(one, many, max(count, 2) if beyond else count)
    return found % ({"count": f"{written(count)}{'+' if beyond else ''}"} | values)


def translated(message: str) -> str:
    """A message for a template, which fills it in itself."""
    return message and _translations(_current.get(), _for_team.get()).gettext(message)


def translated_in(context: str, message: str) -> str:
    """The same for a message that means something else elsewhere: `context` says what."""
    return _translations(_current.get(), _for_team.get()).pgettext(context, message)


def translated_count(one: str, many: str, count: int) -> str:
    """The form of a message for a template, which fills it in itself."""
    return _translations(_current.get(), _for_team.get()).ngettext(one, many, count)


def N_(message: str) -> str:
    """Marks a message that is translated where it is used, by `_`."""
    return message


class _Lazily(str):
    """A message that is translated wherever it is shown: by a template, in another text, by `str`.
    Compared, stored and sent as JSON, it is the message itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return _(str.__str__(self))

    def __html__(self) -> str:
        return str(escape(str(self)))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def format(self, *parts: object, **values: object) -> str:
        return str(self).format(*parts, **values)

    def capitalize(self) -> str:
        said = str(self)
        return said[:1].upper() + said[1:]

    def lower(self) -> str:
        """As inside a sentence: only English writes it in small letters there."""
        return str(self).lower() if current() is ENGLISH else str(self)


def NN_(one: str, many: str) -> tuple[str, str]:
    """Marks a message with its plural, which `ngettext` translates where it is used."""
    return one, many


def A_(message: str, /, **values: object) -> str:
    """A message that only the team reads, in a module whose other messages members read, or as a
    constant: it is translated where it is shown. With values, it is translated now."""
    return _(message, **values) if values else _Lazily(message)


def written(number: int | Decimal) -> str:
    """A number with the thousands separators of the language in use."""
    return format_decimal(number, locale=current().locale)


def joined(*sentences: str) -> str:
    """Sentences, one after the other; empty ones are left out."""
    return ("" if current().code == "ja" else " ").join(filter(None, sentences))


def long_day(moment: datetime) -> str:
    """A day in words: "30 November 2026"."""
    return str(
        format_date(moment, _DAY_IN_ENGLISH if current() is ENGLISH else "long", current().locale)
    )


def listed(names: Iterable[str]) -> str:
    """Names as one phrase: "A, B and C"."""
    locale = _LISTS_IN_ENGLISH if current() is ENGLISH else current().locale
    return format_list(list(names), locale=locale)


def babels_locales() -> set[str]:
    """Babel's names of the locales in use. An image may leave out the others, but not those that
    these inherit from."""
    return {_LISTS_IN_ENGLISH} | {str(language.locale) for language in LANGUAGES.values()}


def catalog_of(language: Language, domain: str = MEMBERS) -> Path:
    """The file with a language's translations."""
    return CATALOGS / str(language.locale) / "LC_MESSAGES" / f"{domain}.po"


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code, sep="-")


@cache
def _translations(language: Language, for_team: bool) -> gettext.NullTranslations:
    """The translations of a language."""
    if language is ENGLISH:
        return gettext.NullTranslations()
    if for_team and language.code in TEAMS:
        team = _catalog(language, TEAM)
        team.add_fallback(_catalog(language, MEMBERS))
        return team
    return _catalog(language, MEMBERS)


@cache
def _catalog(language: Language, domain: str) -> gettext.NullTranslations:
    """A catalog, read once per process."""
    with catalog_of(language, domain).open("rb") as file:
        catalog = read_po(file, locale=language.locale, domain=domain)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
