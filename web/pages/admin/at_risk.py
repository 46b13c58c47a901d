"""Money at risk: whose payment failed, whose card expires, what is set to end, what is disputed."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.store.pool import Connection
from latchkey.store.purchases import at_risk, recovered, reminders
from latchkey.store.purchases.at_risk import AT_RISK, NEEDS_CARD, PAYMENT_PROBLEMS, MoneyAtRisk
from latchkey.store.purchases.billing_lists import BillingFilter
from web.pages.admin.billing_lists import AdminList, ListedState, amount, each_alone
from web.pages.guard import form, mail_by_hand, redirect, support_page, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of
from web.wording.labels import RISKS

HERE = "/admin/at-risk"

STATES = {"problem": ListedState(A_("All whose payment failed"), PAYMENT_PROBLEMS)} | each_alone(
    RISKS
)
_COLUMNS = (
    "kind", "since", "ends_at", "id", "subscription", "products", "amount", "exact", "currency",
    "interval", "interval_count", "card_brand", "card_last4", "card_expires", "email", "name",
    "user", "customer", "customer_email", "last_email", "last_email_at", "livemode",
)  # fmt: skip


def _cells(row: MoneyAtRisk) -> list[object]:
    return [
        row.kind, row.at.isoformat(), row.ends_at.isoformat() if row.ends_at else None, row.id,
        row.subscription_id, row.products, amount(row.amount, row.currency), row.exact,
        row.currency, row.interval, row.interval_count, row.card_brand, row.card_last4,
        row.card_expires.isoformat() if row.card_expires else None, row.email, row.name,
        row.user_id, row.customer_id, row.customer_email, row.mail_kind,
        row.mailed_at.isoformat() if row.mailed_at else None, row.livemode,
    ]  # fmt: skip


async def _totals(connection: Connection, wanted: BillingFilter) -> dict[str, Any]:
    totals = await at_risk.totals(connection, wanted)
    return {
        "totals": totals,
        "together": at_risk.together(totals),
        "recovered": await recovered.by_month(connection),
        "needs_card": NEEDS_CARD,
    }


LIST = AdminList("at-risk", AT_RISK, STATES, _COLUMNS, _cells, _totals)


def routes() -> list[Route]:
    return [*LIST.routes(), Route(HERE + "/{id}/mail", mail, methods=["POST"])]


@support_page
async def mail(request: Request) -> Response:
    """Send the email with the link to update the card; within a day of another one, ask first."""
    fields = await form(request)
    back = text(fields, "back")
    back = back if back.startswith(f"{HERE}?") else HERE
    await mail_by_hand(request)
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await reminders.remind(
                connection, request.path_params["id"], after=number(text(fields, "after"))
            )
    except reminders.RemindedAlreadyError as already:
        return page(request, "admin/at_risk_mail.html", earlier=already.earlier, back=back)
    except reminders.NotRemindedError as refused:
        return page(
            request,
            "message.html",
            409,
            heading=_("No email was sent"),
            text=str(refused),
            back=back,
        )
    return redirect(f"{back}{'&' if '?' in back else '?'}done=reminded")
