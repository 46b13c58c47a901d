"""What members and visitors see: the library and the products."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.rules.lessons import LessonStep, following, opening
from latchkey.store.access import collection_contents, lesson_progress, library
from latchkey.store.access.lesson_progress import LessonProgress
from latchkey.store.pool import Connection
from latchkey.store.users.users import User
from web import markdown
from web.numbers import number
from web.pages.guard import reader_page, redirect
from web.pages.member.reading import open_to_visitors, opened
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
    return redirect("/library" if await open_to_visitors(request) else "/login")


@reader_page
async def shelf(request: Request) -> Response:
    """The library; visitors see it if the site allows it."""
    user = request.state.user
    if user is None and not await open_to_visitors(request):
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
        progress, resume = await _in_progress(connection, user, shown)
        wholes = [card.id for card in shown if card.opens_collection]
        shares = (
            await collection_contents.shares(connection, wholes, user.id) if user and wholes else {}
        )
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
        progress=progress,
        resume=resume,
        shares=shares,
    )


@reader_page
async def show(request: Request) -> Response:
    """A live product: its content and lessons for those with access, how to get it for others."""
    reading = await opened(request)
    if isinstance(reading, Response):
        return reading
    product, user, now = reading.product, request.state.user, datetime.now(UTC)
    async with site_of(request).pool.acquire() as connection:
        steps = await lesson_progress.steps(
            connection, product.id, user_id=user.id if user else None, whole=reading.draft
        )
    return page(
        request,
        "member/product.html",
        product=product,
        content=await markdown.rendered(product.content),
        card=reading.card,
        until=reading.until,
        contents=reading.contents,
        wholes=(),
        steps=steps,
        following=following(steps, now) if user else None,
        opening=opening(steps, now),
        now=now,
    )


async def _in_progress(
    connection: Connection, user: User | None, cards: list[library.Card]
) -> tuple[dict[str, LessonProgress], tuple[library.Card, LessonStep] | None]:
    """How far the user is with the lessons of these products, and the lesson to continue with: of
    the product in which they marked one last."""
    if user is None:
        return {}, None
    owned = {card.id: card for card in cards if card.owned}
    found = await lesson_progress.of_products(connection, user.id, list(owned))
    begun = [(item.last_at, id_) for id_, item in found.items() if item.last_at]
    for _last, product_id in sorted(begun, reverse=True)[:1]:
        steps = await lesson_progress.steps(connection, product_id, user_id=user.id)
        if step := following(steps, datetime.now(UTC)):
            return found, (owned[product_id], step)
    return found, None
