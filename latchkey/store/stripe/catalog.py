"""The mirror of the account's products and prices, for choosing among them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.reading import Price, StripeProduct
from latchkey.store.pool import Connection
from latchkey.store.stripe.context import Account


@dataclass(frozen=True)
class CatalogPrice:
    """`unit_amount` is in the currency's minor unit, None for tiered or customer-chosen amounts."""

    id: str
    active: bool
    type: str
    currency: str
    unit_amount: int | None
    interval: str | None
    interval_count: int | None
    nickname: str | None


@dataclass(frozen=True)
class CatalogProduct:
    id: str
    name: str
    description: str | None
    image_url: str | None
    active: bool
    active_subscriptions: int
    counted_at: datetime | None
    linked_to: list[str]
    prices: list[CatalogPrice]


async def stripe_products(
    connection: Connection,
    *,
    search: str | None = None,
    after: str | None = None,
    limit: int = 200,
) -> list[CatalogProduct]:
    """The account's Stripe products by name, active ones first, with their prices. `search` matches
    the name and id; `after` is the id of the last product of the previous page."""
    rows = await connection.fetch(
        """
        select s.id, s.name, s.description, s.image_url, s.active, s.active_subscriptions,
               s.counted_at,
               array(select l.product_id from links l
                      where l.stripe_product = s.id and l.removed_at is null) as linked_to
          from stripe_products s
          join stripe_connection c on c.account_id = s.account_id and c.livemode = s.livemode
         where not s.deleted
           and ($1::text is null or s.id = $1
                or position(lower($1) in lower(s.name)) > 0)
           and ($3::text is null
                or (not s.active, lower(s.name), s.id) > (
                    select not p.active, lower(p.name), p.id from stripe_products p
                     where (p.account_id, p.livemode, p.id) = (s.account_id, s.livemode, $3)))
         order by s.active desc, lower(s.name), s.id limit $2
        """,
        search or None,
        limit,
        after,
    )
    prices = await prices_of(connection, [row["id"] for row in rows])
    return [
        CatalogProduct(
            **{name: row[name] for name in row.keys()},  # noqa: SIM118 (a record iterates values)
            prices=prices.get(row["id"], []),
        )
        for row in rows
    ]


async def prices_of(
    connection: Connection, stripe_product_ids: Sequence[str]
) -> dict[str, list[CatalogPrice]]:
    """Prices by Stripe product, newest first, including archived ones."""
    rows = await connection.fetch(
        """
        select id, stripe_product, active, type, currency, unit_amount, interval, interval_count,
               nickname
          from prices where stripe_product = any($1::text[])
         order by active desc, created_at desc, id
        """,
        list(stripe_product_ids),
    )
    found: dict[str, list[CatalogPrice]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("stripe_product"), []).append(CatalogPrice(**values))
    return found


async def mirror_products(
    connection: Connection, readings: Sequence[StripeProduct], *, account: Account, ticket: int
) -> None:
    """Write what a read showed; an older reading never replaces a newer one."""
    rows = [
        {
            "id": r.id,
            "name": r.name,
            "description": r.description,
            "image_url": r.image_url,
            "active": r.active,
            "created_at": r.created,
        }
        for r in sorted(readings, key=lambda r: r.id)
    ]
    await connection.execute(
        """
        insert into stripe_products (id, account_id, livemode, name, description, image_url,
                                     active, created_at, ticket)
        select id, $2, $3, name, description, image_url, active, created_at, $4
          from jsonb_to_recordset($1::jsonb) as g (
               id text, name text, description text, image_url text, active boolean,
               created_at timestamptz)
        on conflict (id) do update
           set name = excluded.name, description = excluded.description,
               image_url = excluded.image_url, active = excluded.active, deleted = false,
               ticket = excluded.ticket, read_at = now()
         where stripe_products.ticket <= excluded.ticket
        """,
        rows,
        account.id,
        account.livemode,
        ticket,
    )


async def mirror_prices(
    connection: Connection, readings: Sequence[Price], *, account: Account, ticket: int
) -> None:
    """Write what a read showed; an older reading never replaces a newer one."""
    rows: list[dict[str, Any]] = [
        {
            "id": r.id,
            "stripe_product": r.stripe_product,
            "active": r.active,
            "type": r.type,
            "currency": r.currency,
            "unit_amount": r.unit_amount,
            "interval": r.interval,
            "interval_count": r.interval_count,
            "nickname": r.nickname,
            "created_at": r.created,
        }
        for r in sorted(readings, key=lambda r: r.id)
    ]
    await connection.execute(
        """
        insert into prices (id, account_id, livemode, stripe_product, active, type, currency,
                            unit_amount, interval, interval_count, nickname, created_at, ticket)
        select id, $2, $3, stripe_product, active, type, currency, unit_amount, interval,
               interval_count, nickname, created_at, $4
          from jsonb_to_recordset($1::jsonb) as g (
               id text, stripe_product text, active boolean, type text, currency text,
               unit_amount bigint, interval text, interval_count integer, nickname text,
               created_at timestamptz)
        on conflict (id) do update
           set active = excluded.active, nickname = excluded.nickname, ticket = excluded.ticket
         where prices.ticket <= excluded.ticket
        """,
        rows,
        account.id,
        account.livemode,
        ticket,
    )


async def mark_product_deleted(connection: Connection, stripe_product: str, *, ticket: int) -> None:
    """Record that Stripe doesn't have the product any more; an older reading doesn't undo it."""
    await connection.execute(
        """
        update stripe_products set deleted = true, active = false, ticket = $2
         where id = $1 and ticket <= $2
        """,
        stripe_product,
        ticket,
    )


async def mark_price_deleted(connection: Connection, price: str, *, ticket: int) -> None:
    """Record that Stripe doesn't have the price any more; an older reading doesn't undo it."""
    await connection.execute(
        "update prices set active = false, ticket = $2 where id = $1 and ticket <= $2",
        price,
        ticket,
    )


async def mark_other_prices_deleted(
    connection: Connection, stripe_product: str, kept: Sequence[str], *, ticket: int
) -> None:
    """Record that Stripe doesn't have any other prices of the product than `kept`."""
    await connection.execute(
        """
        update prices set active = false, ticket = $3
         where stripe_product = $1 and id <> all($2::text[]) and ticket <= $3
        """,
        stripe_product,
        list(kept),
        ticket,
    )


async def write_counts(
    connection: Connection, counts: dict[str, int], *, account: Account, pages: int
) -> None:
    """Replace the active subscription counts of all the account's products.

    `pages` is how many reads the count took, which decides when the next one is due.
    """
    await connection.execute(
        """
        update stripe_products s
           set active_subscriptions = coalesce(g.active, 0), counted_at = now()
          from stripe_products p
          left join unnest($1::text[], $2::integer[]) as g (id, active) on g.id = p.id
         where s.id = p.id and p.account_id = $3 and p.livemode = $4
        """,
        list(counts),
        list(counts.values()),
        account.id,
        account.livemode,
    )
    await connection.execute(
        """
        insert into site_settings (key, value)
        values ('catalog', jsonb_build_object('counted_at', now(), 'pages', $1::integer))
        on conflict (key) do update set value = excluded.value, updated_at = now()
        """,
        pages,
    )


async def count_is_due(connection: Connection, *, pause: int) -> bool:
    """Whether the last count is older than `pause` seconds for each page after the first: a count
    of a single page is always due."""
    found: bool = await connection.fetchval(
        """
        select coalesce(
            (select (value->>'counted_at')::timestamptz
                    + make_interval(secs => $1 * ((value->>'pages')::integer - 1)) <= now()
               from site_settings where key = 'catalog'), true)
        """,
        pause,
    )
    return found


async def pages_of_subscriptions(connection: Connection) -> int:
    """How many pages of 100 active subscriptions the account had at the last count."""
    found: int = await connection.fetchval(
        "select coalesce(ceil(sum(active_subscriptions) / 100.0), 0)::int from stripe_products"
    )
    return found
