"""A bulk change is one line of the feed for each product, which counts the people of its lines."""

from collections import Counter
from typing import Any

import pytest

from latchkey.rules.vocabulary import ActivityType
from latchkey.store.access import collections, complimentary
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.feed import bulk, lines, mails
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.feed.lines import FeedLine
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import links
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users import member_import_batches, merging, unmerging
from tests.store.test_member_imports import check, run, upload
from web.wording.progress import line_people

pytestmark = pytest.mark.anyio

NOBODY = {"granted": 0, "changed": 0, "ended": 0, "created": 0, "deleted": 0}


def people(*names: str, reason: str | None = None) -> list[ComplimentaryGrant]:
    return [ComplimentaryGrant(f"{name}@bulk.example", reason=reason) for name in names]


async def products(connection: Connection, *ids: str) -> None:
    await connection.execute(
        """
        insert into products (id, slug, name, status, access_mail)
        select id, id, id, 'live', true from unnest($1::text[]) as id
        """,
        list(ids),
    )


async def folded(connection: Connection) -> list[tuple[str, str | None, dict[str, Any]]]:
    rows = await lines.filtered(connection, FeedFilter(folded=True))
    return [(row.type, row.product_id, row.data) for row in reversed(rows)]


async def beneath(connection: Connection, head: FeedLine) -> Counter[tuple[str, str | None]]:
    """What the line leads to: types and products of lines, each of another person."""
    found = FeedFilter(search=head.source_id, cause="bulk")
    rows = await lines.filtered(connection, found)
    assert len({(row.type, row.product_id, row.user_id) for row in rows}) == len(rows)
    return Counter((row.type, row.product_id) for row in rows)


async def test_a_list_of_people_is_one_line_that_leads_to_them(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p")
        await complimentary.give(connection, "p", people("a"), actor=None)
        assert [type_ for type_, _, _ in await folded(connection)] == [
            ActivityType.USER_CREATED, ActivityType.MANUAL_GRANT,
        ]  # fmt: skip
        await complimentary.give(connection, "p", people("a", "b", "c", reason="!"), actor=None)
        *_, told = await folded(connection)
        counts = NOBODY | {"granted": 2, "changed": 1, "created": 2}
        assert told == (ActivityType.BULK_CHANGE, "p", counts)
        [head, *_] = await lines.filtered(connection, FeedFilter(folded=True))
        assert await beneath(connection, head) == {
            ("user_created", None): 2,
            ("manual_grant", "p"): 2,
        }
        assert line_people(head) == (
            "2 people got access. 1 person who had it got this end and reason."
            " 2 users were created.",
            f"product=p&cause=bulk&q={head.source_id}",
        )
        await complimentary.give(connection, "p", people("a", "b"), actor=None)
        [head, *_] = await lines.filtered(connection, FeedFilter(folded=True))
        assert head.data == NOBODY | {"changed": 2}
        assert not line_people(head)[1], "nobody has a line"
        causes = await connection.fetch("select cause, count(*) from grants group by 1 order by 1")
        assert [tuple(row) for row in causes] == [("admin", 1), ("bulk", 2)]


async def test_a_collection_for_several_people_is_a_line_for_each_product(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p", "q", "r")
        made = await collections.create(connection, name="All", products=["p", "q"])
        await collections.give(connection, made.id, people("a", "b"), actor=None)
        bulk_change = ActivityType.BULK_CHANGE
        both = NOBODY | {"granted": 2, "created": 2}
        assert await folded(connection) == [(bulk_change, "p", both), (bulk_change, "q", both)]
        await collections.set_products(connection, made.id, ["q", "r"], actor=None)
        assert (await folded(connection))[2:] == [
            (bulk_change, "p", NOBODY | {"ended": 2}), (bulk_change, "r", NOBODY | {"granted": 2}),
        ]  # fmt: skip
        [head, *_] = await lines.filtered(connection, FeedFilter(folded=True))
        assert await beneath(connection, head) == {
            ("access_ended", "p"): 2, ("access_granted", "r"): 2,
        }  # fmt: skip
        empty = await collections.create(connection, name="None", products=[])
        await collections.give(connection, empty.id, people("c", "d"), actor=None)
        assert (await folded(connection))[4:] == [(bulk_change, None, NOBODY | {"created": 2})]


async def test_what_one_person_gets_by_a_collection_is_shown_as_such(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p", "q")
        made = await collections.create(connection, name="All", products=["p"])
        await collections.give(connection, made.id, people("a"), actor=None)
        await collections.set_products(connection, made.id, ["q"], actor=None)
        told = [(type_, product) for type_, product, _ in await folded(connection)]
        assert told == [
            ("user_created", None), ("access_granted", "p"),
            ("access_granted", "q"), ("access_ended", "p"),
        ]  # fmt: skip


async def test_emails_of_a_bulk_change_are_beneath_its_line(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p", "q")
        await complimentary.give(connection, "p", people("a", "b"), actor=None)
        made = await collections.create(connection, name="All", products=["q"])
        await collections.give(connection, made.id, people("c", "d"), actor=None)
        queued = await mails.claim(connection, limit=9, site=SiteSettings())
        for mail in queued:
            await mails.mark_sent(connection, mail)
        rows = await lines.filtered(connection, FeedFilter(folded=True))
        assert [row.type for row in rows] == [ActivityType.BULK_CHANGE] * 2
        for head in rows:
            found = await beneath(connection, head)
            assert found[("mail_sent", head.product_id)] == 2


async def test_an_import_of_members_is_a_line_for_itself_and_each_product(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 2)
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p")
        owner = await connection.fetchval(
            "insert into users (email) values ('known@bulk.example') returning id"
        )
        text = "email\n" + "".join(f"{name}@bulk.example\n" for name in ("known", "a", "b"))
        found = await upload(connection, text, actor=owner)
        await check(connection, found, {"": "p"})
        await run(connection, found)
        assert await folded(connection) == [
            (ActivityType.USERS_IMPORTED, None, NOBODY | {"created": 2}),
            (ActivityType.BULK_CHANGE, "p", NOBODY | {"granted": 3}),
        ]
        heads = await lines.filtered(connection, FeedFilter(folded=True))
        assert {head.actor_id for head in heads} == {owner}
        assert await beneath(connection, heads[0]) == {
            ("user_created", None): 2, ("manual_grant", "p"): 3,
        }  # fmt: skip


async def test_a_bulk_change_in_batches_stays_one_line(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p")
        bulk_id = bulk.new_id()
        for batch in (("a", "b"), ("c",)):
            await complimentary.give(
                connection, "p", people(*batch), actor=None, mail=False, bulk_id=bulk_id
            )
        await bulk.add(
            connection, bulk_id, BulkCounts(created=3), type_=ActivityType.USERS_IMPORTED
        )
        assert await folded(connection) == [
            (ActivityType.BULK_CHANGE, "p", NOBODY | {"granted": 3, "created": 3}),
            (ActivityType.USERS_IMPORTED, None, NOBODY | {"created": 3}),
        ]


async def test_a_change_of_the_access_policy_is_one_line_except_for_a_product(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await products(connection, "p")
        await complimentary.give(connection, "p", people("a"), actor=None)
        changed = await connection.fetchval(
            """
            insert into policy_changes (before, after, state, granted, ended, finished_at)
            values ('{}', '{}', 'done', 0, 1, '2026-03-02 00:10+00') returning id
            """
        )
        await connection.execute(
            """
            insert into activities (fact, type, at, cause, product_id, user_id) values
            ('policy_changed:' || $1::int, 'policy_changed', '2026-03-01 23:50+00', 'admin', null,
             null),
            ('access_ended:1', 'access_ended', '2026-03-02 00:05+00', 'policy', 'p',
             (select id from users where email = 'a@bulk.example'))
            """,
            changed,
        )
        everything = [type_ for type_, _, _ in await folded(connection)]
        assert ActivityType.ACCESS_ENDED not in everything
        of_product = await lines.filtered(connection, FeedFilter(product_id="p", folded=True))
        assert ActivityType.ACCESS_ENDED in [row.type for row in of_product], "it has no line there"
        (head,) = await lines.filtered(connection, FeedFilter(types=("policy_changed",)))
        assert line_people(head) == (
            "Access ended: 1.",
            "cause=policy&from=2026-03-01&to=2026-03-02",
        )
        beneath = await lines.filtered(connection, FeedFilter(cause="policy", folded=True))
        assert [row.type for row in beneath] == [ActivityType.ACCESS_ENDED]


async def linked(connection: Connection, product: str, given: dict[str, tuple[str, ...]]) -> None:
    """Give people access to a linked product, each by these purchases."""
    await products(connection, product)
    await connection.execute(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state)
        values ($1, 'acct_1', false, 'prod_' || $1, 'listening')
        """,
        product,
    )
    for name, purchases in given.items():
        await connection.execute(
            """
            with person as (
                insert into users (email) values ($2 || '@bulk.example')
                on conflict (email_key) do update set email = excluded.email returning id)
            insert into grants (user_id, product_id, source, source_id, link_id, since, cause)
            select p.id, $1, 'subscription', source, l.id, now(), 'stripe'
              from person p cross join unnest($3::text[]) source
              join links l on l.product_id = $1
            """,
            product,
            name,
            list(purchases),
        )


async def test_a_removed_link_is_one_line_that_leads_to_its_people(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        given = {"a": ("sub_1", "sub_2"), "b": ("sub_3",), "c": ("sub_4",)}
        await linked(connection, "p", given)
        await complimentary.give(connection, "p", people("c"), actor=None)
        before = len(await folded(connection))
        removal = await links.remove_link(connection, product_id="p", members="end", actor=None)
        assert (removal.ended, removal.converted) == (4, 0)
        counts = NOBODY | {"ended": 2, "stripe_product": "prod_p"}
        assert (await folded(connection))[before:] == [(ActivityType.LINK_REMOVED, "p", counts)]
        [head, *_] = await lines.filtered(connection, FeedFilter(folded=True))
        found = FeedFilter(search=head.source_id, cause="bulk")
        beneath_it = await lines.filtered(connection, found)
        assert [line.type for line in beneath_it] == ["access_ended"] * 4
        text, query = line_people(head)
        assert text == "2 people lost access."
        assert query == f"product=p&cause=bulk&q={head.source_id}"
        [end] = await lines.filtered(connection, FeedFilter(search="sub_2"))
        assert (end.email, end.data["purchase"]) == ("a@bulk.example", "sub_2")


async def test_members_who_keep_access_after_a_removal_are_counted(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "p", {"a": ("sub_1",), "b": ("sub_2",)})
        await links.remove_link(connection, product_id="p", members="complimentary", actor=None)
        [head, *_] = await lines.filtered(connection, FeedFilter(folded=True))
        assert line_people(head)[0] == "2 people kept it as complimentary access."
        assert await beneath(connection, head) == {
            ("access_granted", "p"): 2, ("access_ended", "p"): 2,
        }  # fmt: skip
        assert await connection.fetchval("select count(*) from live_grants") == 2


async def test_a_link_that_only_one_person_has_is_removed_line_by_line(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "p", {"a": ("sub_1",)})
        await links.remove_link(connection, product_id="p", members="end", actor=None)
        rows = await lines.filtered(connection, FeedFilter(folded=True))
        assert [(row.type, row.source_id, row.cause) for row in rows] == [
            ("link_removed", "prod_p", "admin"), ("access_ended", "sub_1", "admin"),
        ]  # fmt: skip
        assert line_people(rows[0]) == ("", "")


async def test_undoing_a_merge_takes_the_end_of_a_purchase_along(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "p", {"a": ("sub_1",), "b": ("sub_2",), "c": ("sub_3",)})
        kept, goes = [
            await connection.fetchval(
                "select id from users where email_key = $1", f"{n}@bulk.example"
            )
            for n in "ab"
        ]
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, user_id)
            values ('cus_b', 'acct_1', false, $1)
            """,
            goes,
        )
        await connection.execute(
            """
            insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                       created_at, ticket)
            values ('sub_2', 'acct_1', false, 'cus_b', $1, 'active', now(), 1)
            """,
            goes,
        )
        await merging.merge(connection, into=kept, other=goes, reason=None, actor=None)
        await links.remove_link(connection, product_id="p", members="end", actor=None)
        await unmerging.undo(connection, from_user=goes, actor=None)
        rows = await lines.lines(connection, user_id=goes, types=["access_ended"])
        assert [row.data["purchase"] for row in rows] == ["sub_2"]
