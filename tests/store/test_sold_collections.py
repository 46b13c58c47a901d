"""A product that opens a collection: what follows from its grants, whoever changes them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from latchkey.rules.access import Verdict
from latchkey.rules.vocabulary import GrantSource, Reason
from latchkey.store.access import collections, complimentary, grants
from latchkey.store.access.collections import CollectionError
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import products
from latchkey.store.products.products import StillLinkedError
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.purchases.settling import Entitlement, end_due, given_by, settle
from latchkey.store.users import erasure, merging, unmerging
from tests.harness import until
from tests.store.test_concurrency import NOW, _product, blocked, context

pytestmark = pytest.mark.anyio

EMAIL = "a@x.example"
FUTURE = datetime(2090, 1, 1, tzinfo=UTC)
LATER = datetime(2091, 1, 1, tzinfo=UTC)
SOLD, INSIDE = "prd_1", ("one", "two", "three")


async def doing(pool: Pool, act: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        return await act(connection)


async def set_up(pool: Pool, *, contents: tuple[str, ...] = ("one", "two")) -> LinkedProduct:
    """The product `SOLD`, linked to Stripe, opens a collection of `contents`."""
    _user, product = await _product(pool)
    await pool.execute(
        """
        insert into products (id, slug, name, status)
        select name, 'the-' || name, name, 'live' from unnest($1::text[]) as name
        """,
        list(INSIDE),
    )
    made = await doing(pool, lambda c: collections.create(c, name="All", products=contents))
    await doing(pool, lambda c: collections.sell_as(c, made.id, SOLD, actor=None))
    return product


async def collection_of(pool: Pool) -> str:
    found: str = await pool.fetchval("select id from collections order by created_at limit 1")
    return found


async def buy(
    connection: Connection,
    product: LinkedProduct,
    source_id: str,
    user: int,
    *,
    ends: datetime | None = None,
    access: bool = True,
    due: datetime | None = None,
) -> None:
    """Apply a purchase: it gives access until `ends`, or none any more."""
    verdict = Verdict(
        access, Reason.RUNNING if access else Reason.REFUNDED, until=ends, ended_at=due
    )
    source = GrantSource.SUBSCRIPTION if source_id.startswith("sub") else GrantSource.ORDER
    bought = Entitlement(user, product, source, source_id, f"x/{source_id}", NOW, verdict)
    known = await given_by(connection, source, [source_id])
    await settle(connection, [bought], given=known, context=replace(context(1), as_of=now()))


def now() -> datetime:
    return datetime.now(UTC)


async def user_of(pool: Pool, email: str = EMAIL) -> int:
    found: int = await pool.fetchval("select id from users where email = $1", email)
    return found


async def opened(pool: Pool) -> list[str]:
    rows = await pool.fetch("select product_id from live_grants where source = 'product'")
    return sorted(row["product_id"] for row in rows)


async def check(pool: Pool) -> None:
    """That what is open by a product is what follows from its grants, by definition."""
    wrong = await pool.fetch(
        """
        with wanted as (
            select g.user_id, i.product_id, g.product_id || '/' || g.id as source_id, g.until
              from grants g join products p on p.id = g.product_id
              join collection_products i on i.collection_id = p.opens_collection
             where g.ended_at is null
               and not exists (
                   select from grants c join grants o
                       on c.source_id = o.product_id || '/' || o.id
                    where c.held and c.source = 'product' and c.product_id = i.product_id
                      and (o.user_id, o.product_id, o.source, o.source_id)
                          = (g.user_id, g.product_id, g.source, g.source_id))
        ), given as (
            select user_id, product_id, source_id, until from grants
             where source = 'product' and ended_at is null
        )
        (select 'missing', * from (table wanted except table given) as m)
        union all (select 'too much', * from (table given except table wanted) as t)
        """
    )
    assert not wrong, [tuple(row) for row in wrong]
    told = await pool.fetch(
        """
        select g.id, g.source, g.end_reason from grants g
         where (g.ended_at is null or g.end_reason not in ('merged', 'user_erased'))
           and (not exists (select from activities a
                            where a.fact = 'access_granted:' || g.id and a.type like '%grant%'
                              and a.product_id = g.product_id)
                or (g.ended_at is not null) <> exists (
                   select from activities a where a.fact = 'access_ended:' || g.id))
        """
    )
    assert not told, f"without a line: {[tuple(row) for row in told]}"


ACTS = st.one_of(
    st.tuples(st.just("give"), st.integers(0, 2), st.sampled_from([None, FUTURE, LATER])),
    st.tuples(
        st.just("buy"),
        st.sampled_from(["sub_1", "sub_2", "cs_1"]),
        st.sampled_from([(True, None), (True, FUTURE), (True, LATER), (False, None)]),
    ),
    st.tuples(st.just("end"), st.integers(0, 30)),
    st.tuples(st.just("lift"), st.integers(0, 30)),
    st.tuples(st.just("fill"), st.sets(st.sampled_from(INSIDE))),
    st.tuples(st.just("sell"), st.integers(0, 1)),
    st.tuples(st.just("stop")),
    st.tuples(st.just("hold"), st.integers(0, 2)),
    st.tuples(st.just("due")),
    st.tuples(st.just("merge"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("split")),
    st.tuples(st.just("erase"), st.integers(0, 2)),
)
OWNERS = {"sub_1": 0, "sub_2": 1, "cs_1": 2}


@settings(
    max_examples=30,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(acts=st.lists(ACTS, min_size=4, max_size=16))
async def test_whatever_happens_the_collection_is_open_as_long_as_the_product(
    pool: Pool, acts: list[tuple[Any, ...]]
) -> None:
    await pool.execute(
        "truncate users, products, collections, grants, activities, links, user_merges, mails,"
        " forgotten_facts cascade"
    )
    product = await set_up(pool)
    people = [await user_of(pool)]
    for name in ("b", "c"):
        people.append(
            await pool.fetchval(
                "insert into users (email) values ($1 || '@x.example') returning id", name
            )
        )
    collection = await collection_of(pool)
    second = await doing(pool, lambda c: collections.create(c, name="More", products=["three"]))
    world = _World(product, people, [collection, second.id])
    for act in acts:
        with contextlib.suppress(
            CollectionError, merging.NotMergeableError, unmerging.NotUndoableError
        ):
            async with pool.acquire() as connection, connection.transaction():
                await world.do(connection, act)
        await check(pool)


@dataclass(frozen=True)
class _World:
    """What the acts are done to: three people, two collections, and the product that is sold."""

    product: LinkedProduct
    people: list[int]
    shelves: list[str]

    async def do(self, c: Connection, act: tuple[Any, ...]) -> None:
        name, *values = act
        await getattr(self, name)(c, *values)

    async def _address(self, c: Connection, n: int) -> str:
        """That of the person, or of somebody else if there is no such person any more."""
        found: str | None = await c.fetchval(
            "select email from users where erased_at is null order by id = $1 desc, id limit 1",
            self.people[n],
        )
        return found or "d@x.example"

    async def give(self, c: Connection, n: int, ends: datetime | None) -> None:
        gift = [ComplimentaryGrant(await self._address(c, n), ends)]
        await complimentary.give(c, SOLD, gift, actor=None)

    async def buy(
        self, c: Connection, source_id: str, outcome: tuple[bool, datetime | None]
    ) -> None:
        """Apply the purchase of whoever has its grants, or whoever its buyer has become."""
        user = await c.fetchval(
            """
            select coalesce((select user_id from grants where source_id = $2 limit 1),
                            (select into_user from user_merges where from_user = $1), $1)
            """,
            self.people[OWNERS[source_id]],
            source_id,
        )
        if await c.fetchval("select erased_at is null from users where id = $1", user):
            access, ends = outcome
            await buy(c, self.product, source_id, user, ends=ends, access=access)

    async def end(self, c: Connection, n: int) -> None:
        ids = [row["id"] for row in await c.fetch("select id from grants order by id")]
        if ids:
            await grants.end(c, ids[n % len(ids)], actor=None)

    async def lift(self, c: Connection, n: int) -> None:
        rows = await c.fetch("select id from grants where held and source = 'product' order by id")
        if rows:
            await grants.lift(c, rows[n % len(rows)]["id"], actor=None)

    async def fill(self, c: Connection, contents: set[str]) -> None:
        await collections.set_products(c, self.shelves[0], sorted(contents), actor=None)

    async def sell(self, c: Connection, n: int) -> None:
        await collections.sell_as(c, self.shelves[n], SOLD, actor=None)

    async def stop(self, c: Connection) -> None:
        for shelf in self.shelves:
            await collections.stop_selling(c, shelf, SOLD, actor=None)

    async def hold(self, c: Connection, n: int) -> None:
        gift = [ComplimentaryGrant(await self._address(c, n))]
        await collections.give(c, self.shelves[0], gift, actor=None)

    async def due(self, c: Connection) -> None:
        await complimentary.end_due(c, FUTURE, limit=1)

    async def merge(self, c: Connection, into: int, other: int) -> None:
        ids = [self.people[into], self.people[other]]
        await merging.merge(c, into=ids[0], other=ids[1], reason=None, actor=None)

    async def split(self, c: Connection) -> None:
        merged = await c.fetchval("select from_user from user_merges limit 1")
        await unmerging.undo(c, from_user=merged or 0, actor=None)

    async def erase(self, c: Connection, n: int) -> None:
        await erasure.erase(c, self.people[n], actor=self.people[n])


async def test_a_purchase_opens_and_its_end_closes_at_the_same_moment(pool: Pool) -> None:
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    assert await opened(pool) == ["one", "two"]
    ends = now()
    await pool.execute("update grants set since = since - interval '1 hour'")
    await doing(pool, lambda c: buy(c, product, "sub_1", user, ends=ends))
    assert await opened(pool) == [], "the clock closes them"
    await doing(pool, lambda c: end_due(c, source_id="sub_1", as_of=now(), workflow_id="x"))
    rows = await pool.fetch("select distinct ended_at, due_at, end_reason, until from grants")
    assert [tuple(row) for row in rows] == [(ends, ends, "until_reached", ends)]
    lines = await pool.fetch(
        """
        select distinct at, due_at, cause, workflow_id, data ->> 'reason' as reason
          from activities where type = 'access_ended'
        """
    )
    assert [tuple(row) for row in lines] == [(ends, ends, "timer", "x", "until_reached")]


async def test_the_timer_of_complimentary_access_leaves_opened_access_to_its_purchase(
    pool: Pool,
) -> None:
    """A purchase's run looks at Stripe before it ends access: the end may be withdrawn."""
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user, ends=FUTURE))
    assert await doing(pool, complimentary.next_end) is None
    assert await doing(pool, lambda c: complimentary.end_due(c, LATER, limit=10)) == 0
    assert await opened(pool) == ["one", "two"]


async def test_each_grant_opens_for_itself(pool: Pool) -> None:
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user, ends=FUTURE))
    await doing(pool, lambda c: buy(c, product, "cs_1", user))
    await doing(pool, lambda c: buy(c, product, "sub_1", user, access=False))
    assert await opened(pool) == ["one", "two"]
    await doing(pool, lambda c: buy(c, product, "cs_1", user, access=False))
    assert await opened(pool) == []


async def test_what_an_admin_closes_stays_closed_when_the_purchase_goes_on(pool: Pool) -> None:
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    one = await pool.fetchval("select id from grants where product_id = 'one'")
    await doing(pool, lambda c: grants.end(c, one, actor=None))
    await doing(pool, lambda c: buy(c, product, "sub_1", user, access=False))
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    assert await opened(pool) == ["two"]
    assert await doing(pool, lambda c: grants.lift(c, one, actor=None))
    await check(pool)


async def test_a_hold_is_lifted_for_the_grant_that_lasts(pool: Pool) -> None:
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    one = await pool.fetchval("select id from grants where product_id = 'one'")
    await doing(pool, lambda c: grants.end(c, one, actor=None))
    assert await opened(pool) == ["two"]
    await doing(pool, lambda c: grants.lift(c, one, actor=None))
    assert await opened(pool) == ["one", "two"]


async def test_products_come_and_go_for_all_buyers_in_one_line_each(pool: Pool) -> None:
    await set_up(pool, contents=("one",))
    gifts = [ComplimentaryGrant(f"{name}@x.example") for name in "abc"]
    await doing(pool, lambda c: complimentary.give(c, SOLD, gifts, actor=None))
    collection = await collection_of(pool)
    await pool.execute("delete from mails")
    await doing(pool, lambda c: collections.set_products(c, collection, ["two"], actor=None))
    assert await opened(pool) == ["two"] * 3
    heads = await pool.fetch(
        """
        select product_id, data from activities
         where type = 'bulk_change' and product_id = any('{one,two}') order by product_id
        """
    )
    assert [(row["product_id"], row["data"]["granted"], row["data"]["ended"]) for row in heads] == [
        ("one", 0, 3),
        ("two", 3, 0),
    ]
    assert await pool.fetchval("select count(*) from mails where product_id = 'two'") == 3
    await check(pool)


async def test_who_has_the_product_gets_what_it_begins_to_open(pool: Pool) -> None:
    await set_up(pool, contents=("one", "two"))
    collection = await collection_of(pool)
    await doing(pool, lambda c: collections.stop_selling(c, collection, SOLD, actor=None))
    gifts = [ComplimentaryGrant(f"{name}@x.example") for name in "ab"]
    await doing(pool, lambda c: complimentary.give(c, SOLD, gifts, actor=None))
    assert await opened(pool) == []
    await doing(pool, lambda c: collections.sell_as(c, collection, SOLD, actor=None))
    assert await opened(pool) == ["one", "one", "two", "two"]
    found = await doing(pool, lambda c: collections.find(c, collection))
    assert (found.sold_as, found.holders, found.buyers) == ([SOLD], 0, 2)
    await doing(pool, lambda c: collections.stop_selling(c, collection, SOLD, actor=None))
    assert await opened(pool) == []
    await check(pool)


async def test_nothing_leads_in_a_circle(pool: Pool) -> None:
    await set_up(pool, contents=("one",))
    collection = await collection_of(pool)
    with pytest.raises(CollectionError, match="One opens a collection itself"):
        await doing(
            pool, lambda c: collections.set_products(c, collection, ["one", SOLD], actor=None)
        )
    other = await doing(pool, lambda c: collections.create(c, name="B", products=[]))
    with pytest.raises(CollectionError, match="one is in a collection itself"):
        await doing(pool, lambda c: collections.sell_as(c, other.id, "one", actor=None))
    with pytest.raises(CollectionError, match="One opens another collection"):
        await doing(pool, lambda c: collections.sell_as(c, other.id, SOLD, actor=None))
    with pytest.raises(CollectionError, match="sold as One"):
        await doing(pool, lambda c: collections.delete(c, collection, actor=None))
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute(
            "insert into collection_products (collection_id, product_id) values ($1, $2)",
            other.id,
            SOLD,
        )


async def test_a_product_that_opens_a_collection_isnt_deleted(pool: Pool) -> None:
    product = await set_up(pool)
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    await pool.execute("update links set removed_at = now()")
    with pytest.raises(StillLinkedError, match="opens the collection All"):
        await doing(pool, lambda c: products.delete(c, SOLD))
    await pool.execute("update grants set link_id = null")
    await pool.execute("delete from links")
    await pool.execute("delete from products where id = $1", SOLD)
    assert await opened(pool) == [], "of what is gone nothing stays open, whoever deleted it"


async def test_a_change_of_the_collection_waits_for_a_purchase_and_reaches_it(pool: Pool) -> None:
    product = await set_up(pool, contents=("one",))
    user = await user_of(pool)
    collection = await collection_of(pool)
    async with pool.acquire() as mine:
        begun = mine.transaction()
        await begun.start()
        await buy(mine, product, "sub_1", user)
        change = asyncio.create_task(
            doing(
                pool, lambda c: collections.set_products(c, collection, ["one", "two"], actor=None)
            )
        )
        await until(lambda: blocked(pool), "the change waits for the purchase")
        await begun.commit()
        await change
    assert await opened(pool) == ["one", "two"]


async def test_a_purchase_waits_for_a_change_of_the_collection(pool: Pool) -> None:
    product = await set_up(pool, contents=("one",))
    user = await user_of(pool)
    collection = await collection_of(pool)
    async with pool.acquire() as mine:
        begun = mine.transaction()
        await begun.start()
        await collections.set_products(mine, collection, ["two"], actor=None)
        purchase = asyncio.create_task(doing(pool, lambda c: buy(c, product, "sub_1", user)))
        await until(lambda: blocked(pool), "the purchase waits for the change")
        await begun.commit()
        await purchase
    assert await opened(pool) == ["two"]


async def _end_it(connection: Connection, product: LinkedProduct, user: int) -> None:
    await buy(connection, product, "sub_1", user, access=False)


async def _begin_it(connection: Connection, product: LinkedProduct, user: int) -> None:
    await buy(connection, product, "sub_2", user)


@pytest.mark.parametrize(("act", "live"), [(_end_it, []), (_begin_it, ["one", "one"])])
async def test_what_happens_while_a_product_begins_to_open_is_known(
    pool: Pool, act: Callable[[Connection, LinkedProduct, int], Awaitable[None]], live: list[str]
) -> None:
    product = await set_up(pool, contents=("one",))
    user = await user_of(pool)
    collection = await collection_of(pool)
    await doing(pool, lambda c: collections.stop_selling(c, collection, SOLD, actor=None))
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    async with pool.acquire() as mine:
        begun = mine.transaction()
        await begun.start()
        await act(mine, product, user)
        selling = asyncio.create_task(
            doing(pool, lambda c: collections.sell_as(c, collection, SOLD, actor=None))
        )
        await until(lambda: blocked(pool), "selling waits for the change")
        await begun.commit()
        await selling
    assert await opened(pool) == live
    await check(pool)


async def test_two_ends_at_once_leave_nothing_open(pool: Pool) -> None:
    """Each grant opens for itself, so it doesn't matter that neither sees the other's end."""
    product = await set_up(pool, contents=("one",))
    user = await user_of(pool)
    await doing(pool, lambda c: buy(c, product, "sub_1", user))
    await doing(pool, lambda c: buy(c, product, "sub_2", user))
    async with pool.acquire() as mine:
        begun = mine.transaction()
        await begun.start()
        await buy(mine, product, "sub_1", user, access=False)
        await doing(pool, lambda c: buy(c, product, "sub_2", user, access=False))
        await begun.commit()
    assert await opened(pool) == []
    await check(pool)
