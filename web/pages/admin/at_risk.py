"""Money at risk: whose payment failed, what is set to end, what is disputed."""

from typing import Any

from starlette.routing import Route

from latchkey.store.pool import Connection
from latchkey.store.purchases import at_risk
from latchkey.store.purchases.at_risk import AT_RISK, PAYMENT_PROBLEMS, MoneyAtRisk
from latchkey.store.purchases.billing_lists import BillingFilter
from web.pages.admin.billing_lists import AdminList, ListedState, amount, each_alone
from web.wording.labels import RISKS

STATES = {"problem": ListedState("All whose payment failed", PAYMENT_PROBLEMS)} | each_alone(RISKS)
_COLUMNS = (
    "kind", "since", "ends_at", "id", "subscription", "products", "amount", "currency", "interval",
    "interval_count", "email", "name", "user", "customer", "customer_email", "last_email",
    "last_email_at", "livemode",
)  # fmt: skip


def _cells(row: MoneyAtRisk) -> list[object]:
    return [
        row.kind, row.at.isoformat(), row.ends_at.isoformat() if row.ends_at else None, row.id,
        row.subscription_id, row.products, amount(row.amount, row.currency), row.currency,
        row.interval, row.interval_count, row.email, row.name, row.user_id, row.customer_id,
        row.customer_email, row.mail_kind, row.mailed_at.isoformat() if row.mailed_at else None,
        row.livemode,
    ]  # fmt: skip


async def _totals(connection: Connection, wanted: BillingFilter) -> dict[str, Any]:
    return {"totals": await at_risk.totals(connection, wanted)}


LIST = AdminList("at-risk", AT_RISK, STATES, _COLUMNS, _cells, _totals)


def routes() -> list[Route]:
    return LIST.routes()
