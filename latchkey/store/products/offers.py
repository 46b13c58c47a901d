"""The prices that a product is sold at, by checkout sessions made at the click."""

from dataclasses import dataclass

from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class Offer:
    """A price that a product is sold at. `unit_amount` is in the currency's minor unit, None if it
    varies. `sellable` says whether Stripe sells it, as far as is known: neither the price nor its
    product is archived or deleted. `error` is why Stripe last refused to."""

    price_id: str
    sellable: bool
    error: str | None
    type: str
    currency: str
    unit_amount: int | None
    interval: str | None
    interval_count: int | None

    @property
    def recurring(self) -> bool:
        return self.type == "recurring"


async def of_product(connection: Connection, product_id: str) -> tuple[Offer, ...]:
    """The product's offers in the connected account and mode, oldest first."""
    rows = await connection.fetch(
        """
        select o.price_id, o.error, r.type, r.currency, r.unit_amount, r.interval,
               r.interval_count, o.obstacle is null as sellable
          from offer_states o join prices r on r.id = o.price_id
         where o.product_id = $1
         order by o.created_at, o.price_id
        """,
        product_id,
    )
    return tuple(Offer(**dict(row)) for row in rows)


async def offer_only(
    connection: Connection, product_id: str, price_id: str, *, account: Account
) -> None:
    """Offer this price and no other. What Stripe said about it before is forgotten."""
    await connection.execute(
        """
        delete from offers
         where product_id = $1 and (account_id, livemode, price_id) is distinct from ($2, $3, $4)
        """,
        product_id,
        account.id,
        account.livemode,
        price_id,
    )
    await connection.execute(
        """
        insert into offers (product_id, account_id, livemode, price_id) values ($1, $2, $3, $4)
        on conflict (product_id, account_id, livemode, price_id) do update set error = null
        """,
        product_id,
        account.id,
        account.livemode,
        price_id,
    )


async def withdraw_all(connection: Connection, product_id: str) -> None:
    await connection.execute("delete from offers where product_id = $1", product_id)


async def note_refusal(
    connection: Connection, product_id: str, price_id: str, *, account: Account, error: str
) -> None:
    """Record why Stripe refused to sell an offer, for the admin."""
    await connection.execute(
        """
        update offers set error = $5
         where product_id = $1 and account_id = $2 and livemode = $3 and price_id = $4
        """,
        product_id,
        account.id,
        account.livemode,
        price_id,
        error[:1000],
    )
