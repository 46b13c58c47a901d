"""One user as admins see them: purchases, emails, notes, and an export of their data."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases.subscription_list import CANCELLED_BY

_EXPORTED = {
    "user": """
        select id, email, name, role, locale, created_at, last_seen_at from users where id = $1
    """,
    "stripe_customers": "select id, email, name, livemode from customers where user_id = $1",
    "access": """
        select g.product_id, p.name as product, g.source, g.source_id, g.since, g.until,
               g.ended_at, g.due_at, g.end_reason, g.reason
          from grants g join products p on p.id = g.product_id where g.user_id = $1 order by g.id
    """,
    "subscriptions": """
        select s.id, s.status, s.created_at, s.scheduled_end, s.period_end, s.trial_end, s.ended_at,
               s.cancel_feedback, s.cancel_comment, s.card_brand, s.card_last4, s.card_expires
          from subscriptions s where s.user_id = $1 order by s.created_at
    """,
    "purchases": """
        select id, money_state as state, currency, amount, amount_refunded, created_at, paid_at
          from orders where user_id = $1 order by created_at
    """,
    "activity": """
        select at, due_at, type, cause, product_id, source_id, data
          from activities where user_id = $1 order by id
    """,
    "mails": """
        select kind, product_id, state, created_at, sent_at
          from mails where user_id = $1 order by id
    """,
    "sign_ins": """
        select created_at, last_seen_at, via, ip, agent from sessions
         where user_id = $1 order by created_at
    """,
    "passkeys": """
        select name, created_at, last_used_at from passkeys where user_id = $1 order by id
    """,
    "other_sites": """
        select c.name, k.scopes as agreed_to, k.given_at,
               (select max(a.code_used_at) from oauth_authorizations a
                 where a.client_id = c.id and a.user_id = $1) as last_sign_in
          from oauth_clients c left join oauth_consents k on k.client_id = c.id and k.user_id = $1
         where k.user_id is not null or exists (select from oauth_authorizations a
                                                 where a.client_id = c.id and a.user_id = $1)
         order by c.name
    """,
    "communities": """
        select e.host as community, a.external_id as account, a.name, a.bound_at, a.unbound_at
          from community_accounts a join webhook_endpoints e on e.id = a.endpoint_id
         where a.user_id = $1 order by a.id
    """,
    "lessons_done": """
        select p.name as product, l.title as lesson, m.done_at
          from lesson_marks m join lessons l on l.id = m.lesson_id
          join products p on p.id = l.product_id
         where m.user_id = $1 order by m.done_at, l.id
    """,
    "labels": "select label, added_at from user_labels where user_id = $1 order by label",
    "notes": "select text, created_at from user_notes where user_id = $1 order by id",
}


@dataclass(frozen=True)
class UserSubscription:
    """Amounts are in Stripe's minor unit; times are aware and in UTC. `products` are Stripe's
    names."""

    id: str
    products: str
    status: str
    phase: str
    scheduled_end: datetime | None
    cancelled_by: str | None
    period_end: datetime | None
    trial_end: datetime | None
    past_due_since: datetime | None
    ended_at: datetime | None
    created_at: datetime
    livemode: bool


@dataclass(frozen=True)
class UserOrder:
    """`amount`, `amount_refunded` and `credited` in the currency's minor unit."""

    id: str
    products: str
    money_state: str
    currency: str | None
    amount: int
    amount_refunded: int
    credited: int
    created_at: datetime
    livemode: bool


@dataclass(frozen=True)
class Note:
    id: int
    author: str | None
    text: str
    created_at: datetime


async def subscriptions(connection: Connection, user_id: int) -> list[UserSubscription]:
    """The user's subscriptions, running ones first."""
    rows = await connection.fetch(
        f"""
        select s.id, s.status, s.phase, s.scheduled_end, s.period_end, s.trial_end,
               s.past_due_since, s.ended_at, s.created_at, s.livemode,
               coalesce((select string_agg(distinct coalesce(p.name, i.stripe_product), ', ')
                           from subscription_items i
                           left join stripe_products p on p.id = i.stripe_product
                          where i.subscription_id = s.id), '') as products,
               {CANCELLED_BY} as cancelled_by
          from subscriptions s where s.user_id = $1
         order by s.ended_at nulls first, s.created_at desc limit 100
        """,
        user_id,
    )
    return [UserSubscription(**dict(row)) for row in rows]


async def orders(connection: Connection, user_id: int) -> list[UserOrder]:
    """The user's one-off purchases, newest first."""
    rows = await connection.fetch(
        """
        select o.id, o.money_state, o.currency, o.amount, o.amount_refunded, o.created_at,
               least(o.credited_before::numeric + o.credited_after,
                     9223372036854775807)::bigint as credited, o.livemode,
               coalesce((select string_agg(distinct coalesce(p.name, l.stripe_product), ', ')
                           from order_lines l
                           left join stripe_products p on p.id = l.stripe_product
                          where l.order_id = o.id), '') as products
          from orders o where o.user_id = $1 order by o.created_at desc limit 100
        """,
        user_id,
    )
    return [UserOrder(**dict(row)) for row in rows]


async def mails(connection: Connection, user_id: int, *, limit: int) -> list[dict[str, Any]]:
    """The latest emails to the user."""
    rows = await connection.fetch(
        """
        select m.id, m.kind, m.state, m.created_at, p.name as product_name
          from mails m left join products p on p.id = m.product_id
         where m.user_id = $1 order by m.id desc limit $2
        """,
        user_id,
        limit,
    )
    return [dict(row) for row in rows]


async def notes(connection: Connection, user_id: int) -> list[Note]:
    """Admins' notes about the user, newest first."""
    rows = await connection.fetch(
        """
        select n.id, n.text, n.created_at, u.email as author
          from user_notes n left join users u on u.id = n.author_id
         where n.user_id = $1 order by n.id desc limit 100
        """,
        user_id,
    )
    return [Note(**dict(row)) for row in rows]


async def add_note(connection: Connection, user_id: int, text: str, *, actor: int) -> None:
    """Add a note; the same note sent twice within a minute is stored once. The caller opens the
    transaction."""
    await connection.execute("select from users where id = $1 for update", user_id)
    await connection.execute(
        """
        insert into user_notes (user_id, author_id, text)
        select $1, $2, $3
         where not exists (select from user_notes
                            where user_id = $1 and author_id = $2 and text = $3
                              and created_at > now() - interval '1 minute')
        """,
        user_id,
        actor,
        text,
    )


async def delete_note(connection: Connection, note_id: int) -> int | None:
    """Delete a note; returns the id of its user."""
    found: int | None = await connection.fetchval(
        "delete from user_notes where id = $1 returning user_id", note_id
    )
    return found


async def export(connection: Connection, user_id: int) -> str:
    """Everything stored about the user, as JSON."""
    found: dict[str, Any] = {}
    for name, query in _EXPORTED.items():
        found[name] = [dict(row) for row in await connection.fetch(query, user_id)]
    found["user"] = found["user"][0]
    return json.dumps(found, default=_plain, indent=2, ensure_ascii=False)


async def note_exported(connection: Connection, user_id: int, *, actor: int) -> None:
    """Log that someone exported the user's data."""
    now = datetime.now(UTC)
    fact = Fact(
        key=f"user_exported:{user_id}:{now.isoformat()}",
        type=ActivityType.USER_EXPORTED,
        at=now,
        cause=Cause.ADMIN,
        user_id=user_id,
        actor_id=actor,
    )
    await write_facts(connection, [fact])


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
