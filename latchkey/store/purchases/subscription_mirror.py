"""The mirror of subscriptions: locking, reading and writing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.contracts import Wake
from latchkey.rules import access
from latchkey.rules.reading import Customer, Item, PaymentCard, Subscription
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account, ReadBy


@dataclass(frozen=True)
class RecordedSubscription:
    """A subscription as last read, locked. With `ticket` 0 it is new. `state` and `wake_at` are
    what its run was to show and to wait for; `has_run` says whether one was started."""

    id: str
    user_id: int | None
    status: str
    scheduled_end: datetime | None
    cancellations: int
    cancelled_by_customer: bool
    past_due_since: datetime | None
    checkout_session: str | None
    ticket: int
    state: str | None
    wake_at: datetime | None
    has_run: bool


@dataclass(frozen=True)
class Recorded:
    """What the mirror knows about a subscription before a read, including its next deadline.
    `untold` says that its last reading wasn't made by its run."""

    checkout_session: str | None
    wake_at: datetime | None = None
    wake: Wake | None = None
    untold: bool = False

    def tells(self, *, until: datetime) -> bool:
        """Whether there is a reading that the run doesn't know, with no deadline until then."""
        return self.untold and (self.wake_at is None or self.wake_at > until)


async def recorded(connection: Connection, subscription_id: str) -> Recorded | None:
    row = await connection.fetchrow(
        "select checkout_session, wake_at, wake, untold from subscriptions where id = $1",
        subscription_id,
    )
    if row is None:
        return None
    wake = Wake(row["wake"]) if row["wake"] else None
    return Recorded(row["checkout_session"], row["wake_at"], wake, row["untold"])


async def checkouts(connection: Connection, ids: Sequence[str]) -> dict[str, str | None]:
    """The checkout session that each subscription with a row came from, as far as it is known."""
    rows = await connection.fetch(
        "select id, checkout_session from subscriptions where id = any($1::text[])", list(ids)
    )
    return {row["id"]: row["checkout_session"] for row in rows}


@dataclass(frozen=True)
class Lifecycle:
    """A subscription whose run hasn't been started yet, and when the run must wake. `due` is that
    moment by this process's monotonic clock, since its calendar clock may be wrong."""

    subscription_id: str
    customer_id: str
    wake_at: datetime | None
    wake: Wake | None
    due: float | None


_LIFECYCLE = """
s.id, s.customer_id, s.wake_at, s.wake,
extract(epoch from s.wake_at - clock_timestamp())::float8 as wakes_in
"""


async def without_lifecycle(connection: Connection, link_id: int, *, limit: int) -> list[Lifecycle]:
    """Running subscriptions of a link that have no workflow yet."""
    rows = await connection.fetch(
        f"""
        select {_LIFECYCLE} from subscriptions s
         where s.lifecycle_at is null and s.status <> all($3::text[])
           and exists (select from subscription_items i join links l on l.id = $1
                        where i.subscription_id = s.id and i.stripe_product = l.stripe_product)
         order by s.id limit $2
        """,
        link_id,
        limit,
        sorted(access.TERMINAL),
    )
    return [_lifecycle(row) for row in rows]


def _lifecycle(row: Any) -> Lifecycle:
    wake = Wake(row["wake"]) if row["wake"] else None
    wakes_in = row["wakes_in"]
    due = None if wakes_in is None else time.monotonic() + wakes_in
    return Lifecycle(row["id"], row["customer_id"], row["wake_at"], wake, due)


async def lifecycles(connection: Connection, subscription_ids: Sequence[str]) -> list[Lifecycle]:
    """What the workflows of these subscriptions need in order to start asleep."""
    rows = await connection.fetch(
        f"select {_LIFECYCLE} from subscriptions s where s.id = any($1::text[])",
        list(subscription_ids),
    )
    return [_lifecycle(row) for row in rows]


async def mark_lifecycles(connection: Connection, subscription_ids: Sequence[str]) -> None:
    """Record that these subscriptions have runs, which know the last reading."""
    await connection.execute(
        """
        update subscriptions set lifecycle_at = coalesce(lifecycle_at, now()), untold = false
         where id = any($1::text[]) and (lifecycle_at is null or untold)
        """,
        list(subscription_ids),
    )


async def mark_started(connection: Connection, started: Sequence[Lifecycle]) -> list[str]:
    """Record that these runs were started asleep; returns those whose deadline moved meanwhile."""
    rows = await connection.fetch(
        """
        update subscriptions s
           set lifecycle_at = coalesce(s.lifecycle_at, now()),
               untold = s.untold and s.wake_at is distinct from g.wake_at
          from unnest($1::text[], $2::timestamptz[]) as g (id, wake_at)
         where s.id = g.id
        returning s.id, s.wake_at is distinct from g.wake_at as moved
        """,
        [lifecycle.subscription_id for lifecycle in started],
        [lifecycle.wake_at for lifecycle in started],
    )
    return [row["id"] for row in rows if row["moved"]]


async def some_lack_run(connection: Connection, ids: Sequence[str]) -> bool:
    """Whether no run was started yet for some of these subscriptions."""
    lacking: bool = await connection.fetchval(
        """
        select exists (select from subscriptions
                        where id = any($1::text[]) and lifecycle_at is null)
        """,
        list(ids),
    )
    return lacking


async def without_run(connection: Connection, *, limit: int) -> list[Lifecycle]:
    """Running subscriptions that bursts applied and that have no workflow yet."""
    rows = await connection.fetch(
        f"""
        select {_LIFECYCLE} from subscriptions s
         where s.untold and s.lifecycle_at is null and s.status <> all($2::text[])
         order by s.id limit $1
        """,
        limit,
        sorted(access.TERMINAL),
    )
    return [_lifecycle(row) for row in rows]


async def known(connection: Connection, ids: Sequence[str]) -> dict[str, int | None]:
    """The user of each subscription that has a row, None if nobody has an account for it."""
    rows = await connection.fetch(
        "select id, user_id from subscriptions where id = any($1::text[])", list(ids)
    )
    return {row["id"]: row["user_id"] for row in rows}


async def past_due_since(connection: Connection, ids: Sequence[str]) -> dict[str, datetime]:
    """When these subscriptions became overdue, for those where that and what they owe is known."""
    rows = await connection.fetch(
        """
        select id, past_due_since from subscriptions
         where id = any($1::text[]) and past_due_since is not null and open_amount is not null
        """,
        list(ids),
    )
    return {row["id"]: row["past_due_since"] for row in rows}


async def make(
    connection: Connection,
    readings: Sequence[Subscription],
    *,
    users: dict[str, int],
    account: Account,
) -> None:
    """Create rows for readings that have none, and set users on rows that have none."""
    ordered = sorted(readings, key=lambda reading: reading.id)
    await connection.execute(
        """
        insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                   created_at, ticket)
        select id, $1, $2, customer_id, user_id, status, created_at, 0
          from unnest($3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[])
               as given (id, customer_id, user_id, status, created_at)
        on conflict (id) do update set user_id = excluded.user_id
         where subscriptions.user_id is null and excluded.user_id is not null
        """,
        account.id,
        account.livemode,
        [r.id for r in ordered],
        [r.customer.id for r in ordered],
        [users.get(r.id) for r in ordered],
        [r.status for r in ordered],
        [r.created for r in ordered],
    )


async def lock(connection: Connection, ids: Sequence[str]) -> dict[str, RecordedSubscription]:
    """Lock the rows until the transaction ends."""
    rows = await connection.fetch(
        """
        select id, user_id, status, scheduled_end, cancellations, cancelled_by_customer,
               past_due_since, checkout_session, ticket, state, wake_at,
               lifecycle_at is not null as has_run
          from subscriptions where id = any($1::text[]) order by id for update
        """,
        list(ids),
    )
    return {row["id"]: RecordedSubscription(**dict(row)) for row in rows}


async def readings(connection: Connection, ids: Sequence[str]) -> list[Subscription]:
    """The last reading of each subscription, reduced to what the rules need."""
    rows = await connection.fetch(
        """
        select s.*, c.email as customer_email, c.name as customer_name,
               c.deleted as customer_deleted,
               (select coalesce(json_agg(json_build_object('id', i.id,
                       'stripe_product', i.stripe_product, 'price_id', i.price_id,
                       'quantity', i.quantity,
                       'period_start', extract(epoch from i.period_start),
                       'period_end', extract(epoch from i.period_end)) order by i.id), '[]')
                  from subscription_items i where i.subscription_id = s.id) as items
          from subscriptions s join customers c on c.id = s.customer_id
         where s.id = any($1::text[]) order by s.id
        """,
        list(ids),
    )
    return [_reading(row) for row in rows]


def _reading(row: Any) -> Subscription:
    return Subscription(
        id=row["id"],
        livemode=row["livemode"],
        customer=Customer(
            row["customer_id"],
            email=row["customer_email"],
            name=row["customer_name"],
            deleted=row["customer_deleted"],
            known=True,
        ),
        status=row["status"],
        items=tuple(_item(item) for item in row["items"]),
        items_complete=True,
        created=row["created_at"],
        cancel_at=row["scheduled_end"],
        cancel_at_period_end=False,
        canceled_at=row["canceled_at"],
        ended_at=row["ended_at"],
        cancel_reason=row["cancel_reason"],
        cancelled_by_customer=row["cancelled_by_customer"],
        trial_end=row["trial_end"],
        collection_paused=row["collection_paused"],
        resumes_at=row["resumes_at"],
        pause_reason=row["pause_reason"],
        cancel_feedback=row["cancel_feedback"],
        cancel_comment=row["cancel_comment"],
    )


def _item(item: dict[str, Any]) -> Item:
    def at(value: float | None) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)

    return Item(
        id=item["id"],
        stripe_product=item["stripe_product"],
        price_id=item["price_id"],
        quantity=item["quantity"],
        period_start=at(item["period_start"]),
        period_end=at(item["period_end"]),
    )


def row_of(
    reading: Subscription,
    *,
    state: str,
    wake_at: datetime | None,
    wake: Wake | None,
    past_due_since: datetime | None,
    cancellations: int,
    checkout_session: str | None,
) -> dict[str, Any]:
    """What `write` stores of a reading and its consequences."""
    return {
        "id": reading.id,
        "status": reading.status,
        "scheduled_end": reading.scheduled_end,
        "cancellations": cancellations,
        "period_end": reading.period_end,
        "trial_end": reading.trial_end,
        "past_due_since": past_due_since,
        "collection_paused": reading.collection_paused,
        "resumes_at": reading.resumes_at,
        "pause_reason": reading.pause_reason,
        "canceled_at": reading.canceled_at,
        "cancelled_by_customer": reading.cancelled_by_customer,
        "ended_at": reading.ended_at,
        "cancel_reason": reading.cancel_reason,
        "cancel_feedback": reading.cancel_feedback,
        "cancel_comment": reading.cancel_comment,
        **_card_of(reading.card),
        "past_due": reading.status in access.PAST_DUE_STATUSES,
        "open_amount": reading.owed.amount if reading.owed else None,
        "open_currency": reading.owed.currency if reading.owed else None,
        "checkout_session": checkout_session,
        "state": state,
        "wake_at": wake_at,
        "wake": wake,
    }


def _card_of(card: PaymentCard | None) -> dict[str, Any]:
    """The columns of what pays a subscription. Without what the read didn't expand, those of the
    same card stay."""
    return {
        "card_id": card.id if card else None,
        "card_own": card.own if card else False,
        "card_known": card.known if card else True,
        "card_brand": card.brand if card else None,
        "card_last4": card.last4 if card else None,
        "card_expires": card.expires if card else None,
    }


async def write(
    connection: Connection,
    rows: list[dict[str, Any]],
    readings: Sequence[Subscription],
    *,
    ticket: int,
    read_by: ReadBy = ReadBy.OTHER,
) -> None:
    """Store readings taken under `ticket` (a fencing token); 0 keeps stored tickets and items. A
    subscription that its run read has a run, which knows the reading."""
    await _write_subscriptions(connection, rows, ticket, read_by)
    if ticket:
        await _write_items(connection, readings)


async def _write_subscriptions(
    connection: Connection, rows: list[dict[str, Any]], ticket: int, read_by: ReadBy
) -> None:
    await connection.execute(
        """
        update subscriptions s
           set status = g.status, scheduled_end = g.scheduled_end,
               cancellations = g.cancellations, period_end = g.period_end,
               trial_end = g.trial_end, past_due_since = g.past_due_since,
               collection_paused = g.collection_paused, resumes_at = g.resumes_at,
               pause_reason = g.pause_reason, canceled_at = g.canceled_at,
               cancelled_by_customer = g.cancelled_by_customer, ended_at = g.ended_at,
               cancel_reason = g.cancel_reason, cancel_feedback = g.cancel_feedback,
               cancel_comment = case when not exists (
                   select from customers c where c.id = s.customer_id and c.erased)
                   then g.cancel_comment end,
               card_id = case when $2 = 0 or not g.card_known and g.card_id = s.card_id
                   then s.card_id else k.card_id end,
               card_own = case when $2 = 0 or not g.card_known and g.card_id = s.card_id
                   then s.card_own else coalesce(k.card_own, false) end,
               card_brand = case when $2 = 0 or not g.card_known and g.card_id = s.card_id
                   then s.card_brand else k.card_brand end,
               card_last4 = case when $2 = 0 or not g.card_known and g.card_id = s.card_id
                   then s.card_last4 else k.card_last4 end,
               card_expires = case when $2 = 0 or not g.card_known and g.card_id = s.card_id
                   then s.card_expires else k.card_expires end,
               open_amount = case when g.past_due then coalesce(g.open_amount, s.open_amount) end,
               open_currency =
                   case when g.past_due then coalesce(g.open_currency, s.open_currency) end,
               checkout_session = coalesce(g.checkout_session, s.checkout_session),
               state = g.state, wake_at = g.wake_at, wake = g.wake,
               lifecycle_at = case when $3 = 'run' then coalesce(s.lifecycle_at, now())
                                   else s.lifecycle_at end,
               untold = case $3 when 'run' then false when 'burst' then true else s.untold end,
               ticket = greatest(s.ticket, $2),
               read_at = case when $2 > 0 then now() else s.read_at end
          from jsonb_to_recordset($1::jsonb) as g (
               id text, status text, scheduled_end timestamptz, cancellations integer,
               period_end timestamptz, trial_end timestamptz, past_due_since timestamptz,
               collection_paused boolean, resumes_at timestamptz, pause_reason text,
               canceled_at timestamptz, cancelled_by_customer boolean, ended_at timestamptz,
               cancel_reason text, cancel_feedback text, cancel_comment text, card_id text,
               card_own boolean, card_known boolean, card_brand text, card_last4 text,
               card_expires timestamptz, past_due boolean, open_amount bigint, open_currency text,
               checkout_session text, state text, wake_at timestamptz, wake text)
          left join lateral (
               select g.card_id, g.card_own, g.card_brand, g.card_last4, g.card_expires
                where not exists (
                   select from subscriptions m join customers c on c.id = m.customer_id
                    where m.id = g.id and c.erased)) k on true
         where s.id = g.id
        """,
        rows,
        ticket,
        read_by,
    )


async def _write_items(connection: Connection, readings: Sequence[Subscription]) -> None:
    """What the subscriptions hold now; items that are gone from Stripe are removed. A discount that
    isn't known stays as it was while price and quantity do."""
    await connection.execute(
        """
        with given as (
            select * from jsonb_to_recordset($2::jsonb) as g (
                subscription_id text, id text, stripe_product text, price_id text,
                quantity integer, period_start timestamptz, period_end timestamptz,
                discount bigint)
        ), gone as (
            delete from subscription_items i
             where i.subscription_id = any($1::text[])
               and not exists (select from given g
                                where g.subscription_id = i.subscription_id and g.id = i.id)
        )
        insert into subscription_items as i (subscription_id, id, stripe_product, price_id,
                                             quantity, period_start, period_end, discount)
        select * from given
        on conflict (subscription_id, id) do update
           set stripe_product = excluded.stripe_product, price_id = excluded.price_id,
               quantity = excluded.quantity, period_start = excluded.period_start,
               period_end = excluded.period_end,
               discount = coalesce(excluded.discount, case
                   when (i.price_id, i.quantity) is not distinct from
                        (excluded.price_id, excluded.quantity) then i.discount end)
        """,
        [reading.id for reading in readings],
        [
            {
                "subscription_id": reading.id,
                "id": item.id,
                "stripe_product": item.stripe_product,
                "price_id": item.price_id,
                "quantity": item.quantity,
                "period_start": item.period_start,
                "period_end": item.period_end,
                "discount": item.discount,
            }
            for reading in readings
            for item in reading.items
        ],
    )


async def note_cards(connection: Connection, readings: Sequence[Subscription]) -> None:
    """Store what pays these subscriptions, where it is known, has changed and their people aren't
    erased: a list is read for another purpose, and its readings aren't applied."""
    rows = [
        {"id": reading.id, **_card_of(reading.card)}
        for reading in readings
        if reading.card is None or reading.card.known
    ]
    await connection.execute(
        """
        update subscriptions s
           set card_id = g.card_id, card_own = g.card_own, card_brand = g.card_brand,
               card_last4 = g.card_last4, card_expires = g.card_expires
          from jsonb_to_recordset($1::jsonb) as g (
               id text, card_id text, card_own boolean, card_brand text, card_last4 text,
               card_expires timestamptz)
         where s.id = g.id
           and (s.card_id, s.card_own, s.card_brand, s.card_last4, s.card_expires)
               is distinct from
               (g.card_id, g.card_own, g.card_brand, g.card_last4, g.card_expires)
           and not exists (select from customers c where c.id = s.customer_id and c.erased)
        """,
        rows,
    )


async def pays(connection: Connection, card_id: str) -> bool:
    """Whether a subscription is paid with this card."""
    found: bool = await connection.fetchval(
        "select exists (select from subscriptions where card_id = $1)", card_id
    )
    return found


async def card_changed(connection: Connection, card: PaymentCard) -> None:
    """Store what a payment method is now, with every subscription that it pays."""
    await connection.execute(
        """
        update subscriptions set card_brand = $2, card_last4 = $3, card_expires = $4
         where card_id = $1
           and (card_brand, card_last4, card_expires) is distinct from ($2, $3, $4)
        """,
        card.id,
        card.brand,
        card.last4,
        card.expires,
    )


async def default_changed(
    connection: Connection, customer_id: str, card: PaymentCard | None
) -> None:
    """Store what pays a customer's subscriptions that don't name anything themselves. Without what
    the read didn't expand, the details of the same card stay."""
    row = _card_of(card)
    await connection.execute(
        """
        update subscriptions s
           set card_id = $2, card_brand = $3, card_last4 = $4, card_expires = $5
         where s.customer_id = $1 and not s.card_own and s.ended_at is null
           and (s.card_id is distinct from $2
                or $6 and (s.card_brand, s.card_last4, s.card_expires)
                          is distinct from ($3, $4, $5))
           and not exists (select from customers c where c.id = $1 and c.erased)
        """,
        customer_id,
        row["card_id"],
        row["card_brand"],
        row["card_last4"],
        row["card_expires"],
        row["card_known"],
    )
