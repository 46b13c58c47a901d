"""Importing members from another system's CSV: upload, columns, plans, preview, the import itself
and, if one says so, the welcome emails."""

import io
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.csv_files import MOST_COLUMNS
from latchkey.languages import A_, _
from latchkey.rules import exports
from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch, plain_status
from latchkey.rules.written_dates import DateOrder
from latchkey.store import site_settings
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import links
from latchkey.store.products import listing as product_listing
from latchkey.store.users import member_import_undo, member_imports
from latchkey.store.users.member_imports import (
    ImportState,
    MemberImport,
    TooManyValuesError,
    WrongStepError,
)
from latchkey.texts import visible
from web import bodies, imported_files
from web.pages.csv_upload import named_file
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import site_of
from web.wording import imports as wording
from web.wording.stored import said

MOST_PRODUCTS, PAGE = 1000, 50
MOST_FIELDS = member_imports.MOST_PLANS + member_imports.MOST_STATUSES + 10
GONE = A_("This import doesn't exist, or it was removed.")


def routes() -> list[Route]:
    return [
        Route("/admin/users/import", upload, methods=["GET", "POST"]),
        Route("/admin/users/import/{id}", show),
        Route("/admin/users/import/{id}/progress", progress),
        Route("/admin/users/import/{id}/lines", lines),
        Route("/admin/users/import/{id}/refused.csv", refused),
        Route("/admin/users/import/{id}/columns", columns, methods=["GET", "POST"]),
        Route("/admin/users/import/{id}/plans", plans, methods=["GET", "POST"]),
        Route("/admin/users/import/{id}/start", start, methods=["POST"]),
        Route("/admin/users/import/{id}/mail", mail, methods=["POST"]),
        Route("/admin/users/import/{id}/remove", remove, methods=["POST"]),
    ]


@admin_page
async def upload(request: Request) -> Response:
    """The form and the latest imports; posting a file stores its lines and changes nothing else."""
    if request.method == "GET":
        return await _upload_form(request)
    fields = await form(request, files=1, most=bodies.MEMBERS_FILE)
    try:
        import_id = await _stored(request, fields)
    except ValueError as error:
        beside = "lines" if text(fields, "lines") else "file"
        return await _upload_form(request, status=422, errors={beside: str(error)})
    return redirect(f"/admin/users/import/{import_id}")


async def _upload_form(
    request: Request, *, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await member_imports.listed(connection)
    return page(
        request,
        "admin/users_import.html",
        status,
        rows=rows,
        states=wording.STATES,
        exports=[export.name for export in exports.EXPORTS],
        errors=errors or {},
    )


async def _stored(request: Request, fields: FormData) -> str:
    """Store what was uploaded, in one transaction. Raises `ValueError`."""
    chosen = named_file(fields)
    name = visible(chosen.filename or "", longest=100) if chosen else _("Pasted lines")
    file: BinaryIO = chosen.file if chosen else io.BytesIO(text(fields, "lines").encode())
    actor = request.state.user.id
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        return await imported_files.store(connection, file, name=name, actor=actor)


@admin_page
async def show(request: Request) -> Response:
    """The import where it stands; while it waits for an admin, the step that is next."""
    async with site_of(request).pool.acquire() as connection:
        found = await import_of(connection, request)
        if found.state in (ImportState.COLUMNS, ImportState.PLANS):
            return redirect(f"/admin/users/import/{found.id}/{found.state}")
        names = dict(await product_listing.names(connection, limit=MOST_PRODUCTS))
        figures = await member_imports.figures(connection, found)
        given = await member_imports.by_product(connection, found.id)
        labels = await member_imports.by_label(connection, found)
        wanted = {product for product in found.plans.values() if product}
        unlinked = await member_imports.unlinked(connection, found)
        importing = await links.importing(connection, sorted(wanted))
        welcome = 0
        if found.state == ImportState.DONE and found.mailed_at is None:
            welcome = await member_imports.to_welcome(connection, found.id)
        look = await site_settings.read(connection)
    return page(
        request,
        "admin/import.html",
        found=found,
        export=exports.recognised(found.heading),
        figures=figures,
        counts={outcome: getattr(figures, outcome) for outcome in Outcome},
        matches=_matches(figures),
        given=given,
        labels=labels,
        names=names,
        unlinked=unlinked,
        importing=[names.get(product, product) for product in importing],
        undoable=member_import_undo.possible(found, now=datetime.now(UTC)),
        undone=found.undo_figures or {},
        undo_words=wording.UNDO,
        account_words=wording.ACCOUNTS,
        welcome=welcome,
        per_hour=look.spread_per_hour,
        outcomes=wording.OUTCOMES,
        work=wording.WORK,
    )


def _matches(figures: member_imports.ImportFigures) -> list[tuple[StripeMatch, str, int]]:
    counts = {
        StripeMatch.SUBSCRIPTION: figures.by_subscription,
        StripeMatch.CUSTOMER: figures.by_customer,
        StripeMatch.ADDRESS: figures.by_address,
        StripeMatch.OTHER_PERSON: figures.other_person,
    }
    return [(match, wording.MATCHES[match], count) for match, count in counts.items() if count]


@admin_page
async def progress(request: Request) -> Response:
    """How far the work is, as a part of a page, which is loaded again once it is done."""
    async with site_of(request).pool.acquire() as connection:
        found = await import_of(connection, request)
    response = page(request, "admin/import_progress.html", found=found, work=wording.WORK)
    if not found.working:
        response.headers["HX-Refresh"] = "true"
    return response


@admin_page
async def lines(request: Request) -> Response:
    """The lines that have an outcome, or belong to a customer of Stripe's."""
    query = Query(request, ("outcome", "match"))
    outcome = Outcome(query["outcome"]) if query["outcome"] in list(Outcome) else None
    match = StripeMatch(query["match"]) if query["match"] in list(StripeMatch) else None
    async with site_of(request).pool.acquire() as connection:
        found = await import_of(connection, request)
        names = dict(await product_listing.names(connection, limit=MOST_PRODUCTS))
        rows = await member_imports.lines(
            connection,
            found.id,
            outcome=outcome,
            match=match,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
    return page(
        request,
        "admin/import_lines.html",
        found=found,
        rows=rows[:PAGE],
        more=query.address(after=rows[PAGE - 1].line) if len(rows) > PAGE else None,
        query=query,
        outcome=outcome,
        outcomes=wording.OUTCOMES,
        matches=wording.MATCHES,
        names=names,
    )


@admin_page
async def refused(request: Request) -> Response:
    """The refused lines as they were, with the reasons, to be corrected and imported again."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        found = await import_of(connection, request)
    return StreamingResponse(
        _refused_csv(site.pool, found),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="refused-lines.csv"'},
    )


async def _refused_csv(pool: Pool, found: MemberImport) -> AsyncIterator[str]:
    width = len(found.heading)
    yield cells([*found.heading, "Line", "Column", "Problem"])
    async for rows in member_imports.all_lines(pool, found.id, outcome=Outcome.REFUSED):
        yield "".join(
            cells(
                [
                    *(row.cells + [""] * width)[: max(width, len(row.cells))],
                    row.line,
                    row.problem_column or "",
                    said(row.problem),
                ]
            )
            for row in rows
        )


@admin_page
async def columns(request: Request) -> Response:
    """What each column holds."""
    if request.method == "GET":
        async with site_of(request).pool.acquire() as connection:
            found = await import_of(connection, request)
            return await _columns_form(
                request, connection, found, found.layout.columns, DateOrder(found.dates)
            )
    fields = await form(request, most_fields=MOST_COLUMNS + 10)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        found = await import_of(connection, request)
        chosen = [_column(fields, at) for at in range(len(found.heading))]
        dates = _date_order(text(fields, "dates"))
        if problem := exports.problem_with(chosen, called=wording.COLUMNS.__getitem__):
            return await _columns_form(
                request, connection, found, chosen, dates, problem=said(problem)
            )
        return await _step(
            found, member_imports.choose_columns(connection, found.id, chosen, dates)
        )


async def _columns_form(
    request: Request,
    connection: Connection,
    found: MemberImport,
    chosen: Sequence[Column],
    dates: DateOrder,
    *,
    problem: str | None = None,
) -> Response:
    sample = await member_imports.sample(connection, found.id)
    return page(
        request,
        "admin/import_columns.html",
        422 if problem else 200,
        found=found,
        export=exports.recognised(found.heading),
        columns=[
            (heading, column, [row[at] for row in sample if len(row) > at and row[at]])
            for at, (heading, column) in enumerate(zip(found.heading, chosen, strict=True))
        ],
        choices=wording.COLUMNS,
        dates=dates,
        orders=wording.DATES,
        problem=problem,
    )


@admin_page
async def plans(request: Request) -> Response:
    """Which product each plan is, and what unknown statuses mean."""
    fields = await form(request, most_fields=MOST_FIELDS) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        found = await import_of(connection, request)
        names = await product_listing.names(connection, limit=MOST_PRODUCTS)
        try:
            values = await member_imports.plan_values(connection, found)
            statuses = await member_imports.unknown_statuses(connection, found)
            await member_imports.check_labels(connection, found)
        except TooManyValuesError as problem:
            chosen_columns, dates = found.layout.columns, DateOrder(found.dates)
            return await _columns_form(
                request, connection, found, chosen_columns, dates, problem=str(problem)
            )
    if fields is not None:
        if not _is_current(fields, found):
            return elsewhere(found)
        chosen = {
            value.value: _product(text(fields, f"plan-{at}"), names)
            for at, value in enumerate(values)
        }
        meanings = {
            value.value: _meaning(text(fields, f"status-{at}")) for at, value in enumerate(statuses)
        }
        async with site_of(request).changing() as connection:
            return await _step(
                found,
                member_imports.choose_plans(connection, found.id, plans=chosen, statuses=meanings),
            )
    return page(
        request,
        "admin/import_plans.html",
        found=found,
        by_plan=Column.PLAN in found.columns,
        values=[(value, _suggested_product(found, value.value, names)) for value in values],
        statuses=[
            (value, found.statuses.get(plain_status(value.value), StatusMeaning.UNKNOWN))
            for value in statuses
        ],
        products=[("", _("Nothing, only an account")), *names],
        meanings=wording.STATUSES,
    )


@admin_page
async def start(request: Request) -> Response:
    """Have done what the preview shows, unless there is another one by then."""
    fields = await form(request)
    async with site_of(request).changing() as connection:
        found = await import_of(connection, request)
        if not _is_current(fields, found):
            return elsewhere(found)
        return await _step(found, member_imports.start(connection, found.id))


@admin_page
async def mail(request: Request) -> Response:
    """Send the welcome email to the people of an import."""
    await form(request)
    async with site_of(request).changing() as connection:
        found = await import_of(connection, request)
        return await _step(found, member_imports.mail(connection, found.id))


@admin_page
async def remove(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        found = await import_of(connection, request)
        try:
            await member_imports.remove(connection, found.id)
        except WrongStepError:
            return elsewhere(found)
    return redirect("/admin/users/import?done=import-removed")


async def import_of(connection: Connection, request: Request) -> MemberImport:
    """The import that a request is about. Raises `NotFoundError`."""
    found = await member_imports.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError(GONE)
    return found


async def _step(found: MemberImport, change: Awaitable[None]) -> Response:
    """Go on with an import, and show where it stands then."""
    try:
        await change
    except WrongStepError:
        return elsewhere(found)
    return redirect(f"/admin/users/import/{found.id}")


def _is_current(fields: FormData, found: MemberImport) -> bool:
    """Whether a form was shown for what the import holds now. Somebody else may have chosen other
    columns or plans since."""
    return text(fields, "run") == str(found.run)


def elsewhere(found: MemberImport) -> Response:
    """Leads to where an import stands now."""
    return redirect(f"/admin/users/import/{found.id}?done=import-elsewhere")


def _column(fields: FormData, at: int) -> Column:
    wanted = text(fields, f"column-{at}")
    return Column(wanted) if wanted in list(Column) else Column.IGNORED


def _date_order(wanted: str) -> DateOrder:
    return DateOrder(wanted) if wanted in list(DateOrder) else DateOrder.UNKNOWN


def _meaning(wanted: str) -> StatusMeaning:
    return StatusMeaning(wanted) if wanted in list(StatusMeaning) else StatusMeaning.UNKNOWN


def _product(wanted: str, names: Sequence[tuple[str, str]]) -> str | None:
    return wanted if wanted in dict(names) else None


def _suggested_product(found: MemberImport, plan: str, names: Sequence[tuple[str, str]]) -> str:
    """What was chosen before, else the product that has the plan's name."""
    if plan in found.plans:
        return found.plans[plan] or ""
    return next((id_ for id_, name in names if name.casefold() == plan.casefold()), "")
