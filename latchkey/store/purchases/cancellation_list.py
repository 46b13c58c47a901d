"""Who cancelled, and why: the list, and how often each reason was given."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.feed import text_search
from latchkey.store.pool import Connection
from latchkey.store.purchases import billing_lists
from latchkey.store.purchases.billing_lists import BillingFilter, BillingList, Conditions, ListPlace
from latchkey.store.purchases.subscription_list import CANCELLED_BY, COSTS

SUBSCRIBED_AGAIN = """
exists (select from subscriptions b
         where b.user_id = s.user_id and b.id <> s.id and b.created_at >= s.canceled_at
           and b.phase not in ('ended', 'incomplete'))
"""
"""Whether the person of the cancelled subscription `s` has another running one that began later. It
may be set to end, or paused."""


@dataclass(frozen=True)
class Cancellation:
    """A subscription that was cancelled, with its person. `why` is Stripe's word for the reason;
    `ends_at` is when it ends or ended. `amount` is that of one period in the currency's minor unit,
    None where it varies. `back` says whether the person has subscribed again since."""

    id: str
    why: str
    comment: str | None
    cancelled_by: str | None
    at: datetime
    ends_at: datetime | None
    over: bool
    created_at: datetime
    livemode: bool
    user_id: int | None
    email: str | None
    name: str | None
    customer_id: str
    customer_email: str | None
    customer_name: str | None
    products: str | None
    amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    back: bool

    @property
    def place(self) -> ListPlace:
        return ListPlace(self.at, self.id)

    @property
    def unit_amount(self) -> int | None:
        return self.amount


_ROWS = f"""
select s.id, s.why, s.comment, {CANCELLED_BY} as cancelled_by, s.canceled_at as at,
       coalesce(s.ended_at, s.scheduled_end) as ends_at, s.ended_at is not null as over,
       s.created_at, s.livemode, s.user_id, u.email, u.name, s.customer_id,
       c.email as customer_email, c.name as customer_name, costs.products, costs.amount,
       costs.currency, costs.interval, costs.interval_count, {SUBSCRIBED_AGAIN} as back
  from page s
  left join users u on u.id = s.user_id
  left join customers c on c.id = s.customer_id
 cross join {COSTS}
 order by s.nth
"""


async def _add_conditions(connection: Connection, wanted: BillingFilter, where: Conditions) -> None:
    where.any_of("t.why", wanted.states)
    billing_lists.add_common(where, wanted, moment="canceled_at")
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
        select id from cancellations where id = $1
        union select id from cancellations where customer_id = $1
        """,
    )


def _listed(fields: dict[str, Any]) -> Cancellation:
    return Cancellation(**fields)


CANCELLATIONS = BillingList("cancellations", "canceled_at", _ROWS, _add_conditions, _listed)


async def reasons(connection: Connection, wanted: BillingFilter) -> dict[str, int]:
    """How often each reason was given, the most frequent first."""
    where = Conditions()
    await _add_conditions(connection, wanted, where)
    rows = await text_search.fetch_planned(
        connection,
        f"""
        select t.why, count(*) as count from cancellations t where {where.text}
         group by t.why order by count desc, t.why
        """,
        *where.values,
    )
    return {row["why"]: row["count"] for row in rows}
