"""The prices that a product is sold at, by checkout sessions made at the click."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account

MOST_OFFERS = 20


@dataclass(frozen=True)
class NewOffer:
    """A price to sell a product at.

    `featured` marks it as the most popular, `trial_days` is how long a subscription is free at
    first, and `most` how many can be bought at once (None: one). `billing_address` and `tax_ids`
    say what the checkout asks for; `automatic_tax` has Stripe work out the tax. `promotion_codes`
    counts only where the product takes some.
    """

    price_id: str
    label: str | None = None
    featured: bool = False
    trial_days: int | None = None
    most: int | None = None
    billing_address: bool = False
    tax_ids: bool = False
    promotion_codes: bool = True
    automatic_tax: bool = False


@dataclass(frozen=True)
class Offer(NewOffer):
    """An offer with its price. `unit_amount` is in the currency's minor unit, None if it varies.
    `sellable` says whether Stripe sells it, as far as is known: neither the price nor its product
    is archived or deleted. `error` is why Stripe last refused to."""

    sellable: bool = True
    error: str | None = None
    type: str = "one_time"
    currency: str = ""
    unit_amount: int | None = None
    interval: str | None = None
    interval_count: int | None = None

    @property
    def recurring(self) -> bool:
        return self.type == "recurring"


async def of_product(connection: Connection, product_id: str) -> tuple[Offer, ...]:
    """The product's offers in the connected account and mode, in order."""
    rows = await connection.fetch(
        """
        select o.price_id, o.label, o.featured, o.trial_days, o.most, o.billing_address, o.tax_ids,
               o.promotion_codes, o.automatic_tax, o.error, r.type, r.currency, r.unit_amount,
               r.interval, r.interval_count, o.obstacle is null as sellable
          from offer_states o join prices r on r.id = o.price_id
         where o.product_id = $1
         order by o.position, o.created_at, o.price_id
        """,
        product_id,
    )
    return tuple(Offer(**dict(row)) for row in rows)


async def offer(
    connection: Connection, product_id: str, wanted: Sequence[NewOffer], *, account: Account
) -> None:
    """Offer these prices in this order, and no others. What Stripe said about them before is
    forgotten. The caller opens the transaction."""
    await connection.execute(
        """
        delete from offers
         where product_id = $1
           and not (account_id = $2 and livemode = $3 and price_id = any($4::text[]))
        """,
        product_id,
        account.id,
        account.livemode,
        [one.price_id for one in wanted],
    )
    await connection.execute("update offers set featured = false where product_id = $1", product_id)
    await connection.execute(
        """
        insert into offers (product_id, account_id, livemode, price_id, position, label, featured,
                            trial_days, most, billing_address, tax_ids, promotion_codes,
                            automatic_tax)
        select $1, $2, $3, price_id, position, label, featured, trial_days, most, billing_address,
               tax_ids, promotion_codes, automatic_tax
          from jsonb_to_recordset($4::jsonb) as g (
               price_id text, position integer, label text, featured boolean, trial_days integer,
               most integer, billing_address boolean, tax_ids boolean, promotion_codes boolean,
               automatic_tax boolean)
        on conflict (product_id, account_id, livemode, price_id) do update
           set position = excluded.position, label = excluded.label, featured = excluded.featured,
               trial_days = excluded.trial_days, most = excluded.most,
               billing_address = excluded.billing_address, tax_ids = excluded.tax_ids,
               promotion_codes = excluded.promotion_codes, automatic_tax = excluded.automatic_tax,
               error = null
        """,
        product_id,
        account.id,
        account.livemode,
        [asdict(one) | {"position": number} for number, one in enumerate(wanted)],
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
