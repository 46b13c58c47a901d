"""What members see: the library, a product behind its door, their account."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store import grants, library, products
from latchkey.store.products import Product
from web.pages.guard import member_page, see, visitor_page
from web.pages.products import NotFound
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    return [
        Route("/", home),
        Route("/library", shelf),
        Route("/products/{slug}", show),
        Route("/account", account),
    ]


@visitor_page
async def home(request: Request) -> Response:
    user = request.state.user
    if user is None:
        return see("/login")
    return see("/admin" if user.is_admin else "/library")


@member_page
async def shelf(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        cards = await library.cards(connection, request.state.user.id)
    return page(request, "library.html", cards=cards)


@visitor_page
async def show(request: Request) -> Response:
    """A live product, for those who may open it."""
    pool, user = site_of(request).pool, request.state.user
    async with pool.acquire() as connection:
        product = await products.find(connection, request.path_params["slug"])
    if product is None or (product.status != "live" and not (user and user.is_admin)):
        raise NotFound("There is no such product.")
    if product.access_mode == "public":
        return _open(request, product, until=None)
    if user is None:
        return see(f"/login?next=/products/{product.slug}")
    allowed, until = grants.may_open(await grants.access_rows(pool, product.id, user_id=user.id))
    if not allowed:
        return page(request, "locked.html", 403, product=product)
    return _open(request, product, until=until)


def _open(request: Request, product: Product, *, until: object) -> Response:
    return page(request, "product.html", product=product, until=until)


@member_page
async def account(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        mine = await library.subscriptions(connection, request.state.user.id)
        bought = await library.orders(connection, request.state.user.id)
        cards = await library.cards(connection, request.state.user.id)
    return page(request, "account.html", subscriptions=mine, orders=bought, cards=cards)
