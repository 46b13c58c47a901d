"""The account and mode a mirrored Stripe object was read from, and in which reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.rules.access import TERMINAL
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class Origin:
    """`over`: no further change of the object is expected."""

    account: Account
    over: bool


async def elsewhere(connection: Connection, ids: Sequence[str], *, account: Account) -> set[str]:
    """Which of these subscriptions and purchases were read from another account or mode."""
    rows = await connection.fetch(
        """
        select id from subscriptions
         where id = any($1::text[]) and (account_id, livemode) <> ($2, $3)
        union all
        select id from orders where id = any($1::text[]) and (account_id, livemode) <> ($2, $3)
        """,
        list(ids),
        account.id,
        account.livemode,
    )
    return {row["id"] for row in rows}


async def last_ticket(connection: Connection, object_id: str) -> int | None:
    """The ticket of the reading of a subscription or purchase that was applied last; None if there
    was none."""
    found: int | None = await connection.fetchval(
        """
        select ticket from subscriptions where id = $1
        union all
        select ticket from orders where id = $1
        """,
        object_id,
    )
    return found


async def origin_of(connection: Connection, object_id: str) -> Origin | None:
    """The account and mode an object was read from, given its id or `<kind>/<id>`; None if it isn't
    mirrored. Stripe's ids are unique across kinds."""
    row = await connection.fetchrow(
        """
        select account_id, livemode, status = any($2::text[]) as over
          from subscriptions where id = $1
        union all
        select account_id, livemode, state <> 'pending' from orders where id = $1
        union all
        select account_id, livemode, true from customers where id = $1
        union all
        select account_id, livemode, true from stripe_products where id = $1
        union all
        select account_id, livemode, true from prices where id = $1
        """,
        object_id.partition("/")[2] or object_id,
        sorted(TERMINAL),
    )
    return Origin(Account(row["account_id"], row["livemode"]), row["over"]) if row else None
