"""A member's own account: subscriptions, purchases, email preferences, address, password."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.rules.remedies import Remedy, remedy
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed import mails, unsubscribed
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases import other_payers
from latchkey.store.purchases.subscription_list import COSTS
from latchkey.store.users import users

CHANGE_LIFE = timedelta(hours=48)
ON_REQUEST = ("abandoned_checkout",)
"""Kinds of email that a member has to turn on."""

ALWAYS_SHOWN = ("product_access", "login_instructions")
"""Kinds of email that every form of preferences has."""

OPTIONAL_MAILS = (*ALWAYS_SHOWN, mails.REMINDER, mails.WIN_BACK, *ON_REQUEST)
"""Kinds of email that a member can turn off. The others are about billing or their account."""


@dataclass(frozen=True)
class OwnSubscription:
    """`amount` is in the currency's minor unit per period, None if it varies.

    `yours` says whether its customer can be billed from this account. `other_payer` is the address
    that paid, if it isn't proven to be the user's.
    """

    id: str
    products: str
    status: str
    scheduled_end: datetime | None
    period_end: datetime | None
    trial_end: datetime | None
    ended_at: datetime | None
    collection_paused: bool
    pause_reason: str | None
    amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    yours: bool
    other_payer: str | None

    @property
    def running(self) -> bool:
        return self.ended_at is None

    @property
    def remedy(self) -> Remedy | None:
        """What mends it; None if nothing has to be, or it is over."""
        ends = self.scheduled_end is not None
        return (
            remedy(self.status, ends=ends, pause_reason=self.pause_reason) if self.running else None
        )

    @property
    def unit_amount(self) -> int | None:
        return self.amount


@dataclass(frozen=True)
class OwnOrder:
    """`amount`, `amount_refunded` and `credited` in the currency's minor unit. `other_payer` is the
    address that paid, if it isn't proven to be the user's."""

    id: str
    products: str
    money_state: str
    amount: int
    amount_refunded: int
    credited: int
    currency: str | None
    created_at: datetime
    other_payer: str | None


async def subscriptions(connection: Connection, user_id: int) -> list[OwnSubscription]:
    """The user's subscriptions, running ones first."""
    rows = await connection.fetch(
        f"""
        select s.id, s.status, s.scheduled_end, s.period_end, s.trial_end, s.ended_at,
               s.collection_paused, s.pause_reason, costs.products, costs.amount,
               costs.currency, costs.interval, costs.interval_count,
               coalesce(c.billing_user = s.user_id and not c.deleted, false) as yours,
               (select email from other_payers where source_id = s.id and proven_at is null)
                   as other_payer
          from subscriptions s
          join customers c on c.id = s.customer_id
         cross join {COSTS}
         where s.user_id = $1 and costs.products is not null
         order by s.ended_at desc nulls first, s.created_at desc limit 100
        """,
        user_id,
    )
    return [OwnSubscription(**dict(row)) for row in rows]


async def orders(connection: Connection, user_id: int) -> list[OwnOrder]:
    """The user's one-off purchases, newest first."""
    rows = await connection.fetch(
        """
        select o.id, o.money_state, o.amount, o.amount_refunded, o.currency, o.created_at,
               least(o.credited_before::numeric + o.credited_after,
                     9223372036854775807)::bigint as credited,
               string_agg(distinct coalesce(p.name, l.stripe_product), ', ') as products,
               (select email from other_payers where source_id = o.id and proven_at is null)
                   as other_payer
          from orders o
          join order_lines l on l.order_id = o.id
          left join stripe_products p on p.id = l.stripe_product
         where o.user_id = $1 and o.money_state <> 'open'
         group by o.id order by o.created_at desc limit 100
        """,
        user_id,
    )
    return [OwnOrder(**dict(row)) for row in rows]


async def wanted_mails(connection: Connection, user_id: int) -> list[str]:
    """The kinds of optional email that the user wants."""
    row = await connection.fetchrow("select mails_off, mails_on from users where id = $1", user_id)
    assert row is not None, "users are kept"
    return [
        kind
        for kind in OPTIONAL_MAILS
        if kind not in row["mails_off"] and (kind not in ON_REQUEST or kind in row["mails_on"])
    ]


async def switch_mails(
    connection: Connection, user_id: int, *, kinds: Collection[str], wanted: Collection[str]
) -> None:
    """Set which of these kinds of optional email the user wants; the others stay as they are.

    A kind that has to be turned on counts as turned off only once it was on, so that leaving it
    alone doesn't overrule a later consent elsewhere.
    """
    await connection.execute(
        """
        update users u
           set mails_off = (select coalesce(array_agg(distinct k order by k), '{}')
                              from unnest(u.mails_off || $3::text[]) k
                             where k <> all($2::text[])
                                   and (k = any(u.mails_off) or k <> all($4::text[])
                                        or k = any(u.mails_on))),
               mails_on = (select coalesce(array_agg(distinct k order by k), '{}')
                             from unnest(u.mails_on || $2::text[]) k
                            where k = any($4::text[]) and k <> all($3::text[]))
         where id = $1
        """,
        user_id,
        [kind for kind in kinds if kind in wanted],
        [kind for kind in kinds if kind not in wanted],
        ON_REQUEST,
    )


async def unsubscribe(connection: Connection, who: int | bytes, kind: str) -> bool:
    """Turn one kind off for a user, or for the address with this digest; False for an unknown user
    or kind."""
    if kind not in OPTIONAL_MAILS:
        return False
    if isinstance(who, bytes):
        await unsubscribed.add(connection, [who], kind)
        return True
    return bool(
        await connection.fetchval(
            """
            update users set mails_off = case when $2 = any(mails_off) then mails_off
                                         else array_append(mails_off, $2) end,
                             mails_on = array_remove(mails_on, $2)
             where id = $1 returning true
            """,
            who,
            kind,
        )
    )


async def ask_change(connection: Connection, user_id: int, email: str) -> None:
    """Send a link to a new address, which only its owner can confirm. The caller opens the
    transaction."""
    change_id = await connection.fetchval(
        "insert into email_changes (user_id, email, email_key) values ($1, $2, $3) returning id",
        user_id,
        email.strip(),
        email_key(email),
    )
    await write_mails(
        connection,
        [
            Mail(
                key=f"email_change:{change_id}",
                kind="email_change",
                user_id=user_id,
                to_email=email.strip(),
                data={"change": change_id},
            )
        ],
    )


async def choose_language(connection: Connection, user_id: int, code: str) -> None:
    """Keep the language that a user reads."""
    await connection.execute("update users set locale = $2 where id = $1", user_id, code)


class ChangeRefusedError(Exception):
    """The address can't be changed. The message says why and what to do."""


@dataclass(frozen=True)
class EmailChange:
    id: int
    user_id: int
    email: str
    old_email: str


async def open_change(connection: Connection, change_id: int, *, user_id: int) -> EmailChange:
    """An unconfirmed change that this user asked for. Raises `ChangeRefusedError`."""
    row = await connection.fetchrow(
        """
        select c.id, c.user_id, c.email, u.email as old_email, c.confirmed_at,
               c.created_at < now() - $2::interval as over,
               c.id < (select max(id) from email_changes n where n.user_id = c.user_id) as older
          from email_changes c join users u on u.id = c.user_id where c.id = $1
        """,
        change_id,
        CHANGE_LIFE,
    )
    if row is None or row["over"] or row["older"]:
        raise ChangeRefusedError(
            _("This link is no longer valid. Request the change again in your account.")
        )
    if row["user_id"] != user_id:
        raise ChangeRefusedError(
            _(
                "Another account asked for this change. Sign in with that account, and open the"
                " link again."
            )
        )
    if row["confirmed_at"] is not None:
        raise ChangeRefusedError(_("This link was used already: the address is changed."))
    return EmailChange(row["id"], row["user_id"], row["email"], row["old_email"])


async def confirm_change(connection: Connection, change_id: int, *, user_id: int) -> EmailChange:
    """Set the user's new address and notify the old one. The caller opens the transaction.

    Raises `ChangeRefusedError`, also if the address now belongs to another user.
    """
    await users.lock(connection, [user_id])
    change = await open_change(connection, change_id, user_id=user_id)
    fresh = await connection.fetchval(
        """
        update email_changes set confirmed_at = now()
         where id = $1 and confirmed_at is null returning true
        """,
        change_id,
    )
    if not fresh:
        raise ChangeRefusedError(_("This link was used already: the address is changed."))
    try:
        async with connection.transaction():
            await connection.execute(
                "update users set email = $2 where id = $1", change.user_id, change.email
            )
            await connection.execute(
                "update users set email_key = $2, proven_at = now() where id = $1",
                change.user_id,
                email_key(change.email),
            )
    except asyncpg.UniqueViolationError:
        raise ChangeRefusedError(
            _(
                "This address already has its own account here. Sign in with it, or ask the site to"
                " merge both accounts."
            )
        ) from None
    await other_payers.proven(connection, change.user_id, change.email)
    if email_key(change.email) != email_key(change.old_email):
        await write_mails(
            connection,
            [
                Mail(
                    key=f"email_changed:{change_id}",
                    kind="email_changed",
                    user_id=change.user_id,
                    to_email=change.old_email,
                )
            ],
        )
    await write_facts(
        connection,
        [
            Fact(
                key=f"email_changed:{change_id}",
                type=ActivityType.EMAIL_CHANGED,
                at=await connection.fetchval("select now()"),
                cause=Cause.CUSTOMER,
                user_id=change.user_id,
            )
        ],
    )
    return change
