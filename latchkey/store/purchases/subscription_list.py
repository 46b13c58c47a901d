"""The list of subscriptions: filters, search, and what each one costs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import SubscriptionPhase
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, Conditions, ListPlace

RUNNING = tuple(phase for phase in SubscriptionPhase if phase is not SubscriptionPhase.ENDED)
"""The phases of a subscription that isn't over."""

COSTS = """
lateral (
    select string_agg(distinct coalesce(p.name, i.stripe_product), ', ') as products,
           case when count(*) = count(r.unit_amount) and count(distinct r.currency) = 1
                     and count(distinct (r.interval, r.interval_count)) = 1
                then least(sum(r.unit_amount::numeric * coalesce(i.quantity, 1)),
                               9223372036854775807)::bigint end as amount,
           min(r.currency) as currency, min(r.interval) as interval,
           min(r.interval_count) as interval_count
      from subscription_items i
      left join stripe_products p on p.id = i.stripe_product
      left join prices r on r.id = i.price_id
     where i.subscription_id = s.id) costs
"""
"""What the subscription `s` holds, and its amount for each period before discounts and taxes: null
where a price varies, or its items differ in currency or interval."""

CANCELLED_BY = """
coalesce((select case a.data ->> 'place' when 'portal' then 'portal' else a.cause end
            from activities a
           where a.source_id = s.id and a.type = 'subscription_cancelled'
           order by a.id desc limit 1),
         case when s.cancelled_by_customer then 'customer' end)
"""
"""Who cancelled the subscription `s`, or where."""


@dataclass(frozen=True)
class SubscriptionItem:
    """`product_name` is Stripe's."""

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None


@dataclass(frozen=True)
class ListedSubscription:
    """One subscription with its person. `products` are Stripe's names; `amount` is in the
    currency's minor unit for each period, None where it varies. `email` and `name` are the user's,
    `customer_email` and `customer_name` the customer's at Stripe."""

    id: str
    status: str
    phase: str
    products: str | None
    amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    user_id: int | None
    email: str | None
    name: str | None
    customer_id: str
    customer_email: str | None
    customer_name: str | None
    created_at: datetime
    period_end: datetime | None
    trial_end: datetime | None
    scheduled_end: datetime | None
    cancelled_by: str | None
    past_due_since: datetime | None
    ended_at: datetime | None
    livemode: bool
    items: tuple[SubscriptionItem, ...]

    @property
    def unit_amount(self) -> int | None:
        return self.amount

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.created_at, self.id)


_ROWS = f"""
select s.id, s.status, s.phase, costs.products, costs.amount, costs.currency, costs.interval,
       costs.interval_count, s.user_id, u.email, u.name, s.customer_id, c.email as customer_email,
       c.name as customer_name, s.created_at, s.period_end, s.trial_end, s.scheduled_end,
       {CANCELLED_BY} as cancelled_by, s.past_due_since, s.ended_at, s.livemode,
       (select coalesce(json_agg(json_build_object('stripe_product', i.stripe_product,
               'product_name', p.name, 'price', i.price_id, 'quantity', i.quantity)
               order by i.id), '[]')
          from subscription_items i left join stripe_products p on p.id = i.stripe_product
         where i.subscription_id = s.id) as items
  from page s
  left join users u on u.id = s.user_id
  left join customers c on c.id = s.customer_id
 cross join {COSTS}
 order by s.nth
"""


async def _add_conditions(connection: Connection, wanted: BillingFilter, where: Conditions) -> None:
    where.any_of("t.phase", wanted.states)
    billing_lists.add_common(where, wanted)
    if wanted.product is not None:
        where.add(
            "t.id in (select subscription_id from subscription_items"
            " where stripe_product = any({}::text[]))",
            await billing_lists.stripe_products(connection, wanted.product),
        )
    where.given(
        "t.id in (select subscription_id from subscription_items where price_id = {})",
        wanted.price,
    )
    await billing_lists.add_search(
        connection,
        where,
        wanted.search,
        by_id="""
        select id from subscriptions where id = $1
        union select id from subscriptions where customer_id = $1
        union select id from subscriptions where checkout_session = $1
        union select subscription_id from bills where id = $1
        """,
    )


def _listed(fields: dict[str, Any]) -> ListedSubscription:
    items = tuple(SubscriptionItem(**item) for item in fields.pop("items"))
    return ListedSubscription(items=items, **fields)


SUBSCRIPTIONS = BillingList("subscriptions", "created_at", _ROWS, _add_conditions, _listed)
