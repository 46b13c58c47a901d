"""Emails that ask for a working card, and the page behind their link."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.languages import A_
from latchkey.rules.vocabulary import ActivityType, Risk, SubscriptionPhase
from latchkey.store.feed.mails import REMINDER
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.subscription_list import COSTS

AGAIN_AFTER = timedelta(days=1)
"""An email within this time after another one about the same subscription is asked about first."""

LATEST = timedelta(days=2)
"""An email of the series that is due for longer isn't sent: it would come out of the blue, such as
after the series was turned on."""

CARD_BEFORE = timedelta(days=7)
"""How long before the next bill the email about a card goes out that expires before it; within the
last day it would come too late."""

_PRODUCTS = """
(select coalesce(array_agg(distinct l.product_id), '{}')
   from subscription_items i join counting_links l on l.stripe_product = i.stripe_product
  where i.subscription_id = s.id)
"""
"""The ids of the site's products that the subscription `s` is about."""


_OPEN = """
exists (select from customers c
         where c.id = s.customer_id and c.user_id = u.id and c.billing_user = u.id
           and not c.deleted)
"""
"""Whether the user `u` may manage the billing of the subscription `s`, as the link does."""


CARD_EXPIRES = """
(select r.card_expires from payments_at_risk r where r.subscription_id = s.id and r.kind = 'card')
"""
"""When the card of the subscription `s` stops being valid, null if that is after the next bill."""


class NotRemindedError(Exception):
    """The email can't be sent. The message says why, and what to do."""


@dataclass(frozen=True)
class EarlierEmail:
    """The newest email about a subscription's payment, and when it was queued."""

    id: int
    kind: str
    at: datetime


class RemindedAlreadyError(Exception):
    """An email about this payment went out not long ago: ask before sending another one."""

    def __init__(self, earlier: EarlierEmail) -> None:
        self.earlier = earlier


async def remind(connection: Connection, subscription_id: str, *, after: int | None = None) -> None:
    """Queue an email with the link to update the card: a payment is open, or the card expires
    before the next bill.

    Raises `NotRemindedError`, and `RemindedAlreadyError` if one went out within `AGAIN_AFTER`,
    unless its id is `after`. The caller opens the transaction.
    """
    row = await connection.fetchrow(
        f"""
        select s.phase, s.user_id, $2 = any(u.mails_off) as off, u.erased_at, {_OPEN} as opens,
               {_PRODUCTS} as products, {CARD_EXPIRES} as card_expires, s.period_end
          from subscriptions s left join users u on u.id = s.user_id
         where s.id = $1 for update of s
        """,
        subscription_id,
        REMINDER,
    )
    owed = row is not None and row["phase"] == SubscriptionPhase.PAYMENT_PROBLEM
    if row is None or not (owed or row["card_expires"]):
        raise NotRemindedError(
            A_(
                "This payment isn't open any more, and the card doesn't expire, so no email"
                " was sent."
            )
        )
    if row["user_id"] is None or row["erased_at"]:
        raise NotRemindedError(A_("Nobody is known whom the email could be sent to."))
    if row["off"]:
        raise NotRemindedError(
            A_("This member has turned these emails off, so none was sent. Write to them yourself.")
        )
    if not row["opens"]:
        raise NotRemindedError(
            A_(
                "This member can't manage the billing of the subscription, so the link"
                " wouldn't work. Write to them yourself."
            )
        )
    earlier = await _earlier(connection, row["user_id"], subscription_id)
    if earlier and earlier.id != after and earlier.at > datetime.now(UTC) - AGAIN_AFTER:
        raise RemindedAlreadyError(earlier)
    key = f"{REMINDER}:{subscription_id}:after:{earlier.id if earlier else 0}"
    await write_mails(
        connection,
        [
            _mail(
                key,
                row["user_id"],
                subscription_id,
                products=row["products"],
                card=None if owed else ExpiringCard(row["card_expires"], row["period_end"]),
            )
        ],
    )


async def queue_due(connection: Connection, *, days: Sequence[int], as_of: datetime) -> int:
    """Queue the emails of the series that are due at `as_of`, so many `days` after a payment
    failed; returns how many are new. Day 0 isn't among them: that email is queued with the failure.

    Only payments count that failed while Latchkey knew the subscription, so an import's past sends
    nothing. Each email's key names the failure and the day, so two workers queue it once. The
    caller opens the transaction.
    """
    rows = await connection.fetch(
        f"""
        select s.id, s.user_id, d.day, {_PRODUCTS} as products,
               concat_ws(':', $1::text, s.id, extract(epoch from s.past_due_since)::bigint, d.day)
                   as key
          from subscriptions s
          join users u on u.id = s.user_id and u.erased_at is null and not $1 = any(u.mails_off)
          join stripe_connection k on k.account_id = s.account_id and k.livemode = s.livemode
         cross join lateral (
               select max(day) as day from unnest($2::int[]) day
                where day > 0 and s.past_due_since + make_interval(days => day) <= $3
                  and s.past_due_since + make_interval(days => day) > $3 - $4::interval) d
         where s.phase = $5 and d.day is not null and {_OPEN}
           and exists (select from activities a
                        where a.source_id = s.id and a.type = $6 and a.at >= s.past_due_since)
           and not exists (select from mails m
                            where m.user_id = s.user_id and m.kind = $1
                              and m.data ->> 'source_id' = s.id
                              and m.created_at > $3 - $7::interval)
         order by s.id
        """,
        REMINDER,
        list(days),
        as_of,
        LATEST,
        SubscriptionPhase.PAYMENT_PROBLEM,
        ActivityType.PAYMENT_FAILED,
        AGAIN_AFTER,
    )
    return await write_mails(
        connection,
        [
            _mail(row["key"], row["user_id"], row["id"], products=row["products"], day=row["day"])
            for row in rows
        ],
    )


async def queue_expiring(connection: Connection, *, as_of: datetime) -> int:
    """Queue an email to everyone whose card expires before the next bill, which is due within
    `CARD_BEFORE` of `as_of`; returns how many are new. Each card is written about once. The caller
    opens the transaction."""
    rows = await connection.fetch(
        f"""
        select s.id, s.user_id, r.card_expires, r.ends_at, {_PRODUCTS} as products,
               concat_ws(':', $1::text, s.id, 'card', extract(epoch from r.card_expires)::bigint)
                   as key
          from payments_at_risk r
          join subscriptions s on s.id = r.subscription_id
          join users u on u.id = s.user_id and u.erased_at is null and not $1 = any(u.mails_off)
          join stripe_connection k on k.account_id = s.account_id and k.livemode = s.livemode
         where r.kind = $2 and r.ends_at > $3::timestamptz + interval '1 day'
           and r.ends_at <= $3::timestamptz + $4::interval and {_OPEN}
           and not exists (select from mails m
                            where m.user_id = s.user_id and m.kind = $1
                              and m.data ->> 'source_id' = s.id
                              and m.created_at > $3 - $5::interval)
         order by s.id
        """,
        REMINDER,
        Risk.CARD,
        as_of,
        CARD_BEFORE,
        AGAIN_AFTER,
    )
    return await write_mails(
        connection,
        [
            _mail(
                row["key"],
                row["user_id"],
                row["id"],
                products=row["products"],
                day=-CARD_BEFORE.days,
                card=ExpiringCard(row["card_expires"], row["ends_at"]),
            )
            for row in rows
        ],
    )


@dataclass(frozen=True)
class ExpiringCard:
    """A card that isn't valid any more from `expires` on, and when the next bill is due."""

    expires: datetime
    billed_at: datetime

    @property
    def data(self) -> dict[str, str]:
        """What the email keeps, with the last day on which the card is valid."""
        last = self.expires - timedelta(days=1)
        return {"card_until": last.isoformat(), "billed_at": self.billed_at.isoformat()}


def _mail(
    key: str,
    user_id: int,
    subscription_id: str,
    *,
    products: list[str],
    day: int | None = None,
    card: ExpiringCard | None = None,
) -> Mail:
    """An email by hand or, with a `day`, of the series: about an open payment, or a `card`."""
    data = {"source_id": subscription_id, "products": products} | (card.data if card else {})
    return Mail(
        key=key,
        kind=REMINDER,
        user_id=user_id,
        product_id=products[0] if products else None,
        data=data | ({"by_hand": True} if day is None else {"day": day}),
    )


async def _earlier(
    connection: Connection, user_id: int, subscription_id: str
) -> EarlierEmail | None:
    row = await connection.fetchrow(
        """
        select id, kind, created_at as at from mails
         where user_id = $1 and data ->> 'source_id' = $2 and state <> 'suppressed'
           and kind = any($3::text[])
         order by id desc limit 1
        """,
        user_id,
        subscription_id,
        (REMINDER, "payment_problem"),
    )
    return EarlierEmail(**dict(row)) if row else None


@dataclass(frozen=True)
class CardPage:
    """What the page behind an email's link is about. `owed` says whether a payment is open;
    `card_expires` is when the card isn't valid any more, None if that is after the next bill.
    `amount` is that of one period in the currency's minor unit, None if it varies."""

    customer_id: str
    owed: bool
    card_expires: datetime | None
    products: str | None
    unit_amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None


async def card_page(
    connection: Connection, *, user_id: int, epoch: int, subscription_id: str
) -> CardPage | None:
    """The subscription that a link is about; None if it is over, its billing isn't the user's, or
    the user's link epoch has risen since the link was made."""
    row = await connection.fetchrow(
        f"""
        select s.customer_id, s.phase = $4 as owed, {CARD_EXPIRES} as card_expires, costs.products,
               costs.amount as unit_amount, costs.currency, costs.interval, costs.interval_count
          from subscriptions s
          join users u on u.id = s.user_id
         cross join {COSTS}
         where s.id = $1 and u.id = $2 and u.link_epoch = $3 and u.erased_at is null
           and s.ended_at is null and {_OPEN}
        """,
        subscription_id,
        user_id,
        epoch,
        SubscriptionPhase.PAYMENT_PROBLEM,
    )
    return CardPage(**dict(row)) if row else None
