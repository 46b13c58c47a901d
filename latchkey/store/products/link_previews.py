"""Previews of product links: who would be affected, what would happen and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from latchkey.addresses import email_key
from latchkey.rules.reading import Order, Subscription
from latchkey.store.pool import Connection
from latchkey.store.purchases.customer_accounts import recognized

NEW_USER = "new_user"
MATCHED_USER = "matched_user"
ALREADY = "already_has_access"
SKIPPED = "skipped"


@dataclass(frozen=True)
class PreviewRecord:
    """One subscription or order of one customer, with the outcome and its reason as text."""

    source_id: str
    customer_id: str | None
    email: str | None
    name: str | None
    outcome: str
    reason: str


@dataclass(frozen=True)
class Preview:
    """`state` is running, done or failed; `counts` covers all records by outcome."""

    id: str
    product_id: str
    stripe_product: str
    state: str
    error: str | None
    counts: dict[str, int]
    records: list[PreviewRecord]


@dataclass(frozen=True)
class Candidate:
    """What a read shows about one source, before the buyer is matched to a user."""

    reading: Subscription | Order
    gets_access: bool
    reason: str


async def begin(
    connection: Connection, *, preview_id: str, product_id: str, stripe_product: str
) -> None:
    await connection.execute(
        "insert into previews (id, product_id, stripe_product) values ($1, $2, $3)",
        preview_id,
        product_id,
        stripe_product,
    )
    await connection.execute("delete from previews where created_at < now() - interval '1 day'")


async def add(
    connection: Connection, *, preview_id: str, product_id: str, candidates: Sequence[Candidate]
) -> None:
    """Judge candidates against users, customers and grants, and record them."""
    readings = await recognized(connection, [candidate.reading for candidate in candidates])
    candidates = [replace(c, reading=r) for c, r in zip(candidates, readings, strict=True)]
    ids = [c.reading.customer.id for c in candidates if c.reading.customer]
    emails = [email_key(e) for c in candidates if (e := _email(c.reading))]
    rows = await connection.fetch(
        """
        select c.id as customer_id, u.id as user_id, u.email_key from customers c
          join users u on u.id = c.user_id where c.id = any($1::text[])
        union all
        select null, id, email_key from users where email_key = any($2::text[])
        union all
        select null, user_id, email_key from user_addresses where email_key = any($2::text[])
        """,
        ids,
        emails,
    )
    by_customer = {row["customer_id"]: row["user_id"] for row in rows if row["customer_id"]}
    by_email = {row["email_key"]: row["user_id"] for row in rows if not row["customer_id"]}
    having = {
        row["user_id"]
        for row in await connection.fetch(
            """
            select distinct user_id from live_grants
             where product_id = $1 and user_id = any($2::bigint[])
            """,
            product_id,
            list(set(by_customer.values()) | set(by_email.values())),
        )
    }
    candidates = await _not_seen(connection, preview_id, candidates)
    records = []
    for candidate in candidates:
        reading = candidate.reading
        email = _email(reading)
        customer_id = reading.customer.id if reading.customer else None
        by_id = by_customer.get(customer_id or "")
        user = by_id or (by_email.get(email_key(email)) if email else None)
        outcome, reason = _outcome(candidate, email, by_id=by_id, user=user, having=having)
        records.append(
            PreviewRecord(reading.id, customer_id, email, _name(reading), outcome, reason)
        )
    await connection.execute(
        """
        insert into preview_records (preview_id, source_id, customer_id, email, email_key, name,
                                     outcome, reason, invoice)
        select $2, source_id, customer_id, email, email_key, name, outcome, reason, invoice
          from jsonb_to_recordset($1::jsonb) as g (
               source_id text, customer_id text, email text, email_key text, name text,
               outcome text, reason text, invoice text)
        on conflict (preview_id, source_id) do nothing
        """,
        [
            asdict(record)
            | {
                "email_key": email_key(record.email) if record.email else None,
                "invoice": _invoice(candidate.reading),
            }
            for record, candidate in zip(records, candidates, strict=True)
        ],
        preview_id,
    )


async def finish(connection: Connection, preview_id: str, *, error: str | None = None) -> None:
    await connection.execute(
        "update previews set state = $2, error = $3 where id = $1",
        preview_id,
        "failed" if error else "done",
        error,
    )


async def preview(connection: Connection, preview_id: str, *, limit: int = 1000) -> Preview | None:
    """A preview with the first `limit` records, with those that get access first."""
    row = await connection.fetchrow(
        "select id, product_id, stripe_product, state, error from previews where id = $1",
        preview_id,
    )
    if row is None:
        return None
    counts = await connection.fetch(
        "select outcome, count(*) from preview_records where preview_id = $1 group by 1", preview_id
    )
    records = await connection.fetch(
        """
        select source_id, customer_id, email, name, outcome, reason from preview_records
         where preview_id = $1
         order by array_position(array['new_user', 'matched_user', 'already_has_access'], outcome),
                  lower(email), source_id
         limit $2
        """,
        preview_id,
        limit,
    )
    zero = Counter({NEW_USER: 0, MATCHED_USER: 0, ALREADY: 0, SKIPPED: 0})
    return Preview(
        **dict(row),
        counts={**zero, **{entry["outcome"]: entry["count"] for entry in counts}},
        records=[PreviewRecord(**dict(record)) for record in records],
    )


def _outcome(
    candidate: Candidate,
    email: str | None,
    *,
    by_id: int | None,
    user: int | None,
    having: set[int],
) -> tuple[str, str]:
    if not candidate.gets_access:
        return SKIPPED, candidate.reason
    if user is None and email is None:
        return SKIPPED, "No email address in Stripe, so there is nobody to give access to"
    if user is None:
        return NEW_USER, f"{candidate.reason} · new address"
    if user in having:
        return ALREADY, f"{candidate.reason} · already has access"
    how = "known Stripe customer" if by_id else "matched by email address"
    return MATCHED_USER, f"{candidate.reason} · {how}"


async def _not_seen(
    connection: Connection, preview_id: str, candidates: Sequence[Candidate]
) -> list[Candidate]:
    """Leave out the invoices of checkout sessions that the preview has already seen."""
    rows = await connection.fetch(
        "select invoice from preview_records where preview_id = $1 and invoice = any($2::text[])",
        preview_id,
        [candidate.reading.id for candidate in candidates],
    )
    seen = {row["invoice"] for row in rows}
    return [candidate for candidate in candidates if candidate.reading.id not in seen]


def _invoice(reading: Subscription | Order) -> str | None:
    return None if isinstance(reading, Subscription) else reading.invoice


def _email(reading: Subscription | Order) -> str | None:
    return reading.customer.email if isinstance(reading, Subscription) else reading.email


def _name(reading: Subscription | Order) -> str | None:
    return reading.customer.name if isinstance(reading, Subscription) else reading.name
