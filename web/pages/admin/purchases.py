"""The list of one-off purchases."""

from starlette.routing import Route

from latchkey.languages import A_
from latchkey.store.purchases.billing_lists import ListOrder
from latchkey.store.purchases.purchase_list import (
    COMPLETED,
    PURCHASES,
    RETURNED,
    ListedPurchase,
)
from web.pages.admin.billing_lists import (
    AdminList,
    ListedState,
    SortChoice,
    amount,
    by_moment,
    each_alone,
)
from web.wording.labels import MONEY_STATES

STATES = {
    "completed": ListedState(A_("All that were completed"), COMPLETED),
    "returned": ListedState(A_("Refunded or credited, also in part"), RETURNED),
} | each_alone({state: text for state, (text, _) in MONEY_STATES.items()})
_COLUMNS = (
    "id", "state", "products", "amount", "refunded", "credited", "currency", "dispute_status",
    "email", "name", "user", "customer", "customer_email", "payment_intent", "invoice",
    "created_at", "paid_at", "livemode",
)  # fmt: skip


def _cells(row: ListedPurchase) -> list[object]:
    amounts = (row.amount, row.amount_refunded, row.credited)
    return [
        row.id, row.money_state, row.products, *(amount(part, row.currency) for part in amounts),
        row.currency, row.dispute_status, row.email, row.name, row.user_id, row.customer_id,
        row.customer_email, row.payment_intent, row.invoice, row.created_at.isoformat(),
        row.paid_at.isoformat() if row.paid_at else None, row.livemode,
    ]  # fmt: skip


_ORDERS = by_moment("created_at") | {
    "highest": SortChoice(A_("Highest amount first"), ListOrder("amount")),
    "lowest": SortChoice(A_("Lowest amount first"), ListOrder("amount", ascending=True)),
}
LIST = AdminList(
    "purchases",
    PURCHASES,
    STATES,
    _COLUMNS,
    _cells,
    orders=_ORDERS,
    address=lambda row: row.email or row.customer_email,
)


def routes() -> list[Route]:
    return LIST.routes()
