"""Drift: compare grants with Stripe, see the differences, repair them; CSV."""

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.languages import _
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
from web.wording.labels import upfirst
from web.wording.stored import said

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
    fields = await form(request)
    product = text(fields, "product") or None
    async with site.changing() as connection:
        if product is not None and product not in dict(await listing.names(connection)):
            raise NotFoundError(_("This product doesn't exist."))
        comparison = await reconciliations.request(
            connection,
            repair=False,
            cause=ComparisonCause.ADMIN,
            product_id=product,
            actor=request.state.user.id,
        )
    return redirect(f"/admin/drift/{comparison.id}")


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
async def repair(request: Request) -> Response:
    """Repair the selected differences, or all that are safe."""
    site = site_of(request)
    fields = await form(request)
    everything = text(fields, "what") == "safe"
    ids = [id_ for value in fields.getlist("difference") if (id_ := number(str(value)))]
    if not everything and not ids:
        return await _page(request, error=_("Select what to repair first."))
    comparison = await _comparison(request)
    async with site.changing() as connection:
        try:
            await reconciliations.choose(connection, comparison.id, ids=None if everything else ids)
        except reconciliations.StillRunningError as error:
            return await _page(request, error=f"{upfirst(str(error))}.")
    return redirect(f"/admin/drift/{comparison.id}")


@admin_page
async def export(request: Request) -> Response:
    """All differences of one comparison as CSV."""
    comparison = await _comparison(request)
    return StreamingResponse(
        _csv(site_of(request), comparison.id),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="drift-{comparison.id}.csv"'},
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
                    said(row.reason),
                    row.product_name,
                    row.email,
                    row.source,
                    row.source_id,
                    row.workflow_id,
                    row.found_at.isoformat(),
                    row.repaired_at.isoformat() if row.repaired_at else None,
                    said(row.error),
                ]
            )
            for row in rows
        )
        if len(rows) < 1000:
            return
        after = rows[-1].id


async def _comparison(request: Request) -> Reconciliation:
    async with site_of(request).pool.acquire() as connection:
        comparison = await reconciliations.find(connection, request.path_params["id"])
    if comparison is None:
        raise NotFoundError(_("This comparison doesn't exist."))
    return comparison


async def _page(request: Request, *, error: str | None = None) -> Response:
    comparison = await _comparison(request)
    query = Query(request, ("class",))
    severity = query["class"] if query["class"] in CLASSES else None
    async with site_of(request).pool.acquire() as connection:
        rows = await reconciliations.differences(
            connection,
            comparison.id,
            severity=severity,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
        names = dict(await listing.names(connection))
    return page(
        request,
        "admin/drift_report.html",
        422 if error else 200,
        comparison=comparison,
        running=comparison.state in ("queued", "running"),
        rows=rows[:PAGE],
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
        query=query,
        classes=CLASSES,
        product=names.get(comparison.product_id or "", comparison.product_id),
        error=error,
    )
