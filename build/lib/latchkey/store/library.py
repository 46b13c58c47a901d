"""What one member owns: their products, subscriptions and purchases."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Card:
    """A live product that the member may open, until `until` where an end is known."""

    slug: str
    name: str
    description: str
    image_url: str | None
    until: datetime | None


@dataclass(frozen=True)
class OwnSubscription:
    id: str
    products: str
    status: str
    scheduled_end: datetime | None
    period_end: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class OwnOrder:
    """`amount` in the currency's minor unit."""

    id: str
    products: str
    state: str
    amount: int
    currency: str | None
    created_at: datetime


async def cards(connection: Connection, user_id: int) -> list[Card]:
    """Live products that the user may open, those with an end first."""
    rows = await connection.fetch(
        """
        select p.slug, p.name, p.description, p.image_url,
               case when p.access_mode <> 'assigned' or bool_or(g.until is null) then null
                    else max(g.until) end as until
          from products p
          left join grants g on g.product_id = p.id and g.user_id = $1 and g.ended_at is null
               and (g.until is null or g.until > now())
         where p.status = 'live' and (g.id is not null or p.access_mode <> 'assigned')
         group by p.id order by until nulls last, lower(p.name)
        """,
        user_id,
    )
    return [Card(**dict(row)) for row in rows]


async def subscriptions(connection: Connection, user_id: int) -> list[OwnSubscription]:
    """The user's subscriptions, the running ones first."""
    rows = await connection.fetch(
        """
        select s.id, s.status, s.scheduled_end, s.period_end, s.ended_at,
               string_agg(distinct coalesce(p.name, i.stripe_product), ', ') as products
          from subscriptions s
          join subscription_items i on i.subscription_id = s.id
          left join stripe_products p on p.id = i.stripe_product
         where s.user_id = $1
         group by s.id order by s.ended_at nulls first, s.created_at desc limit 100
        """,
        user_id,
    )
    return [OwnSubscription(**dict(row)) for row in rows]


async def orders(connection: Connection, user_id: int) -> list[OwnOrder]:
    """The user's one-off purchases, newest first."""
    rows = await connection.fetch(
        """
        select o.id, o.state, o.amount, o.currency, o.created_at,
               string_agg(distinct coalesce(p.name, l.stripe_product), ', ') as products
          from orders o
          join order_lines l on l.order_id = o.id
          left join stripe_products p on p.id = l.stripe_product
         where o.user_id = $1
         group by o.id order by o.created_at desc limit 100
        """,
        user_id,
    )
    return [OwnOrder(**dict(row)) for row in rows]
