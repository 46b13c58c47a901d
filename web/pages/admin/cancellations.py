"""Who cancelled, and why."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import A_, _
from latchkey.rules.key_permissions import PROMOTION_WRITES
from latchkey.rules.promotions import NewPromotion
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.products import win_backs
from latchkey.store.products.win_backs import Former
from latchkey.store.purchases import cancellation_list
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.cancellation_list import CANCELLATIONS, Cancellation
from latchkey.store.stripe import connection as connections
from web import billing
from web.pages.admin.billing_lists import AdminList, amount, each_alone
from web.pages.admin.promotion_form import CODE, DURATIONS, empty, typed_promotion
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of
from web.wording.labels import NOT_INVITED, WHY_CANCELLED

MOST_CHOSEN = 50
_CODE = re.compile(CODE)
NOT_A_CODE = A_("Enter a code of letters, digits, - and _, such as COMEBACK20.")

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
        Route("/admin/cancellations/promotion", promotion, methods=["POST"]),
    ]


@admin_page
async def win_back(request: Request) -> Response:
    """Invite the chosen people back, with a promotion code that Stripe has."""
    fields = await form(request) if request.method == "POST" else None
    ids = _chosen(fields or request.query_params)
    code = text(fields, "code") if fields else request.query_params.get("code", "")
    problem = await _problem(request, code) if fields else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if fields and problem is None:
            count = await win_backs.invite(connection, ids, code=code)
            audit_draft.note(after={"code": code, "emails": count})
        else:
            people = await win_backs.chosen(connection, ids)
    if fields and problem is None:
        return redirect("/admin/cancellations?done=invited-back")
    return await _page(request, people, {"code": problem} if problem else {}, code=code)


@admin_page
async def promotion(request: Request) -> Response:
    """Create a promotion code in Stripe, and lead back to the invitation with it entered."""
    fields = await form(request)
    ids = _chosen(fields)
    async with site_of(request).pool.acquire() as connection:
        people = await win_backs.chosen(connection, ids)
        currencies = await win_backs.currencies(connection, people)
    values, wanted, errors = typed_promotion(
        fields, currencies=currencies, customer=_only_customer(people)
    )
    if not _CODE.fullmatch(values["new_code"]):
        errors["new_code"] = NOT_A_CODE
    elif wanted and (refused := await _made(request, wanted)):
        errors["new_code"] = refused
    if wanted is None or errors:
        return await _page(request, people, errors, values=values)
    query = urlencode([("code", wanted.code), ("done", "promotion"), *(("id", i) for i in ids)])
    return redirect(f"/admin/cancellations/win-back?{query}")


async def _made(request: Request, wanted: NewPromotion) -> str | None:
    """Create the code; why it couldn't be, if so."""
    try:
        state = await billing.make_promotion(site_of(request), wanted)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _("Stripe can't be reached right now. Please try again in a few minutes.")
    if state == "made":
        audit_draft.note(after={"code": wanted.code})
    return _NOT_MADE.get(state)


_NOT_MADE = {
    "taken": A_(
        "Stripe has an active code like this already. Choose another one, or enter it above."
    ),
    "refused": A_("The Stripe key may not create promotion codes, or this site is a copy."),
    "invalid": A_("Stripe didn't accept this. Its log of requests, in the Dashboard, says why."),
}


def _chosen(fields: FormData | QueryParams) -> list[str]:
    return [str(one) for one in fields.getlist("id")][:MOST_CHOSEN]


def _only_customer(people: Sequence[Former]) -> str | None:
    """The customer of the only one who is invited, None if there are several."""
    invited = [person for person in people if person.obstacle is None]
    return invited[0].customer_id if len(invited) == 1 else None


async def _page(
    request: Request,
    people: Sequence[Former],
    errors: dict[str, str],
    *,
    code: str = "",
    values: dict[str, str] | None = None,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        currencies = await win_backs.currencies(connection, people)
        current = await connections.current(connection)
    invited = sum(person.obstacle is None for person in people)
    return page(
        request,
        "admin/win_back.html",
        422 if errors else 200,
        people=people,
        errors=errors,
        obstacles=NOT_INVITED,
        code=code,
        new=values or empty(invited),
        creating=values is not None,
        currency_choices=[("", "none"), *((one, one.upper()) for one in currencies)],
        durations=DURATIONS,
        only_one=_only_customer(people) is not None,
        lacking=[one.name for one in PROMOTION_WRITES if current.lacks(one.name, one.level)],
    )


async def _problem(request: Request, code: str) -> str | None:
    """Why a code can't be sent to anybody."""
    if not _CODE.fullmatch(code):
        return NOT_A_CODE
    try:
        found = await billing.promotion(site_of(request), code)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _(
            "Stripe can't be asked about the code right now. Please try again in a few minutes."
        )
    if found == "refused":
        return _("The Stripe key may not read promotion codes. Give it that permission in Stripe.")
    if found == "none":
        return _("Stripe has no active promotion code like this. Create it there, then try again.")
    return None
