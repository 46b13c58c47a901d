"""The language of a page: what the member or visitor chose, else what their browser asks for, else
the site's. The team's own pages are in fewer languages, and otherwise in English."""

from starlette.requests import Request
from starlette.responses import Response

from latchkey import languages
from latchkey.languages import Language
from latchkey.store.users.users import User
from web.security import read_cookie, set_cookie
from web.site import site_of

COOKIE = "latchkey_language"
_YEAR = 365 * 24 * 3600
_OF_THE_TEAM = ("/admin", "/setup/")


def use_language(request: Request, user: User | None) -> None:
    """Use the language of this request's pages from here on. Files for other programs are in
    English."""
    own = languages.named(user.locale) if user else None
    if request.url.path.endswith(".csv"):
        languages.use(languages.ENGLISH)
        return
    if request.url.path.startswith(_OF_THE_TEAM):
        asked = own or asked_for(request)
        offered = asked and asked.code in languages.TEAMS
        languages.use(asked if asked and offered else languages.ENGLISH, for_team=True)
        return
    usual = languages.named(site_of(request).look.language)
    languages.use(own or asked_for(request) or usual or languages.ENGLISH)


def readers(request: Request) -> Language | None:
    """The language of whoever reads the page; None if they haven't asked for one of ours."""
    user: User | None = request.state.user
    return (languages.named(user.locale) if user else None) or asked_for(request)


def stripe_locale(request: Request) -> str | None:
    """The language in which to open Stripe's pages; None to leave it to Stripe, which knows more
    languages, where the reader hasn't asked for one of ours."""
    known = readers(request)
    return known.stripe if known else None


def asked_for(request: Request) -> Language | None:
    """The language that this browser was told to use, or that it asks for; None if it asks for
    none that there is."""
    chosen = languages.named(read_cookie(request, COOKIE))
    return chosen or languages.accepted(request.headers.get("accept-language", ""))


def remember(request: Request, response: Response, language: Language) -> None:
    """Keep a choice in the browser, for pages that are seen without signing in."""
    set_cookie(request, response, COOKIE, language.code, max_age=_YEAR)
