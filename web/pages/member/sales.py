"""Sales pages as visitors see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import collection_contents, library
from latchkey.store.products import checkout, products, sales_pages
from latchkey.store.products.checkout import Selling
from latchkey.store.products.products import Product
from latchkey.store.products.sales_blocks import (
    Block,
    Content,
    CountdownBlock,
    QuestionsBlock,
    TextBlock,
)
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
        user_id = user.id if user else None
        selling = await checkout.selling_to(connection, product.id, user_id)
        contents = await collection_contents.of_product(connection, product.id, user_id)
        wholes = await collection_contents.wholes(connection, product.id)
    query = urlencode(_with_code(kept_here(request), sales_page))
    return page(
        request,
        "member/sales_page.html",
        product=product,
        draft=not live,
        contents=contents,
        wholes=wholes,
        on_sale=selling.leads_somewhere or product.access_mode != "assigned",
        **await content(sales_page, product, card, selling),
        buy_address=f"/buy/{product.slug}/checkout{'?' + query if query else ''}",
    )


@dataclass(frozen=True)
class ShownBlock:
    """A block with its Markdown as HTML: a text block's body, the answer of each question."""

    id: str
    kind: str
    content: Content
    html: tuple[Markup, ...] = ()


async def content(
    sales_page: SalesPage, product: Product, card: library.Card | None, selling: Selling
) -> dict[str, Any]:
    """What the template of a sales page needs."""
    sessions = selling.purchase_method != "none" and selling.checkout_target == "stripe"
    return {
        "entries": selling.sellable if sessions else (),
        "sales": sales_page,
        "blocks": await shown(sales_page.blocks),
        "now": datetime.now(UTC),
        "card": card,
        "verb": _verb(card),
    }


def _with_code(query: list[tuple[str, str]], sales_page: SalesPage) -> list[tuple[str, str]]:
    """With the promotion code of a countdown that hasn't ended, unless the visitor brings one."""
    if any(name == "promo" for name, _ in query):
        return query
    now = datetime.now(UTC)
    countdowns = [
        one.content for one in sales_page.blocks if isinstance(one.content, CountdownBlock)
    ]
    codes = [one.promotion_code for one in countdowns if one.promotion_code and not one.over(now)]
    return [*query, ("promo", codes[0])] if codes else query


async def shown(blocks: Sequence[Block]) -> list[ShownBlock]:
    texts = [_markdown(block.content) for block in blocks]
    html = iter(await markdown.all_rendered([text for several in texts for text in several]))
    return [
        ShownBlock(block.id, block.kind, block.content, tuple(islice(html, len(several))))
        for block, several in zip(blocks, texts, strict=True)
    ]


def _markdown(content: Content) -> list[str]:
    match content:
        case TextBlock(body):
            return [body]
        case QuestionsBlock(items):
            return [item.answer for item in items]
        case _:
            return []


def _verb(card: library.Card | None) -> str:
    return _("Subscribe") if card and card.interval else _("Buy now")
