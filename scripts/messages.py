"""`make messages`: brings the catalogs of translations up to date with the messages of the source.

New messages are added without a translation, those that are gone are removed.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from latchkey.languages import DOMAIN, ENGLISH, LANGUAGES, Language, catalog_of

ROOT = Path(__file__).parents[1]
FOLDERS = ("latchkey", "web")
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS = {"**.html": {"trimmed": "true"}}
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
HEADER = """\
# What members read. `make messages` adds new messages; docs/languages.md says how to translate.
msgid ""
msgstr ""
"Language: {0.locale}\\n"
"Plural-Forms: {0.plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def source() -> Catalog:
    """The messages of the source, with the files that they are in."""
    found = Catalog(domain=DOMAIN)
    for folder in FOLDERS:
        for file, _line, message, comments, context in extract_from_dir(
            ROOT / folder, METHODS, OPTIONS, KEYWORDS
        ):
            found.add(
                message, None, [(f"{folder}/{file}", 0)], auto_comments=comments, context=context
            )
    return found


def translated(language: Language) -> Catalog:
    """A language's catalog as it is stored."""
    with catalog_of(language).open("rb") as file:
        return read_po(file, locale=language.locale, domain=DOMAIN)


def main() -> None:
    messages = source()
    for language in LANGUAGES.values():
        if language is ENGLISH:
            continue
        catalog = translated(language)
        catalog.update(messages, no_fuzzy_matching=True, update_creation_date=False)
        catalog_of(language).write_bytes(HEADER.format(catalog).encode() + _body(catalog))


def _body(catalog: Catalog) -> bytes:
    written = io.BytesIO()
    write_po(
        written,
        catalog,
        width=100,
        omit_header=True,
        ignore_obsolete=True,
        sort_by_file=True,
        include_lineno=False,
    )
    return written.getvalue()


if __name__ == "__main__":
    main()
