"""What the team's search finds: people, products, and objects of Stripe by their ids. One query
each, at a cost independent of how many people there are."""

from dataclasses import dataclass
from enum import StrEnum

from latchkey.addresses import email_key
from latchkey.store.feed import text_search
from latchkey.store.pool import Connection
from latchkey.store.purchases.billing_lists import USERS_OF


@dataclass(frozen=True)
class FoundPerson:
    """`exact` people are found by a whole address of theirs, their id, or a Stripe id."""

    id: int
    email: str
    name: str | None
    role: str
    exact: bool


@dataclass(frozen=True)
class FoundProduct:
    id: str
    name: str
    status: str


class ObjectKind(StrEnum):
    CUSTOMER = "customer"
    SUBSCRIPTION = "subscription"
    PURCHASE = "purchase"
    EVENT = "event"


@dataclass(frozen=True)
class FoundObject:
    """An object of Stripe; `id` is its own, also where it was found by the id of its session,
    payment intent or invoice."""

    kind: ObjectKind
    id: str


async def people(
    connection: Connection, search: str, *, number: int | None, limit: int
) -> list[FoundPerson]:
    """The users whom a search finds by a part of their address or name, the newest first; before
    them those found exactly. `number` is the search as a user's id, if it can be one."""
    text = text_search.text_of(search)
    rows = await text_search.fetch_planned(
        connection,
        f"""
        with named as (
            {USERS_OF}
            union select id from users where email_key = $2
            union select user_id from user_addresses where email_key = $2
            union select user_id from customers where email_key = $2 and user_id is not null
            union select $3::bigint
            union select into_user from user_merges where from_user = $3),
        found as (
            (select u.*, true as exact from users u
              where u.id in (select user_id from named) order by u.id desc limit $5)
            union all
            (select u.*, false from users u
              where {text_search.matches("u", "$4", text)}
                and not exists (select from named n where n.user_id = u.id)
              order by u.id desc limit $5))
        select id, email, name, role, exact from found order by exact desc, id desc limit $5
        """,
        search,
        email_key(search),
        number,
        text,
        limit,
    )
    return [FoundPerson(**dict(row)) for row in rows]


async def products(connection: Connection, search: str, *, limit: int) -> list[FoundProduct]:
    """The products with this text in their name or slug, or with this id, or linked to the Stripe
    product, or to that of the price, with this id. Names that begin with the text come first."""
    rows = await connection.fetch(
        """
        select p.id, p.name, p.status from products p
         where position(lower($1) in lower(p.name || ' ' || p.slug)) > 0 or p.id = $1
            or p.id in (select l.product_id from links l
                         where l.removed_at is null
                           and l.stripe_product in (
                               select $1 union select stripe_product from prices where id = $1))
         order by starts_with(lower(p.name), lower($1)) desc, lower(p.name), p.id limit $2
        """,
        search,
        limit,
    )
    return [FoundProduct(**dict(row)) for row in rows]


async def objects(connection: Connection, stripe_id: str, *, limit: int) -> list[FoundObject]:
    """The customer, subscription, purchase or event that a Stripe id names."""
    rows = await connection.fetch(
        """
        select 'customer' as kind, id from customers where id = $1
        union select 'subscription', id from subscriptions where id = $1
        union select 'subscription', id from subscriptions where checkout_session = $1
        union select 'subscription', subscription_id from bills where id = $1
        union select 'purchase', id from orders where id = $1
        union select 'purchase', id from orders where payment_intent = $1
        union select 'purchase', id from orders where invoice = $1
        union select 'event', id from events where id = $1
        order by kind, id limit $2
        """,
        stripe_id,
        limit,
    )
    return [FoundObject(ObjectKind(row["kind"]), row["id"]) for row in rows]
