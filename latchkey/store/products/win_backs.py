"""Inviting people back whose subscription has ended: an email with a promotion code."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from latchkey.store.feed.mails import WIN_BACK
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.cancellation_list import SUBSCRIBED_AGAIN
from latchkey.store.purchases.subscription_list import COSTS

AT_MOST_EVERY = timedelta(days=30)
"""How often one person is invited."""


class NotInvited(StrEnum):
    """Why somebody isn't invited back."""

    NOBODY = "nobody"
    RUNNING = "running"
    BACK = "back"
    OFF = "off"
    RECENT = "recent"
    UNSOLD = "unsold"
    TWICE = "twice"


@dataclass(frozen=True)
class Former:
    """Somebody whose subscription was cancelled, their customer at Stripe, the product that they
    would buy again, and why they can't be invited to, if they can't."""

    id: str
    at: datetime
    customer_id: str
    user_id: int | None
    email: str | None
    product_id: str | None
    product_name: str | None
    obstacle: NotInvited | None


async def chosen(connection: Connection, ids: Sequence[str]) -> list[Former]:
    """The people of these cancelled subscriptions, those who cancelled last first. Somebody who is
    there several times is invited once."""
    rows = await connection.fetch(
        f"""
        select s.id, s.canceled_at as at, s.customer_id, u.id as user_id, u.email,
               p.id as product_id, p.name as product_name,
               case when u.id is null or u.erased_at is not null then 'nobody'
                    when s.ended_at is null then 'running'
                    when {SUBSCRIBED_AGAIN} then 'back'
                    when $2 = any(u.mails_off) then 'off'
                    when exists (select from mails m
                                  where m.user_id = u.id and m.kind = $2
                                    and m.created_at > now() - $3::interval) then 'recent'
                    when p.id is null then 'unsold'
               end as obstacle
          from cancellations s
          left join users u on u.id = s.user_id
          left join lateral (
               select p.id, p.name
                 from subscription_items i
                 join counting_links l on l.stripe_product = i.stripe_product
                 join products p on p.id = l.product_id
                where i.subscription_id = s.id and p.status = 'live' and p.promotion_codes
                  and p.purchase_method <> 'none' and p.checkout_target <> 'external'
                  and exists (select from offers o
                               where o.product_id = p.id and o.promotion_codes)
                order by p.name, p.id limit 1) p on true
         where s.id = any($1::text[])
         order by s.canceled_at desc, s.id
        """,
        list(ids),
        WIN_BACK,
        AT_MOST_EVERY,
    )
    people: list[Former] = []
    invited: set[int | None] = set()
    for row in rows:
        obstacle = NotInvited(row["obstacle"]) if row["obstacle"] else None
        if obstacle is None and row["user_id"] in invited:
            obstacle = NotInvited.TWICE
        if obstacle is None:
            invited.add(row["user_id"])
        people.append(Former(**dict(row) | {"obstacle": obstacle}))
    return people


async def currencies(connection: Connection, people: Sequence[Former]) -> list[str]:
    """The currencies in which these people could buy again."""
    rows = await connection.fetch(
        """
        select distinct r.currency from offers o join prices r on r.id = o.price_id
         where o.product_id = any($1::text[]) and o.promotion_codes and r.active order by 1
        """,
        sorted({person.product_id for person in people if person.product_id}),
    )
    return [row["currency"] for row in rows]


async def invite(connection: Connection, ids: Sequence[str], *, code: str) -> int:
    """Queue an email with the code to each of these people who can be invited; returns how many.
    The caller opens the transaction."""
    await connection.execute(
        """
        select from users where id in (select user_id from subscriptions where id = any($1::text[]))
         order by id for update
        """,
        list(ids),
    )
    people = [person for person in await chosen(connection, ids) if person.obstacle is None]
    now = datetime.now(UTC)
    return await write_mails(
        connection,
        [
            Mail(
                key=f"{WIN_BACK}:{person.id}:{code}:{now:%Y%m%d%H%M%S%f}",
                kind=WIN_BACK,
                user_id=person.user_id,
                product_id=person.product_id,
                data={"source_id": person.id, "code": code, "by_hand": True},
            )
            for person in people
        ],
    )


@dataclass(frozen=True)
class WonBack:
    """What came of the emails with one code: how many were invited, how many of them have
    subscribed again since, and what that costs them for one period, by currency in its minor
    unit."""

    code: str
    invited: int
    back: int
    amounts: dict[str, int] = field(default_factory=dict)


async def by_code(connection: Connection, *, limit: int = 20) -> list[WonBack]:
    """What came of each code, the last one used first. Whoever subscribes again counts, with the
    code or without it. Stripe's times are in whole seconds."""
    rows = await connection.fetch(
        f"""
        select m.data ->> 'code' as code, costs.currency, count(*) as invited,
               count(b.id) as back, max(m.id) as newest,
               least(coalesce(sum(costs.amount::numeric), 0), 9223372036854775807)::bigint as amount
          from mails m
          left join lateral (
               select id from subscriptions
                where user_id = m.user_id and created_at >= date_trunc('second', m.created_at)
                  and id <> m.data ->> 'source_id' and phase <> 'incomplete'
                order by created_at, id limit 1) b on true
          left join lateral (
               select costs.* from (select b.id as id) s cross join {COSTS} where b.id is not null
               ) costs on true
         where m.kind = '{WIN_BACK}' and m.state <> 'suppressed'
         group by code, costs.currency order by newest desc
        """
    )
    found: dict[str, WonBack] = {}
    for row in rows:
        before = found.get(row["code"], WonBack(row["code"], 0, 0))
        amounts = {row["currency"]: row["amount"]} if row["currency"] else {}
        found[row["code"]] = WonBack(
            row["code"],
            before.invited + row["invited"],
            before.back + row["back"],
            before.amounts | amounts,
        )
    return list(found.values())[:limit]
