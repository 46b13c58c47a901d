"""The list of Stripe customers."""

from starlette.routing import Route

from latchkey.store.purchases.customer_list import CUSTOMERS, ListedCustomer
from web.pages.admin.billing_lists import AdminList, each_alone
from web.wording.labels import CUSTOMER_STATES

_COLUMNS = (
    "id", "email", "name", "user", "user_email", "user_name", "running_subscriptions",
    "subscriptions", "purchases", "products", "added_at", "deleted", "livemode",
)  # fmt: skip


def _cells(row: ListedCustomer) -> list[object]:
    return [
        row.id, row.email, row.name, row.user_id, row.user_email, row.user_name,
        row.running_subscriptions, row.subscriptions, row.purchases, row.products,
        row.added_at.isoformat(), row.deleted, row.livemode,
    ]  # fmt: skip


LIST = AdminList("customers", CUSTOMERS, each_alone(CUSTOMER_STATES), _COLUMNS, _cells)


def routes() -> list[Route]:
    return LIST.routes()
