"""The customer portal's configurations, and a user's Stripe customers."""

from dataclasses import dataclass

from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class Configuration:
    """A configuration that we created; `fingerprint` identifies the settings it was last given."""

    stripe_id: str
    fingerprint: str


@dataclass(frozen=True)
class BillingCustomer:
    """A Stripe customer of a user, with the number of running subscriptions and when the last one
    began or renewed."""

    id: str
    email: str | None
    name: str | None
    running: int
    products: str | None


async def configuration(connection: Connection, account: Account) -> Configuration | None:
    row = await connection.fetchrow(
        """
        select stripe_id, fingerprint from portal_configurations
         where account_id = $1 and livemode = $2
        """,
        account.id,
        account.livemode,
    )
    return Configuration(**dict(row)) if row else None


async def save_configuration(
    connection: Connection, account: Account, *, stripe_id: str, fingerprint: str
) -> None:
    await connection.execute(
        """
        insert into portal_configurations (account_id, livemode, stripe_id, fingerprint)
        values ($1, $2, $3, $4)
        on conflict (account_id, livemode) do update
           set stripe_id = excluded.stripe_id, fingerprint = excluded.fingerprint,
               updated_at = now()
        """,
        account.id,
        account.livemode,
        stripe_id,
        fingerprint,
    )


async def opened(connection: Connection, customer_id: str) -> None:
    """Record that the portal was just opened for a customer."""
    await connection.execute(
        "update customers set portal_opened_at = now() where id = $1", customer_id
    )


async def customers(connection: Connection, user_id: int) -> list[BillingCustomer]:
    """The customers in the connected account and mode whose billing is open to the user, because
    the address is proven to be theirs: those with running subscriptions first, then newest
    first."""
    rows = await connection.fetch(
        """
        select c.id, c.email, c.name,
               count(distinct s.id) filter (where s.ended_at is null) as running,
               string_agg(distinct p.name, ', ') filter (where s.ended_at is null) as products
          from customers c
          join stripe_connection k on k.account_id = c.account_id and k.livemode = c.livemode
               and k.state = 'connected'
          left join subscriptions s on s.customer_id = c.id
          left join subscription_items i on i.subscription_id = s.id
          left join stripe_products p on p.id = i.stripe_product
         where c.user_id = $1 and c.billing_user = $1 and not c.deleted
           and not exists (select from customers o where o.customer_account = c.id and o.id <> c.id
                              and o.user_id = $1 and o.billing_user = $1 and not o.deleted)
         group by c.id
         order by running desc, max(s.created_at) desc nulls last, max(c.read_at) desc, c.id
        """,
        user_id,
    )
    return [BillingCustomer(**dict(row)) for row in rows]


async def subscription_customer(
    connection: Connection, *, user_id: int, subscription_id: str
) -> str | None:
    """The Stripe customer of this user's subscription; None if its billing isn't theirs."""
    found: str | None = await connection.fetchval(
        """
        select s.customer_id from subscriptions s join customers c on c.id = s.customer_id
         where s.id = $2 and s.user_id = $1 and c.user_id = $1 and c.billing_user = $1
           and not c.deleted
        """,
        user_id,
        subscription_id,
    )
    return found


async def owns(connection: Connection, *, user_id: int, source_id: str) -> bool:
    """Whether an order or subscription is this user's, and wasn't paid with an address that isn't
    proven to be theirs: its receipt names the payer."""
    found: bool = await connection.fetchval(
        """
        select (exists (select from orders where id = $2 and user_id = $1)
                or exists (select from subscriptions where id = $2 and user_id = $1))
           and not exists (select from other_payers where source_id = $2 and proven_at is null)
        """,
        user_id,
        source_id,
    )
    return found
