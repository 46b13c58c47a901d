"""Collections: products that are granted together.

A holder of a collection has a grant of source `collection` for each of its products, including
products added later. A product may open a collection: whoever has a grant of it has one of source
`product` for each of the collection's products, which the database gives and ends with it
(`settle_opened`). The caller opens the transaction and wakes the relay.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from asyncpg import Record

from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.rules.vocabulary import ActivityType, Reason
from latchkey.store import audit_draft
from latchkey.store.access import complimentary
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.feed import bulk
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.products.products import UnknownProductError
from latchkey.store.stripe import wakeups


class CollectionError(Exception):
    """The collection can't be changed so. The message says why and what to do."""


@dataclass(frozen=True)
class Collection:
    """`products` are the ids of what is in it, `sold_as` those of the products that open it.
    `holders` counts the people who hold it, `buyers` those who have it by a product."""

    id: str
    name: str
    description: str
    products: list[str]
    sold_as: list[str]
    holders: int
    buyers: int
    created_at: datetime


@dataclass(frozen=True)
class Holder:
    """A person who has a collection; times in UTC."""

    id: int
    user_id: int
    email: str
    name: str | None
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class _Settled:
    """The rows of grants that ended, and of those that were made: `inserted`, or changed."""

    ended: list[Record]
    made: list[Record]

    def __add__(self, other: "_Settled") -> "_Settled":
        return _Settled([*self.ended, *other.ended], [*self.made, *other.made])


OPENER = "substring(g.source_id from '^(.*)/')"
"""The product that opened a grant `g` of source `product`, and below the grant of it."""
OPENED_BY = "substring(g.source_id from '/([0-9]+)$')::bigint"

_SELECT = """
select c.id, c.name, c.description, c.created_at,
       (select coalesce(array_agg(product_id order by added_at, product_id), '{}')
          from collection_products where collection_id = c.id) as products,
       (select coalesce(array_agg(id order by created_at, id), '{}')
          from products where opens_collection = c.id) as sold_as,
       (select count(*) from live_holders where collection_id = c.id) as holders,
       (select count(distinct g.user_id) from live_grants g join products p on p.id = g.product_id
         where p.opens_collection = c.id) as buyers
  from collections c
"""


async def listed(connection: Connection) -> list[Collection]:
    rows = await connection.fetch(f"{_SELECT} order by lower(c.name), c.id")
    return [Collection(**dict(row)) for row in rows]


async def find(connection: Connection, collection_id: str) -> Collection | None:
    row = await connection.fetchrow(f"{_SELECT} where c.id = $1", collection_id)
    return Collection(**dict(row)) if row else None


@dataclass(frozen=True)
class Unsellable:
    """Ids of products that open a collection, and of those that are in one."""

    openers: frozenset[str]
    contents: frozenset[str]


async def unsellable(connection: Connection) -> Unsellable:
    """What can't begin to open a collection."""
    openers = await connection.fetch("select id from products where opens_collection is not null")
    contents = await connection.fetch("select distinct product_id as id from collection_products")
    return Unsellable(*(frozenset(row["id"] for row in rows) for rows in (openers, contents)))


async def create(
    connection: Connection, *, name: str, description: str = "", products: Sequence[str] = ()
) -> Collection:
    """Create a collection. Raises `UnknownProductError`, `CollectionError`."""
    collection_id = f"col_{secrets.token_hex(8)}"
    await connection.execute(
        "insert into collections (id, name, description) values ($1, $2, $3)",
        collection_id,
        name,
        description,
    )
    await set_products(connection, collection_id, products, actor=None)
    found = await find(connection, collection_id)
    assert found is not None, "it was inserted above"
    return found


async def rename(
    connection: Connection, collection_id: str, *, name: str | None, description: str | None
) -> None:
    await connection.execute(
        """
        update collections set name = coalesce($2, name), description = coalesce($3, description)
         where id = $1
        """,
        collection_id,
        name,
        description,
    )


async def set_products(
    connection: Connection, collection_id: str, products: Sequence[str], *, actor: int | None
) -> None:
    """Set the collection's products: who has it gains added products and loses removed ones.

    Raises `UnknownProductError`, and `CollectionError` for a product that opens a collection.
    """
    wanted = list(dict.fromkeys(products))
    audit_draft.note(target=("collection", collection_id), after={"products": wanted})
    known = await connection.fetch(
        "select id, name, opens_collection from products where id = any($1::text[])", wanted
    )
    if missing := set(wanted) - {row["id"] for row in known}:
        raise UnknownProductError(f"there is no product {sorted(missing)[0]}")
    await _lock(connection, collection_id)
    await connection.execute(
        """
        delete from collection_products
         where collection_id = $1 and product_id <> all($2::text[])
        """,
        collection_id,
        wanted,
    )
    try:
        await connection.execute(
            """
            insert into collection_products (collection_id, product_id)
            select $1, unnest($2::text[]) on conflict do nothing
            """,
            collection_id,
            wanted,
        )
    except asyncpg.CheckViolationError:
        names = [row["name"] for row in known if row["opens_collection"]]
        raise CollectionError(
            _(
                "%(name)s opens a collection itself, so it can't be in one",
                name=names[0] if names else _("One of the products"),
            )
        ) from None
    people: int = await connection.fetchval(
        """
        select count(*) from (
            select user_id from live_holders where collection_id = $1
            union select g.user_id from live_grants g join products p on p.id = g.product_id
                   where p.opens_collection = $1) as people
        """,
        collection_id,
    )
    bulk_id = bulk.id_for(people)
    opened = await _settle_opened(
        connection, "g.ended_at is null and p.opens_collection = $1", collection_id, bulk_id
    )
    await settle(connection, collection_id, actor=actor, mail=True, bulk_id=bulk_id, opened=opened)


async def sell_as(
    connection: Connection, collection_id: str, product_id: str, *, actor: int | None
) -> None:
    """Have a product open the collection: whoever has the product has what is in the collection, as
    long as they have it. Doing it again changes nothing. The product's grants are locked before the
    collection: who is changing one doesn't know yet that it opens anything.

    Raises `UnknownProductError`, and `CollectionError` if the product opens another collection or
    is in one.
    """
    row = await connection.fetchrow(
        "select name, opens_collection from products where id = $1 for update", product_id
    )
    if row is None:
        raise UnknownProductError(f"there is no product {product_id}")
    if row["opens_collection"] == collection_id:
        return
    if row["opens_collection"] is not None:
        raise CollectionError(_("%(name)s opens another collection already", name=row["name"]))
    audit_draft.note(target=("collection", collection_id), after={"sold_as": product_id})
    await connection.execute(
        """
        select from grants where product_id = $1 and ended_at is null order by id for no key update
        """,
        product_id,
    )
    await _lock(connection, collection_id)
    try:
        await connection.execute(
            "update products set opens_collection = $2, updated_at = now() where id = $1",
            product_id,
            collection_id,
        )
    except asyncpg.CheckViolationError:
        raise CollectionError(
            _(
                "%(name)s is in a collection itself, so it can't open one: take it out first",
                name=row["name"],
            )
        ) from None
    await _settle_product(connection, collection_id, product_id, actor=actor)


async def stop_selling(
    connection: Connection, collection_id: str, product_id: str, *, actor: int | None
) -> bool:
    """Have a product no longer open the collection, which ends what it opened; False if it didn't
    open it."""
    found = await connection.fetchval(
        "select true from products where id = $1 and opens_collection = $2 for update",
        product_id,
        collection_id,
    )
    if not found:
        return False
    audit_draft.note(target=("collection", collection_id), before={"sold_as": product_id})
    await _lock(connection, collection_id)
    await connection.execute(
        "update products set opens_collection = null, updated_at = now() where id = $1", product_id
    )
    await _settle_product(connection, collection_id, product_id, actor=actor)
    return True


async def _settle_product(
    connection: Connection, collection_id: str, product_id: str, *, actor: int | None
) -> None:
    """Bring in line what a product opens after it began or ceased to open the collection."""
    people: int = await connection.fetchval(
        "select count(distinct user_id) from live_grants where product_id = $1", product_id
    )
    bulk_id = bulk.id_for(people)
    opened = await _settle_opened(
        connection, "g.ended_at is null and p.id = $1", product_id, bulk_id
    )
    await _tell_settled(
        connection, opened, collection_id, actor=actor, mail=True, bulk_id=bulk_id, created=0
    )


async def _settle_opened(
    connection: Connection, which: str, value: str | int, bulk_id: str | None
) -> _Settled:
    """Bring in line what the grants `g` open which are `which`, of the product `p`."""
    rows = await connection.fetch(
        f"""
        select s.grant_id as id, s.to_user as user_id, s.of_product as product_id, s.happened,
               s.happened = 'given' as inserted, s.inside as had_access, s.why as end_reason
          from settle_opened(
               (select array_agg(g.id) from grants g join products p on p.id = g.product_id
                 where {which}), $2) as s
         where s.happened <> 'moved'
        """,
        value,
        bulk.cause_of(bulk_id).value,
    )
    return _Settled(
        ended=[row for row in rows if row["happened"] == "ended"],
        made=[row for row in rows if row["happened"] == "given"],
    )


async def repair_opened(connection: Connection, source_ids: Sequence[str]) -> None:
    """Bring in line with their openers the grants of source `product` with these source ids."""
    rows = await connection.fetch(
        """
        select o.id, p.opens_collection from unnest($1::text[]) as given (source_id)
          join grants o on o.product_id || '/' || o.id = given.source_id
           and o.id = substring(given.source_id from '/([0-9]+)$')::bigint
          join products p on p.id = o.product_id
        """,
        list(source_ids),
    )
    for row in rows:
        opened = await _settle_opened(connection, "g.id = $1", row["id"], None)
        collection_id = row["opens_collection"] or ""
        await _tell_settled(
            connection, opened, collection_id, actor=None, mail=False, bulk_id=None, created=0
        )


async def lift_opened(connection: Connection, grant_id: int, *, actor: int | None) -> None:
    """Give again what a product opens, after the hold on such a grant was lifted: for the grant of
    the same purchase that lasts now. The caller has locked the collection (`lock_giver`)."""
    row = await connection.fetchrow(
        f"""
        select live.id, p.opens_collection
          from grants g
          join grants o on o.id = {OPENED_BY}
          join grants live
            on (live.user_id, live.product_id, live.source, live.source_id)
               = (o.user_id, o.product_id, o.source, o.source_id) and live.ended_at is null
          join products p on p.id = live.product_id and p.opens_collection is not null
         where g.id = $1
        """,
        grant_id,
    )
    if row:
        opened = await _settle_opened(connection, "g.id = $1", row["id"], None)
        await _tell_settled(
            connection,
            opened,
            row["opens_collection"],
            actor=actor,
            mail=False,
            bulk_id=None,
            created=0,
        )


async def delete(connection: Connection, collection_id: str, *, actor: int | None) -> None:
    """End everyone's access through it and delete it; the history of its grants stays. Raises
    `CollectionError` while a product opens it."""
    name = await connection.fetchval(
        "select name from products where opens_collection = $1 limit 1", collection_id
    )
    if name is not None:
        raise CollectionError(_("it is sold as %(name)s: stop selling it first", name=name))
    await set_products(connection, collection_id, [], actor=actor)
    await connection.execute(
        "delete from collection_holders where collection_id = $1", collection_id
    )
    await connection.execute("delete from collections where id = $1", collection_id)


async def give(
    connection: Connection,
    collection_id: str,
    wanted: Sequence[ComplimentaryGrant],
    *,
    actor: int | None,
    mail: bool = True,
) -> int:
    """Give everyone in `wanted` the collection, creating unknown users. Giving it again changes its
    end and reason. Returns how many people it was given to."""
    last = {email_key(grant.email): grant for grant in wanted}
    bulk_id = bulk.id_for(len(last))
    users, created = await complimentary.users_of(connection, last, actor=actor, bulk_id=bulk_id)
    rows = {
        users[key]: {"user_id": users[key], "until": grant.until, "reason": grant.reason}
        for key, grant in sorted(last.items())
    }
    await _lock(connection, collection_id)
    audit_draft.note(target=("collection", collection_id), after={"users": sorted(rows)})
    await connection.execute(
        """
        insert into collection_holders (collection_id, user_id, until, reason, granted_by)
        select $2, user_id, until, reason, $3::bigint
          from jsonb_to_recordset($1::jsonb) as g (user_id bigint, until timestamptz, reason text)
        on conflict (collection_id, user_id) where ended_at is null
           do update set until = excluded.until, reason = excluded.reason
        """,
        list(rows.values()),
        collection_id,
        actor,
    )
    await settle(
        connection,
        collection_id,
        actor=actor,
        mail=mail,
        users=list(rows),
        bulk_id=bulk_id,
        created=created,
    )
    if any(grant.until for grant in last.values()):
        await wakeups.add(connection, wakeups.ENDINGS, [""])
    return len(rows)


async def end(
    connection: Connection, collection_id: str, holder_id: int, *, actor: int | None
) -> bool:
    """Take the collection from a person, with the access it gave; False if there is no such
    holder."""
    await _lock(connection, collection_id)
    user = await connection.fetchval(
        """
        update collection_holders set ended_at = coalesce(ended_at, now())
         where id = $1 and collection_id = $2 returning user_id
        """,
        holder_id,
        collection_id,
    )
    if user is not None:
        audit_draft.note(before={"user": user})
        await settle(connection, collection_id, actor=actor, mail=False, users=[user])
    return user is not None


_HOLDERS = """
select h.id, h.user_id, u.email, u.name, h.since, h.until, h.ended_at, h.reason
  from live_holders h join users u on u.id = h.user_id
 where h.collection_id = $1
"""


async def holders(
    connection: Connection, collection_id: str, *, after: int | None = None, limit: int = 50
) -> list[Holder]:
    """The current holders of a collection, newest first."""
    rows = await connection.fetch(
        f"{_HOLDERS} and ($2::bigint is null or h.id < $2) order by h.id desc limit $3",
        collection_id,
        after,
        limit,
    )
    return [Holder(**dict(row)) for row in rows]


async def holder(connection: Connection, collection_id: str, email: str) -> Holder | None:
    """The holding of the person with this address, even if its end has passed."""
    row = await connection.fetchrow(
        """
        select h.id, h.user_id, u.email, u.name, h.since, h.until, h.ended_at, h.reason
          from collection_holders h join users u on u.id = h.user_id
         where h.collection_id = $1 and h.ended_at is null
           and u.id = coalesce((select id from users where email_key = $2),
                               (select user_id from user_addresses where email_key = $2))
        """,
        collection_id,
        email_key(email),
    )
    return Holder(**dict(row)) if row else None


async def _lock(connection: Connection, collection_id: str) -> None:
    """Lock a collection before changing it, its holders or its grants. Otherwise `settle` could
    restore what another transaction is ending."""
    await connection.execute("select from collections where id = $1 for update", collection_id)


async def lock_giver(connection: Connection, grant_id: int) -> None:
    """Lock the collection that gave a grant, or that was opened by it, if one was."""
    await connection.execute(
        f"""
        select from collections
         where id in (select g.source_id from grants g where g.id = $1 and g.source = 'collection'
                      union all
                      select p.opens_collection from grants g join products p on p.id = {OPENER}
                       where g.id = $1 and g.source = 'product')
           for update
        """,
        grant_id,
    )


async def lock_held(connection: Connection, user_ids: Sequence[int]) -> None:
    """Lock the collections that users hold, and keep those from changes that they have by a
    product."""
    await connection.execute(
        """
        select from collections
         where id in (select collection_id from collection_holders
                       where user_id = any($1::bigint[]) and ended_at is null)
         order by id for update
        """,
        list(user_ids),
    )
    await connection.execute(
        """
        select from collections
         where id in (select p.opens_collection from grants g join products p on p.id = g.product_id
                       where g.user_id = any($1::bigint[]) and g.ended_at is null)
         order by id for key share
        """,
        list(user_ids),
    )


async def settle(
    connection: Connection,
    collection_id: str,
    *,
    actor: int | None,
    mail: bool,
    users: Sequence[int] | None = None,
    bulk_id: str | None = None,
    created: int = 0,
    opened: _Settled | None = None,
) -> None:
    """Bring the collection's grants in line with its products and holders, except grants that an
    admin ended by hand; `users` limits it to theirs. The caller has locked the collection.
    `bulk_id` is the bulk change that this is part of, for which so many users were `created`, and
    `opened` what it changed for those who have the collection by a product."""
    ended = await _end_lost(connection, collection_id, users)
    made = await _give_missing(connection, collection_id, users, actor=actor, bulk_id=bulk_id)
    settled = _Settled(ended, made) + (opened or _Settled([], []))
    await _tell_settled(
        connection,
        settled,
        collection_id,
        actor=actor,
        mail=mail,
        bulk_id=bulk_id,
        created=created,
    )


async def _tell_settled(
    connection: Connection,
    settled: _Settled,
    collection_id: str,
    *,
    actor: int | None,
    mail: bool,
    bulk_id: str | None,
    created: int,
) -> None:
    """Write the lines and emails of what was settled."""
    ended, made = settled.ended, settled.made
    fresh = [row for row in made if row["inserted"]]
    lines = [
        *((ActivityType.ACCESS_GRANTED, row, None) for row in fresh),
        *((ActivityType.ACCESS_ENDED, row, row["end_reason"]) for row in ended),
    ]
    await write_facts(
        connection,
        [_line(type_, row, collection_id, actor, bulk_id, reason) for type_, row, reason in lines],
    )
    if bulk_id:
        for product_id, counts in _counts(ended, made, created):
            await bulk.add(connection, bulk_id, counts, product_id=product_id, actor=actor)
    if mail:
        opened = [row for row in fresh if not row["had_access"]]
        await _tell(connection, opened, collection_id, bulk_id)


def _counts(
    ended: Sequence[Record], made: Sequence[Record], created: int
) -> Iterator[tuple[str | None, BulkCounts]]:
    """What a bulk change brought to each product; users may also be created for a collection that
    opens nothing."""
    products = sorted({row["product_id"] for row in (*ended, *made)})
    for product_id in products or ([None] if created else []):
        mine = [row for row in made if row["product_id"] == product_id]
        granted = {row["user_id"] for row in mine if row["inserted"]}
        yield (
            product_id,
            BulkCounts(
                granted=len(granted),
                changed=len({row["user_id"] for row in mine} - granted),
                ended=len({row["user_id"] for row in ended if row["product_id"] == product_id}),
                created=created,
            ),
        )


async def _end_lost(
    connection: Connection, collection_id: str, users: Sequence[int] | None
) -> list[Record]:
    """End the grants whose holder or product is no longer in the collection; returns them."""
    rows: list[Record] = await connection.fetch(
        """
        update grants g set ended_at = now(),
               end_reason = case when exists (
                   select from collection_products p where p.collection_id = $1
                      and p.product_id = g.product_id) then $2 else $3 end
         where g.source = 'collection' and g.source_id = $1 and g.ended_at is null
           and ($4::bigint[] is null or g.user_id = any($4))
           and not exists (
               select from collection_holders h
                 join collection_products p on p.collection_id = h.collection_id
                where h.collection_id = $1 and h.user_id = g.user_id and h.ended_at is null
                  and p.product_id = g.product_id)
        returning id, user_id, product_id, end_reason
        """,
        collection_id,
        Reason.BY_HAND.value,
        Reason.COLLECTION_CHANGED.value,
        users,
    )
    return rows


async def _give_missing(
    connection: Connection,
    collection_id: str,
    users: Sequence[int] | None,
    *,
    actor: int | None,
    bulk_id: str | None,
) -> list[Record]:
    """Give holders the products that they lack, and move the ends of those they have; returns what
    changed, with whether it was `inserted` and whether they `had_access` before."""
    rows: list[Record] = await connection.fetch(
        """
        with wanted as (
            select h.user_id, p.product_id, h.until, h.reason,
                   exists (select from live_grants x
                            where x.user_id = h.user_id
                              and x.product_id = p.product_id) as had_access
              from live_holders h
              join collection_products p on p.collection_id = h.collection_id
             where h.collection_id = $1
               and ($3::bigint[] is null or h.user_id = any($3))
               and not exists (select from grants x
                                where x.source = 'collection' and x.source_id = $1
                                  and x.user_id = h.user_id and x.product_id = p.product_id
                                  and (x.held or x.ended_at is null
                                       and x.until is not distinct from h.until
                                       and x.reason is not distinct from h.reason))
        ), made as (
            insert into grants as g (user_id, product_id, source, source_id, since, until, cause,
                                     reason, granted_by)
            select user_id, product_id, 'collection', $1, now(), until, $4, reason, $2::bigint
              from wanted
            on conflict (user_id, product_id, source, source_id) where ended_at is null
               do update set until = excluded.until, reason = excluded.reason
            returning id, user_id, product_id, (xmax = 0) as inserted
        )
        select id, user_id, product_id, inserted, had_access
          from made join wanted using (user_id, product_id)
        """,
        collection_id,
        actor,
        users,
        bulk.cause_of(bulk_id),
    )
    return rows


def _line(
    type_: ActivityType,
    row: Record,
    collection_id: str,
    actor: int | None,
    bulk_id: str | None,
    reason: str | None,
) -> Fact:
    return Fact(
        key=f"{type_}:{row['id']}",
        type=type_,
        at=datetime.now(UTC),
        cause=bulk.cause_of(bulk_id),
        user_id=row["user_id"],
        product_id=row["product_id"],
        source_id=bulk_id or collection_id or None,
        actor_id=actor,
        data={"grant": row["id"], **({"reason": reason} if reason else {})},
    )


async def _tell(
    connection: Connection, rows: Sequence[Record], collection_id: str, bulk_id: str | None
) -> None:
    """Send each person one email about all products of the collection that opened for them."""
    wanted = await connection.fetch(
        "select id from products where id = any($1::text[]) and access_mail and status = 'live'",
        list({row["product_id"] for row in rows}),
    )
    telling = {row["id"] for row in wanted}
    by_user: dict[int, list[Record]] = {}
    for row in rows:
        if row["product_id"] in telling:
            by_user.setdefault(row["user_id"], []).append(row)
    mails = []
    for user_id, opened in by_user.items():
        products = sorted({row["product_id"] for row in opened})
        first = min(row["id"] for row in opened)
        data: dict[str, Any] = {"source_id": collection_id}
        if bulk_id:
            data["bulk"] = bulk_id
        if len(products) > 1:
            data["products"] = products
        mails.append(
            Mail(
                key=f"product_access:{user_id}:{collection_id}:{first}",
                kind="product_access",
                user_id=user_id,
                product_id=products[0],
                data=data,
            )
        )
    await write_mails(connection, mails)
