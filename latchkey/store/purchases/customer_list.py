"""The list of Stripe customers: whose each is, what they have bought, and for how much."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import CustomerState, MoneyState, SubscriptionPhase
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import (
    BillingFilter,
    BillingList,
    Conditions,
    ListPlace,
)
from latchkey.store.purchases.purchase_list import COMPLETED
from latchkey.store.purchases.subscription_list import COSTS

MOST_BUYERS = 5000
"""A product that more have bought is looked for in the list as it goes on."""

_STATES = {
    CustomerState.KNOWN: "t.user_id is not null",
    CustomerState.UNKNOWN: "t.user_id is null",
    CustomerState.DELETED: "t.deleted",
}


@dataclass(frozen=True)
class PaidAmount:
    """`amount` is in the currency's minor unit."""

    currency: str
    amount: int


@dataclass(frozen=True)
class RecurringAmount:
    """`amount` is in the currency's minor unit, for each period."""

    currency: str
    amount: int
    interval: str
    interval_count: int

    @property
    def unit_amount(self) -> int:
        return self.amount


@dataclass(frozen=True)
class ListedCustomer:
    """One customer. `email` and `name` are the customer's at Stripe, `user_email` and `user_name`
    those of the user. `products` are Stripe's names of what their running subscriptions hold.

    `paid` is what their one-off purchases brought, less what went back. `recurring` is what their
    running subscriptions cost before discounts and taxes; those whose amount varies aren't in it.
    """

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
    paid: tuple[PaidAmount, ...]
    recurring: tuple[RecurringAmount, ...]

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.added_at, self.id)


_MOST = 2**63 - 1
_COMPLETED = ", ".join(f"'{state}'" for state in COMPLETED)
_PAID = f"""
lateral (
    select coalesce(json_agg(json_build_object('currency', sums.currency, 'amount', sums.amount)
                             order by sums.currency), '[]') as amounts
      from (select o.currency, least(sum(greatest(0, case
                       when o.money_state = '{MoneyState.DISPUTE_LOST}' then 0
                       when o.charged > 0
                       then o.charged::numeric - o.amount_refunded - o.credited_after
                       else o.amount::numeric - o.credited_before - o.credited_after
                   end)), {_MOST})::bigint as amount
              from orders o
             where o.customer_id = c.id and o.currency is not null
               and o.money_state in ({_COMPLETED})
             group by o.currency) sums) paid
"""
"""What the customer `c` paid for one-off purchases, less what went back. What was charged counts:
of a payment that was authorized, only the captured part."""

_RECURRING = f"""
lateral (
    select coalesce(json_agg(json_build_object('currency', sums.currency, 'amount', sums.amount,
               'interval', sums.interval, 'interval_count', sums.interval_count)
               order by sums.currency, sums.interval, sums.interval_count), '[]') as amounts
      from (select costs.currency, costs.interval, costs.interval_count,
                   least(sum(costs.amount), {_MOST})::bigint as amount
              from subscriptions s cross join {COSTS}
             where s.customer_id = c.id and s.phase <> '{SubscriptionPhase.ENDED}'
               and costs.amount is not null and costs.interval is not null
             group by costs.currency, costs.interval, costs.interval_count) sums) recurring
"""
"""What the running subscriptions of the customer `c` cost, by currency and period."""

_ROWS = f"""
select c.id, c.email, c.name, c.user_id, u.email as user_email, u.name as user_name, c.bound_by,
       c.deleted, c.livemode, c.added_at, held.subscriptions, held.running_subscriptions,
       held.products, (select count(*) from orders o where o.customer_id = c.id) as purchases,
       paid.amounts as paid, recurring.amounts as recurring
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
 cross join {_PAID}
 cross join {_RECURRING}
 order by c.nth
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
    paid = tuple(PaidAmount(**part) for part in fields.pop("paid"))
    recurring = tuple(RecurringAmount(**part) for part in fields.pop("recurring"))
    return ListedCustomer(paid=paid, recurring=recurring, **fields)


CUSTOMERS = BillingList("customers", "added_at", _ROWS, _add_conditions, _listed, most_picked=None)
