"""What the requests of a protected site's web server share: which address was requested, and short
pages."""

from html import escape

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from latchkey import languages
from latchkey.languages import N_, _
from latchkey.rules.forward_auth import OriginalRequest, UnclearRequestError, original_request
from web.language import asked_for
from web.site import site_of
from web.visitors import from_trusted_proxy

PASS_COOKIE = "latchkey_pass"
BROWSER_COOKIE = "latchkey_entry"
"""Cookies of the protected site."""

_ONCE = (
    *("x-original-url", "x-original-method", "x-forwarded-proto"),
    *("x-forwarded-host", "x-forwarded-uri", "x-forwarded-method"),
)

log = structlog.get_logger("forward_auth")


class RefusedError(Exception):
    """A request that can't be answered. The message says to whoever set up the proxy what to do."""

    def __init__(self, status: int, heading: str, text: str) -> None:
        super().__init__(text)
        self.status, self.heading, self.text = status, heading, text

    def response(self, request: Request) -> Response:
        return message(request, self.status, self.heading, self.text)


def original(request: Request) -> OriginalRequest:
    """What was requested of the protected site. Raises `RefusedError`."""
    if not from_trusted_proxy(request):
        raise RefusedError(
            403,
            "Not a protected site",
            "This address is for the web servers of protected sites. If you run one, add its"
            " address to FORWARDED_ALLOW_IPS, and have it send X-Forwarded-Proto and"
            " X-Forwarded-Host, or X-Original-URL.",
        )
    headers: dict[str, str] = {}
    for raw, value in request.scope["headers"]:
        name = raw.decode("latin-1")
        if name in headers and name in _ONCE:
            raise _unclear(f"The header {name} was sent twice.")
        headers[name] = value.decode("latin-1")
    try:
        return original_request(headers)
    except UnclearRequestError as unclear:
        raise _unclear(str(unclear)) from None


def _unclear(text: str) -> RefusedError:
    return RefusedError(400, "The web server's request isn't clear", text)


def unknown_site(origin: str) -> RefusedError:
    """Nobody has named this origin."""
    return RefusedError(
        403,
        "Not a protected site",
        f"{origin} isn't one of the protected sites. If you run it, add it in the admin pages under"
        " Protected sites.",
    )


def unknown_product(origin: str) -> RefusedError:
    """The web server asks for a product that doesn't open this site."""
    return RefusedError(
        403,
        N_("Not available"),
        f"The product that the web server asks for isn't one of those that open {origin}. If you"
        " run it, compare the web server's configuration with Protected sites in the admin pages.",
    )


def copy_of_a_site() -> RefusedError:
    return RefusedError(
        503, N_("Not available"), N_("This is a copy of a site. It lets nobody in on other sites.")
    )


def database_away(request: Request, error: BaseException) -> Response:
    """Nobody is let in while nobody can be looked up."""
    log.error("database unavailable", error=type(error).__name__)
    response = message(
        request,
        503,
        N_("Back in a moment"),
        N_("We can't check right now whether you may open this page. Please try again shortly."),
    )
    response.headers["Retry-After"] = "5"
    return response


def failed(request: Request) -> Response:
    """An error of ours, which the caller has logged."""
    return message(request, 500, N_("Something went wrong"), N_("This is our fault, not yours."))


def message(
    request: Request,
    status: int,
    heading: str,
    text: str,
    *,
    link: tuple[str, str] | None = None,
) -> Response:
    """A page that needs no other file, since it is shown at the protected site's address, in the
    language that the browser asks for. `link` is an address and what it says."""
    usual = languages.named(site_of(request).look.language)
    language = asked_for(request) or usual or languages.ENGLISH
    with languages.using(language):
        title, body = (escape(_(part), quote=False) for part in (heading, text))
        more = f'<p><a href="{escape(link[0])}">{escape(_(link[1]))}</a></p>' if link else ""
    direction = "rtl" if language.right_to_left else "ltr"
    return HTMLResponse(
        f'<!doctype html>\n<html lang="{language.code}" dir="{direction}"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<h1>{title}</h1><p>{body}</p>{more}</html>\n",
        status,
    )
