"""Access explained: why, a user's access history, and a product's access by date."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store.access import grants, history, why
from latchkey.store.access.history import Span
from latchkey.store.products import products
from web.pages.admin.lookup import person_of, product_of
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of
from web.wording import explain
from web.wording.times import day_begins

Reader = Callable[[Site, int | None], Awaitable[list[Span]]]

PAGE = 100
CHUNK = 1000
_COLUMNS = (
    "email", "user", "product", "product_id", "source", "source_id", "since", "until",
    "end_reason", "cause", "due_at",
)  # fmt: skip


def routes() -> list[Route]:
    return [
        Route("/admin/users/{id}/why/{product}", chain),
        Route("/admin/users/{id}/access", over_time),
        Route("/admin/users/{id}/access.csv", over_time_csv),
        Route("/admin/products/{id}/access", on_day),
        Route("/admin/products/{id}/access.csv", on_day_csv),
    ]


@admin_page
async def chain(request: Request) -> Response:
    """Why a person can open a product, or why not."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        person = await person_of(request, connection)
        product = await products.find(connection, request.path_params["product"])
        if product is None:
            raise NotFoundError(_("This product doesn't exist."))
        links = await why.chain(connection, user_id=person.id, product_id=product.id)
    rows = await grants.access_rows(site.pool, product.id, user_id=person.id)
    allowed, until = grants.may_open(rows)
    return page(
        request,
        "admin/why.html",
        person=person,
        product=product,
        chain=links,
        access=allowed,
        answer=explain.answer(product, links, access=allowed, until=until),
        ending=explain.ending,
        stripe_url=lambda stripe_object: explain.stripe_url(site, stripe_object),
    )


@admin_page
async def over_time(request: Request) -> Response:
    """What a person had access to, and when."""
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)
        spans = await history.of_user(connection, person.id, limit=CHUNK)
    return page(
        request,
        "admin/user_access.html",
        person=person,
        spans={span.id: span for span in spans},
        stretches=history.stretches(spans),
        cut=len(spans) == CHUNK,
    )


@admin_page
async def over_time_csv(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)

    async def read(site: Site, after: int | None) -> list[Span]:
        async with site.pool.acquire() as connection:
            return await history.of_user(connection, person.id, after=after, limit=CHUNK)

    return _download(request, f"access-of-user-{person.id}.csv", read)


@admin_page
async def on_day(request: Request) -> Response:
    """Who had access to a product on a day."""
    site = site_of(request)
    query = Query(request, ("on",))
    problem = None
    try:
        start = _start(query["on"])
    except ValueError as error:
        start, problem = _start(""), str(error)
    async with site.pool.acquire() as connection:
        product = await product_of(request, connection)
        spans = await history.of_product(
            connection,
            product.id,
            start=start,
            end=start + timedelta(days=1),
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
    return page(
        request,
        "admin/product_access.html",
        422 if problem else 200,
        product=product,
        day=start.date(),
        rows=spans[:PAGE],
        more=query.address(after=spans[PAGE - 1].id) if len(spans) > PAGE else None,
        query=query,
        problem=problem,
    )


@admin_page
async def on_day_csv(request: Request) -> Response:
    try:
        start = _start(request.query_params.get("on", ""))
    except ValueError as error:
        raise NotFoundError(str(error)) from None
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)

    async def read(site: Site, after: int | None) -> list[Span]:
        async with site.pool.acquire() as connection:
            return await history.of_product(
                connection,
                product.id,
                start=start,
                end=start + timedelta(days=1),
                after=after,
                limit=CHUNK,
            )

    return _download(request, f"access-to-{product.slug}-{start:%Y-%m-%d}.csv", read)


def _download(request: Request, name: str, read: Reader) -> Response:
    return StreamingResponse(
        _csv(site_of(request), read),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def _csv(site: Site, read: Reader) -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    after: int | None = None
    while spans := await read(site, after):
        yield "".join(cells(_cells(span)) for span in spans)
        after = spans[-1].id


def _cells(span: Span) -> list[object]:
    return [
        span.email, span.user_id, span.product_name, span.product_id, span.source, span.source_id,
        span.since.isoformat(), span.ended.isoformat() if span.ended else None, span.end_reason,
        span.cause, span.due_at.isoformat() if span.due_at else None,
    ]  # fmt: skip


def _start(value: str) -> datetime:
    """The first moment of a day in UTC; of today if it is empty. Raises `ValueError`."""
    return day_begins(value or f"{datetime.now(UTC):%Y-%m-%d}")
