"""Who may read a product: asked on each view of it and of what is in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from latchkey.languages import _
from latchkey.store import site_settings
from latchkey.store.access import collection_contents, grants, library
from latchkey.store.access.collection_contents import IncludedProduct
from latchkey.store.products import products
from latchkey.store.products.products import Product
from web.pages.errors import NotFoundError
from web.pages.guard import redirect
from web.pages.render import page
from web.site import site_of


@dataclass(frozen=True)
class Reading:
    """A product that the reader may open, with its card, until when (None: no end known), and what
    is in the collection that it opens. A draft is opened by the team alone."""

    product: Product
    card: library.Card | None
    until: datetime | None = None
    contents: Sequence[IncludedProduct] = ()

    @property
    def draft(self) -> bool:
        return self.product.status != "live"


async def opened(request: Request) -> Reading | Response:
    """The product that the URL names, if the reader may open it. Otherwise what they get instead:
    how to sign in, or how to get access. Raises `NotFoundError`."""
    pool, user = site_of(request).pool, request.state.user
    async with pool.acquire() as connection:
        product = await products.find(connection, request.path_params["slug"])
        if product is None or (product.status != "live" and not (user and user.is_staff)):
            raise NotFoundError(_("This product doesn't exist."))
        user_id = user.id if user else None
        card = await library.card(connection, user_id, product.id)
        contents = await collection_contents.of_product(connection, product.id, user_id)
        wholes = await collection_contents.wholes(connection, product.id)
    locked = {
        "product": product,
        "card": card,
        "contact": site_of(request).look.reply_to,
        "contents": contents,
        "wholes": wholes,
    }
    if user is None and product.access_mode == "public":
        return Reading(product, card, contents=contents)
    if user is None:
        if product.access_mode == "signed_in" or not await open_to_visitors(request):
            return redirect(f"/login?next={request.url.path}")
        return page(request, "member/locked.html", 403, **locked)
    allowed, until = grants.may_open(await grants.access_rows(pool, product.id, user_id=user.id))
    if not allowed and not (user.is_staff and product.status != "live"):
        return page(request, "member/locked.html", 403, **locked)
    return Reading(product, card, until, contents)


async def open_to_visitors(request: Request) -> bool:
    """Whether the site shows its library to visitors."""
    async with site_of(request).pool.acquire() as connection:
        return (await site_settings.read(connection)).public_content
