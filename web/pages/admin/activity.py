"""The activity feed: filters, search, a page per line, CSV."""

from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.vocabulary import ActivityType
from latchkey.store.feed import lines
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.feed.lines import FeedLine
from latchkey.store.products import listing
from latchkey.store.users import unmerging
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of
from web.wording.labels import ACTIVITY_TYPES, CAUSES, PRESETS
from web.wording.times import days_between

PAGE = 50
_COLUMNS = (
    "at", "type", "email", "user", "product", "product_name", "cause", "actor", "source_id",
    "event_id", "workflow_id", "due_at",
)  # fmt: skip


def routes() -> list[Route]:
    return [
        Route("/admin/activity", index),
        Route("/admin/activity.csv", export),
        Route("/admin/activity/{id}", show),
    ]


@admin_page
async def index(request: Request) -> Response:
    query, wanted, problem = _wanted(request)
    async with site_of(request).pool.acquire() as connection:
        rows = await lines.filtered(
            connection, wanted, after=number(request.query_params.get("after")), limit=PAGE + 1
        )
        names = await listing.names(connection)
    types = list(wanted.types)
    chips = _chips(query, wanted, dict(names))
    return page(
        request,
        "admin/activity.html",
        422 if problem else 200,
        rows=rows[:PAGE],
        more=query.address(type=types, after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
        first=query.address(type=types),
        folded=query.address(type=types, imports="each") if wanted.folded else None,
        csv_address=query.address(type=types).replace("/activity", "/activity.csv", 1),
        query=query,
        types=ACTIVITY_TYPES,
        chosen=types,
        presets=[
            (name, query.address(type=list(kinds), imports=""), set(kinds) == set(types))
            for name, kinds in PRESETS.items()
        ],
        chips=chips,
        causes=CAUSES,
        products=names,
        problem=problem,
    )


@admin_page
async def show(request: Request) -> Response:
    """One line with its event, workflow and emails."""
    line_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        line = await lines.line(connection, line_id) if line_id else None
        if line is None:
            raise NotFoundError(_("This activity doesn't exist."))
        around = await lines.related(connection, line)
        merge = None
        if line.type == ActivityType.USERS_MERGED:
            merge = await unmerging.merge_of(connection, line.data["from_user"])
    return page(request, "admin/activity_line.html", line=line, merge=merge, **around)


@admin_page
async def export(request: Request) -> Response:
    """The filtered feed as CSV, of any length."""
    _, wanted, problem = _wanted(request)
    if problem:
        raise NotFoundError(problem)
    return StreamingResponse(
        _csv(site_of(request), replace(wanted, folded=False)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="activity.csv"'},
    )


async def _csv(site: Site, wanted: FeedFilter) -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    async for rows in lines.all_lines(site.pool, wanted):
        yield "".join(cells(_cells(row)) for row in rows)


def _cells(row: FeedLine) -> list[object]:
    return [
        row.at.isoformat(), row.type, row.email, row.user_id, row.product_id, row.product_name,
        row.cause, row.actor, row.source_id, row.event_id, row.workflow_id,
        row.due_at.isoformat() if row.due_at else None,
    ]  # fmt: skip


def _wanted(request: Request) -> tuple[Query, FeedFilter, str | None]:
    query = Query(request, ("q", "product", "cause", "user", "from", "to", "imports"))
    kinds = request.query_params.getlist("type")
    problem = None
    try:
        since, until = days_between(query["from"], query["to"])
    except ValueError as error:
        since = until = None
        problem = str(error)
    wanted = FeedFilter(
        types=tuple(kind for kind in kinds if kind in ACTIVITY_TYPES),
        user_id=number(query["user"]),
        product_id=query["product"] or None,
        cause=query["cause"] if query["cause"] in CAUSES else None,
        since=since,
        until=until,
        search=query["q"] or None,
    )
    asks = wanted.search or wanted.user_id or wanted.cause or ActivityType.IMPORTED in wanted.types
    wanted = replace(wanted, folded=not asks and query["imports"] != "each")
    return query, wanted, problem


def _chips(query: Query, wanted: FeedFilter, names: dict[str, str]) -> list[tuple[str, str]]:
    """The active filters, each with the URL that removes it."""
    types = list(wanted.types)
    chips = [
        (ACTIVITY_TYPES[kind], query.address(type=[other for other in types if other != kind]))
        for kind in types
    ]
    texts = {
        "q": f"“{query['q']}”",
        "product": names.get(query["product"], query["product"]),
        "cause": CAUSES.get(query["cause"], query["cause"]),
        "user": _("user %(query)s", query=query["user"]),
        "from": _("from %(day)s", day=query["from"]),
        "to": _("to %(day)s", day=query["to"]),
        "imports": _("each person"),
    }
    for name, text in texts.items():
        if query[name]:
            chips.append((text, query.address(type=types, **{name: ""})))
    return chips
