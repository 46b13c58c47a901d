"""How a product is sold: its purchase method, its offers and its payment links."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from latchkey.languages import _
from latchkey.rules.access import LIVE_STATUSES
from latchkey.rules.remedies import Remedy, remedy
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.products import offers
from latchkey.store.products.offers import NewOffer, Offer
from latchkey.store.purchases import other_payers
from latchkey.store.stripe.context import Account

METHODS = ("none", "sales_page", "checkout")
TARGETS = ("stripe", "payment_link", "external")
TELL_AGAIN = timedelta(minutes=1)
SESSION_OPEN = timedelta(days=1)
"""For how long at most a session that a payment link opened can be paid."""

LOOK_AGAIN = timedelta(days=1)
"""How often what is sold is read from Stripe, whatever events said."""


class Obstacle(StrEnum):
    """Why a price or payment link can't be paid, as Stripe was last read. The views `offer_states`
    and `payment_link_states` decide."""

    PRODUCT_DELETED = "product_deleted"
    PRODUCT_ARCHIVED = "product_archived"
    PRICE_ARCHIVED = "price_archived"
    LINK_OFF = "link_off"
    LINK_SPENT = "link_spent"
    LINK_REFUSED = "link_refused"


class CheckoutError(Exception):
    """Checkout can't be set up like this. The message says what to do."""


class UnknownPriceError(CheckoutError):
    """The mirror has no such price for the linked Stripe product; refreshing it may help."""


@dataclass(frozen=True)
class PaymentLink:
    """A payment link: `active`, to be created, or deactivated. `error` is Stripe's refusal. `open`
    says whether buyers can pay by it; `obstacle` what keeps them from it."""

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
    open: bool
    obstacle: Obstacle | None


@dataclass(frozen=True)
class Selling:
    """How a product is sold. `stripe_product` is the linked one, None without a link. `obstacle` is
    what keeps buyers from the checkout that was chosen for them."""

    product_id: str
    purchase_method: str
    checkout_target: str
    external_url: str | None
    promotion_codes: bool
    show_locked: bool
    one_trial: bool
    stripe_product: str | None
    sales_page: str | None
    obstacle: Obstacle | None
    links: tuple[PaymentLink, ...]
    offers: tuple[Offer, ...]

    @property
    def wanted(self) -> PaymentLink | None:
        """The chosen payment link, whether or not it has been created yet."""
        return next((link for link in self.links if link.wanted), None)

    @property
    def open_link(self) -> PaymentLink | None:
        """The link that can be paid: the chosen one, or the previous one until that is ready."""
        there = [link for link in self.links if link.open and link.url]
        return max(there, key=lambda link: (link.wanted, link.id), default=None)

    @property
    def sellable(self) -> tuple[Offer, ...]:
        """The offers that Stripe sells, as far as is known."""
        return tuple(offer for offer in self.offers if offer.sellable)

    @property
    def leads_somewhere(self) -> bool:
        """Whether buyers reach a checkout, here or elsewhere."""
        if self.purchase_method == "none":
            return False
        match self.checkout_target:
            case "external":
                return self.external_url is not None
            case "payment_link":
                return self.open_link is not None
        return bool(self.sellable)


_LINK = (
    "k.id, k.product_id, k.price_id, k.wanted, k.stripe_id, k.url, k.active, k.promotion_codes,"
    " k.error, k.created_at, n.open, n.obstacle"
)


async def selling(connection: Connection, product_id: str) -> Selling:
    """How the product is sold. Raises `KeyError` for an unknown product."""
    row = await connection.fetchrow(
        """
        select p.id as product_id, p.purchase_method, p.checkout_target, p.external_url,
               p.promotion_codes, p.show_locked, p.one_trial, l.stripe_product,
               s.status as sales_page, i.obstacle,
               exists (select from payment_links where product_id = p.id) as linked
          from products p
          left join links l on l.product_id = p.id and l.removed_at is null
          left join sales_pages s on s.product_id = p.id
          left join interrupted_sales i on i.product_id = p.id
         where p.id = $1
        """,
        product_id,
    )
    if row is None:
        raise KeyError(product_id)
    values = dict(row)
    links = await _links(connection, product_id) if values.pop("linked") else ()
    return Selling(
        **values | {"obstacle": _obstacle(row["obstacle"])},
        links=links,
        offers=await offers.of_product(connection, product_id),
    )


async def _links(connection: Connection, product_id: str) -> tuple[PaymentLink, ...]:
    rows = await connection.fetch(
        f"""
        select {_LINK} from payment_links k join payment_link_states n on n.id = k.id
         where k.product_id = $1 order by k.id
        """,
        product_id,
    )
    return tuple(_payment_link(dict(row)) for row in rows)


async def selling_to(connection: Connection, product_id: str, user_id: int | None) -> Selling:
    """How the product is sold to this user: without free days, if they had some and the product
    gives them once. Raises `KeyError` for an unknown product."""
    now = await selling(connection, product_id)
    trials = any(offer.trial_days for offer in now.offers)
    if user_id is None or not (now.one_trial and trials):
        return now
    if not await _had_trial(connection, product_id, user_id):
        return now
    return replace(now, offers=tuple(replace(offer, trial_days=None) for offer in now.offers))


async def _had_trial(connection: Connection, product_id: str, user_id: int) -> bool:
    found: bool = await connection.fetchval(
        """
        select exists (
            select from subscriptions s
              join subscription_items i on i.subscription_id = s.id
              join links l on l.stripe_product = i.stripe_product and l.removed_at is null
             where s.user_id = $2 and s.trial_end is not null and l.product_id = $1)
        """,
        product_id,
        user_id,
    )
    return found


def _payment_link(row: dict[str, Any]) -> PaymentLink:
    return PaymentLink(**row | {"obstacle": _obstacle(row["obstacle"])})


def _obstacle(stored: str | None) -> Obstacle | None:
    return Obstacle(stored) if stored else None


@dataclass(frozen=True)
class InterruptedSale:
    """A live product that is on sale here but can't be bought at the moment."""

    product_id: str
    name: str
    obstacle: Obstacle


async def interrupted(connection: Connection, *, limit: int) -> list[InterruptedSale]:
    """The live products that nobody can buy although they are on sale, by name."""
    rows = await connection.fetch(
        """
        select p.id, p.name, i.obstacle
          from interrupted_sales i join products p on p.id = i.product_id
         where p.status = 'live' order by lower(p.name), p.id limit $1
        """,
        limit,
    )
    return [InterruptedSale(row["id"], row["name"], Obstacle(row["obstacle"])) for row in rows]


@dataclass(frozen=True)
class RefusedSale:
    """A live product whose checkout Stripe last refused to open, and Stripe's reason."""

    product_id: str
    name: str
    error: str


async def refused_sales(connection: Connection, *, limit: int) -> list[RefusedSale]:
    """The live products whose checkout Stripe last refused to open, by name."""
    rows = await connection.fetch(
        """
        select p.id as product_id, p.name, min(f.error) as error
          from refused_sales f join products p on p.id = f.product_id
         where p.status = 'live' group by p.id order by lower(p.name), p.id limit $1
        """,
        limit,
    )
    return [RefusedSale(**dict(row)) for row in rows]


async def choose(
    connection: Connection,
    product_id: str,
    *,
    enabled: bool,
    price: str | None = None,
    prices: Sequence[NewOffer] | None = None,
    promotion_codes: bool | None = None,
    payment_link: bool = True,
) -> None:
    """Turn a product's checkout on, or off. `payment_link` asks for a payment link of `price` as
    well, by default of the first one.

    `prices` are all that are offered. Without them, a `price` that is offered already leaves the
    others alone, and any other takes their place. A price that had a link before gets the same link
    again, reactivated. The caller opens the transaction and has the links settled afterwards.
    Raises `CheckoutError`.
    """
    audit_draft.note(after={"checkout": enabled, "price": price, "payment_link": payment_link})
    codes = await _settle_codes(connection, product_id, promotion_codes)
    if not enabled:
        await _want_none(connection, product_id)
        await offers.withdraw_all(connection, product_id)
        await connection.execute(
            """
            update products set purchase_method = 'none'
             where id = $1 and purchase_method = 'checkout' and checkout_target <> 'external'
            """,
            product_id,
        )
        return
    if prices is not None:
        price = price or next((one.price_id for one in prices), None)
    account, price_id = await _price_to_sell(connection, product_id, price)
    offered = await offers.of_product(connection, product_id)
    if prices is None:
        known = [one for one in offered if one.price_id == price_id]
        prices = offered if known else [NewOffer(price_id)]
    await _offer(connection, product_id, prices, account=account)
    if payment_link:
        await _want(connection, product_id, price_id, account=account, codes=codes)
    else:
        await _want_none(connection, product_id)
    await connection.execute(
        """
        update products
           set checkout_target = case when checkout_target = 'payment_link' and $2
                                 then 'payment_link' else 'stripe' end,
               purchase_method = case purchase_method when 'none' then 'checkout'
                                 else purchase_method end,
               updated_at = now()
         where id = $1
        """,
        product_id,
        payment_link,
    )


async def offer(connection: Connection, product_id: str, prices: Sequence[NewOffer]) -> None:
    """Offer these prices, in this order. A payment link stays as it is if its price is among them,
    and is closed otherwise. The caller opens the transaction. Raises `CheckoutError`."""
    if not prices:
        await choose(connection, product_id, enabled=False)
        return
    now = await selling(connection, product_id)
    linked = now.wanted.price_id if now.wanted else None
    keep = linked in [one.price_id for one in prices]
    await choose(
        connection,
        product_id,
        enabled=True,
        price=linked if keep else None,
        prices=prices,
        payment_link=keep,
    )


async def _offer(
    connection: Connection, product_id: str, prices: Sequence[NewOffer], *, account: Account
) -> None:
    if len(prices) > offers.MOST_OFFERS:
        raise CheckoutError(_("offer at most %(most)s prices", most=offers.MOST_OFFERS))
    ids = [one.price_id for one in prices]
    if len(ids) != len(set(ids)):
        raise CheckoutError(_("offer each price once"))
    if sum(one.featured for one in prices) > 1:
        raise CheckoutError(_("mark one price as the most popular, not several"))
    for one in prices:
        _account, price_id = await _price_to_sell(connection, product_id, one.price_id)
        if one.trial_days is not None:
            await _check_trial(connection, price_id)
    await offers.offer(
        connection, product_id, [_without_price(one) for one in prices], account=account
    )


def _without_price(one: NewOffer) -> NewOffer:
    return NewOffer(**{field.name: getattr(one, field.name) for field in fields(NewOffer)})


async def _check_trial(connection: Connection, price_id: str) -> None:
    recurring = await connection.fetchval(
        "select type = 'recurring' from prices where id = $1", price_id
    )
    if not recurring:
        raise CheckoutError(
            _("%(price)s is paid once, so it can't be free at first", price=price_id)
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
    one_trial: bool,
) -> None:
    """Change how a product is sold, apart from its payment link."""
    audit_draft.note_changes(
        vars(await selling(connection, product_id)),
        {
            "purchase_method": purchase_method,
            "checkout_target": checkout_target,
            "external_url": external_url,
            "show_locked": show_locked,
            "one_trial": one_trial,
        },
    )
    await connection.execute(
        """
        update products set purchase_method = $2, checkout_target = $3, external_url = $4,
               show_locked = $5, one_trial = $6, updated_at = now() where id = $1
        """,
        product_id,
        purchase_method,
        checkout_target,
        external_url,
        show_locked,
        one_trial,
    )


async def drop(connection: Connection, product_id: str) -> None:
    """Stop selling by Stripe, because the product is no longer linked to what it sells. What buyers
    opened by its payment links is closed too, so those that were active lately are settled
    again."""
    await choose(connection, product_id, enabled=False)
    await connection.execute(
        """
        update payment_links set settled = false, told_at = null
         where product_id = $1 and settled and retired_at > now() - $2::interval
           and stripe_id is not null
        """,
        product_id,
        SESSION_OPEN,
    )


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
               (select price_id from offers o
                 where o.product_id = $1 and o.account_id = c.account_id
                   and o.livemode = c.livemode
                 order by o.position, o.created_at, o.price_id limit 1) as present
          from stripe_connection c
          left join links l on l.product_id = $1 and l.removed_at is null
         where c.state = 'connected'
        """,
        product_id,
    )
    if row is None:
        raise CheckoutError(_("Stripe isn't connected: connect it on the Connectors page first"))
    if row["stripe_product"] is None:
        raise CheckoutError(
            _(
                "the product isn't linked to a Stripe product: link it first, then choose one of"
                " that product's prices"
            )
        )
    wanted = price or row["present"]
    if wanted is None:
        raise CheckoutError(_("choose the price that the checkout sells"))
    known = await connection.fetchrow(
        """
        select r.stripe_product, r.active, s.active as product_active, s.deleted
          from prices r left join stripe_products s on s.id = r.stripe_product
         where r.id = $1 and r.account_id = $2
        """,
        wanted,
        row["account_id"],
    )
    if known is None or known["stripe_product"] != row["stripe_product"]:
        raise UnknownPriceError(
            _(
                "%(price)s isn't a price of the linked Stripe product: choose one of its prices, or"
                " refresh the list if the price is new",
                price=wanted,
            )
        )
    if known["deleted"]:
        raise CheckoutError(
            _("the Stripe product was deleted in Stripe: link the product to another one first")
        )
    if known["product_active"] is False:
        raise CheckoutError(
            _(
                "the Stripe product is archived in Stripe: unarchive it there, or link the product"
                " to another one"
            )
        )
    if not known["active"]:
        raise CheckoutError(
            _("the price %(price)s is archived in Stripe: choose an active one", price=wanted)
        )
    return Account(row["account_id"], row["livemode"]), wanted


async def waiting(connection: Connection, *, limit: int) -> list[str]:
    """Products whose payment links aren't as chosen yet, or that have sessions to close, and whose
    workflow hasn't been notified within `TELL_AGAIN`, and those on sale that haven't been looked
    at within `LOOK_AGAIN`."""
    rows = await connection.fetch(
        """
        select product_id from payment_links
         where not settled and (told_at is null or told_at < now() - $2::interval)
        union
        select a.product_id from checkout_attempts a join products p on p.id = a.product_id
         where a.orphaned and p.sale_asked_at < now() - $2::interval
        union
        select p.id from products p
          join links l on l.product_id = p.id and l.removed_at is null
                      and l.stripe_product is not null
          join stripe_connection c on c.state = 'connected' and c.account_id = l.account_id
                                  and c.livemode = l.livemode
         where p.purchase_method <> 'none' and p.checkout_target <> 'external'
           and p.sale_read_at < now() - $3::interval and p.sale_asked_at < now() - $2::interval
         limit $1
        """,
        limit,
        TELL_AGAIN,
        LOOK_AGAIN,
    )
    return [row["product_id"] for row in rows]


async def mark_told(connection: Connection, product_id: str) -> None:
    """Record that the product's workflow was notified."""
    await connection.execute(
        "update payment_links set told_at = now() where product_id = $1 and not settled", product_id
    )
    await connection.execute("update products set sale_asked_at = now() where id = $1", product_id)


@dataclass(frozen=True)
class OnSale:
    """What a product sells, by Stripe's ids."""

    stripe_product: str
    payment_links: tuple[str, ...]


async def to_look_at(connection: Connection, product_id: str, *, account: Account) -> OnSale | None:
    """What is to be read from Stripe; None unless a look is due."""
    row = await connection.fetchrow(
        """
        select l.stripe_product,
               array(select k.stripe_id from payment_links k
                      where k.product_id = p.id and k.wanted and k.stripe_id is not null
                        and k.account_id = $2 and k.livemode = $3) as payment_links
          from products p join links l on l.product_id = p.id and l.removed_at is null
         where p.id = $1 and l.stripe_product is not null and p.sale_read_at < now() - $4::interval
           and l.account_id = $2 and l.livemode = $3
        """,
        product_id,
        account.id,
        account.livemode,
        LOOK_AGAIN,
    )
    return OnSale(row["stripe_product"], tuple(row["payment_links"])) if row else None


async def looked(connection: Connection, product_id: str) -> None:
    """Record that what the product sells was read from Stripe."""
    await connection.execute("update products set sale_read_at = now() where id = $1", product_id)


async def knows_link(connection: Connection, stripe_id: str) -> bool:
    """Whether a payment link of Stripe's is one of ours."""
    found: bool = await connection.fetchval(
        "select exists (select from payment_links where stripe_id = $1)", stripe_id
    )
    return found


async def mirror_link(
    connection: Connection, stripe_id: str, *, active: bool, spent: bool, ticket: int
) -> None:
    """Write whether buyers can pay by a payment link in Stripe, and whether it has made all its
    sales; an older reading changes nothing. One that isn't the chosen one stays closed here,
    whatever became of it in Stripe."""
    await connection.execute(
        """
        update payment_links
           set active = $2, ticket = $3, spent = $4,
               error = case when $2 then null else error end,
               retired_at = case when $2 then null else coalesce(retired_at, now()) end
         where stripe_id = $1 and ticket <= $3 and (wanted or not $2)
        """,
        stripe_id,
        active,
        ticket,
        spent,
    )


@dataclass(frozen=True)
class PaymentLinkJob:
    """A payment link to create or change in Stripe; `codes` says whether it allows promotion codes,
    and `orphaned` that its product isn't linked any more to what it sells."""

    link: PaymentLink
    recurring: bool
    codes: bool
    orphaned: bool


async def jobs(
    connection: Connection, product_id: str, *, account: Account
) -> list[PaymentLinkJob]:
    """The product's links that differ from what was chosen, those to activate first."""
    rows = await connection.fetch(
        f"""
        select {_LINK}, coalesce(r.type = 'recurring', false) as recurring,
               p.promotion_codes as codes,
               not exists (select from links l
                            where l.product_id = k.product_id and l.removed_at is null
                              and l.stripe_product = r.stripe_product) as orphaned
          from payment_links k
          join payment_link_states n on n.id = k.id
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
        more = {name: values.pop(name) for name in ("recurring", "codes", "orphaned")}
        found.append(PaymentLinkJob(_payment_link(values), **more))
    return found


async def opened(
    connection: Connection, link_id: int, *, stripe_id: str, url: str, codes: bool, ticket: int
) -> None:
    """Record that the link exists in Stripe and is active. `ticket` is from before the call."""
    await connection.execute(
        """
        update payment_links set stripe_id = $2, url = $3, promotion_codes = $4, active = true,
               spent = false, error = null, retired_at = null, ticket = greatest(ticket, $5),
               settled = wanted and $4 = (select p.promotion_codes from products p
                                           where p.id = product_id)
         where id = $1
        """,
        link_id,
        stripe_id,
        url,
        codes,
        ticket,
    )


async def retired(connection: Connection, link_id: int, *, ticket: int) -> None:
    """Record that the link is deactivated. `ticket` is from before the call."""
    await connection.execute(
        """
        update payment_links set active = false, retired_at = now(), settled = not wanted,
               ticket = greatest(ticket, $2)
         where id = $1
        """,
        link_id,
        ticket,
    )


async def refused(connection: Connection, link_id: int, error: str) -> None:
    """Record why Stripe refused it. Choosing it again retries."""
    await connection.execute(
        "update payment_links set error = $2, settled = true where id = $1", link_id, error[:1000]
    )


async def pending_of_address(connection: Connection, *, key: str, product_id: str) -> bool:
    """Whether somebody with this address has a delayed payment for this product under way; nobody
    has to have an account with it."""
    found: bool = await connection.fetchval(
        """
        select exists (
            select from orders o
              join order_lines i on i.order_id = o.id
              join links l on l.stripe_product = i.stripe_product and l.removed_at is null
             where o.state = 'pending' and l.product_id = $2
               and (o.email_key = $1
                    or o.customer_id = any(array(select id from customers where email_key = $1))))
        """,
        key,
        product_id,
    )
    return found


@dataclass(frozen=True)
class GuestSubscription:
    """A subscription by an address that nobody needs to have an account with."""

    id: str
    status: str


async def subscription_of_address(
    connection: Connection, *, key: str, product_id: str
) -> GuestSubscription | None:
    """The newest subscription of the product by this address that isn't over, whether it gives
    access or not."""
    row = await connection.fetchrow(
        """
        select s.id, s.status from subscriptions s
          join customers c on c.id = s.customer_id
          join stripe_connection k on k.account_id = s.account_id and k.livemode = s.livemode
         where c.email_key = $1 and s.ended_at is null and s.status = any($3::text[])
           and (s.scheduled_end is null or s.scheduled_end > now())
           and exists (select from subscription_items i
                         join links l on l.stripe_product = i.stripe_product
                              and l.removed_at is null
                        where i.subscription_id = s.id and l.product_id = $2)
         order by s.created_at desc limit 1
        """,
        key,
        product_id,
        sorted(LIVE_STATUSES),
    )
    return GuestSubscription(**dict(row)) if row else None


@dataclass(frozen=True)
class RunningSubscription:
    """A subscription of a product that isn't over. `yours` says whether its billing is open to the
    user, `other_payer` is the address that paid, if it isn't proven to be theirs."""

    id: str
    status: str
    ends: bool
    pause_reason: str | None
    yours: bool
    other_payer: str | None

    @property
    def remedy(self) -> Remedy | None:
        """What mends it, in place of buying again."""
        return remedy(self.status, ends=self.ends, pause_reason=self.pause_reason)


@dataclass(frozen=True)
class BoughtBefore:
    """What keeps a user from buying a product again: a delayed payment for it under way, or their
    newest subscription of it that isn't over, whether it gives access or not. One whose end has
    come is over, even if Stripe hasn't said so yet."""

    pending: bool
    running: RunningSubscription | None


async def bought_before(connection: Connection, *, user_id: int, product_id: str) -> BoughtBefore:
    """What the user has bought of the product already, in one query."""
    row = await connection.fetchrow(
        """
        select exists (select from orders o
                         join order_lines i on i.order_id = o.id
                         join links l on l.stripe_product = i.stripe_product
                              and l.removed_at is null
                        where o.user_id = $1 and o.state = 'pending' and l.product_id = $2)
                   as pending, r.*
          from (values (1)) always
          left join lateral (
               select s.id, s.status, s.scheduled_end is not null as ends, s.pause_reason,
                      c.billing_user is not distinct from s.user_id and not c.deleted as yours,
                      (select email from other_payers
                        where source_id = s.id and proven_at is null) as other_payer
                 from subscriptions s
                 join customers c on c.id = s.customer_id
                 join stripe_connection k on k.account_id = s.account_id
                      and k.livemode = s.livemode
                where s.user_id = $1 and s.ended_at is null and s.status = any($3::text[])
                  and (s.scheduled_end is null or s.scheduled_end > now())
                  and exists (select from subscription_items i
                                join links l on l.stripe_product = i.stripe_product
                                     and l.removed_at is null
                               where i.subscription_id = s.id and l.product_id = $2)
                order by s.created_at desc limit 1) r on true
        """,
        user_id,
        product_id,
        sorted(LIVE_STATUSES),
    )
    assert row is not None, "it joins to one row"
    found = dict(row)
    pending: bool = found.pop("pending")
    return BoughtBefore(pending, RunningSubscription(**found) if found["id"] else None)


@dataclass(frozen=True)
class Bought:
    """The outcome of a checkout session: `state` is paid, unpublished (it opened only products that
    aren't live), pending, failed, closed or none (not known yet).

    `products` are (slug, name) of the products it opened. `account` is the address of the user who
    has the purchase. `other_payer` is the address that paid, if it isn't proven to be that user's.
    `second` says whether the buyer has an earlier subscription of it that isn't over.
    """

    state: str
    user_id: int | None
    products: tuple[tuple[str, str], ...]
    account: str | None = None
    other_payer: str | None = None
    recurring: bool = False
    second: bool = False


async def bought(connection: Connection, session_id: str) -> Bought:
    """What is stored about a checkout session."""
    row = await connection.fetchrow(
        """
        select b.user_id, b.state, b.source_id, b.recurring, u.email as account,
               b.recurring and exists (select from subscription_pairs
                                        where id = b.source_id and second) as second
          from (select user_id, money_state as state, id as source_id, false as recurring
                  from orders where id = $1
                union all
                select user_id, status, id, true from subscriptions
                 where checkout_session = $1) b
          left join users u on u.id = b.user_id and u.erased_at is null
        """,
        session_id,
    )
    if row is None:
        return Bought("none", None, ())
    products = await connection.fetch(
        """
        select distinct p.slug, p.name, p.status = 'live' as published
          from live_grants g join products p on p.id = g.product_id
         where g.source_id = $1 or g.source_id = $2
         order by p.name
        """,
        row["source_id"],
        session_id,
    )
    opened_now = tuple((entry["slug"], entry["name"]) for entry in products if entry["published"])
    state = row["state"]
    if products:
        state = "paid" if opened_now else "unpublished"
    elif state not in ("pending", "failed", "paid"):
        state = "none" if state == "open" else "closed"
    other_payer = await other_payers.unproven(connection, [row["source_id"], session_id])
    return Bought(
        state,
        row["user_id"],
        opened_now,
        row["account"],
        other_payer,
        recurring=row["recurring"],
        second=row["second"],
    )
