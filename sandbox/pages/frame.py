"""Shared by all pages: templates, amounts, dates, counts, forms."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sandbox.box import Sandbox
from sandbox.world import Json

TEMPLATES = Path(__file__).parents[1] / "templates"
NEWEST: dict[str, Any] = {"before": None, "after": None}
_WHOLE = frozenset(
    {
        *("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga"),
        *("pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"),
    }
)
_THOUSANDTHS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_SIGNS = {"usd": "$", "eur": "€", "gbp": "£"}


def money(amount: int | None, currency: str | None) -> str:
    """Format an amount given in the minor unit: 1500 US cents is "$15.00"."""
    code = (currency or "usd").lower()
    digits = 0 if code in _WHOLE else 3 if code in _THOUSANDTHS else 2
    value = (amount or 0) / 10**digits
    minus, text = "-" if value < 0 else "", f"{abs(value):,.{digits}f}"
    return f"{minus}{_SIGNS[code]}{text}" if code in _SIGNS else f"{minus}{text} {code.upper()}"


def every(price: Json) -> str:
    """How often a price is paid: "per month", "every 3 months", empty for a one-time price."""
    recurring = price["recurring"]
    if not recurring:
        return ""
    count, unit = recurring["interval_count"], recurring["interval"]
    return f"per {unit}" if count == 1 else f"every {count} {unit}s"


def day(moment: float | None) -> str:
    """Format a timestamp as a date (UTC): "7 March 2026"."""
    return time.strftime("%-d %B %Y", time.gmtime(moment)) if moment else ""


def when(moment: float | None) -> str:
    """Format a timestamp as a date and time (UTC): "2026-03-07 12:30:00"."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment)) if moment else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_ENVIRONMENT = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
_ENVIRONMENT.globals.update(counted=counted, day=day, every=every, money=money, when=when)


async def form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


class Frame:
    """Pages of one sandbox."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.shop = box.shop

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        account = self.shop.account["settings"]["dashboard"]["display_name"]
        text = _ENVIRONMENT.get_template(name).render(account=account, **values)
        return HTMLResponse(text, status, headers={"Cache-Control": "no-store"})

    def message(
        self, heading: str, text: str, *, status: int = 200, back: str | None = None
    ) -> Response:
        return self.page("message.html", status, heading=heading, text=text, back=back)

    def product_name(self, product_id: str) -> str:
        product = self.shop.world.table("product").get(product_id)
        return str(product["name"]) if product else product_id
