"""Outgoing events follow from what changes in the database, whoever changes it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.mail import letters
from latchkey.rules.access import Verdict
from latchkey.rules.vocabulary import GrantSource, Reason, WebhookFormat
from latchkey.store import site_identity
from latchkey.store.access import collections, complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.checks import retention
from latchkey.store.feed import mails
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.purchases.settling import Entitlement, end_due, given_by, settle
from latchkey.store.site_identity import SiteRole
from latchkey.store.site_settings import SiteSettings
from latchkey.store.stripe import wakeups
from latchkey.store.users import erasure, merging, unmerging
from latchkey.store.webhooks import deliveries, digests, endpoints, events
from tests.harness import until
from tests.store.test_concurrency import _buy, _product, blocked, context

pytestmark = pytest.mark.anyio

FUTURE = datetime(2090, 1, 1, tzinfo=UTC)


async def endpoint(pool: Pool, *types: str, format_: str = "json") -> str:
    async with pool.acquire() as connection, connection.transaction():
        return await endpoints.create(
            connection,
            format_=WebhookFormat(format_),
            url=b"sealed",
            host="hooks.example",
            description="",
            types=types,
            secret=b"sealed",
            actor=None,
        )


async def made(pool: Pool) -> list[Any]:
    """All events so far, once every fact has become some."""
    while await pool.fetchval("select exists (select from webhook_facts)"):
        await events.make(pool)
    return await pool.fetch("select * from webhook_events order by id")


async def told(pool: Pool) -> list[tuple[str, str]]:
    """Type and product of all events about access so far."""
    found = await made(pool)
    return [(row["type"], row["product_id"]) for row in found if row["type"].startswith("access")]


async def doing(pool: Pool, act: Callable[[Connection], Awaitable[Any]]) -> Any:
    async with pool.acquire() as connection, connection.transaction():
        return await act(connection)


async def buy(pool: Pool, order: str, user: int, product: LinkedProduct) -> None:
    await doing(pool, lambda c: _buy(c, order, user, product))


async def test_without_an_endpoint_nothing_is_written(pool: Pool) -> None:
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    assert await pool.fetchval("select count(*) from webhook_facts") == 0
    assert await made(pool) == []


async def test_a_purchase_is_told_once_with_the_access_that_it_gives(pool: Pool) -> None:
    await endpoint(pool)
    user, product = await _product(pool)
    for _ in range(2):
        await buy(pool, "cs_1", user, product)
    rows = await made(pool)
    assert [row["type"] for row in rows] == ["user.created", "access.granted", "purchase.completed"]
    assert {row["user_id"] for row in rows} == {user}
    assert rows[1]["data"] == {"source": {"type": "order", "id": "cs_1"}, "until": None}
    assert len({row["message_id"] for row in rows}) == 3


async def test_what_is_rolled_back_is_never_told(pool: Pool) -> None:
    await endpoint(pool)
    user, product = await _product(pool)
    before = await made(pool)
    async with pool.acquire() as connection:
        begun = connection.transaction()
        await begun.start()
        await _buy(connection, "cs_1", user, product)
        await begun.rollback()
    assert await made(pool) == before


async def test_a_second_source_changes_nothing_until_both_have_ended(pool: Pool) -> None:
    await endpoint(pool)
    user, product = await _product(pool)
    for order in ("cs_1", "cs_2"):
        await buy(pool, order, user, product)
    ids = [row["id"] for row in await pool.fetch("select id from grants order by id")]
    assert await told(pool) == [("access.granted", "prd_1")]
    await doing(pool, lambda c: grants.end(c, ids[0], actor=None))
    assert await told(pool) == [("access.granted", "prd_1")]
    await doing(pool, lambda c: grants.end(c, ids[1], actor=None))
    assert await told(pool) == [("access.granted", "prd_1"), ("access.ended", "prd_1")]


async def test_two_ends_at_the_same_time_close_once(pool: Pool) -> None:
    """Each transaction sees the other's grant still open, and would keep silent."""
    await endpoint(pool)
    user, product = await _product(pool)
    for order in ("cs_1", "cs_2"):
        await buy(pool, order, user, product)
    first, second = [row["id"] for row in await pool.fetch("select id from grants order by id")]
    async with pool.acquire() as mine, pool.acquire() as theirs:
        begun, other = mine.transaction(), theirs.transaction()
        await begun.start()
        await other.start()
        await grants.end(mine, first, actor=None)
        await grants.end(theirs, second, actor=None)
        await other.commit()
        assert await told(pool) == [("access.granted", "prd_1")]
        await begun.commit()
    assert await told(pool) == [("access.granted", "prd_1"), ("access.ended", "prd_1")]


async def test_an_end_by_time_is_told_when_it_is_recorded(pool: Pool) -> None:
    await endpoint(pool)
    user, product = await _product(pool)
    soon = datetime.now(UTC) + timedelta(hours=1)
    verdict = Verdict(True, Reason.RUNNING, until=soon)
    one = Entitlement(
        user, product, GrantSource.SUBSCRIPTION, "sub_1", "subscription/sub_1", FUTURE, verdict
    )

    async def apply(connection: Connection) -> None:
        given = await given_by(connection, GrantSource.SUBSCRIPTION, ["sub_1"])
        await settle(connection, [one], given=given, context=context(1))

    await doing(pool, apply)
    await doing(pool, lambda c: end_due(c, source_id="sub_1", as_of=FUTURE, workflow_id="w"))
    rows = [row for row in await made(pool) if row["type"].startswith("access")]
    assert [row["type"] for row in rows] == ["access.granted", "access.ended"]
    assert datetime.fromisoformat(rows[0]["data"]["until"]) == soon
    assert rows[1]["data"]["reason"] == "until_reached"


async def test_bulk_is_one_insert(pool: Pool) -> None:
    """A thousand people get access in as many statements as one."""
    await endpoint(pool)
    await pool.execute("insert into products (id, slug, name) values ('p', 'p', 'P')")
    gifts = [ComplimentaryGrant(f"m{n}@bulk.example") for n in range(1500)]
    await doing(pool, lambda c: complimentary.give(c, "p", gifts, actor=None, mail=False))
    facts = await pool.fetchval("select count(*) from webhook_facts")
    assert facts == 3000
    rows = await made(pool)
    assert [row["type"] for row in rows].count("access.granted") == 1500
    assert await pool.fetchval("select count(*) from webhook_deliveries") == 3000


async def test_events_have_one_order_though_several_make_them(pool: Pool) -> None:
    await endpoint(pool)
    await pool.execute("insert into products (id, slug, name) values ('p', 'p', 'P')")
    gifts = [ComplimentaryGrant(f"m{n}@bulk.example") for n in range(1200)]
    await doing(pool, lambda c: complimentary.give(c, "p", gifts, actor=None, mail=False))
    await asyncio.gather(*(events.make(pool) for _ in range(4)))
    rows = await made(pool)
    assert len(rows) == 2400
    assert len({(row["type"], row["user_id"]) for row in rows}) == 2400


async def test_only_what_an_endpoint_asked_for_is_delivered(pool: Pool) -> None:
    some, all_ = await endpoint(pool, "access.granted"), await endpoint(pool)
    resting = await endpoint(pool, "purchase.completed")
    digest = await endpoint(pool, format_="digest")
    await pool.execute(
        "update webhook_endpoints set rests_until = now() + interval '1 hour' where id = $1",
        resting,
    )
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    rows = await pool.fetch(
        """
        select d.endpoint_id, v.type from webhook_deliveries d
          join webhook_events v on v.id = d.event_id order by v.id
        """
    )
    everything = ["user.created", "access.granted", "purchase.completed"]
    by = {one: [r["type"] for r in rows if r["endpoint_id"] == one] for one in (some, all_, digest)}
    assert by == {some: ["access.granted"], all_: everything, digest: everything}
    async with pool.acquire() as connection:
        waiting = await wakeups.waiting(connection, limit=9)
    assert {w.ref for w in waiting if w.kind == wakeups.WEBHOOKS} == {some, all_}


async def test_each_user_is_told_in_order(pool: Pool) -> None:
    """The second event of a user waits for the first, and nobody else does."""
    one = await endpoint(pool, "access.granted", "access.ended")
    await pool.execute("insert into products (id, slug, name) values ('p', 'p', 'P')")
    gifts = [ComplimentaryGrant(email) for email in ("a@x.example", "b@x.example")]
    await doing(pool, lambda c: complimentary.give(c, "p", gifts, actor=None))
    given = await pool.fetch(
        "select g.id, u.email from grants g join users u on u.id = g.user_id order by g.id"
    )
    first, second = (row["email"] for row in given)
    await doing(pool, lambda c: grants.end(c, given[0]["id"], actor=None))
    await made(pool)
    async with pool.acquire() as connection:
        due = await deliveries.due(connection, one, limit=10)
        assert [(d.type, d.user and d.user.email) for d in due] == [
            ("access.granted", first),
            ("access.granted", second),
        ]
        later = "update webhook_deliveries set due_at = now() + interval '1 hour' where id = $1"
        await connection.execute(later, due[0].id)
        due = await deliveries.due(connection, one, limit=10)
        assert [d.user and d.user.email for d in due] == [second]
        [probe] = await deliveries.due(connection, one, limit=1, probe=True)
        assert probe.user
        assert probe.user.email == first


async def test_imports_wait_behind_what_people_do(pool: Pool) -> None:
    one = await endpoint(pool, "access.granted")
    await pool.execute("insert into products (id, slug, name) values ('p', 'p', 'P')")
    for email, cause in (("a@x.example", "import"), ("b@x.example", "stripe")):
        await pool.execute(
            """
            with u as (insert into users (email) values ($1) returning id)
            insert into grants (user_id, product_id, source, source_id, since, cause)
            select id, 'p', 'order', $1, now(), $2 from u
            """,
            email,
            cause,
        )
    await made(pool)
    async with pool.acquire() as connection:
        due = await deliveries.due(connection, one, limit=10)
    assert [d.user and d.user.email for d in due] == ["b@x.example", "a@x.example"]


async def test_a_copy_that_becomes_the_site_tells_nothing_that_waited(pool: Pool) -> None:
    one = await endpoint(pool)
    user, product = await _product(pool)
    await doing(pool, lambda c: site_identity.settle(c, "https://a.example"))
    await buy(pool, "cs_1", user, product)
    await made(pool)
    await buy(pool, "cs_2", user, product)
    role = SiteRole.ORIGINAL
    await doing(pool, lambda c: site_identity.choose(c, "https://b.example", role))
    assert await pool.fetchval("select count(*) from webhook_facts") == 0
    async with pool.acquire() as connection:
        assert await deliveries.due(connection, one, limit=10) == []


async def test_erasure_takes_the_person_out_of_what_is_told_and_logged(pool: Pool) -> None:
    one = await endpoint(pool)
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    async with pool.acquire() as connection:
        for delivery in await deliveries.due(connection, one, limit=1):
            sent = deliveries.Attempt("a@x.example", 200, "a@x.example", None, 5)
            await deliveries.mark_delivered(connection, one, delivery, sent)
    await doing(pool, lambda c: erasure.erase(c, user, actor=user))
    rows = await made(pool)
    assert [row["type"] for row in rows][-2:] == ["access.ended", "user.erased"]
    async with pool.acquire() as connection:
        [first] = await deliveries.due(connection, one, limit=10)
        assert first.user == deliveries.ToldUser(user, None, None)
    for table in ("webhook_events", "webhook_deliveries", "webhook_attempts", "webhook_facts"):
        text = await pool.fetchval(f"select coalesce(string_agg(t::text, ' '), '') from {table} t")
        assert "x.example" not in text


async def test_a_replay_tells_again_what_a_time_covers(pool: Pool) -> None:
    one = await endpoint(pool, "access.granted", "purchase.completed")
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    late = await endpoint(pool, "purchase.completed")
    await pool.execute("update webhook_deliveries set state = 'delivered', attempts = 3")
    again = await doing(
        pool, lambda c: deliveries.replay(c, one, since=datetime(2026, 1, 1, tzinfo=UTC))
    )
    assert again == 2
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    assert await doing(pool, lambda c: deliveries.replay(c, late, since=long_ago)) == 1
    assert await doing(pool, lambda c: deliveries.replay(c, late, since=FUTURE)) == 0
    states = await pool.fetch("select state, attempts from webhook_deliveries")
    assert {tuple(row) for row in states} == {("waiting", 0)}
    assert await pool.fetchval("select count(*) from webhook_events") == 3


PEOPLE = 6
ACTS = 120


async def test_events_folded_over_random_histories_are_the_access_that_there_is(
    pool: Pool,
) -> None:
    """Access given and ended by hand, by time, by collections, merged, split and erased."""
    await endpoint(pool)
    chance = random.Random(11)
    await pool.execute(
        "insert into products (id, slug, name) select n, n, n from unnest('{p,q}'::text[]) n"
    )
    people = [f"m{n}@folded.example" for n in range(PEOPLE)]
    bundle = (await doing(pool, lambda c: collections.create(c, name="B", products=["p", "q"]))).id
    done: dict[str, int] = {}
    for _ in range(ACTS):
        act = chance.choice([_give, _give, _end, _end_due, _hold, _hold, _merge, _split, _erase])
        try:
            async with pool.acquire() as connection, connection.transaction():
                await act(connection, chance, people, bundle)
            done[act.__name__] = done.get(act.__name__, 0) + 1
        except (merging.NotMergeableError, unmerging.NotUndoableError):
            pass
        if chance.random() < 0.3:
            await events.make(pool)
    assert len(done) == 7, f"every kind of act happened: {done}"
    known: dict[tuple[int, str], str | None] = {}
    for row in await made(pool):
        who = row["user_id"], row["product_id"]
        match row["type"]:
            case "access.granted":
                assert who not in known
                known[who] = row["data"]["until"]
            case "access.ending":
                assert known[who] != row["data"]["until"]
                known[who] = row["data"]["until"]
            case "access.ended":
                del known[who]
    rows = await pool.fetch(
        """
        select user_id, product_id,
               case when bool_and(until is not null) then max(until) end as until
          from grants where ended_at is null group by 1, 2
        """
    )
    assert {who: datetime.fromisoformat(text) if text else None for who, text in known.items()} == {
        (row["user_id"], row["product_id"]): row["until"] for row in rows
    }
    assert rows, "somebody has something at the end"


async def _give(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    ends = chance.choice([None, None, FUTURE, FUTURE + timedelta(days=1)])
    gifts = [ComplimentaryGrant(email, ends) for email in chance.sample(people, 2)]
    await complimentary.give(c, chance.choice("pq"), gifts, actor=None, mail=False)


async def _end(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    ids = [row["id"] for row in await c.fetch("select id from grants order by id")]
    if ids:
        await grants.end(c, chance.choice(ids), actor=None)


async def _end_due(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    await complimentary.end_due(c, FUTURE, limit=1)


async def _hold(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    email = chance.choice(people)
    holder = await collections.holder(c, bundle, email)
    if holder is None:
        gift = [ComplimentaryGrant(email, chance.choice([None, FUTURE]))]
        await collections.give(c, bundle, gift, actor=None, mail=False)
    else:
        await collections.end(c, bundle, holder.id, actor=None)


async def _merge(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    ids = [row["id"] for row in await c.fetch("select id from users order by id")]
    if len(ids) > 1:
        into, other = chance.sample(ids, 2)
        await merging.merge(c, into=into, other=other, reason=None, actor=None)


async def _split(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    merged = await c.fetch("select from_user from user_merges order by merged_at")
    await unmerging.undo(c, from_user=chance.choice(merged)[0] if merged else 0, actor=None)


async def _erase(c: Connection, chance: random.Random, people: list[str], bundle: str) -> None:
    ids = [row["id"] for row in await c.fetch("select id from users order by id")]
    if ids and chance.random() < 0.3:
        user = chance.choice(ids)
        await erasure.erase(c, user, actor=user)


async def test_a_change_under_way_is_told_once_it_is_committed(pool: Pool) -> None:
    """Another change of the same user, begun later and committed earlier, doesn't hide it."""
    await endpoint(pool)
    user, product = await _product(pool)
    async with pool.acquire() as mine:
        begun = mine.transaction()
        await begun.start()
        await _buy(mine, "cs_1", user, product)
        waiting = asyncio.create_task(buy(pool, "cs_2", user, product))
        await until(lambda: blocked(pool), "the second waits for the first")
        assert await told(pool) == []
        await begun.commit()
        await waiting
    assert await told(pool) == [("access.granted", "prd_1")]


async def test_old_events_go_with_their_log(pool: Pool) -> None:
    one = await endpoint(pool)
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    async with pool.acquire() as connection:
        for delivery in await deliveries.due(connection, one, limit=1):
            sent = deliveries.Attempt("{}", 200, "", None, 5)
            await deliveries.mark_delivered(connection, one, delivery, sent)
    await pool.execute(
        "update webhook_events set created_at = now() - interval '31 days' where type <> $1",
        "purchase.completed",
    )
    await retention.forget_records(pool)
    assert [row["type"] for row in await made(pool)] == ["purchase.completed"]
    for table, left in (("webhook_deliveries", 1), ("webhook_attempts", 0)):
        assert await pool.fetchval(f"select count(*) from {table}") == left


async def test_what_temporal_has_forgotten_is_sent_all_the_same(pool: Pool) -> None:
    one, paused = await endpoint(pool), await endpoint(pool)
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    await doing(pool, lambda c: endpoints.pause(c, paused))
    async with pool.acquire() as connection:
        assert await deliveries.forsaken(connection) == [], "it is sent any moment"
        assert await deliveries.forsaken(connection, overdue=timedelta()) == [one], (
            "unless Temporal has just lost its runs"
        )
        await connection.execute("update webhook_deliveries set due_at = now() - interval '1 hour'")
        assert await deliveries.forsaken(connection) == [one]


async def test_a_digest_counts_what_happened_once(pool: Pool) -> None:
    admin = await pool.fetchval(
        "insert into users (email, role) values ('admin@x.example', 'admin') returning id"
    )
    one = await endpoint(pool, format_="digest")
    await pool.execute("update webhook_endpoints set created_by = $1, every = 'hour'", admin)
    user, product = await _product(pool)
    await buy(pool, "cs_1", user, product)
    await made(pool)
    assert await digests.write_due(pool) == 0, "an hour hasn't passed"
    hour_ago = "update webhook_endpoints set digested_at = now() - interval '1 hour'"
    await pool.execute(hour_ago)
    assert await digests.write_due(pool) == 1
    assert await digests.write_due(pool) == 0
    await pool.execute(hour_ago)
    assert await digests.write_due(pool) == 0, "nothing happened since"
    async with pool.acquire() as connection:
        assert await deliveries.due(connection, one, limit=9) == []
        [mail] = await mails.listed(connection, kind="webhook_digest")
    assert mail.user_id == admin
    assert "a@x.example" not in str(mail.data)
    said = letters.letter(mail, SiteSettings())
    assert said.paragraphs[1:] == ["• Got access, One: 1", "• Bought, One: 1", "• New users: 1"]
