"""Who cancelled, and why."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.products import win_backs
from latchkey.store.purchases import cancellation_list
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.cancellation_list import CANCELLATIONS, Cancellation
from web import billing
from web.pages.admin.billing_lists import AdminList, amount, each_alone
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of
from web.wording.labels import NOT_INVITED, WHY_CANCELLED

MOST_CHOSEN = 50
_CODE = re.compile(r"[A-Za-z0-9_-]{1,100}")

_COLUMNS = (
    "cancelled_at", "reason", "comment", "cancelled_by", "id", "products", "amount", "currency",
    "interval", "interval_count", "began_at", "ends_at", "email", "name", "user", "customer",
    "customer_email", "subscribed_again", "livemode",
)  # fmt: skip


def _cells(row: Cancellation) -> list[object]:
    return [
        row.at.isoformat(), row.why, row.comment, row.cancelled_by, row.id, row.products,
        amount(row.amount, row.currency), row.currency, row.interval, row.interval_count,
        row.created_at.isoformat(), row.ends_at.isoformat() if row.ends_at else None, row.email,
        row.name, row.user_id, row.customer_id, row.customer_email, row.back, row.livemode,
    ]  # fmt: skip


async def _reasons(connection: Connection, wanted: BillingFilter) -> dict[str, Any]:
    return {
        "reasons": await cancellation_list.reasons(connection, wanted),
        "won_back": await win_backs.by_code(connection),
    }


LIST = AdminList(
    "cancellations", CANCELLATIONS, each_alone(WHY_CANCELLED), _COLUMNS, _cells, _reasons
)


def routes() -> list[Route]:
    return [
        *LIST.routes(),
        Route("/admin/cancellations/win-back", win_back, methods=["GET", "POST"]),
    ]


@admin_page
async def win_back(request: Request) -> Response:
    """Invite the chosen people back, with a promotion code that Stripe has."""
    fields = await form(request) if request.method == "POST" else None
    given = (fields or request.query_params).getlist("id")
    ids = [str(one) for one in given][:MOST_CHOSEN]
    code = text(fields, "code") if fields else ""
    problem = await _problem(request, code) if fields else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if fields and problem is None:
            count = await win_backs.invite(connection, ids, code=code)
            audit_draft.note(after={"code": code, "emails": count})
        else:
            people = await win_backs.chosen(connection, ids)
    if fields and problem is None:
        return redirect("/admin/cancellations?done=invited-back")
    return page(
        request,
        "admin/win_back.html",
        422 if problem else 200,
        people=people,
        errors={"code": problem} if problem else {},
        obstacles=NOT_INVITED,
    )


async def _problem(request: Request, code: str) -> str | None:
    """Why a code can't be sent to anybody."""
    if not _CODE.fullmatch(code):
        return "Enter a code of letters, digits, - and _, such as COMEBACK20."
    try:
        found = await billing.promotion(site_of(request), code)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return "Stripe can't be asked about the code right now. Please try again in a few minutes."
    if found == "refused":
        return "The Stripe key may not read promotion codes. Give it that permission in Stripe."
    if found == "none":
        return "Stripe has no active promotion code like this. Create it there, then try again."
    return None
