"""The access policy: a matrix in plain words, who is affected, and the progress of a change."""

from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
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
    """One row of the matrix: a status, in words."""

    name: str
    title: str
    hint: str


SUBSCRIPTIONS = (
    Cell("trialing", A_("On trial"), A_("The trial has started and isn't over.")),
    Cell("unpaid", A_("Unpaid"), A_("Stripe has used up its retries.")),
    Cell(
        "paused",
        A_("Paused"),
        A_("By the customer, an admin, a schedule, or after a failed payment."),
    ),
    Cell(
        "incomplete",
        A_("Incomplete"),
        A_("The first payment is open. Stripe gives up after 23 hours."),
    ),
    Cell(
        "collection_paused",
        A_("Collection paused"),
        A_("The subscription continues, but invoices aren't collected."),
    ),
)
PURCHASES = (
    Cell("partial_refund", A_("Partially refunded"), A_("Part of the payment was refunded.")),
    Cell("full_refund", A_("Fully refunded"), A_("The whole payment was refunded.")),
    Cell("dispute_opened", A_("Disputed"), A_("The bank opened a dispute that isn't decided yet.")),
    Cell("dispute_lost", A_("Dispute lost"), A_("The bank returned the money to the buyer.")),
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
        product = await products.find(connection, request.path_params["id"])
    if product is None:
        raise NotFoundError(_("This product doesn't exist."))
    return await _policy(request, product)


@admin_page
async def progress(request: Request) -> Response:
    """The part of the page that shows the progress of the last change."""
    product_id = request.query_params.get("product") or None
    async with site_of(request).pool.acquire() as connection:
        change = await policy.last_change(connection, product_id)
    return page(request, "admin/policy_progress.html", change=change, progress_of=product_id)


async def _policy(request: Request, product: products.Product | None) -> Response:
    site = site_of(request)
    product_id = product.id if product else None
    if request.method == "GET":
        return await _show(request, product)
    fields = await form(request)
    try:
        draft = Draft(read_cells(fields, inherits=product is not None), product_id)
    except CellsError as error:
        return await _show(request, product, fields=fields, errors=error.errors, status=422)
    if text(fields, "do") != "save":
        async with site.pool.acquire() as undone, undone.transaction():
            preview = await policy_preview.preview(undone, draft, limit=300)
        return await _show(request, product, draft=draft, preview=preview)
    async with site.changing() as connection:
        await policy.save(connection, draft, actor=request.state.user.id)
    return redirect(f"{_address(product_id)}?done=policy-saved")


def _address(product_id: str | None) -> str:
    return f"/admin/products/{product_id}/policy" if product_id else "/admin/policy"


class CellsError(ValueError):
    """Cells of the form can't be used; `errors` say why, by field."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def read_cells(fields: FormData, *, inherits: bool) -> dict[str, object]:
    """The cells that the form sets. Raises `CellsError`."""
    cells: dict[str, object] = {}
    errors: dict[str, str] = {}
    for cell in (*SUBSCRIPTIONS, *PURCHASES):
        match text(fields, cell.name):
            case "yes":
                cells[cell.name] = True
            case "no":
                cells[cell.name] = False
            case "inherit" if inherits:
                continue
            case _:
                errors[cell.name] = _("Choose one of the options.")
    match text(fields, "past_due"):
        case "days":
            days = number(text(fields, "past_due_days"))
            cells["past_due_days"] = days
            if days is None or days > LONGEST_GRACE_DAYS:
                errors["past_due_days"] = _(
                    "Enter a whole number from 0 to %(longest_grace_days)s.",
                    longest_grace_days=LONGEST_GRACE_DAYS,
                )
        case "always":
            cells["past_due_days"] = None
        case "inherit" if inherits:
            pass
        case _:
            errors["past_due_days"] = _("Choose one of the options.")
    if errors:
        raise CellsError(errors)
    return cells


async def _show(
    request: Request,
    product: products.Product | None,
    *,
    draft: Draft | None = None,
    fields: FormData | None = None,
    preview: PolicyPreview | None = None,
    errors: dict[str, str] | None = None,
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
        values=_posted_values(fields) if fields else _values(now, draft, product is not None),
        inherited=now.inherited.cells(),
        preview=preview,
        change=change,
        progress_of=product_id,
        errors=errors or {},
    )


def _posted_values(fields: FormData) -> dict[str, str]:
    names = [cell.name for cell in (*SUBSCRIPTIONS, *PURCHASES)]
    return {name: text(fields, name) for name in [*names, "past_due", "past_due_days"]}


def _values(now: Policies, draft: Draft | None, inherits: bool) -> dict[str, str]:
    """The values of the form's fields: a product's cells are its own or inherited."""
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
