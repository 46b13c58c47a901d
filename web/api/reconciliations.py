"""Drift: comparisons of grants with Stripe, and repairs."""

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from latchkey.rules.vocabulary import ComparisonCause
from latchkey.store.checks import reconciliations
from web.api.cursors import cursor, number, text
from web.api.lookup import product_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input, RowId


class NewReconciliation(Input):
    """`dry_run` only reports; otherwise safe differences are repaired as they are found."""

    dry_run: bool = Field(description="true only reports, false also repairs safe differences")
    product: str | None = Field(
        None, description="id or slug of one product; all products if omitted"
    )


class Difference(Output):
    """One difference. `class` is safe (to repair), person (someone must decide) or foreign."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: int
    kind: str
    class_: str = Field(serialization_alias="class")
    reason: str
    source: str
    source_id: str
    product: str | None
    user: int | None
    email: str | None
    workflow_id: str | None
    state: str
    error: str | None
    repairable: bool
    found_at: datetime
    repaired_at: datetime | None


class Reconciliation(Output):
    """`state` is queued, running, done or failed. `counts` holds the differences by class, and how
    many were repaired or failed to be."""

    id: str
    dry_run: bool
    product: str | None
    cause: str
    state: str
    error: str | None
    progress: dict[str, Any]
    counts: dict[str, int]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    workflow_id: str


class Report(Reconciliation):
    """A comparison with one page of its differences."""

    differences: list[Difference]
    next: str | None


class ReconciliationList(Output):
    data: list[Reconciliation]
    next: str | None


class Choice(Input):
    """What to repair: the differences with these ids, or all safe ones if omitted."""

    differences: list[RowId] | None = Field(None, max_length=10_000)


def _plain(row: reconciliations.Reconciliation) -> dict[str, Any]:
    return {
        "id": row.id,
        "dry_run": not row.repair,
        "product": row.product_id,
        "cause": row.cause,
        "state": row.state,
        "error": row.error,
        "progress": row.progress,
        "counts": {
            "safe": row.safe,
            "person": row.person,
            "foreign": row.foreign,
            "repaired": row.repaired,
            "failed": row.failed,
        },
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "workflow_id": row.workflow_id,
    }


def _difference(row: reconciliations.Found) -> Difference:
    return Difference(
        id=row.id,
        kind=row.kind,
        class_=row.severity,
        reason=row.reason,
        source=row.source,
        source_id=row.source_id,
        product=row.product_id,
        user=row.user_id,
        email=row.email,
        workflow_id=row.workflow_id,
        state=row.state,
        error=row.error,
        repairable=row.repairable,
        found_at=row.found_at,
        repaired_at=row.repaired_at,
    )


@endpoint("GET", "/reconciliations", query=Paging, answer=ReconciliationList)
async def listed(call: Call) -> ReconciliationList:
    """List comparisons, newest first."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        rows = await reconciliations.listed(
            connection, after=text(paging.after), limit=paging.limit + 1
        )
    more = len(rows) > paging.limit
    page = rows[: paging.limit]
    return ReconciliationList(
        data=[Reconciliation(**_plain(row)) for row in page],
        next=cursor(page[-1].id) if more else None,
    )


@endpoint("POST", "/reconciliations", body=NewReconciliation, answer=Reconciliation, status=202)
async def create(call: Call) -> Reconciliation:
    """Compare grants with Stripe, for one product or for all."""
    wanted: NewReconciliation = call.body
    async with call.site.changing() as connection:
        product_id = None
        if wanted.product is not None:
            product = await product_of(connection, wanted.product)
            product_id = product.id
        made = await reconciliations.request(
            connection, repair=not wanted.dry_run, cause=ComparisonCause.API, product_id=product_id
        )
    return Reconciliation(**_plain(made))


@endpoint("GET", "/reconciliations/{id}", query=Paging, answer=Report)
async def report(call: Call) -> Report:
    """Get one comparison with its differences; `next` leads to more of them."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        found = await reconciliations.find(connection, call.path["id"])
        if found is None:
            raise not_found("reconciliation", call.path["id"])
        rows = await reconciliations.differences(
            connection, found.id, after=number(paging.after), limit=paging.limit + 1
        )
    more = len(rows) > paging.limit
    page = rows[: paging.limit]
    return Report(
        **_plain(found),
        differences=[_difference(row) for row in page],
        next=cursor(page[-1].id) if more else None,
    )


@endpoint("POST", "/reconciliations/{id}/repair", body=Choice, answer=Reconciliation, status=202)
async def repair(call: Call) -> Reconciliation:
    """Repair selected differences of a comparison, or all safe ones."""
    wanted: Choice = call.body
    async with call.site.changing() as connection:
        if await reconciliations.find(connection, call.path["id"]) is None:
            raise not_found("reconciliation", call.path["id"])
        try:
            await reconciliations.choose(connection, call.path["id"], ids=wanted.differences)
        except reconciliations.StillRunningError as error:
            raise ApiError(409, "still_running", str(error)) from None
        found = await reconciliations.find(connection, call.path["id"])
    assert found is not None, "the comparison was read above"
    return Reconciliation(**_plain(found))
