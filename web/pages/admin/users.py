"""The list of users: search, filters, order, labels for many at once, CSV export."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.rules.labels import LONGEST, SEPARATOR
from latchkey.store import audit_draft
from latchkey.store.access.standings import StandingGroup
from latchkey.store.pool import Connection
from latchkey.store.products import listing as product_listing
from latchkey.store.purchases.billing_lists import ListPlace
from latchkey.store.users import labels
from latchkey.store.users import listing as user_listing
from latchkey.store.users.listing import UserFilter, UserPlace
from latchkey.store.users.users import ADMIN_ROLES
from web import places
from web.inputs import UserLabel
from web.pages.admin.chosen_rows import ChosenRows, chosen, csv_file, emails_page
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of

HERE = "/admin/users"
PAGE = 50
_LABEL: TypeAdapter[str] = TypeAdapter(UserLabel)
ROLES = ("member", *ADMIN_ROLES)
GROUPS = {
    StandingGroup.ACCESS: A_("With access"),
    StandingGroup.ENDING: A_("Access ends within 14 days"),
    StandingGroup.SUBSCRIBED: A_("Subscribers"),
    StandingGroup.PAYMENT_PROBLEM: A_("With a payment problem"),
}
ORDERS = {
    "": A_("Newest first"),
    "oldest": A_("Oldest first"),
    "email": A_("By email, A to Z"),
    "email-desc": A_("By email, Z to A"),
    "seen": A_("Last seen first"),
    "unseen": A_("Never or longest not seen first"),
}
_COLUMNS = ("email", "name", "role", "products", "created_at", "last_seen_at", "labels")


def routes() -> list[Route]:
    return [
        Route(HERE, index),
        Route("/admin/users.csv", export),
        Route("/admin/users.csv", export_chosen, methods=["POST"]),
        Route("/admin/users/emails", emails, methods=["POST"]),
        Route("/admin/users/labels", label, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    return await _page(request)


async def _page(request: Request, errors: dict[str, str] | None = None) -> Response:
    query, wanted = _wanted(request)
    order = _order(query)
    async with site_of(request).pool.acquire() as connection:
        after = await _place(connection, order, request.query_params.get("after"))
        rows = await user_listing.listed(
            connection, wanted, after=after, limit=PAGE + 1, order=order
        )
        names = await product_listing.names(connection)
        known = await labels.names(connection)
    return page(
        request,
        "admin/users.html",
        422 if errors else 200,
        errors=errors or {},
        rows=rows[:PAGE],
        query=query,
        products=names,
        roles=ROLES,
        groups=GROUPS,
        orders=ORDERS,
        labels=known,
        label_address=query.address().replace(HERE, f"{HERE}/labels", 1),
        emails_address=query.address().replace(HERE, f"{HERE}/emails", 1),
        csv_address=query.address().replace("/users", "/users.csv", 1),
        more=query.address(after=_written(rows[PAGE - 1].place)) if len(rows) > PAGE else None,
    )


def _written(place: UserPlace) -> str:
    """A place as the address of the next page has it: with the moment if it is sorted by one, and
    without an email address."""
    if isinstance(place.key, datetime):
        return places.written(ListPlace(place.key, str(place.id)))
    return str(place.id)


async def _place(connection: Connection, order: str, text: str | None) -> UserPlace | None:
    """The place that `_written` gives as this text; None for any other text."""
    if moment := places.place_of(text):
        user_id = number(moment.id)
        return UserPlace(moment.at, user_id) if user_id and "seen" in order else None
    user_id = number(text)
    return await user_listing.find_place(connection, user_id, order) if user_id else None


@admin_page
async def export(request: Request) -> Response:
    """The filtered list as CSV, of any length."""
    query, wanted = _wanted(request)
    return csv_file(_csv(site_of(request), wanted, _order(query)), "users")


@support_page
async def export_chosen(request: Request) -> Response:
    """Those who were ticked as CSV, or everybody whom the filters find."""
    rows = await chosen(request)
    if rows.problem:
        return await _page(request, {"chosen": rows.problem})
    query, wanted = _wanted(request)
    return csv_file(_csv(site_of(request), _of(rows, wanted), _order(query)), "users", rows)


@support_page
async def emails(request: Request) -> Response:
    """The addresses of those who were ticked, or of everybody whom the filters find."""
    rows = await chosen(request)
    if rows.problem:
        return await _page(request, {"chosen": rows.problem})
    query, wanted = _wanted(request)
    found = _addresses(site_of(request), _of(rows, wanted), _order(query))
    return await emails_page(request, found, "users", rows, back=query.address())


def _of(rows: ChosenRows, wanted: UserFilter) -> UserFilter:
    """The filter that finds the users whom a form is about."""
    return wanted if rows.everybody else UserFilter(ids=rows.numbers)


async def _addresses(
    site: Site, wanted: UserFilter, order: str
) -> AsyncIterator[Iterable[str | None]]:
    async for rows in user_listing.everybody(site.pool, wanted, order=order):
        yield [row.email for row in rows]


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
                    SEPARATOR.join(row.labels),
                ]
            )
            for row in rows
        )


@admin_page
async def label(request: Request) -> Response:
    """Give a label to those who were chosen, or to everybody whom the filters find; or take it."""
    fields, rows = await form(request), await chosen(request)
    query, wanted = _wanted(request)
    typed, problem = read_label(text(fields, "label"))
    adds = text(fields, "change") != "remove"
    if problem or rows.problem:
        beside = {"label": problem, "chosen": rows.problem}
        return await _page(request, {name: said for name, said in beside.items() if said})
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if rows.everybody:
            change = labels.add_to_all if adds else labels.remove_from_all
            count = await change(connection, typed, wanted)
        else:
            count = await (labels.add if adds else labels.remove)(connection, typed, rows.numbers)
        audit_draft.note(after={"label": typed, "added": adds, "users": count})
    back = query.address()
    return redirect(f"{back}{'&' if '?' in back else '?'}done=labelled")


def read_label(typed: str) -> tuple[str, str | None]:
    """A label as somebody typed it, and what is wrong with it."""
    try:
        return _LABEL.validate_python(typed), None
    except ValidationError:
        return typed, _(
            "Enter a label of up to %(longest_label)s characters, without semicolons.",
            longest_label=LONGEST,
        )


def _order(query: Query) -> str:
    return query["sort"] if query["sort"] in ORDERS else ""


def _wanted(request: Request) -> tuple[Query, UserFilter]:
    query = Query(request, ("q", "product", "role", "seen", "group", "label", "sort"), path=HERE)
    return query, UserFilter(
        search=query["q"] or None,
        product=query["product"] or None,
        role=query["role"] if query["role"] in ROLES else None,
        seen=query["seen"] if query["seen"] in user_listing.SEEN else None,
        group=StandingGroup(query["group"]) if query["group"] in GROUPS else None,
        label=query["label"] or None,
    )
