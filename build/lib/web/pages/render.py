"""Rendering: one template environment, with the words and formats that every page shares."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import nh3
from babel.dates import format_datetime
from babel.numbers import format_currency, get_currency_precision
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from web.pages import words
from web.security import CSRF_FIELD, csrf_token, remember_csrf
from web.site import site_of

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent.with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A page for the user that the request is signed in as."""
    site = site_of(request)
    text = _ENVIRONMENT.get_template(template).render(
        user=getattr(request.state, "user", None),
        path=request.url.path,
        notice=words.NOTICES.get(request.query_params.get("done", "")),
        sandbox_url=site.settings.sandbox_url,
        temporal_ui=site.settings.temporal_ui_url,
        csrf=lambda: _csrf_field(request),
        **values,
    )
    response = HTMLResponse(text, status, headers={"Cache-Control": "no-store"})
    remember_csrf(request, response)
    return response


def markdown(text: str) -> Markup:
    """Markdown as HTML that can't do harm."""
    return Markup(nh3.clean(_MARKDOWN.render(text)))


def when(moment: datetime | None) -> Markup:
    """A moment for people, with the exact time on hover."""
    if moment is None:
        return Markup("")
    utc = moment.astimezone(UTC)
    text = format_datetime(utc, "d MMM y, HH:mm", locale="en")
    return Markup('<time datetime="{}" title="{} UTC">{} UTC</time>').format(
        utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M:%S"), text
    )


def money(amount: int | None, currency: str | None) -> str:
    """An amount in the minor unit, as people write it."""
    if amount is None or not currency:
        return "amount varies"
    code = currency.upper()
    return format_currency(Decimal(amount).scaleb(-get_currency_precision(code)), code, locale="en")


def price(entry: Any) -> str:
    """A price with its interval."""
    text = money(entry.unit_amount, entry.currency)
    if not entry.interval:
        return f"{text} once"
    count = entry.interval_count or 1
    return (
        f"{text} every {entry.interval}"
        if count == 1
        else (f"{text} every {count} {entry.interval}s")
    )


def _csrf_field(request: Request) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(
        CSRF_FIELD, csrf_token(request)
    )


_ENVIRONMENT.filters |= {
    "when": when,
    "markdown": markdown,
    "price": price,
    "activity": words.activity,
    "cause": words.cause,
    "progress": words.progress,
    "grant": words.grant,
    "reason": words.reason,
}
_ENVIRONMENT.globals["money"] = money
