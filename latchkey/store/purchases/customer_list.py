"""The list of Stripe customers: whose each is, and what they have bought."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import CustomerState, SubscriptionPhase
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import (
    BillingFilter,
    BillingList,
    Conditions,
    ListPlace,
)

MOST_BUYERS = 5000
"""A product that more have bought is looked for in the list as it goes on."""

_STATES = {
    CustomerState.KNOWN: "t.user_id is not null",
    CustomerState.UNKNOWN: "t.user_id is null",
    CustomerState.DELETED: "t.deleted",
}


@dataclass(frozen=True)
class ListedCustomer:
    """One customer. `email` and `name` are the customer's at Stripe, `user_email` and `user_name`
    those of the user. `products` are Stripe's names of what their running subscriptions hold."""

    id: str
    email: str | None
    name: str | None
    user_id: int | None
    user_email: str | None
    user_name: str | None
    bound_by: str | None
    deleted: bool
    livemode: bool
    added_at: datetime
    subscriptions: int
    running_subscriptions: int
    purchases: int
    products: str | None

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.added_at, self.id)


_ROWS = f"""
select c.id, c.email, c.name, c.user_id, u.email as user_email, u.name as user_name, c.bound_by,
       c.deleted, c.livemode, c.added_at, held.subscriptions, held.running_subscriptions,
       held.products, (select count(*) from orders o where o.customer_id = c.id) as purchases
  from page c
  left join users u on u.id = c.user_id
 cross join lateral (
       select count(distinct s.id) as subscriptions,
              count(distinct s.id) filter (where s.phase <> '{SubscriptionPhase.ENDED}')
                  as running_subscriptions,
              string_agg(distinct coalesce(p.name, i.stripe_product), ', ')
                  filter (where s.phase <> '{SubscriptionPhase.ENDED}') as products
         from subscriptions s
         left join subscription_items i on i.subscription_id = s.id
         left join stripe_products p on p.id = i.stripe_product
        where s.customer_id = c.id) held
 order by c.added_at desc, c.id desc
"""


async def _add_conditions(connection: Connection, wanted: BillingFilter, where: Conditions) -> None:
    """A product or price is one that they bought or subscribed to."""
    if wanted.states:
        any_of = " or ".join(_STATES[CustomerState(state)] for state in wanted.states)
        where.add(f"({any_of})")
    billing_lists.add_common(where, wanted, moment="added_at", customer="id")
    if wanted.product is not None:
        products = await billing_lists.stripe_products(connection, wanted.product)
        await _add_bought(connection, where, "stripe_product = any({0}::text[])", products)
    if wanted.price is not None:
        await _add_bought(connection, where, "price_id = {0}", wanted.price)
    await billing_lists.add_search(
        connection,
        where,
        wanted.search,
        customer="id",
        by_id="""
        select id from customers where id = $1
        union select customer_id from subscriptions where id = $1 or checkout_session = $1
        union select customer_id from orders where id = $1 and customer_id is not null
        union select customer_id from orders
               where payment_intent = $1 and customer_id is not null
        union select customer_id from orders where invoice = $1 and customer_id is not null
        """,
    )


async def _add_bought(
    connection: Connection, where: Conditions, condition: str, value: object
) -> None:
    """Narrow customers `t` down to those with something in a subscription or an order that meets a
    condition: by their ids if they are few, otherwise one by one as the list goes on."""
    meets = condition.format("$1")
    rows = await connection.fetch(
        f"""
        (select s.customer_id as id from subscription_items i
           join subscriptions s on s.id = i.subscription_id where i.{meets} limit {MOST_BUYERS + 1})
        union all
        (select o.customer_id from order_lines l join orders o on o.id = l.order_id
          where l.{meets} and o.customer_id is not null limit {MOST_BUYERS + 1})
        """,
        value,
    )
    if len(rows) <= MOST_BUYERS:
        where.add("t.id = any({}::text[])", [row["id"] for row in rows])
        return
    where.add(
        f"""
        ((select true from subscriptions s join subscription_items i on i.subscription_id = s.id
           where s.customer_id = t.id and i.{condition} limit 1)
         or (select true from orders o join order_lines l on l.order_id = o.id
              where o.customer_id = t.id and l.{condition} limit 1))
        """,
        value,
    )


def _listed(fields: dict[str, Any]) -> ListedCustomer:
    return ListedCustomer(**fields)


CUSTOMERS = BillingList("customers", "added_at", _ROWS, _add_conditions, _listed, most_picked=None)
