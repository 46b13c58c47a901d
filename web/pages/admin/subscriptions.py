"""The list of subscriptions."""

from starlette.routing import Route

from latchkey.store.purchases.subscription_list import (
    RUNNING,
    SUBSCRIPTIONS,
    ListedSubscription,
)
from web.pages.admin.billing_lists import AdminList, ListedState, amount, each_alone
from web.wording.labels import SUBSCRIPTION_PHASES

STATES = {"running": ListedState("All that are running", RUNNING)} | each_alone(SUBSCRIPTION_PHASES)
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


LIST = AdminList("subscriptions", SUBSCRIPTIONS, STATES, _COLUMNS, _cells)


def routes() -> list[Route]:
    return LIST.routes()
