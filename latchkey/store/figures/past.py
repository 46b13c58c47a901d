"""Subscriptions that had ended before Latchkey knew of them: counted, and nothing else."""

from collections.abc import Sequence

from latchkey.rules.past_spans import stretches
from latchkey.rules.reading import Subscription
from latchkey.store.pool import Connection
from latchkey.store.purchases import customer_accounts
from latchkey.store.purchases.linked_products import linked_stripe_products
from latchkey.store.stripe.context import ApplyContext


async def record(
    connection: Connection, readings: Sequence[Subscription], *, context: ApplyContext
) -> None:
    """Record what these subscriptions brought, if they are over, unknown here and have a linked
    product. Recording is idempotent. The caller opens the transaction."""
    over = [(reading, stretches(reading, as_of=context.as_of)) for reading in readings]
    ended = [reading for reading, found in over if found]
    if not ended:
        return
    linked = await linked_stripe_products(connection, account=context.account)
    rows = [
        {
            "subscription_id": reading.id,
            "item_id": item.id,
            "customer_id": reading.customer.id,
            "stripe_product": item.stripe_product,
            "price_id": item.price_id,
            "quantity": item.quantity,
            "discount": item.discount,
            "trial": stretch.trial,
            "since": stretch.since,
            "until": stretch.until,
        }
        for reading in await customer_accounts.recognized(connection, ended)
        if reading.stripe_products & linked
        for item in reading.items
        if item.quantity
        for stretch in stretches(reading, as_of=context.as_of)
    ]
    await connection.execute(
        """
        insert into past_spans as p (
            subscription_id, item_id, account_id, livemode, customer_id, stripe_product, price_id,
            quantity, discount, trial, since, until)
        select g.subscription_id, g.item_id, $2, $3, g.customer_id, g.stripe_product, g.price_id,
               g.quantity, g.discount, g.trial, g.since, g.until
          from jsonb_to_recordset($1::jsonb) as g (
               subscription_id text, item_id text, customer_id text, stripe_product text,
               price_id text, quantity integer, discount bigint, trial boolean, since timestamptz,
               until timestamptz)
         where not exists (select from subscriptions s where s.id = g.subscription_id)
         order by g.subscription_id, g.item_id, g.trial
        on conflict (subscription_id, item_id, trial) do update
           set discount = excluded.discount
         where p.discount is null and excluded.discount is not null
        """,
        rows,
        context.account.id,
        context.account.livemode,
    )
