"""Where a mirrored object of Stripe's is at home: the account and mode it was read in."""

from dataclasses import dataclass

from latchkey.rules.access import TERMINAL
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class Origin:
    """`over`: nothing more is expected of the object, as far as is known."""

    account: Account
    over: bool


async def origin_of(connection: Connection, object_id: str) -> Origin | None:
    """The home of an object, named by its id or as `<kind>/<id>`; None where it is not mirrored.
    Ids are Stripe's, so that no two objects share one."""
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
        object_id.rpartition("/")[2],
        sorted(TERMINAL),
    )
    return Origin(Account(row["account_id"], row["livemode"]), row["over"]) if row else None
