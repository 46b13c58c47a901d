"""The list of one-off purchases: filters, search, and where the money of each one is."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import MoneyState
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import (
    BillingFilter,
    BillingList,
    Conditions,
    ListPlace,
)

_NOT_COMPLETED = (
    MoneyState.OPEN,
    MoneyState.PENDING,
    MoneyState.FAILED,
    MoneyState.WRITTEN_OFF,
)
COMPLETED = tuple(state for state in MoneyState if state not in _NOT_COMPLETED)
"""What was bought and settled, whatever became of the money later."""

RETURNED = (
    MoneyState.REFUNDED,
    MoneyState.PARTLY_REFUNDED,
    MoneyState.CREDITED,
    MoneyState.PARTLY_CREDITED,
)
"""Of these, some of the money or all of it was refunded or credited."""


@dataclass(frozen=True)
class PurchasedLine:
    """`product_name` is Stripe's; `amount` is in the currency's minor unit."""

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None
    amount: int


@dataclass(frozen=True)
class ListedPurchase:
    """One purchase with its person: a checkout session, or an invoice without one. `products` are
    Stripe's names; amounts are in the currency's minor unit. `email` and `name` are the user's,
    `customer_email` and `customer_name` what the buyer told Stripe."""

    id: str
    money_state: str
    products: str | None
    currency: str | None
    amount: int
    amount_refunded: int
    credited: int
    dispute_status: str | None
    user_id: int | None
    email: str | None
    name: str | None
    customer_id: str | None
    customer_email: str | None
    customer_name: str | None
    payment_intent: str | None
    invoice: str | None
    created_at: datetime
    paid_at: datetime | None
    livemode: bool
    lines: tuple[PurchasedLine, ...]

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.created_at, self.id)


_ROWS = """
select o.id, o.money_state,
       (select string_agg(distinct coalesce(p.name, l.stripe_product), ', ')
          from order_lines l left join stripe_products p on p.id = l.stripe_product
         where l.order_id = o.id) as products,
       o.currency, o.amount, o.amount_refunded, o.credited_before + o.credited_after as credited,
       o.dispute_status, o.user_id, u.email, u.name, o.customer_id,
       coalesce(o.email, c.email) as customer_email, coalesce(o.name, c.name) as customer_name,
       o.payment_intent, o.invoice, o.created_at, o.paid_at, o.livemode,
       (select coalesce(json_agg(json_build_object('stripe_product', l.stripe_product,
               'product_name', p.name, 'price', l.price_id, 'quantity', l.quantity,
               'amount', l.amount) order by l.id), '[]')
          from order_lines l left join stripe_products p on p.id = l.stripe_product
         where l.order_id = o.id) as lines
  from page o
  left join users u on u.id = o.user_id
  left join customers c on c.id = o.customer_id
 order by o.nth
"""


async def _add_conditions(connection: Connection, wanted: BillingFilter, where: Conditions) -> None:
    where.any_of("t.money_state", wanted.states)
    billing_lists.add_common(where, wanted)
    if wanted.product is not None:
        where.add(
            "t.id in (select order_id from order_lines where stripe_product = any({}::text[]))",
            await billing_lists.stripe_products(connection, wanted.product),
        )
    where.given("t.id in (select order_id from order_lines where price_id = {})", wanted.price)
    await billing_lists.add_search(
        connection,
        where,
        wanted.search,
        own_key="email_key",
        by_id="""
        select id from orders where id = $1
        union select id from orders where customer_id = $1
        union select id from orders where payment_intent = $1
        union select id from orders where invoice = $1
        """,
    )


def _listed(fields: dict[str, Any]) -> ListedPurchase:
    lines = tuple(PurchasedLine(**line) for line in fields.pop("lines"))
    return ListedPurchase(lines=lines, **fields)


PURCHASES = BillingList("orders", "created_at", _ROWS, _add_conditions, _listed)
