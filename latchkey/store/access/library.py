"""The library: the products a person may open, and those they could get."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from latchkey.languages import N_
from latchkey.rules.remedies import Remedy, remedy
from latchkey.store.pool import Connection

PAGE = 60


class CardPrice(NamedTuple):
    """`unit_amount` is in the currency's minor unit, None if it varies."""

    unit_amount: int | None
    currency: str
    interval: str | None
    interval_count: int | None


@dataclass(frozen=True)
class Card:
    """A live product as one person sees it.

    `state` is owned, ending (`until` is known), problem (a payment failed) or locked. The price is
    the checkout's, otherwise the cheapest active one; `unit_amount` is in the currency's minor
    unit. `problem` is the subscription whose payment failed, `unfinished` the status of the newest
    one that isn't over, with its `pause_reason`. `sold` says whether people without
    access can buy it, `interrupted` that it is on sale but can't be bought now, because of a change
    in Stripe, and `had` whether this person had access before. `through` is the name of another
    product that opens this one: that by which the person has it or, if they don't, that it can be
    bought with. `opens_collection` is the collection that comes with this one.
    """

    id: str
    slug: str
    name: str
    description: str
    image_url: str | None
    access_mode: str
    owned: bool
    until: datetime | None
    problem: str | None
    cancelled: bool
    unfinished: str | None
    pause_reason: str | None
    sold: bool
    interrupted: bool
    had: bool
    through: str | None
    opens_collection: str | None
    purchase_method: str
    checkout_target: str
    has_sales_page: bool
    unit_amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    offered: list[dict[str, Any]]

    @property
    def further_prices(self) -> list[CardPrice]:
        """What else it can be bought for, in order."""
        return [CardPrice(**price) for price in self.offered[1:]]

    @property
    def state(self) -> str:
        if self.owned and self.problem:
            return "problem"
        if self.owned:
            return "ending" if self.until else "owned"
        return "problem" if self.problem else "locked"

    @property
    def remedy(self) -> Remedy | None:
        """What mends this person's subscription of the product; None if nothing has to be."""
        if self.problem:
            return Remedy.CARD
        if self.unfinished is None:
            return None
        return remedy(self.unfinished, ends=self.cancelled, pause_reason=self.pause_reason)

    @property
    def cursor(self) -> str:
        """The cursor of the page after this card."""
        return f"{0 if self.owned else 1}:{self.name.lower()}:{self.id}"

    @property
    def verb(self) -> str | None:
        """The label of a locked card's action; None if it isn't sold here."""
        if not self.sold:
            return None
        if self.access_mode == "signed_in":
            return N_("Sign in to open")
        if self.purchase_method == "sales_page" and self.has_sales_page:
            return N_("Learn more")
        if self.checkout_target == "external":
            return N_("Get it")
        if len(self.offered) > 1:
            return N_("See prices")
        return N_("Subscribe") if self.interval else N_("Buy")


_CARDS = """
with mine as (
    select g.product_id, bool_or(g.until is null) as endless, max(g.until) as until,
           min(o.name) as opener
      from live_grants g
      left join products o
        on g.source = 'product' and o.id = substring(g.source_id from '^(.*)/')
     where g.user_id = $1
     group by g.product_id
), trouble as (
    select l.product_id, min(s.id) filter (where s.status in ('past_due', 'unpaid')) as problem,
           bool_or(s.scheduled_end is not null) as cancelled,
           (array_agg(s.status order by s.created_at desc)
              filter (where s.scheduled_end is null or s.scheduled_end > now()))[1] as unfinished,
           (array_agg(s.pause_reason order by s.created_at desc)
              filter (where s.scheduled_end is null or s.scheduled_end > now()))[1] as pause_reason
      from subscriptions s
      join subscription_items i on i.subscription_id = s.id
      join links l on l.stripe_product = i.stripe_product and l.removed_at is null
     where s.user_id = $1 and s.ended_at is null
     group by l.product_id
), sold_how as (
    select p.*,
           case p.checkout_target
           when 'external' then p.external_url is not null
           when 'payment_link' then exists (select from payment_link_states k
                                             where k.product_id = p.id and k.open)
           else exists (select from offer_states o
                         where o.product_id = p.id and o.obstacle is null)
           end as leads_somewhere,
           exists (select from interrupted_sales i where i.product_id = p.id) as interrupted,
           exists (select from sales_pages s
                    where s.product_id = p.id and s.status = 'live') as has_sales_page
      from products p
     where p.status = 'live' and ($3::text is null or $3 in (p.id, p.slug))
), cards as (
    select p.id, p.slug, p.name, p.description, p.image_url, p.access_mode,
           (m.product_id is not null or p.access_mode = 'public'
            or (p.access_mode = 'signed_in' and $1::bigint is not null)) as owned,
           case when p.access_mode = 'assigned' and not m.endless then m.until end as until,
           m.opener, t.problem, coalesce(t.cancelled, false) as cancelled,
           t.unfinished, t.pause_reason,
           p.purchase_method, p.checkout_target, p.show_locked, p.has_sales_page,
           p.opens_collection,
           p.access_mode = 'signed_in'
           or p.purchase_method = 'sales_page' and p.has_sales_page and not p.interrupted
           or p.purchase_method <> 'none' and p.leads_somewhere as sold,
           p.interrupted,
           exists (select from grants g where g.user_id = $1 and g.product_id = p.id) as had
      from sold_how p
      left join mine m on m.product_id = p.id
      left join trouble t on t.product_id = p.id
     where ($2::text is null
            or position(lower($2) in lower(p.name || ' ' || p.description)) > 0)
       and ($4::bigint is null
            or exists (select from product_categories q
                        where q.product_id = p.id and q.category_id = $4))
)
select c.id, c.slug, c.name, c.description, c.image_url, c.access_mode, c.owned, c.until,
       c.problem, c.cancelled, c.unfinished, c.pause_reason, c.sold, c.interrupted, c.had,
       case when c.owned then c.opener
            else (select min(o.name) from collection_products i
                    join products o on o.opens_collection = i.collection_id
                   where i.product_id = c.id and o.status = 'live'
                     and o.purchase_method <> 'none') end as through,
       c.opens_collection, c.purchase_method, c.checkout_target, c.has_sales_page,
       r.unit_amount, r.currency,
       r.interval, r.interval_count,
       coalesce((select jsonb_agg(jsonb_build_object(
                            'unit_amount', e.unit_amount, 'currency', e.currency,
                            'interval', e.interval, 'interval_count', e.interval_count)
                        order by o.position, o.created_at, o.price_id)
                   from offer_states o join prices e on e.id = o.price_id
                  where o.product_id = c.id and o.obstacle is null and c.sold and not c.owned
                    and c.checkout_target = 'stripe'), '[]') as offered
  from (select * from cards c {shelf}) c
  left join lateral (
        select r.unit_amount, r.currency, r.interval, r.interval_count
          from prices r
          left join offers o on o.price_id = r.id and o.product_id = c.id
         where not c.owned and c.checkout_target <> 'external' and c.purchase_method <> 'none'
           and not c.interrupted
           and r.active
           and (o.price_id is not null
                or r.stripe_product = (
                        select l.stripe_product from links l
                         where l.product_id = c.id and l.removed_at is null))
         order by o.position nulls last, o.created_at, r.unit_amount nulls last, r.id
         limit 1) r on true
"""
_ORDER = "order by case when c.owned then 0 else 1 end, lower(c.name), c.id"
_ONE = _CARDS.format(shelf="")
_SHELF = (
    _CARDS.format(
        shelf=f"""
     where (c.owned or c.problem is not null or c.unfinished in ('paused', 'incomplete')
            or (c.show_locked and (c.sold or c.interrupted or c.had)))
       and ($5::integer is null or (case when c.owned then 0 else 1 end, lower(c.name), c.id)
                                   > ($5, $6::text, $7::text))
     {_ORDER} limit $8"""
    )
    + _ORDER
)


async def cards(
    connection: Connection,
    user_id: int | None,
    *,
    search: str | None = None,
    category: int | None = None,
    after: str | None = None,
    limit: int = PAGE,
) -> list[Card]:
    """What the user (None: a visitor) may open, then what they could get, each by name.

    Products they can't get are left out, since a card that leads nowhere is useless; but products
    they had before stay on the shelf.

    `after` is the `cursor` of the previous page's last card; anything else starts at the beginning.
    """
    rank, name, product_id = _place(after)
    rows = await connection.fetch(
        _SHELF, user_id, search or None, None, category, rank, name, product_id, limit
    )
    return [Card(**dict(row)) for row in rows]


async def card(connection: Connection, user_id: int | None, product: str) -> Card | None:
    """One live product, by id or slug, as the user sees it, whether or not it is on the shelf."""
    row = await connection.fetchrow(_ONE, user_id, None, product, None)
    return Card(**dict(row)) if row else None


async def categories(connection: Connection) -> list[tuple[int, str]]:
    """Ids and names of the categories that contain a live product, in order."""
    rows = await connection.fetch(
        """
        select c.id, c.name from categories c
         where exists (select from product_categories q join products p on p.id = q.product_id
                        where q.category_id = c.id and p.status = 'live')
         order by c.position, c.id
        """
    )
    return [(row["id"], row["name"]) for row in rows]


def _place(after: str | None) -> tuple[int | None, str | None, str | None]:
    rank, _, rest = (after or "").partition(":")
    name, _, product_id = rest.rpartition(":")
    if rank not in ("0", "1") or not product_id or "\x00" in rest:
        return None, None, None
    return int(rank), name, product_id
