"""Drift: compare Stripe with the grants, see what differs, repair it; CSV."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.rules.vocabulary import ComparisonCause
from latchkey.store.checks import reconciliations
from latchkey.store.checks.reconciliations import Reconciliation
from latchkey.store.products import listing
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of

PAGE = 100
CLASSES = ("safe", "person", "foreign")
_COLUMNS = (
    "kind", "class", "state", "reason", "product", "email", "source", "source_id", "workflow",
    "found_at", "repaired_at", "error",
)  # fmt: skip


def routes() -> list[Route]:
    return [
        Route("/admin/drift", index),
        Route("/admin/drift", compare, methods=["POST"]),
        Route("/admin/drift/{id}.csv", export),
        Route("/admin/drift/{id}", show),
        Route("/admin/drift/{id}/repair", repair, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    query = Query(request, ("after",))
    async with site_of(request).pool.acquire() as connection:
        rows = await reconciliations.listed(
            connection, after=query["after"] or None, limit=PAGE + 1
        )
        names = await listing.names(connection)
    return page(
        request,
        "admin/drift.html",
        rows=rows[:PAGE],
        more=f"/admin/drift?after={rows[PAGE - 1].id}" if len(rows) > PAGE else None,
        names=dict(names),
        mode=site_of(request).settings.reconciliation,
    )


@admin_page
async def compare(request: Request) -> Response:
    site = site_of(request)
    given = await form(request)
    product = text(given, "product") or None
    async with site.changing() as connection:
        if product is not None and product not in dict(await listing.names(connection)):
            raise NotFoundError("There is no such product.")
        made = await reconciliations.request(
            connection,
            repair=False,
            cause=ComparisonCause.ADMIN,
            product_id=product,
            actor=request.state.user.id,
        )
    return redirect(f"/admin/drift/{made.id}")


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
async def repair(request: Request) -> Response:
    """Repair what was ticked, or everything safe."""
    site = site_of(request)
    given = await form(request)
    everything = text(given, "what") == "safe"
    ids = [one for value in given.getlist("difference") if (one := number(str(value)))]
    if not everything and not ids:
        return await _page(request, error="Tick what to repair first.")
    found = await _found(request)
    async with site.changing() as connection:
        try:
            await reconciliations.choose(connection, found.id, ids=None if everything else ids)
        except reconciliations.StillRunningError as error:
            return await _page(request, error=f"{error}.")
    return redirect(f"/admin/drift/{found.id}")


@admin_page
async def export(request: Request) -> Response:
    """Everything that one comparison found, as CSV."""
    found = await _found(request)
    return StreamingResponse(
        _csv(site_of(request), found.id),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="drift-{found.id}.csv"'},
    )


async def _csv(site: Site, reconciliation_id: str) -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    after: int | None = None
    while True:
        async with site.pool.acquire() as connection:
            rows = await reconciliations.differences(
                connection, reconciliation_id, after=after, limit=1000
            )
        yield "".join(
            cells(
                [
                    row.kind,
                    row.severity,
                    row.state,
                    row.reason,
                    row.product_name,
                    row.email,
                    row.source,
                    row.source_id,
                    row.workflow_id,
                    row.found_at.isoformat(),
                    row.repaired_at.isoformat() if row.repaired_at else None,
                    row.error,
                ]
            )
            for row in rows
        )
        if len(rows) < 1000:
            return
        after = rows[-1].id


async def _found(request: Request) -> Reconciliation:
    async with site_of(request).pool.acquire() as connection:
        found = await reconciliations.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError("There is no such comparison.")
    return found


async def _page(request: Request, *, error: str | None = None) -> Response:
    found = await _found(request)
    query = Query(request, ("class",))
    severity = query["class"] if query["class"] in CLASSES else None
    async with site_of(request).pool.acquire() as connection:
        rows = await reconciliations.differences(
            connection,
            found.id,
            severity=severity,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
        names = dict(await listing.names(connection))
    return page(
        request,
        "admin/drift_report.html",
        422 if error else 200,
        found=found,
        running=found.state in ("queued", "running"),
        rows=rows[:PAGE],
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
        query=query,
        classes=CLASSES,
        product=names.get(found.product_id or "", found.product_id),
        error=error,
    )
