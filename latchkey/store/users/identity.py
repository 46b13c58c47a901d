"""Deciding identity matches, additional addresses, and purchases without an owner."""

from dataclasses import dataclass
from datetime import UTC, datetime

from latchkey.addresses import email_key
from latchkey.languages import A_
from latchkey.rules.vocabulary import AuditAction, Cause
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.purchases import matches, other_payers, rejudging
from latchkey.store.purchases.matches import Match
from latchkey.store.stripe.connection import current
from latchkey.store.stripe.context import ApplyContext
from latchkey.store.users import merge_requests, users


class NotDecidableError(Exception):
    """A match can't be accepted like this. The message says what to do."""


@dataclass(frozen=True)
class Address:
    """An additional address of a user; `source` is claim, merge or admin. `proven_at` is None
    if nobody has followed a link to it."""

    email: str
    source: str
    added_at: datetime
    proven_at: datetime | None


async def addresses(connection: Connection, user_id: int) -> list[Address]:
    """The additional addresses of a user, oldest first."""
    rows = await connection.fetch(
        """
        select email, source, added_at, proven_at from user_addresses where user_id = $1
         order by added_at, email_key
        """,
        user_id,
    )
    return [Address(**dict(row)) for row in rows]


async def accept(
    connection: Connection, match: Match, *, email: str | None, actor: int | None
) -> None:
    """Accept a match: ask the owners of two users whether to merge them, or assign a purchase to
    the person with `email`. A match between two users stays open until they agree.

    Raises `NotDecidableError`. The caller opens the transaction.
    """
    if match.merges:
        assert match.user_id is not None, "a match that merges names two"
        assert match.other_id is not None, "a match that merges names two"
        if match.state != "open":
            raise NotDecidableError(A_("This was decided already."))
        try:
            await merge_requests.ask(
                connection, match.user_id, match.other_id, actor=actor, match_id=match.id
            )
        except merge_requests.RequestRefusedError as error:
            raise NotDecidableError(str(error)) from None
        return
    if match.kind != matches.DoubtKind.NO_ADDRESS:
        raise NotDecidableError(A_("This match can only be dismissed."))
    if not email:
        raise NotDecidableError(
            A_("Enter the email address of the person this purchase belongs to.")
        )
    if not await matches.decide(connection, match.id, "accepted", actor=actor):
        raise NotDecidableError(A_("This was decided already."))
    await give_purchase(connection, match, email=email)


async def give_purchase(connection: Connection, match: Match, *, email: str) -> None:
    """Assign a purchase and its customer to the person with this address, creating them if unknown.
    A valid purchase gives access at once."""
    user, _ = await users.find_or_create(connection, email)
    audit_draft.note(
        action=AuditAction.PURCHASE_ASSIGNED,
        target=("user", user.id),
        after={"purchase": match.source_id},
    )
    if match.customer_id:
        await connection.execute(
            """
            update customers set user_id = $2, bound_by = 'admin'
             where id = $1 and user_id is null
            """,
            match.customer_id,
            user.id,
        )
    for table in ("subscriptions", "orders"):
        await connection.execute(
            f"""
            update {table} set user_id = $2
             where (id = $1 or customer_id = $3) and user_id is null
            """,
            match.source_id,
            user.id,
            match.customer_id,
        )
    await judge_all_of(connection, user.id, cause=Cause.ADMIN)


async def judge_all_of(connection: Connection, user_id: int, *, cause: Cause) -> None:
    """Judge all purchases of a user again, after their set has changed."""
    account = (await current(connection)).account
    if account is None:
        return
    subscriptions = await connection.fetch(
        "select id from subscriptions where user_id = $1 and account_id = $2 and livemode = $3",
        user_id,
        account.id,
        account.livemode,
    )
    orders = await connection.fetch(
        "select id from orders where user_id = $1 and account_id = $2 and livemode = $3",
        user_id,
        account.id,
        account.livemode,
    )
    await rejudging.of_sources(
        connection,
        subscriptions=[row["id"] for row in subscriptions],
        orders=[row["id"] for row in orders],
        context=ApplyContext(account, 0, datetime.now(UTC), cause),
    )


async def add_address(connection: Connection, user_id: int, email: str, *, source: str) -> None:
    """Add a proven address to the user, with the purchases under it that had no owner."""
    await connection.execute(
        """
        insert into user_addresses (email_key, email, user_id, source, proven_at)
        values ($1, $2, $3, $4, now())
        on conflict (email_key) do update
           set user_id = excluded.user_id, source = excluded.source, proven_at = now()
        """,
        email_key(email),
        email.strip(),
        user_id,
        source,
    )
    await connection.execute(
        """
        update customers set user_id = $2, bound_by = 'email'
         where email_key = $1 and user_id is null
        """,
        email_key(email),
        user_id,
    )
    await connection.execute(
        """
        update subscriptions s set user_id = $1 from customers c
         where c.id = s.customer_id and c.user_id = $1 and s.user_id is null
        """,
        user_id,
    )
    await connection.execute(
        """
        update orders o set user_id = $2
         where o.user_id is null
           and (o.email_key = $1
                or o.customer_id in (select id from customers where user_id = $2))
        """,
        email_key(email),
        user_id,
    )
    await other_payers.proven(connection, user_id, email)
    await judge_all_of(connection, user_id, cause=Cause.CUSTOMER)
