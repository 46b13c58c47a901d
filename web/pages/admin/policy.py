"""The access policy: a matrix in plain words, who is affected, and how far a change is."""

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.rules.policy import LONGEST_GRACE_DAYS
from latchkey.store.access import policy, policy_preview
from latchkey.store.access.policy import Policies
from latchkey.store.access.policy_preview import PolicyPreview
from latchkey.store.products import products
from latchkey.store.purchases.linked_products import Draft
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of


@dataclass(frozen=True)
class Cell:
    """One row of the matrix: what is the case, in words."""

    name: str
    title: str
    hint: str


SUBSCRIPTIONS = (
    Cell("trialing", "In a trial", "The trial has begun and isn't over."),
    Cell("unpaid", "Unpaid", "Stripe tried to collect until its retries were used up."),
    Cell("paused", "Paused", "By the customer, an admin, a schedule or after a failed payment."),
    Cell("incomplete", "First payment open", "Not paid within 23 hours, Stripe gives it up."),
    Cell(
        "collection_paused",
        "Collection paused",
        "The service goes on and invoices aren't collected meanwhile.",
    ),
)
PURCHASES = (
    Cell("partial_refund", "Refunded in part", "Some of the money went back."),
    Cell("full_refund", "Refunded in full", "All of the money went back."),
    Cell("dispute_opened", "Disputed", "The bank asks; nothing is decided yet."),
    Cell("dispute_lost", "Dispute lost", "The bank took the money back."),
)


def routes() -> list[Route]:
    return [
        Route("/admin/policy", site_policy, methods=["GET", "POST"]),
        Route("/admin/policy/progress", progress),
        Route("/admin/products/{id}/policy", product_policy, methods=["GET", "POST"]),
    ]


@admin_page
async def site_policy(request: Request) -> Response:
    return await _policy(request, None)


@admin_page
async def product_policy(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        found = await products.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError("There is no such product.")
    return await _policy(request, found)


@admin_page
async def progress(request: Request) -> Response:
    """The part of the page that says how far the last change is."""
    product_id = request.query_params.get("product") or None
    async with site_of(request).pool.acquire() as connection:
        change = await policy.last_change(connection, product_id)
    return page(request, "admin/policy_progress.html", change=change, progress_of=product_id)


async def _policy(request: Request, product: products.Product | None) -> Response:
    site = site_of(request)
    product_id = product.id if product else None
    if request.method == "GET":
        return await _show(request, product)
    given = await form(request)
    try:
        draft = Draft(read_cells(given, inherits=product is not None), product_id)
    except ValueError as error:
        return await _show(request, product, given=given, error=str(error), status=422)
    if text(given, "do") != "save":
        async with site.pool.acquire() as undone, undone.transaction():
            found = await policy_preview.preview(undone, draft, limit=300)
        return await _show(request, product, draft=draft, preview=found)
    async with site.changing() as connection:
        await policy.save(connection, draft, actor=request.state.user.id)
    return redirect(f"{_address(product_id)}?done=policy-saved")


def _address(product_id: str | None) -> str:
    return f"/admin/products/{product_id}/policy" if product_id else "/admin/policy"


def read_cells(given: FormData, *, inherits: bool) -> dict[str, object]:
    """The cells that the form sets. Raises `ValueError` with a sentence for the admin."""
    cells: dict[str, object] = {}
    for cell in (*SUBSCRIPTIONS, *PURCHASES):
        match text(given, cell.name):
            case "yes":
                cells[cell.name] = True
            case "no":
                cells[cell.name] = False
            case "inherit" if inherits:
                continue
            case _:
                raise ValueError(f"{cell.title}: choose one of the answers.")
    match text(given, "past_due"):
        case "days":
            cells["past_due_days"] = _days(text(given, "past_due_days"))
        case "always":
            cells["past_due_days"] = None
        case "inherit" if inherits:
            pass
        case _:
            raise ValueError("Past due: choose one of the answers.")
    return cells


def _days(given: str) -> int:
    days = number(given)
    if days is None or days > LONGEST_GRACE_DAYS:
        raise ValueError(f"Past due: give whole days between 0 and {LONGEST_GRACE_DAYS}.")
    return days


async def _show(
    request: Request,
    product: products.Product | None,
    *,
    draft: Draft | None = None,
    given: FormData | None = None,
    preview: PolicyPreview | None = None,
    error: str | None = None,
    status: int = 200,
) -> Response:
    product_id = product.id if product else None
    async with site_of(request).pool.acquire() as connection:
        now = await policy.read(connection, product_id)
        change = await policy.last_change(connection, product_id)
    return page(
        request,
        "admin/policy.html",
        status,
        product=product,
        subscriptions=SUBSCRIPTIONS,
        purchases=PURCHASES,
        values=_given_values(given) if given else _values(now, draft, product is not None),
        inherited=now.inherited.cells(),
        preview=preview,
        change=change,
        progress_of=product_id,
        error=error,
    )


def _given_values(given: FormData) -> dict[str, str]:
    names = [cell.name for cell in (*SUBSCRIPTIONS, *PURCHASES)]
    return {name: text(given, name) for name in [*names, "past_due", "past_due_days"]}


def _values(now: Policies, draft: Draft | None, inherits: bool) -> dict[str, str]:
    """What the form's fields hold: a product's cells are its own or inherited."""
    own = draft.overrides if draft else (now.own if inherits else {})
    cells: dict[str, Any] = dict(now.effective.cells())
    if draft and not inherits:
        cells = Policies(draft.overrides, {}).effective.cells()
    elif draft:
        cells = Policies(now.site, draft.overrides).effective.cells()
    values: dict[str, str] = {}
    for name, value in cells.items():
        inherited = inherits and name not in own
        if name == "past_due_days":
            kind = "always" if value is None else "days"
            values["past_due"] = "inherit" if inherited else kind
            values["past_due_days"] = "14" if value is None else str(value)
        else:
            values[name] = "inherit" if inherited else ("yes" if value else "no")
    return values
