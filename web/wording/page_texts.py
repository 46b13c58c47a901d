"""Places on members' pages where the site's team can say it in its own words, and what stands there
as long as it doesn't."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from latchkey import languages
from latchkey.languages import A_, N_, Language, _
from latchkey.store.page_texts import PageText, PageTexts
from latchkey.store.site_settings import SiteSettings
from latchkey.variables import filled
from web import markdown

LONGEST = markdown.SHORT
"""Characters of a text: so many are formatted while the page is made."""

VARIABLES = {
    "site": A_("the site's name"),
    "email": A_("the reader's address"),
    "product": A_("the product's name"),
    "products": A_("the names of what was bought"),
}
_LINK = re.compile(r'<a href="([^"]+)">([^<]*)</a>')


@dataclass(frozen=True)
class Place:
    """A place on a page. `heading` and `body` are our words as messages to translate, with HTML in
    them; empty where there are none. `own` are its variables besides the site's name."""

    key: str
    label: str
    heading: str = ""
    body: str = ""
    own: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        """What each variable that the text may have stands for."""
        return {name: VARIABLES[name] for name in ("site", *self.own)}


_ALL = (
    Place("sign_in", A_("Sign-in page"), N_("Sign in")),
    Place("library.member", A_("Library: for members"), N_("Your library"), own=("email",)),
    Place("library.visitor", A_("Library: for visitors"), N_("Library")),
    Place(
        "library_empty.member",
        A_("Library with nothing in it: for members"),
        N_("Nothing here yet"),
        N_("Anything you buy with %(email)s will appear here."),
        ("email",),
    ),
    Place(
        "library_empty.visitor",
        A_("Library with nothing in it: for visitors"),
        N_("Nothing here yet"),
        N_('Come back soon, or <a href="/login">sign in</a>.'),
    ),
    Place("buy", A_("Buy page: above the prices"), own=("product",)),
    Place("locked.new", A_("Product that the reader doesn't have"), own=("product",)),
    Place("locked.ended", A_("Product to which the reader's access has ended"), own=("product",)),
    Place(
        "not_for_sale",
        A_("Product that isn't for sale"),
        body=N_("This isn't for sale at the moment."),
        own=("product",),
    ),
    Place(
        "product_empty",
        A_("Product without content"),
        body=N_("There's no content here yet."),
        own=("product",),
    ),
    Place("bought.paid", A_("After buying"), N_("Thank you! You're in"), own=("products",)),
    Place(
        "bought.pending",
        A_("After buying: the payment is pending"),
        N_("Thank you! Your payment is pending"),
        N_(
            "The money hasn't arrived yet. Some payment methods take a few days, and some orders"
            " are confirmed by hand before the money is taken. You'll get access then, and we'll"
            " email you. There's no need to pay again."
        ),
    ),
)
PLACES = {place.key: place for place in _ALL}


@dataclass(frozen=True)
class Words:
    """What stands at a place, ours or the team's. `body` is HTML: our sentence, or the team's text
    with its paragraphs. `language` is the body's if it isn't the page's."""

    heading: str
    body: Markup
    ours: bool
    language: Language | None = None


def words_at(texts: PageTexts, site: SiteSettings, key: str, **facts: str) -> Words:
    """What stands at a place in the language in use. Where we say nothing, the team's text in the
    site's language is better than none. `facts` are what the place's variables stand for."""
    place, language = PLACES[key], languages.current()
    known = {"site": site.name} | facts
    if text := texts.get((key, language.code)):
        return reworded(text, known)
    words = _ours(place, known)
    usual = languages.named(site.language)
    text = texts.get((key, usual.code)) if usual and not place.body else None
    if usual is None or text is None:
        return words
    return Words(words.heading, reworded(text, known).body, False, usual)


def reworded(text: PageText, facts: Mapping[str, str]) -> Words:
    """The team's text with its variables replaced. What they stand for is never HTML or Markdown:
    it is put into what was formatted already, where braces are left in texts and in attributes with
    quotation marks alone."""
    spelled = {name: str(escape(value)) for name, value in facts.items()}
    body = Markup(filled(markdown.short(text.body), spelled))
    return Words(filled(text.heading, facts), body, False)


def default_text(place: Place, language: Language) -> PageText:
    """Our own words with variables in braces, as what to start from."""
    with languages.using(language):
        body = _(place.body) % {name: f"{{{name}}}" for name in place.own}
        return PageText(_(place.heading), _LINK.sub(r"[\2](\1)", body))


def _ours(place: Place, facts: Mapping[str, str]) -> Words:
    return Words(_(place.heading), Markup(_(place.body)) % facts, True)
