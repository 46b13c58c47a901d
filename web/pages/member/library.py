"""What members and visitors see: the library and the products."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store import site_settings
from latchkey.store.access import grants, library
from latchkey.store.products import products
from latchkey.store.products.products import Product
from web import markdown
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import reader_page, redirect
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/", home),
        Route("/library", shelf),
        Route("/products/{slug}", show),
    ]


@reader_page
async def home(request: Request) -> Response:
    user = request.state.user
    if user is not None:
        return redirect("/admin" if user.is_staff else "/library")
    return redirect("/library" if await _open_to_visitors(request) else "/login")


@reader_page
async def shelf(request: Request) -> Response:
    """The library; visitors see it if the site allows it."""
    user = request.state.user
    if user is None and not await _open_to_visitors(request):
        return redirect("/login?next=/library")
    query = request.query_params
    search = query.get("q", "").strip().replace("\x00", "")[:200]
    category = number(query.get("category"))
    async with site_of(request).pool.acquire() as connection:
        categories = await library.categories(connection)
        cards = await library.cards(
            connection,
            user.id if user else None,
            search=search,
            category=category,
            after=query.get("after"),
            limit=library.PAGE + 1,
        )
    shown = cards[: library.PAGE]
    return page(
        request,
        "member/library.html",
        owned=[card for card in shown if card.owned],
        locked=[card for card in shown if not card.owned],
        search=search,
        categories=categories,
        category=category,
        more=shown[-1].cursor if len(cards) > library.PAGE else None,
        paged="after" in query,
    )


@reader_page
async def show(request: Request) -> Response:
    """A live product: its content for those with access, how to get it for others."""
    pool, user = site_of(request).pool, request.state.user
    async with pool.acquire() as connection:
        product = await products.find(connection, request.path_params["slug"])
        if product is None or (product.status != "live" and not (user and user.is_staff)):
            raise NotFoundError(_("This product doesn't exist."))
        card = await library.card(connection, user.id if user else None, product.id)
    contact = site_of(request).look.reply_to
    if user is None and product.access_mode == "public":
        return await _open(request, product, card, until=None)
    if user is None:
        if product.access_mode == "signed_in" or not await _open_to_visitors(request):
            return redirect(f"/login?next=/products/{product.slug}")
        return page(request, "member/locked.html", 403, product=product, card=card, contact=contact)
    allowed, until = grants.may_open(await grants.access_rows(pool, product.id, user_id=user.id))
    if not allowed and not (user.is_staff and product.status != "live"):
        return page(request, "member/locked.html", 403, product=product, card=card, contact=contact)
    return await _open(request, product, card, until=until)


async def _open(
    request: Request, product: Product, card: library.Card | None, *, until: object
) -> Response:
    content = await markdown.rendered(product.content)
    return page(
        request, "member/product.html", product=product, content=content, card=card, until=until
    )


async def _open_to_visitors(request: Request) -> bool:
    async with site_of(request).pool.acquire() as connection:
        return (await site_settings.read(connection)).public_content
