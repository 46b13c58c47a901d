"""The list of Stripe customers."""

from starlette.routing import Route

from latchkey.store.purchases.customer_list import CUSTOMERS, ListedCustomer, RecurringAmount
from web.pages.admin.billing_lists import AdminList, amount, by_moment, each_alone
from web.wording.labels import CUSTOMER_STATES

_COLUMNS = (
    "id", "email", "name", "user", "user_email", "user_name", "running_subscriptions",
    "subscriptions", "purchases", "products", "paid_once", "recurring", "added_at", "deleted",
    "livemode",
)  # fmt: skip


def _cells(row: ListedCustomer) -> list[object]:
    return [
        row.id, row.email, row.name, row.user_id, row.user_email, row.user_name,
        row.running_subscriptions, row.subscriptions, row.purchases, row.products,
        "; ".join(f"{amount(part.amount, part.currency)} {part.currency}" for part in row.paid),
        "; ".join(_recurring(part) for part in row.recurring),
        row.added_at.isoformat(), row.deleted, row.livemode,
    ]  # fmt: skip


def _recurring(part: RecurringAmount) -> str:
    period = part.interval if part.interval_count == 1 else f"{part.interval_count} {part.interval}"
    return f"{amount(part.amount, part.currency)} {part.currency} / {period}"


_STATES = each_alone(CUSTOMER_STATES)
_ORDERS = by_moment("added_at")
LIST = AdminList(
    "customers",
    CUSTOMERS,
    _STATES,
    _COLUMNS,
    _cells,
    orders=_ORDERS,
    address=lambda row: row.email or row.user_email,
)


def routes() -> list[Route]:
    return LIST.routes()
