"""How a product is sold: its purchase method and its payment links."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.purchases import other_payers
from latchkey.store.stripe.context import Account

METHODS = ("none", "sales_page", "checkout")
TARGETS = ("stripe", "external")
TELL_AGAIN = timedelta(minutes=1)


class CheckoutError(Exception):
    """Checkout can't be set up like this. The message says what to do."""


class UnknownPriceError(CheckoutError):
    """The mirror has no such price for the linked Stripe product; refreshing it may help."""


@dataclass(frozen=True)
class PaymentLink:
    """A payment link: `active`, to be created, or deactivated. `error` is Stripe's refusal."""

    id: int
    product_id: str
    price_id: str
    wanted: bool
    stripe_id: str | None
    url: str | None
    active: bool
    promotion_codes: bool
    error: str | None
    created_at: datetime


@dataclass(frozen=True)
class Selling:
    """How a product is sold. `stripe_product` is the linked one, None without a link."""

    product_id: str
    purchase_method: str
    checkout_target: str
    external_url: str | None
    promotion_codes: bool
    show_locked: bool
    stripe_product: str | None
    sales_page: str | None
    links: tuple[PaymentLink, ...]

    @property
    def wanted(self) -> PaymentLink | None:
        """The chosen payment link, whether or not it has been created yet."""
        return next((link for link in self.links if link.wanted), None)

    @property
    def open_link(self) -> PaymentLink | None:
        """The link to send buyers to: the chosen one, or the previous one until that is ready."""
        there = [link for link in self.links if link.active and link.url]
        return max(there, key=lambda link: (link.wanted, link.id), default=None)

    @property
    def leads_somewhere(self) -> bool:
        """Whether buyers reach a checkout, here or elsewhere."""
        if self.purchase_method == "none":
            return False
        elsewhere = self.checkout_target == "external" and self.external_url is not None
        return elsewhere or self.open_link is not None


_LINK = (
    "id, product_id, price_id, wanted, stripe_id, url, active, promotion_codes, error, created_at"
)


async def selling(connection: Connection, product_id: str) -> Selling:
    """How the product is sold. Raises `KeyError` for an unknown product."""
    row = await connection.fetchrow(
        """
        select p.id as product_id, p.purchase_method, p.checkout_target, p.external_url,
               p.promotion_codes, p.show_locked, l.stripe_product, s.status as sales_page
          from products p
          left join links l on l.product_id = p.id and l.removed_at is null
          left join sales_pages s on s.product_id = p.id
         where p.id = $1
        """,
        product_id,
    )
    if row is None:
        raise KeyError(product_id)
    links = await connection.fetch(
        f"""
        select {", ".join("k." + name.strip() for name in _LINK.split(","))}
          from payment_links k
          join stripe_connection c on c.account_id = k.account_id and c.livemode = k.livemode
         where k.product_id = $1 order by k.id
        """,
        product_id,
    )
    return Selling(**dict(row), links=tuple(PaymentLink(**dict(link)) for link in links))


async def choose(
    connection: Connection,
    product_id: str,
    *,
    enabled: bool,
    price: str | None = None,
    promotion_codes: bool | None = None,
) -> None:
    """Turn a product's checkout on with one price, or off.

    A price that had a link before gets the same link again, reactivated. The caller opens the
    transaction and has the links settled afterwards. Raises `CheckoutError`.
    """
    audit_draft.note(after={"checkout": enabled, "price": price})
    codes = await _settle_codes(connection, product_id, promotion_codes)
    if not enabled:
        await _want_none(connection, product_id)
        await connection.execute(
            """
            update products set purchase_method = 'none'
             where id = $1 and purchase_method = 'checkout' and checkout_target = 'stripe'
            """,
            product_id,
        )
        return
    account, price_id = await _price_to_sell(connection, product_id, price)
    await _want(connection, product_id, price_id, account=account, codes=codes)
    await connection.execute(
        """
        update products
           set checkout_target = 'stripe', updated_at = now(),
               purchase_method = case purchase_method when 'none' then 'checkout'
                                 else purchase_method end
         where id = $1
        """,
        product_id,
    )


async def _settle_codes(connection: Connection, product_id: str, wanted: bool | None) -> bool:
    """Whether the product's checkout takes promotion codes; None leaves that as it is. Locks the
    product."""
    product = await connection.fetchrow(
        "select id, promotion_codes from products where id = $1 for update", product_id
    )
    if product is None:
        raise CheckoutError(f"there is no product {product_id}")
    codes: bool = product["promotion_codes"] if wanted is None else wanted
    if codes != product["promotion_codes"]:
        await connection.execute(
            "update products set promotion_codes = $2 where id = $1", product_id, codes
        )
    return codes


async def sell(
    connection: Connection,
    product_id: str,
    *,
    purchase_method: str,
    checkout_target: str,
    external_url: str | None,
    show_locked: bool,
) -> None:
    """Change how a product is sold, apart from its payment link."""
    audit_draft.note_changes(
        vars(await selling(connection, product_id)),
        {
            "purchase_method": purchase_method,
            "checkout_target": checkout_target,
            "external_url": external_url,
            "show_locked": show_locked,
        },
    )
    await connection.execute(
        """
        update products set purchase_method = $2, checkout_target = $3, external_url = $4,
               show_locked = $5, updated_at = now() where id = $1
        """,
        product_id,
        purchase_method,
        checkout_target,
        external_url,
        show_locked,
    )


async def drop(connection: Connection, product_id: str) -> None:
    """Stop selling by payment link, because the product is no longer linked to what it sells."""
    await choose(connection, product_id, enabled=False)


async def _want(
    connection: Connection, product_id: str, price_id: str, *, account: Account, codes: bool
) -> None:
    """Want the price's payment link, and no other of the product's."""
    await connection.execute(
        """
        update payment_links set wanted = false, settled = not active, told_at = null
         where product_id = $1 and wanted
           and (price_id, account_id, livemode) is distinct from ($2, $3, $4::boolean)
        """,
        product_id,
        price_id,
        account.id,
        account.livemode,
    )
    await connection.execute(
        """
        insert into payment_links (product_id, account_id, livemode, price_id, promotion_codes)
        values ($1, $2, $3, $4, $5)
        on conflict (product_id, account_id, livemode, price_id) do update
           set wanted = true, error = null, told_at = null,
               settled = payment_links.active
                         and payment_links.promotion_codes = excluded.promotion_codes
        """,
        product_id,
        account.id,
        account.livemode,
        price_id,
        codes,
    )


async def _want_none(connection: Connection, product_id: str) -> None:
    await connection.execute(
        """
        update payment_links set wanted = false, settled = not active, told_at = null
         where product_id = $1 and wanted
        """,
        product_id,
    )


async def _price_to_sell(
    connection: Connection, product_id: str, price: str | None
) -> tuple[Account, str]:
    row = await connection.fetchrow(
        """
        select c.account_id, c.livemode, l.stripe_product,
               (select price_id from payment_links where product_id = $1 and wanted) as present
          from stripe_connection c
          left join links l on l.product_id = $1 and l.removed_at is null
         where c.state = 'connected'
        """,
        product_id,
    )
    if row is None:
        raise CheckoutError("Stripe isn't connected: connect it on the Connectors page first")
    if row["stripe_product"] is None:
        raise CheckoutError(
            "the product isn't linked to a Stripe product: link it first, then choose one of that"
            " product's prices"
        )
    wanted = price or row["present"]
    if wanted is None:
        raise CheckoutError("choose the price that the checkout sells")
    known = await connection.fetchrow(
        "select stripe_product, active from prices where id = $1 and account_id = $2",
        wanted,
        row["account_id"],
    )
    if known is None or known["stripe_product"] != row["stripe_product"]:
        raise UnknownPriceError(
            f"{wanted} isn't a price of the linked Stripe product: choose one of its prices, or"
            " refresh the list if the price is new"
        )
    if not known["active"]:
        raise CheckoutError(f"the price {wanted} is archived in Stripe: choose an active one")
    return Account(row["account_id"], row["livemode"]), wanted


async def waiting(connection: Connection, *, limit: int) -> list[str]:
    """Products whose payment links aren't as chosen yet and whose workflow hasn't been notified
    within `TELL_AGAIN`."""
    rows = await connection.fetch(
        """
        select distinct product_id from payment_links
         where not settled and (told_at is null or told_at < now() - $2::interval) limit $1
        """,
        limit,
        TELL_AGAIN,
    )
    return [row["product_id"] for row in rows]


async def mark_told(connection: Connection, product_id: str) -> None:
    await connection.execute(
        "update payment_links set told_at = now() where product_id = $1 and not settled", product_id
    )


@dataclass(frozen=True)
class PaymentLinkJob:
    """A payment link to create or change in Stripe; `codes` says whether it allows promotion
    codes."""

    link: PaymentLink
    recurring: bool
    codes: bool


async def jobs(
    connection: Connection, product_id: str, *, account: Account
) -> list[PaymentLinkJob]:
    """The product's links that differ from what was chosen, those to activate first."""
    rows = await connection.fetch(
        f"""
        select {", ".join("k." + name.strip() for name in _LINK.split(","))},
               coalesce(r.type = 'recurring', false) as recurring, p.promotion_codes as codes
          from payment_links k
          join products p on p.id = k.product_id
          left join prices r on r.id = k.price_id
         where k.product_id = $1 and k.account_id = $2 and k.livemode = $3 and not k.settled
         order by k.wanted desc, k.id
        """,
        product_id,
        account.id,
        account.livemode,
    )
    found = []
    for row in rows:
        values: dict[str, Any] = dict(row)
        recurring, codes = values.pop("recurring"), values.pop("codes")
        found.append(PaymentLinkJob(PaymentLink(**values), recurring, codes))
    return found


async def opened(
    connection: Connection, link_id: int, *, stripe_id: str, url: str, codes: bool
) -> None:
    """Record that the link exists in Stripe and is active."""
    await connection.execute(
        """
        update payment_links set stripe_id = $2, url = $3, promotion_codes = $4, active = true,
               error = null, retired_at = null,
               settled = wanted and $4 = (select p.promotion_codes from products p
                                           where p.id = product_id)
         where id = $1
        """,
        link_id,
        stripe_id,
        url,
        codes,
    )


async def retired(connection: Connection, link_id: int) -> None:
    await connection.execute(
        """
        update payment_links set active = false, retired_at = now(), settled = not wanted
         where id = $1
        """,
        link_id,
    )


async def refused(connection: Connection, link_id: int, error: str) -> None:
    """Record why Stripe refused it. Choosing it again retries."""
    await connection.execute(
        "update payment_links set error = $2, settled = true where id = $1", link_id, error[:1000]
    )


async def pending_order(connection: Connection, *, user_id: int, product_id: str) -> bool:
    """Whether the user has a delayed payment for this product under way."""
    found: bool = await connection.fetchval(
        """
        select exists (
            select from orders o
              join order_lines i on i.order_id = o.id
              join links l on l.stripe_product = i.stripe_product and l.removed_at is null
             where o.user_id = $1 and o.state = 'pending' and l.product_id = $2)
        """,
        user_id,
        product_id,
    )
    return found


@dataclass(frozen=True)
class Bought:
    """The outcome of a checkout session: `state` is paid, pending, failed or none (not known yet).

    `products` are (slug, name) of the products it opened. `account` is the address of the user who
    has the purchase. `other_payer` is the address that paid, if it isn't proven to be that user's.
    """

    state: str
    user_id: int | None
    products: tuple[tuple[str, str], ...]
    account: str | None = None
    other_payer: str | None = None


async def bought(connection: Connection, session_id: str) -> Bought:
    """What is stored about a checkout session."""
    row = await connection.fetchrow(
        """
        select b.user_id, b.state, b.source_id, u.email as account
          from (select user_id, state, id as source_id from orders where id = $1
                union all
                select user_id, status, id from subscriptions where checkout_session = $1) b
          left join users u on u.id = b.user_id and u.erased_at is null
        """,
        session_id,
    )
    if row is None:
        return Bought("none", None, ())
    products = await connection.fetch(
        """
        select distinct p.slug, p.name from live_grants g join products p on p.id = g.product_id
         where (g.source_id = $1 or g.source_id = $2) and p.status = 'live'
         order by p.name
        """,
        row["source_id"],
        session_id,
    )
    opened_now = tuple((entry["slug"], entry["name"]) for entry in products)
    state = row["state"]
    if opened_now:
        state = "paid"
    elif state not in ("pending", "failed", "paid"):
        state = "none" if state in ("new", "open") else "closed"
    other_payer = await other_payers.unproven(connection, [row["source_id"], session_id])
    return Bought(state, row["user_id"], opened_now, row["account"], other_payer)
