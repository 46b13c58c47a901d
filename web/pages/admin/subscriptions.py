"""The list of subscriptions, and the second ones that somebody pays for."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.store.purchases import second_subscriptions
from latchkey.store.purchases.subscription_list import (
    RUNNING,
    SUBSCRIPTIONS,
    ListedSubscription,
)
from web.pages.admin.billing_lists import (
    AdminList,
    ListedState,
    amount,
    by_moment,
    each_alone,
)
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect
from web.pages.render import page
from web.site import site_of
from web.wording.labels import SUBSCRIPTION_PHASES

STATES = {"running": ListedState(A_("All that are running"), RUNNING)} | each_alone(
    SUBSCRIPTION_PHASES
)
_COLUMNS = (
    "id", "state", "status", "products", "amount", "currency", "interval", "interval_count",
    "email", "name", "user", "customer", "customer_email", "created_at", "period_end", "trial_end",
    "scheduled_end", "past_due_since", "ended_at", "livemode",
)  # fmt: skip


def _cells(row: ListedSubscription) -> list[object]:
    moments = (
        row.created_at, row.period_end, row.trial_end, row.scheduled_end, row.past_due_since,
        row.ended_at,
    )  # fmt: skip
    return [
        row.id, row.phase, row.status, row.products, amount(row.amount, row.currency),
        row.currency, row.interval, row.interval_count, row.email, row.name, row.user_id,
        row.customer_id, row.customer_email,
        *(moment.isoformat() if moment else None for moment in moments), row.livemode,
    ]  # fmt: skip


_ORDERS = by_moment("created_at")
LIST = AdminList(
    "subscriptions",
    SUBSCRIPTIONS,
    STATES,
    _COLUMNS,
    _cells,
    orders=_ORDERS,
    address=lambda row: row.email or row.customer_email,
)


SHOWN = 100
"""How many second subscriptions the page shows; the next ones follow once these are settled."""


def routes() -> list[Route]:
    return [
        *LIST.routes(),
        Route("/admin/subscriptions/second", second),
        Route("/admin/subscriptions/second/{id}/allow", allow, methods=["POST"]),
    ]


@admin_page
async def second(request: Request) -> Response:
    """Who pays for two subscriptions of one product, with where to cancel one."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        rows = await second_subscriptions.listed(connection, limit=SHOWN + 1)
    return page(
        request,
        "admin/second_subscriptions.html",
        rows=rows[:SHOWN],
        more=len(rows) > SHOWN,
        account_address=f"{site.public_url}/account",
    )


@admin_page
async def allow(request: Request) -> Response:
    """Somebody is meant to have two subscriptions, such as one for a relative."""
    await form(request)
    site = site_of(request)
    async with site.pool.acquire() as connection, connection.transaction():
        if not await second_subscriptions.allow(connection, request.path_params["id"]):
            raise NotFoundError(_("This isn't a second subscription."))
    site.bell.forget()
    return redirect("/admin/subscriptions/second?done=second-allowed")
