"""The list of users: search, filters, CSV import and export."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.addresses import email_key
from latchkey.store.access.standings import StandingGroup
from latchkey.store.products import listing as product_listing
from latchkey.store.users import listing as user_listing
from latchkey.store.users.listing import NewUser, UserFilter
from latchkey.store.users.users import ADMIN_ROLES
from latchkey.texts import on_one_line
from web import bodies
from web.inputs import Email
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of

PAGE = 50
MOST_BYTES, MOST_ROWS, MOST_SHOWN = 8_000_000, 100_000, 200
ENDINGS = (".csv", ".txt")
ROLES = ("member", *ADMIN_ROLES)
GROUPS = {
    StandingGroup.ACCESS: "With access",
    StandingGroup.ENDING: "Access ends within 14 days",
    StandingGroup.SUBSCRIBED: "Subscribers",
    StandingGroup.PAYMENT_PROBLEM: "With a payment problem",
}
_COLUMNS = ("email", "name", "role", "products", "created_at", "last_seen_at")
_EMAIL: TypeAdapter[str] = TypeAdapter(Email)


@dataclass(frozen=True)
class BadLine:
    """`number` counts the file's lines from 1."""

    number: int
    text: str
    reason: str


def routes() -> list[Route]:
    return [
        Route("/admin/users", index),
        Route("/admin/users.csv", export),
        Route("/admin/users/import", read_file, methods=["GET", "POST"]),
        Route("/admin/users/import/{id}", run_import, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    query, wanted = _wanted(request)
    async with site_of(request).pool.acquire() as connection:
        rows = await user_listing.listed(
            connection, wanted, after=number(request.query_params.get("after")), limit=PAGE + 1
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
        csv_address=query.address().replace("/users", "/users.csv", 1),
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
    )


@admin_page
async def export(request: Request) -> Response:
    """The filtered list as CSV, of any length."""
    _, wanted = _wanted(request)
    return StreamingResponse(
        _csv(site_of(request), wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="users.csv"'},
    )


@admin_page
async def read_file(request: Request) -> Response:
    """Reads a file and shows a preview; nothing is imported yet."""
    if request.method == "GET":
        return page(request, "admin/users_import.html")
    fields = await form(request, files=1, most=bodies.CSV_FILE)
    try:
        content = await content_of(fields)
        good, bad = await asyncio.to_thread(read_users, content)
    except ValueError as error:
        errors = {"lines" if text(fields, "lines") else "file": str(error)}
        return page(request, "admin/users_import.html", 422, errors=errors)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        known = await user_listing.known(connection, [row.email for row in good])
        import_id = None
        if good:
            import_id = await user_listing.keep_import(
                connection, good, actor=request.state.user.id
            )
    return page(
        request,
        "admin/users_import_preview.html",
        import_id=import_id,
        good=good[:MOST_SHOWN],
        total=len(good),
        known=known,
        bad=bad[:MOST_SHOWN],
        bad_total=len(bad),
    )


@admin_page
async def run_import(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        done = await user_listing.run_import(
            connection, request.path_params["id"], actor=request.state.user.id
        )
    if done is None:
        raise NotFoundError(
            "This import has already been done, or the preview is older than a day. Upload the"
            " file again."
        )
    return redirect("/admin/users?done=users-imported")


def read_users(content: str) -> tuple[list[NewUser], list[BadLine]]:
    """Users from CSV, with the lines that can't be used and why.

    A header may name `email` and `name` in any order; without one, the first column is the email
    address and the second the name. Commas, semicolons and tabs separate columns. Raises
    `ValueError` if the text isn't CSV like that.
    """
    lines = list(rows_of(content))
    if not lines:
        raise ValueError("The file is empty.")
    if len(lines) > MOST_ROWS:
        raise ValueError(f"There are more than {MOST_ROWS:,} lines. Please split the file.")
    heading = [cell.strip().lower().replace("-", "") for cell in lines[0]]
    email_at, name_at = 0, 1
    named = any(cell in ("email", "address", "email address") for cell in heading)
    if named:
        email_at = next(n for n, cell in enumerate(heading) if cell.startswith(("email", "addr")))
        name_at = heading.index("name") if "name" in heading else -1
    good: dict[str, NewUser] = {}
    bad: list[BadLine] = []
    for at, cells_ in enumerate(lines[1:] if named else lines, start=2 if named else 1):
        if not any(cell.strip() for cell in cells_):
            continue
        email = cells_[email_at].strip() if len(cells_) > email_at else ""
        name = cells_[name_at].strip() if 0 <= name_at < len(cells_) else ""
        reason = _problem(email, name)
        if reason is None and email_key(email) in good:
            reason = "This address is already in the file."
        if reason:
            bad.append(BadLine(at, ", ".join(cells_)[:200], reason))
        else:
            good[email_key(email)] = NewUser(email, name or None)
    return list(good.values()), bad


def _problem(email: str, name: str) -> str | None:
    if not email:
        return "The email address is missing."
    try:
        _EMAIL.validate_python(email)
    except ValidationError:
        return f"“{email[:80]}” isn't a valid email address."
    if len(name) > 200 or not on_one_line(name):
        return "The name must be on one line, up to 200 characters."
    return None


def rows_of(content: str) -> list[list[str]]:
    try:
        dialect: type[csv.Dialect] | str = csv.Sniffer().sniff(content[:2000], ",;\t")
    except csv.Error:
        dialect = "excel"
    try:
        return list(csv.reader(io.StringIO(content), dialect))
    except csv.Error as error:
        raise ValueError(f"This isn't a valid CSV file: {error}.") from None


async def content_of(fields: FormData) -> str:
    file = fields.get("file")
    if isinstance(file, UploadFile) and not (file.filename or ".csv").lower().endswith(ENDINGS):
        raise ValueError(f"Choose a file whose name ends in {' or '.join(ENDINGS)}.")
    raw = await file.read(MOST_BYTES + 1) if isinstance(file, UploadFile) else b""
    raw = raw or text(fields, "lines").encode()
    if len(raw) > MOST_BYTES:
        raise ValueError("The file is larger than 8 MB. Please split it.")
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("The file isn't UTF-8. Export it again as “CSV UTF-8”.") from None
    if "\x00" in content:
        raise ValueError("This isn't a text file. Export the list as CSV.")
    return content.strip()


async def _csv(site: Site, wanted: UserFilter) -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    async for rows in user_listing.everybody(site.pool, wanted):
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


def _wanted(request: Request) -> tuple[Query, UserFilter]:
    query = Query(request, ("q", "product", "role", "seen", "group"))
    return query, UserFilter(
        search=query["q"] or None,
        product=query["product"] or None,
        role=query["role"] if query["role"] in ROLES else None,
        seen=query["seen"] if query["seen"] in user_listing.SEEN else None,
        group=StandingGroup(query["group"]) if query["group"] in GROUPS else None,
    )
