"""Rendering: one template environment with the filters and values that every page shares."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from latchkey import languages
from latchkey.addresses import masked
from latchkey.rules import pictures, remedies
from latchkey.rules.plurals import counted, noun
from web import theme
from web.pages.icons import ICONS
from web.pages.navigation import Group
from web.security import CSRF_FIELD, csrf_token, remember_csrf
from web.site import site_of
from web.wording import labels, page_texts, scripts
from web.wording.amounts import line_money, money, price
from web.wording.passkeys import passkey_errors
from web.wording.progress import line_people, progress
from web.wording.sizes import file_size
from web.wording.standing import ended_by, purchase, risk, standing, subscription
from web.wording.stored import said
from web.wording.stripe_dashboard import dashboard_address
from web.wording.times import ago, day, lasting, late, month, when

STATIC = Path(__file__).parent.with_name("static")
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent.with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=["jinja2.ext.i18n"],
)
_assets: dict[str, str] = {}


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page as a response, for the user that the request is signed in as.

    The components of `ui.html` show the errors of `errors` beside their fields. If the page answers
    a form with an error, they show what was `typed` there, except for passwords.
    """
    refused = getattr(request.state, "refused", {})
    status = 422 if refused else status
    typed = getattr(request.state, "form", None) if status >= 400 else None
    shown = {"error": None} | values | {"typed": typed or FormData()}
    shown |= {"errors": values.get("errors", {}) | refused, "refused": refused}
    response = HTMLResponse(text_of(request, template, **shown), status)
    remember_csrf(request, response)
    return response


def text_of(request: Request, template: str, **values: Any) -> str:
    """A template as text, for the user that the request is signed in as."""
    site = site_of(request)
    return _ENVIRONMENT.get_template(template).render(
        user=getattr(request.state, "user", None),
        path=request.url.path,
        confirmed=_confirmed(request),
        menu=_menu(request),
        site_name=site.look.name,
        site_logo=site.look.logo_url,
        site_icon=site.look.icon_url,
        site_links=site.look.links,
        words_at=partial(page_texts.words_at, site.texts, site.look),
        theme_address=theme.address(
            site.look.colour, bar=site.look.bar_colour, font=site.look.font
        ),
        alarms=getattr(request.state, "alarms", None),
        notice=labels.notice(request.query_params.get("done", "")),
        language=languages.current(),
        this_page=_this_page(request),
        sandbox_url=site.settings.sandbox_url,
        identity=site.identity,
        has_communities=site.has_communities,
        temporal_ui=site.settings.temporal_ui_url,
        temporal_namespace=site.temporal.namespace,
        stripe_address=partial(dashboard_address, site),
        csrf=lambda: _csrf_field(request),
        **values,
    )


def thousands(number: int) -> str:
    """A number with thousands separators."""
    return languages.written(number)


def _strong(text: object) -> Markup:
    return Markup('<strong class="wrap">{}</strong>').format(text)


def _wrapped(text: object) -> Markup:
    return Markup('<span class="wrap">{}</span>').format(text)


def _image_source(address: str, width: str) -> Markup:
    """The attributes of an image that say where it is: an uploaded picture in each of its sizes, of
    which browsers choose by the width that CSS gives it."""
    sizes = pictures.sources(address)
    if not sizes:
        return Markup('src="{}"').format(address)
    return Markup('src="{}" srcset="{}" sizes="{}"').format(address, sizes, width)


def _this_page(request: Request) -> str:
    """The page to come back to after another language was chosen: what was posted isn't posted
    again."""
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.url.path}{query}" if request.method == "GET" else "/"


def _asset(name: str) -> str:
    """The URL of a static file; it changes with the content."""
    if name not in _assets:
        _assets[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={_assets[name]}"


def _confirmed(request: Request) -> bool:
    """Whether a form that asks for a fresh sign-in would be taken now."""
    session = getattr(request.state, "session", None)
    return session is None or session.fresh


def _menu(request: Request) -> list[Group] | None:
    """The side menu: only for the team, and only on admin pages."""
    user = getattr(request.state, "user", None)
    if user is None or not user.is_staff or not request.url.path.startswith("/admin"):
        return None
    menu: list[Group] = request.app.state.menus[user.is_admin]
    return menu


def _csrf_field(request: Request) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        CSRF_FIELD, csrf_token(request)
    )


_ENVIRONMENT.filters |= {
    "when": when,
    "day": day,
    "month": month,
    "ago": ago,
    "lasting": lasting,
    "masked": masked,
    "file_size": file_size,
    "price": price,
    "thousands": thousands,
    "strong": _strong,
    "wrapped": _wrapped,
    "is_uploaded": lambda address: pictures.of_address(address) is not None,
    "line_icon": labels.line_icon,
    "activity": labels.activity,
    "obstacle": labels.obstacle,
    "plain": labels.plain,
    "inside": labels.inside,
    "upfirst": labels.upfirst,
    "source": labels.source,
    "link_state": labels.link_state,
    "event_state": labels.event_state,
    "email_kind": labels.email_kind,
    "email_state": labels.email_state,
    "comparison_state": labels.comparison_state,
    "difference_kind": labels.difference_kind,
    "difference_state": labels.difference_state,
    "severity": labels.severity,
    "browser": labels.browser,
    "signed_in": labels.signed_in,
    "cause": labels.cause,
    "line_cause": labels.line_cause,
    "line_due": labels.line_due,
    "line_people": line_people,
    "line_money": line_money,
    "money_note": labels.money_note,
    "remedy_badge": labels.remedy_badge,
    "remedy_button": labels.remedy_button,
    "remedy_sentence": labels.remedy_sentence,
    "belongings": labels.belongings,
    "progress": progress,
    "grant": labels.grant,
    "reason": labels.reason,
    "said": said,
    "standing": standing,
    "subscription": subscription,
    "purchase": purchase,
    "risk": risk,
    "ended_by": ended_by,
    "why_cancelled": labels.why_cancelled,
    "risk_label": labels.RISKS.__getitem__,
}
_ENVIRONMENT.globals |= {
    "passkey_errors": passkey_errors,
    "language_choices": [(one.code, one.name) for one in languages.LANGUAGES.values()],
    "languages": tuple(languages.LANGUAGES.values()),
    "team_languages": [languages.LANGUAGES[code] for code in languages.TEAMS],
    "spoken_by_scripts": scripts.spoken,
    "by_card": remedies.BY_CARD,
    "money": money,
    "asset": _asset,
    "icons": ICONS,
    "image_source": _image_source,
    "counted": counted,
    "noun": noun,
    "late": late,
}
_ENVIRONMENT.install_gettext_callables(  # type: ignore[attr-defined]
    languages.translated,
    languages.translated_count,
    newstyle=True,
    pgettext=languages.translated_in,
)
