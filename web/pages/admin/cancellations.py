"""Who cancelled, and why."""

from typing import Any

from starlette.routing import Route

from latchkey.store.pool import Connection
from latchkey.store.purchases import cancellation_list
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.purchases.cancellation_list import CANCELLATIONS, Cancellation
from web.pages.admin.billing_lists import AdminList, amount, each_alone
from web.wording.labels import WHY_CANCELLED

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
    return {"reasons": await cancellation_list.reasons(connection, wanted)}


LIST = AdminList(
    "cancellations", CANCELLATIONS, each_alone(WHY_CANCELLED), _COLUMNS, _cells, _reasons
)


def routes() -> list[Route]:
    return LIST.routes()
