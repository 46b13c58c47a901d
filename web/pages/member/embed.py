"""What `embed.js` on a page of another site asks: the price of a product, whether its visitor has
it, and a way to say who they are.

Browsers don't send our cookies from a page of another site. So that page leads its visitor here, to
sign in, and gets a token back in its address, which asks for nothing but access. It is sealed for
the origin of that page, and ends with the session.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import languages, references
from latchkey.languages import ENGLISH, LANGUAGES, Language, _
from latchkey.store.access import library
from latchkey.store.access.library import Card
from latchkey.store.pool import DATABASE_AWAY
from latchkey.store.users import embedding
from latchkey.store.users.embedding import EmbedVisitor
from latchkey.vault import Purpose, Vault, VaultError
from web.pages.errors import NotFoundError
from web.pages.guard import (
    NotYoursError,
    check_query,
    member_page,
    redirect,
    session_of,
    visitor_page,
)
from web.security import session_token
from web.site import Site, site_of
from web.wording.amounts import price

SCRIPT = (Path(__file__).parents[2] / "static" / "embed.js").read_text()
WORDS = "/* words */ {}"
"""Where the script has its words, in each language."""
MOST_PRODUCTS = 50
LONGEST_RETURN = 300
"""The longest address to go back to: sealed, it has to fit into the address of the sign-in page.
`embed.js` leaves out the query of a longer one."""
RETURN_SECONDS = 24 * 3600
"""How long somebody may take to sign in."""
TOKEN_SECONDS = 90 * 24 * 3600


@dataclass(frozen=True)
class _Return:
    """Where to go back to: an address of a named origin, and what its script wants to see again."""

    address: str
    state: str

    @property
    def origin(self) -> str:
        """The origin of the address; empty if it isn't an address."""
        try:
            parts = urlsplit(self.address)
        except ValueError:
            return ""
        return f"{parts.scheme}://{parts.netloc}"


def routes() -> list[Route]:
    return [
        Route("/embed.js", script),
        Route("/embed/products/{slug}", product),
        Route("/embed/access", access, methods=["GET", "OPTIONS"]),
        Route("/embed/sign-in", begin),
        Route("/embed/sign-in/{ticket}", sign_in),
    ]


async def script(request: Request) -> Response:
    """The script that other sites include, with its words in each language, the site's first. It
    needs no database: without one, its buttons are plain links."""
    site = site_of(request)
    with suppress(*DATABASE_AWAY):
        await site.refresh_look()
    body = await asyncio.to_thread(_script, languages.named(site.look.language) or ENGLISH)
    headers = {
        "Cache-Control": "public, max-age=3600",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    return Response(body, media_type="text/javascript", headers=headers)


@cache
def _script(first: Language) -> bytes:
    """The script for a site in this language. The first one made reads every catalog, which takes
    too long for the event loop."""
    words = {one.code: _words(one) for one in (first, *LANGUAGES.values())}
    return SCRIPT.replace(WORDS, orjson.dumps(words).decode()).encode()


def _words(language: Language) -> list[str]:
    """What a button says, with `{name}` and `{price}` for the script to fill in."""
    with languages.using(language):
        return [
            _("Open %(name)s", name="{name}"),
            _("Buy %(name)s", name="{name}"),
            _("Buy %(name)s: %(price)s", name="{name}", price="{price}"),
            _("Bought it already? Sign in"),
        ]


async def product(request: Request) -> Response:
    """What a product costs and where it is sold, the same for everybody; the price is written as in
    the language `lang`."""
    check_query(request)
    languages.use(languages.nearest(request.query_params.get("lang", "")) or ENGLISH)
    site, origin = site_of(request), await _origin(request)
    if origin is None:
        return _refused()
    async with site.pool.acquire() as connection:
        card = await library.card(connection, None, request.path_params["slug"])
    if card is None:
        return _json(origin, {"error": "unknown_product"}, status=404)
    return _json(origin, _shown(site, card), cache="public, max-age=300")


def _shown(site: Site, card: Card) -> dict[str, object]:
    sold = card.sold and not card.interrupted
    text = price(card) if card.unit_amount is not None and card.currency else None
    if text is not None and card.further_prices:
        text = _("from %(price)s", price=text)
    return {
        "product": card.slug,
        "name": card.name,
        "price": text,
        "amount": card.unit_amount,
        "currency": card.currency,
        "buy": f"{site.public_url}/buy/{card.slug}" if sold else None,
        "open": f"{site.public_url}/products/{card.slug}",
    }


async def access(request: Request) -> Response:
    """Which of the products in `product` the visitor may open. The signed reference is for Stripe's
    pricing table: it says who begins a purchase."""
    check_query(request)
    site, origin = site_of(request), await _origin(request)
    if origin is None:
        return _refused()
    if request.method == "OPTIONS":
        return _allowed(origin)
    slugs = request.query_params.getlist("product")
    if not slugs or len(slugs) > MOST_PRODUCTS or not all(slug.isascii() for slug in slugs):
        return _json(origin, {"error": "name_products"}, status=400)
    visitor = EmbedVisitor(
        session_token(request),
        _session_of(request, origin),
        site.look.requires_factor(staff=True),
        site.look.requires_factor(staff=False),
    )
    async with site.pool.acquire() as connection:
        found = await embedding.answer(connection, slugs, visitor, rules=site.session_rules)
    vault = site.keyring.vault
    return _json(
        origin,
        {
            "signed_in": any(one.user_id is not None for one in found),
            "access": {one.slug: one.access for one in found},
            "references": {
                one.slug: references.sign(one.user_id, one.product_id, vault=vault)
                for one in found
                if one.user_id is not None and not one.access
            },
        },
    )


def _session_of(request: Request, origin: str) -> int | None:
    """The session that the page's token stands for."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind != "Bearer":
        return None
    found = _opened(site_of(request).keyring.vault, token, Purpose.EMBED_TOKEN)
    return found["session"] if found and found["origin"] == origin else None


@visitor_page
async def begin(request: Request) -> Response:
    """Where the script leads somebody who wants to sign in."""
    await site_of(request).refresh_look()
    wanted = _Return(request.query_params.get("return", ""), request.query_params.get("state", ""))
    named = wanted.origin in site_of(request).look.embed_origins
    if not named or len(wanted.state) > 64:
        raise NotFoundError(
            _(
                "The page that you came from can't sign people in here. If it is yours, name its"
                " origin under Settings, Buttons."
            )
        )
    if len(wanted.address) > LONGEST_RETURN:
        raise NotFoundError(
            _(
                "The address of the page that you came from is too long to come back to. Sign in"
                " from another page of that site."
            )
        )
    sealed = {"address": wanted.address, "state": wanted.state, "ends": _now() + RETURN_SECONDS}
    vault = site_of(request).keyring.vault
    ticket = vault.seal(orjson.dumps(sealed).decode(), Purpose.EMBED_RETURN).decode()
    return redirect(f"/embed/sign-in/{quote(ticket)}")


@member_page
async def sign_in(request: Request) -> Response:
    """Back to the page, with a token for it. The part after # reaches no server and no log.

    Raises `NotYoursError` for an admin who is impersonating: the session isn't the member's.
    """
    site = site_of(request)
    if request.state.user.acted_by:
        raise NotYoursError
    vault = site.keyring.vault
    found = _opened(vault, request.path_params["ticket"], Purpose.EMBED_RETURN)
    if found is None:
        raise NotFoundError(
            _("This sign-in has expired. Go back to where it began, and try again.")
        )
    wanted = _Return(found["address"], found["state"])
    if wanted.origin not in site.look.embed_origins:
        raise NotFoundError(_("The page that you came from can't sign people in here any more."))
    token = {
        "session": session_of(request).id,
        "origin": wanted.origin,
        "ends": _now() + TOKEN_SECONDS,
    }
    sealed = vault.seal(orjson.dumps(token).decode(), Purpose.EMBED_TOKEN).decode()
    address = wanted.address.partition("#")[0]
    response = redirect(f"{address}#latchkey={quote(sealed)}&state={quote(wanted.state)}")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _opened(vault: Vault, sealed: str, purpose: Purpose) -> dict[str, Any] | None:
    """What was sealed for this purpose; None for anything else, or once it is over."""
    try:
        found: dict[str, Any] = orjson.loads(vault.open(sealed.encode(), purpose))
    except (VaultError, ValueError):
        return None
    return found if found["ends"] > _now() else None


def _now() -> int:
    return int(time.time())


async def _origin(request: Request) -> str | None:
    """The origin of the page that asks, if the admin has named it."""
    site = site_of(request)
    await site.refresh_look()
    origin = request.headers.get("origin")
    return origin if origin in site.look.embed_origins else None


def _refused() -> Response:
    body = orjson.dumps({"error": "origin_not_named"})
    return Response(body, 403, media_type="application/json", headers={"Vary": "Origin"})


def _allowed(origin: str) -> Response:
    headers = {
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Allow-Headers": "Authorization",
        "Access-Control-Max-Age": "7200",
    }
    return Response(status_code=204, headers=_cors(origin) | headers)


def _json(
    origin: str, body: dict[str, object], *, status: int = 200, cache: str = "no-store"
) -> Response:
    headers = _cors(origin) | {"Cache-Control": cache}
    return Response(orjson.dumps(body), status, media_type="application/json", headers=headers)


def _cors(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }
