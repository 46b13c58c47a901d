"""Who began which purchase, so that a double click leads to one checkout session."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.store.pool import Connection

SAME_ATTEMPT = timedelta(minutes=30)
"""Whoever begins the same purchase again within this time is led to the same session, if it is
still open. Two open sessions could both be paid."""

REPLACED = b"replaced "
"""How the key of a session begins whose place another attempt took: it may still be paid, so it has
to be known when nobody should pay it any more."""

PAYABLE = SAME_ATTEMPT + timedelta(days=1)
"""For how long after an attempt began its session can be paid at most."""

KEPT = timedelta(days=5)
"""Longer than a session is open, with time for a late event that says that it expired."""


@dataclass(frozen=True)
class CheckoutAttempt:
    """`begun_at` (UTC) and `session_id` are those of the first of several clicks; `session_id` is
    None until Stripe has answered."""

    id: int
    begun_at: datetime
    session_id: str | None


@dataclass(frozen=True)
class SoldAttempt:
    """Which product and price a session was made for, the member who began it, if any, and the code
    of the language that they read."""

    product_id: str
    price_id: str
    user_id: int | None
    locale: str | None = None


async def begin(
    connection: Connection,
    key: bytes,
    *,
    product_id: str,
    user_id: int | None,
    locale: str | None = None,
) -> CheckoutAttempt:
    """The attempt that this click belongs to. `key` is a hash of who wants to buy what, and how."""
    row = await connection.fetchrow(
        """
        with replaced as (
            insert into checkout_attempts (key, product_id, user_id, begun_at, session_id, price_id,
                                           orphaned)
            select $5::bytea || convert_to(session_id, 'UTF8'), product_id, user_id, begun_at,
                   session_id, price_id, orphaned
              from checkout_attempts
             where key = $1 and begun_at < now() - $4::interval and price_id is not null
               and session_id is not null
            on conflict do nothing)
        insert into checkout_attempts as a (key, product_id, user_id, locale)
        values ($1, $2, $3, $6)
        on conflict (key) do update
           set begun_at = case when a.begun_at < now() - $4::interval then now()
                          else a.begun_at end,
               session_id = case when a.begun_at < now() - $4::interval then null
                            else a.session_id end,
               orphaned = a.orphaned and a.begun_at >= now() - $4::interval,
               locale = $6
        returning id, begun_at, session_id
        """,
        key,
        product_id,
        user_id,
        SAME_ATTEMPT,
        REPLACED,
        locale,
    )
    assert row is not None, "an upsert returns its row"
    return CheckoutAttempt(**dict(row))


async def opened(
    connection: Connection, attempt_id: int, *, session_id: str, price_id: str
) -> None:
    """Record the session that the attempt leads to, and that Stripe sells the price. If the link
    was removed meanwhile, the session is orphaned."""
    await connection.execute(
        f"""
        with recovered as (
            update offers o set error = null from checkout_attempts a
             where a.id = $1 and o.product_id = a.product_id and o.price_id = $3
               and o.error is not null)
        update checkout_attempts set session_id = $2, price_id = $3,
               orphaned = not {_sells("$3")}
         where id = $1
        """,
        attempt_id,
        session_id,
        price_id,
    )


async def of_session(connection: Connection, session_id: str) -> SoldAttempt | None:
    """The attempt that led to a session; None if it isn't ours, or another one took its place."""
    row = await connection.fetchrow(
        """
        select product_id, price_id, user_id, locale from checkout_attempts
         where session_id = $1 and price_id is not null
           and substring(key from 1 for length($2::bytea)) <> $2
        """,
        session_id,
        REPLACED,
    )
    return SoldAttempt(**dict(row)) if row else None


async def orphan(connection: Connection, product_id: str) -> None:
    """Have the product's sessions closed, because its link is removed: whoever paid one would get
    nothing."""
    await connection.execute(
        """
        with marked as (
            update checkout_attempts set orphaned = true
             where product_id = $1 and session_id is not null and price_id is not null
               and begun_at > now() - $2::interval
            returning product_id)
        update products set sale_asked_at = '-infinity'
         where id in (select product_id from marked)
        """,
        product_id,
        PAYABLE,
    )


async def orphans(connection: Connection, product_id: str) -> list[str]:
    """The product's sessions to close in Stripe. Those of a price that is sold again stay open."""
    rows = await connection.fetch(
        f"""
        with kept as (
            update checkout_attempts set orphaned = false
             where product_id = $1 and orphaned and {_sells("price_id")} returning id)
        select session_id from checkout_attempts
         where product_id = $1 and orphaned and id not in (select id from kept) order by id
        """,
        product_id,
    )
    return [row["session_id"] for row in rows]


async def closed(connection: Connection, session_id: str) -> None:
    """Record that nobody can pay the session any more."""
    await connection.execute(
        "update checkout_attempts set orphaned = false where session_id = $1", session_id
    )


def _sells(price: str) -> str:
    """SQL: whether the attempt's product is linked to what has this price."""
    return f"""exists (
        select from links l join prices r on r.stripe_product = l.stripe_product
         where l.product_id = checkout_attempts.product_id and l.removed_at is null
           and r.id = {price})"""


async def forget_old(connection: Connection) -> None:
    """Delete the attempts whose sessions have expired."""
    await connection.execute(
        "delete from checkout_attempts where begun_at < now() - $1::interval", KEPT
    )
