"""Sales pages as visitors see them."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import library
from latchkey.store.products import checkout, products, sales_pages
from latchkey.store.products.checkout import Selling
from latchkey.store.products.products import Product
from latchkey.store.products.sales_pages import SalesPage
from web import markdown
from web.pages.errors import NotFoundError
from web.pages.guard import visitor_page
from web.pages.member.buy import kept_here
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [Route("/sales/{slug}", show)]


@visitor_page
async def show(request: Request) -> Response:
    """A live page; drafts, and pages of draft products, are only for the team."""
    user = request.state.user
    async with site_of(request).pool.acquire() as connection:
        product = await products.find(connection, request.path_params["slug"])
        sales_page = await sales_pages.find(connection, product.id) if product else None
        if product is None or sales_page is None:
            raise NotFoundError(_("This page doesn't exist."))
        live = sales_page.status == "live" and product.status == "live"
        if not live and not (user and user.is_staff):
            raise NotFoundError(_("This page doesn't exist."))
        card = await library.card(connection, user.id if user else None, product.id)
        user = request.state.user
        selling = await checkout.selling_to(connection, product.id, user.id if user else None)
    query = urlencode(kept_here(request))
    return page(
        request,
        "member/sales_page.html",
        product=product,
        draft=not live,
        on_sale=selling.leads_somewhere or product.access_mode != "assigned",
        **await content(sales_page, product, card, selling),
        buy_address=f"/buy/{product.slug}/checkout{'?' + query if query else ''}",
    )


async def content(
    sales_page: SalesPage, product: Product, card: library.Card | None, selling: Selling
) -> dict[str, Any]:
    """What the template of a sales page needs."""
    sessions = selling.purchase_method != "none" and selling.checkout_target == "stripe"
    return {
        "entries": selling.sellable if sessions else (),
        "sales": sales_page,
        "body": await markdown.rendered(sales_page.body),
        "card": card,
        "button": sales_page.button or _verb(card),
    }


def _verb(card: library.Card | None) -> str:
    return _("Subscribe") if card and card.interval else _("Buy now")
