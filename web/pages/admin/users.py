"""The list of users: search, filters, CSV export."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.store.access.standings import StandingGroup
from latchkey.store.products import listing as product_listing
from latchkey.store.users import listing as user_listing
from latchkey.store.users.listing import UserFilter
from latchkey.store.users.users import ADMIN_ROLES
from web.pages.guard import admin_page
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of

PAGE = 50
ROLES = ("member", *ADMIN_ROLES)
GROUPS = {
    StandingGroup.ACCESS: "With access",
    StandingGroup.ENDING: "Access ends within 14 days",
    StandingGroup.SUBSCRIBED: "Subscribers",
    StandingGroup.PAYMENT_PROBLEM: "With a payment problem",
}
ORDERS = {
    "": "Newest first",
    "oldest": "Oldest first",
    "email": "By email, A to Z",
    "email-desc": "By email, Z to A",
    "seen": "Last seen first",
    "unseen": "Never or longest not seen first",
}
_COLUMNS = ("email", "name", "role", "products", "created_at", "last_seen_at")


def routes() -> list[Route]:
    return [
        Route("/admin/users", index),
        Route("/admin/users.csv", export),
    ]


@admin_page
async def index(request: Request) -> Response:
    query, wanted = _wanted(request)
    async with site_of(request).pool.acquire() as connection:
        rows = await user_listing.listed(
            connection,
            wanted,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
            order=_order(query),
        )
        names = await product_listing.names(connection)
    return page(
        request,
        "admin/users.html",
        rows=rows[:PAGE],
        query=query,
        products=names,
        roles=ROLES,
        groups=GROUPS,
        orders=ORDERS,
        csv_address=query.address().replace("/users", "/users.csv", 1),
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
    )


@admin_page
async def export(request: Request) -> Response:
    """The filtered list as CSV, of any length."""
    query, wanted = _wanted(request)
    return StreamingResponse(
        _csv(site_of(request), wanted, _order(query)),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="users.csv"'},
    )


async def _csv(site: Site, wanted: UserFilter, order: str = "") -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    async for rows in user_listing.everybody(site.pool, wanted, order=order):
        yield "".join(
            cells(
                [
                    row.email,
                    row.name,
                    row.role,
                    "; ".join(row.products),
                    row.created_at.isoformat(),
                    row.last_seen_at.isoformat() if row.last_seen_at else None,
                ]
            )
            for row in rows
        )


def _order(query: Query) -> str:
    return query["sort"] if query["sort"] in ORDERS else ""


def _wanted(request: Request) -> tuple[Query, UserFilter]:
    query = Query(request, ("q", "product", "role", "seen", "group", "sort"))
    return query, UserFilter(
        search=query["q"] or None,
        product=query["product"] or None,
        role=query["role"] if query["role"] in ROLES else None,
        seen=query["seen"] if query["seen"] in user_listing.SEEN else None,
        group=StandingGroup(query["group"]) if query["group"] in GROUPS else None,
    )
