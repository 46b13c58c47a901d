"""Money at risk: whose last payment failed or whose card expires before the next bill, what is set
to end, what is disputed. The view `payments_at_risk` finds it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import Risk
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, Conditions, ListPlace
from latchkey.store.purchases.subscription_list import COSTS

PAYMENT_PROBLEMS = (Risk.GRACE, Risk.PAST_DUE)
"""The kinds whose payment is open."""

NEEDS_CARD = (*PAYMENT_PROBLEMS, Risk.CARD)
"""The kinds that a working card would mend."""

_AMOUNT = f"""
cross join lateral (select t.subscription_id as id) s
cross join {COSTS}
cross join lateral (select coalesce(t.amount, costs.amount) as value,
                           case when t.amount is null then costs.currency else t.currency end
                               as currency) worth
"""
"""What the row `t` is about in money: what is open or disputed, else a subscription's amount for
one period."""


@dataclass(frozen=True)
class MoneyAtRisk:
    """One subscription, or a payment that is disputed, with its person.

    `at` is when it began to be at risk. `ends_at` is when access ends, the next bill is due, or the
    subscription ends that is set to; None where nothing says so. `amount` is in the currency's
    minor unit: what is open or disputed if `exact`, else that of one period before discounts and
    taxes, None where it varies. `card_expires` is the first moment at which the card isn't valid
    any more. `mailed_at` is when the person's newest email about it was queued, of kind
    `mail_kind`; the one about the access that it opened doesn't count.
    """

    id: str
    kind: str
    at: datetime
    ends_at: datetime | None
    livemode: bool
    user_id: int | None
    email: str | None
    name: str | None
    customer_id: str | None
    customer_email: str | None
    customer_name: str | None
    subscription_id: str | None
    payment_intent: str | None
    products: str | None
    amount: int | None
    exact: bool
    currency: str | None
    interval: str | None
    interval_count: int | None
    card_brand: str | None
    card_last4: str | None
    card_expires: datetime | None
    mail_id: int | None
    mail_kind: str | None
    mailed_at: datetime | None

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.at, self.id)

    @property
    def unit_amount(self) -> int | None:
        return self.amount


@dataclass(frozen=True)
class RiskTotal:
    """What is at risk of one kind, in one currency and mode: how many, and their amounts together
    in the minor unit. `varying` of them have no amount of their own."""

    kind: str
    currency: str | None
    livemode: bool
    count: int
    amount: int
    varying: int


_ROWS = f"""
select t.id, t.kind, t.at, t.ends_at, t.livemode, t.user_id, u.email, u.name, t.customer_id,
       coalesce(t.email, c.email) as customer_email, coalesce(t.name, c.name) as customer_name,
       t.subscription_id, t.payment_intent,
       coalesce(costs.products,
                (select string_agg(distinct coalesce(p.name, l.stripe_product), ', ')
                   from order_lines l left join stripe_products p on p.id = l.stripe_product
                  where l.order_id = t.order_id)) as products,
       worth.value as amount, t.amount is not null as exact, worth.currency, costs.interval,
       costs.interval_count, t.card_brand, t.card_last4, t.card_expires,
       m.id as mail_id, m.kind as mail_kind, m.created_at as mailed_at
  from page t
  {_AMOUNT}
  left join users u on u.id = t.user_id
  left join customers c on c.id = t.customer_id
  left join lateral (
       select id, kind, created_at from mails
        where user_id = t.user_id and state <> 'suppressed' and kind <> 'product_access'
          and data ->> 'source_id' = coalesce(t.subscription_id, t.order_id)
        order by id desc limit 1) m on true
 order by t.nth
"""


async def _add_conditions(connection: Connection, wanted: BillingFilter, where: Conditions) -> None:
    where.any_of("t.kind", wanted.states)
    billing_lists.add_common(where, wanted, moment="at")
    bought = (
        "(t.subscription_id in (select subscription_id from subscription_items where {0})"
        " or t.order_id in (select order_id from order_lines where {0}))"
    )
    if wanted.product is not None:
        where.add(
            bought.format("stripe_product = any({0}::text[])"),
            await billing_lists.stripe_products(connection, wanted.product),
        )
    where.given(bought.format("price_id = {0}"), wanted.price)
    await billing_lists.add_search(
        connection,
        where,
        wanted.search,
        by_id="""
        select id from payments_at_risk where $1 in (id, subscription_id, customer_id)
        """,
    )


def _listed(fields: dict[str, Any]) -> MoneyAtRisk:
    return MoneyAtRisk(**fields)


AT_RISK = BillingList("payments_at_risk", "at", _ROWS, _add_conditions, _listed)


async def totals(connection: Connection, wanted: BillingFilter) -> list[RiskTotal]:
    """What is at risk together, by kind, mode and currency, the largest groups first."""
    where = Conditions()
    await _add_conditions(connection, wanted, where)
    rows = await text_search.fetch_planned(
        connection,
        f"""
        with page as materialized (select t.* from payments_at_risk t where {where.text})
        select t.kind, worth.currency, t.livemode, count(*) as count,
               least(coalesce(sum(worth.value::numeric), 0), 9223372036854775807)::bigint as amount,
               count(*) filter (where worth.value is null) as varying
          from page t {_AMOUNT}
         group by t.kind, t.livemode, worth.currency
         order by t.kind, t.livemode desc, count desc, worth.currency
        """,
        *where.values,
    )
    return [RiskTotal(**dict(row)) for row in rows]


def together(totals: Sequence[RiskTotal]) -> list[tuple[str, bool, int]]:
    """The totals added up over their kinds: currency, mode and amount, real money first."""
    sums: dict[tuple[bool, str], int] = {}
    for total in totals:
        if total.currency:
            key = (total.livemode, total.currency)
            sums[key] = sums.get(key, 0) + total.amount
    ordered = sorted(sums, key=lambda key: (not key[0], -sums[key], key[1]))
    return [(currency, live, sums[live, currency]) for live, currency in ordered]
