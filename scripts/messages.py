"""`make messages`: brings the catalogs of translations up to date with the messages of the source.

New messages are added without a translation, those that are gone are removed.
"""

import io
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from latchkey.languages import ENGLISH, LANGUAGES, MEMBERS, TEAM, Language, catalog_of

ROOT = Path(__file__).parents[1]
FOLDERS = ("latchkey", "web")
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
OPTIONS = {"**.html": {"trimmed": "true"}}
ALWAYS_TEAMS = "A_"
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "NN_": (1, 2),
    "pgettext": ((1, "c"), 2),
}
READ_BY_MEMBERS = (
    "latchkey/mail/",
    "latchkey/password_rules.py",
    "latchkey/signin_links.py",
    "latchkey/store/access/library.py",
    "latchkey/store/users/account.py",
    "latchkey/store/users/claims.py",
    "latchkey/store/users/merge_requests.py",
    "latchkey/store/users/merging.py",
    "latchkey/store/users/passkeys.py",
    "web/forward_auth/",
    "web/pages/__init__.py",
    "web/pages/errors.py",
    "web/pages/guard.py",
    "web/pages/member/",
    "web/templates/base.html",
    "web/templates/leaving.html",
    "web/templates/member/",
    "web/templates/message.html",
    "web/templates/ui.html",
    "web/wording/amounts.py",
    "web/wording/communities.py",
    "web/wording/labels.py",
    "web/wording/page_texts.py",
    "web/wording/passkeys.py",
    "web/wording/times.py",
)
"""What members read: files, and folders with a slash. All else is the team's, and in these what
`A_` marks or has the context `admin`. What stands in both is in both catalogs, so each can address
its readers as it does."""
SETTING_UP = (
    "web/pages/member/setup.py",
    "web/templates/member/setup.html",
    "web/templates/member/setup_over.html",
)
"""Read by the owner, before anybody is a member."""
CATALOGS = [
    *((language, MEMBERS) for language in LANGUAGES.values() if language is not ENGLISH),
    (LANGUAGES["de"], TEAM),
]
READERS = {MEMBERS: "members read", TEAM: "only the team reads"}
HEADER = """\
# What {1}. `make messages` adds new ones; docs/languages.md says how to translate.
msgid ""
msgstr ""
"Language: {0.locale}\\n"
"Plural-Forms: {0.plural_forms}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


@cache
def sources() -> dict[str, Catalog]:
    """The messages of the source by catalog, with the files that they are in."""
    found = {domain: Catalog(domain=domain) for domain in READERS}
    for folder in FOLDERS:
        for methods, keywords in ((METHODS, KEYWORDS), (METHODS[:1], {ALWAYS_TEAMS: None})):
            for file, _line, message, comments, context in extract_from_dir(
                ROOT / folder, methods, OPTIONS, keywords
            ):
                path = f"{folder}/{file}"
                teams = ALWAYS_TEAMS in keywords or context == TEAM
                domain = TEAM if teams else domain_of(path)
                found[domain].add(
                    message, None, [(path, 0)], auto_comments=comments, context=context
                )
    return found


def domain_of(path: str) -> str:
    """The catalog of what a file says."""
    return MEMBERS if path.startswith(READ_BY_MEMBERS) and path not in SETTING_UP else TEAM


def translated(language: Language, domain: str = MEMBERS) -> Catalog:
    """A language's catalog as it is stored."""
    with catalog_of(language, domain).open("rb") as file:
        return read_po(file, locale=language.locale, domain=domain)


def main() -> None:
    for language, domain in CATALOGS:
        catalog = translated(language, domain)
        catalog.update(sources()[domain], no_fuzzy_matching=True, update_creation_date=False)
        header = HEADER.format(catalog, READERS[domain])
        catalog_of(language, domain).write_bytes(header.encode() + _body(catalog))


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
