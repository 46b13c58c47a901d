"""The mirror of one-off purchases: locking, reading and writing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latchkey.rules import access
from latchkey.rules.reading import Customer, Dispute, Order, OrderLine, Payment
from latchkey.store import address_keys
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class RecordedOrder:
    """An order as last read, locked. With `ticket` 0 it is new."""

    id: str
    user_id: int | None
    state: str
    amount_refunded: int
    credited_after: int
    dispute_status: str | None
    money_changes: int
    ticket: int


async def known(connection: Connection, ids: Sequence[str]) -> dict[str, int | None]:
    """The user of each order that has a row, None if nobody has an account for it."""
    rows = await connection.fetch(
        "select id, user_id from orders where id = any($1::text[])", list(ids)
    )
    return {row["id"]: row["user_id"] for row in rows}


async def order_of_payment(connection: Connection, payment_intent: str) -> list[str]:
    """Ids of the known orders that a payment intent paid for."""
    rows = await connection.fetch(
        "select id from orders where payment_intent = $1 order by id", payment_intent
    )
    return [row["id"] for row in rows]


async def of_invoices(connection: Connection, invoice_ids: Sequence[str]) -> dict[str, str | None]:
    """The known invoices among these, with the checkout session that created each; None for those
    that are orders themselves."""
    rows = await connection.fetch(
        """
        select invoice, min(id) filter (where id <> invoice) as session
          from orders where invoice = any($1::text[]) group by invoice
        """,
        list(invoice_ids),
    )
    return {row["invoice"]: row["session"] for row in rows}


async def hand_over(connection: Connection, sessions: Mapping[str, str]) -> list[str]:
    """Make orders out of invoices part of the checkout sessions that created them, given by their
    invoices, so that each is one purchase. Returns the invoices that were orders.

    Their grants go to the session, unless it has the same or belongs to somebody else. The caller
    has locked the sessions' rows.
    """
    rows = await connection.fetch(
        "delete from orders where id = any($1::text[]) returning id", list(sessions)
    )
    gone = [row["id"] for row in rows]
    if gone:
        await connection.execute(
            """
            update grants g set source_id = s.id
              from unnest($1::text[], $2::text[]) as made (invoice, session)
              join orders s on s.id = made.session
             where g.source = 'order' and g.source_id = made.invoice and g.user_id = s.user_id
               and not exists (
                   select from grants h
                    where h.source = 'order' and h.source_id = s.id and h.ended_at is null
                      and h.user_id = g.user_id and h.product_id = g.product_id
                      and g.ended_at is null)
            """,
            gone,
            [sessions[invoice] for invoice in gone],
        )
    return gone


async def make(
    connection: Connection, readings: Sequence[Order], *, users: dict[str, int], account: Account
) -> None:
    """Create rows for readings that have none, and set users on rows that have none."""
    ordered = sorted(readings, key=lambda reading: reading.id)
    await connection.execute(
        """
        insert into orders (id, account_id, livemode, customer_id, user_id, state, created_at,
                            ticket)
        select id, $1, $2, customer_id, user_id, 'new', created_at, 0
          from unnest($3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
               as given (id, customer_id, user_id, created_at)
        on conflict (id) do update set user_id = excluded.user_id
         where orders.user_id is null and excluded.user_id is not null
        """,
        account.id,
        account.livemode,
        [r.id for r in ordered],
        [r.customer.id if r.customer else None for r in ordered],
        [users.get(r.id) for r in ordered],
        [r.created for r in ordered],
    )


async def lock(connection: Connection, ids: Sequence[str]) -> dict[str, RecordedOrder]:
    """Lock the rows until the transaction ends."""
    rows = await connection.fetch(
        """
        select id, user_id, state, amount_refunded, credited_after, dispute_status, money_changes,
               ticket
          from orders where id = any($1::text[]) order by id for update
        """,
        list(ids),
    )
    return {row["id"]: RecordedOrder(**dict(row)) for row in rows}


async def readings(connection: Connection, ids: Sequence[str]) -> list[Order]:
    """The last reading of each order, reduced to what the rules need."""
    rows = await connection.fetch(
        """
        select o.*, c.email as customer_email, c.name as customer_name,
               (select coalesce(json_agg(json_build_object('id', l.id,
                       'stripe_product', l.stripe_product, 'price_id', l.price_id,
                       'quantity', l.quantity, 'amount', l.amount) order by l.id), '[]')
                  from order_lines l where l.order_id = o.id) as lines
          from orders o left join customers c on c.id = o.customer_id
         where o.id = any($1::text[]) order by o.id
        """,
        list(ids),
    )
    return [_reading(row) for row in rows]


_AS_STRIPE = {
    "paid": ("complete", "paid", "succeeded"),
    "pending": ("complete", "unpaid", "processing"),
    "failed": ("complete", "unpaid", "canceled"),
}


def _reading(row: Any) -> Order:
    status, payment_status, payment_state = _AS_STRIPE.get(row["state"], ("open", "unpaid", ""))
    payment = None
    if row["payment_intent"]:
        payment = Payment(
            payment_intent=row["payment_intent"],
            state=payment_state,
            charged_at=row["paid_at"],
            amount=row["charged"],
            amount_refunded=row["amount_refunded"],
            refunded=row["refunded"],
            disputed=row["disputed"],
            dispute=_dispute(row),
        )
    customer_id = row["customer_id"]
    return Order(
        id=row["id"],
        livemode=row["livemode"],
        customer=Customer(customer_id, known=True) if customer_id else None,
        email=row["email"] or row["customer_email"],
        name=row["name"] or row["customer_name"],
        reference=None,
        status=status,
        payment_status=payment_status,
        subscription=row["subscription_id"],
        invoice=row["invoice"],
        payment=payment,
        amount=row["amount"],
        currency=row["currency"],
        created=row["created_at"],
        lines=tuple(OrderLine(recurring=False, **line) for line in row["lines"]),
        lines_complete=True,
        paid=row["paid_at"],
        credited_before=row["credited_before"],
        credited_after=row["credited_after"],
        written_off=row["written_off"],
    )


def _dispute(row: Any) -> Dispute | None:
    if row["dispute_status"] is None:
        return None
    return Dispute(row["dispute_status"], row["dispute_amount"], row["dispute_currency"])


async def write(
    connection: Connection,
    readings: Sequence[Order],
    *,
    money_changes: dict[str, int],
    ticket: int,
) -> None:
    """Store readings, with how often their payment has changed so far."""
    await _write_orders(connection, readings, money_changes, ticket)
    await _add_lines(connection, readings)


async def _write_orders(
    connection: Connection, readings: Sequence[Order], money_changes: dict[str, int], ticket: int
) -> None:
    """An erased person's order keeps no address and no name."""
    await connection.execute(
        """
        update orders o
           set state = g.state, email = case when not erased then coalesce(g.email, o.email) end,
               name = case when not erased then coalesce(g.name, o.name) end,
               payment_intent = g.payment_intent, invoice = g.invoice,
               subscription_id = g.subscription_id, currency = g.currency,
               amount = g.amount, charged = g.charged, amount_refunded = g.amount_refunded,
               refunded = g.refunded, disputed = g.disputed, dispute_status = g.dispute_status,
               dispute_amount = g.dispute_amount, dispute_currency = g.dispute_currency,
               money_changes = g.money_changes, paid_at = g.paid_at, ticket = $2,
               credited_before = g.credited_before, credited_after = g.credited_after,
               written_off = g.written_off,
               read_at = now()
          from jsonb_to_recordset($1::jsonb) as g (
               id text, state text, email text, name text, payment_intent text, invoice text,
               subscription_id text, currency text, amount bigint, charged bigint,
               amount_refunded bigint, refunded boolean, disputed boolean, dispute_status text,
               dispute_amount bigint, dispute_currency text, money_changes integer,
               paid_at timestamptz, credited_before bigint, credited_after bigint,
               written_off boolean)
          cross join lateral (
               select exists (select from orders m join users u on u.id = m.user_id
                               where m.id = g.id and u.erased_at is not null) as erased) e
         where o.id = g.id
        """,
        [_row_of(reading, money_changes[reading.id]) for reading in readings],
        ticket,
    )
    await address_keys.correct(connection, "orders", {r.id: r.email for r in readings})


def _row_of(reading: Order, money_changes: int) -> dict[str, Any]:
    payment, state = reading.payment, access.order_state(reading)
    dispute = payment.dispute if payment else None
    return {
        "id": reading.id,
        "state": state,
        "email": reading.email,
        "name": reading.name,
        "payment_intent": payment.payment_intent if payment else None,
        "invoice": reading.invoice,
        "subscription_id": reading.subscription,
        "currency": reading.currency,
        "amount": reading.amount,
        "charged": payment.amount if payment else 0,
        "amount_refunded": payment.amount_refunded if payment else 0,
        "refunded": payment.refunded if payment else False,
        "disputed": payment.disputed if payment else False,
        "dispute_status": dispute.status if dispute else None,
        "dispute_amount": dispute.amount if dispute else None,
        "dispute_currency": dispute.currency if dispute else None,
        "money_changes": money_changes,
        "paid_at": reading.bought if state == "paid" else None,
        "credited_before": reading.credited_before,
        "credited_after": reading.credited_after,
        "written_off": reading.written_off,
    }


async def _add_lines(connection: Connection, readings: Sequence[Order]) -> None:
    """What was bought, which never changes after the purchase."""
    await connection.execute(
        """
        insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
        select * from jsonb_to_recordset($1::jsonb) as g (
            order_id text, id text, stripe_product text, price_id text, quantity integer,
            amount bigint)
        on conflict (order_id, id) do nothing
        """,
        [
            {
                "order_id": reading.id,
                "id": line.id,
                "stripe_product": line.stripe_product,
                "price_id": line.price_id,
                "quantity": line.quantity,
                "amount": line.amount,
            }
            for reading in readings
            for line in reading.one_off_lines
        ],
    )
