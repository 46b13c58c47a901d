"""The feed and the user list: every filter finds the same as a naive one."""

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.store.feed import lanes, lines, text_search
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.feed.lines import FeedLine
from latchkey.store.pool import Connection, Pool
from latchkey.store.users import listing

pytestmark = pytest.mark.anyio

BEGIN = datetime(2027, 1, 1, tzinfo=UTC)
TYPES = ("access_granted", "disputed", "refunded", "signed_in")
CAUSES = ("admin", "bulk", "customer", "import", "timer")
PEOPLE = (
    ("ada@feed.example", "Ada Lovelace"),
    ("Grace.Hopper@feed.example", None),
    ("wang@feed.example", "王伟"),
    ("m@other.example", "محمد العربي"),
    ("plain_50%@feed.example", "O'Neill \\ Co"),
)


async def fill(connection: Connection, lines: int) -> list[dict[str, Any]]:
    """Users, products and lines, recorded in a different order than they happened."""
    rng = random.Random(5)
    for email, name in PEOPLE:
        await connection.execute("insert into users (email, name) values ($1, $2)", email, name)
    users = [row["id"] for row in await connection.fetch("select id from users order by id")]
    for product in ("prd_a", "prd_b"):
        await connection.execute(
            "insert into products (id, slug, name) values ($1, $1, $1)", product
        )
    for number in range(lines):
        await connection.execute(
            """
            insert into activities (fact, type, at, cause, user_id, product_id, source_id)
            values ($1, $2, $3, $4, $5, $6, $7)
            """,
            f"fact:{number}",
            rng.choice(TYPES),
            BEGIN + timedelta(hours=rng.randrange(60)),
            rng.choice(CAUSES),
            rng.choice([*users, None]),
            rng.choice(["prd_a", "prd_b", None]),
            f"sub_{rng.randrange(6)}",
        )
    rows = await connection.fetch(
        """
        select a.*, lower(u.email || ' ' || coalesce(u.name, '')) as who
          from activities a left join users u on u.id = a.user_id order by a.at desc, a.id desc
        """
    )
    return [dict(row) for row in rows]


def fits(row: dict[str, Any], wanted: FeedFilter) -> bool:
    return (
        (not wanted.types or row["type"] in wanted.types)
        and wanted.user_id in (None, row["user_id"])
        and wanted.product_id in (None, row["product_id"])
        and wanted.cause in (None, row["cause"])
        and wanted.source_id in (None, row["source_id"])
        and (wanted.since is None or row["at"] >= wanted.since)
        and (wanted.until is None or row["at"] < wanted.until)
        and (
            wanted.search is None
            or wanted.search.lower() in (row["who"] or "")
            or wanted.search == row["source_id"]
        )
        and not (wanted.folded and wanted.cause is None and row["cause"] in ("bulk", "import"))
    )


async def all_pages(connection: Connection, wanted: FeedFilter, limit: int) -> list[int]:
    found: list[int] = []
    rows: list[FeedLine] = []
    while rows := await lines.filtered(
        connection, wanted, after=rows[-1].id if rows else None, limit=limit
    ):
        found += [row.id for row in rows]
    return found


async def test_every_combination_of_filters_finds_its_lines(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.acquire() as connection:
        rows = await fill(connection, 120)
        some = next(row["user_id"] for row in rows if row["user_id"])
        combinations = itertools.product(
            ((), ("disputed",), TYPES[:3]),
            (None, some),
            (None, "prd_a"),
            (None, "timer"),
            ((None, None), (BEGIN + timedelta(hours=10), BEGIN + timedelta(hours=50))),
            (None, "Feed.exam", "sub_3"),
            (False, True),
        )
        for most_lanes in (1000, 1):
            monkeypatch.setattr(lanes, "MOST_LANES", most_lanes)
            monkeypatch.setattr(lanes, "NARROWEST", 50)
            for types, user, product, cause, (since, until), search, folded in combinations:
                wanted = FeedFilter(types, user, product, cause, since, until, None, search, folded)
                expected = [row["id"] for row in rows if fits(row, wanted)]
                assert await all_pages(connection, wanted, 45) == expected, wanted
            combinations = itertools.product(
                ((), ("disputed",)), (None,), (None, "prd_a"), (None,),
                ((None, BEGIN + timedelta(hours=40)),), ("feed.example", "Feed"), (False, True),
            )  # fmt: skip
        wanted = FeedFilter(source_id="sub_2", types=("refunded",))
        expected = [row["id"] for row in rows if fits(row, wanted)]
        assert await all_pages(connection, wanted, 3) == expected
        assert await lines.filtered(connection, FeedFilter(), after=10**9) == []


async def test_the_line_of_a_link_sums_up_its_import(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into products (id, slug, name) values ('prd_a', 'a', 'A');
            insert into links (id, product_id, account_id, livemode, stripe_product, progress)
            overriding system value
            values (7, 'prd_a', 'acct_1', true, 'prod_a', '{"granted": 1234}');
            insert into activities (fact, type, at, cause, product_id)
            values ('link_created:7', 'link_created', now(), 'admin', 'prd_a'),
                   ('link_created:8', 'link_created', now(), 'admin', 'prd_a'),
                   ('imported:sub_1:prd_a', 'imported', now(), 'import', 'prd_a');
            """
        )
        rows = await lines.filtered(connection, FeedFilter(folded=True))
        assert [(row.type, row.imported) for row in rows] == [
            ("link_created", None),
            ("link_created", 1234),
        ]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ada", ["ada@feed.example"]),
        ("LOVELACE", ["ada@feed.example"]),
        ("a L", ["ada@feed.example"]),
        ("hopper@feed", ["Grace.Hopper@feed.example"]),
        ("王伟", ["wang@feed.example"]),
        ("王", ["wang@feed.example"]),
        ("العربي", ["m@other.example"]),
        ("50%@", ["plain_50%@feed.example"]),
        ("n_5", ["plain_50%@feed.example"]),
        ("\\ co", ["plain_50%@feed.example"]),
        ("m@o", ["m@other.example"]),
        ("ada@feed.examples", []),
        ("%", ["plain_50%@feed.example"]),
    ],
)
async def test_users_are_found_by_any_part(pool: Pool, search: str, found: list[str]) -> None:
    async with pool.acquire() as connection:
        await fill(connection, 0)
        wanted = listing.UserFilter(search=search)
        rows = await listing.listed(connection, wanted, limit=10)
        assert [row.email for row in rows] == found


async def test_a_search_is_served_by_its_index(pool: Pool) -> None:
    """The condition matches the index; otherwise every search would read every user."""
    async with pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off")
        plan = await text_search.fetch_planned(
            connection,
            f"explain select id from users u where {text_search.matches('u', '$1', 'love')}",
            "love",
        )
        assert any("users_by_grams" in row[0] for row in plan), plan
        await connection.execute("reset enable_seqscan")


async def test_no_lane_reads_and_sorts_the_feed(pool: Pool) -> None:
    """Each lane's index goes on in the feed's order: what is read is what is shown."""
    lanes = {
        "true": "activities_by_time",
        "user_id = 1": "activities_by_user",
        "source_id = 'x'": "activities_by_source",
        "cause = 'x'": "activities_by_cause",
        "type = 'x' and cause = 'x'": "activities_by_type",
        "product_id = 'x'": "activities_by_product",
        "product_id = 'x' and cause = 'x'": "activities_by_product_cause",
        "product_id = 'x' and type = 'x' and cause = 'x'": "activities_by_product_type",
    }
    async with pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off; set enable_sort = off")
        for lane, index in lanes.items():
            rows = await connection.fetch(
                f"""
                explain select id, at from activities where {lane} and at < now()
                 order by at desc, id desc limit 50
                """
            )
            plan = "\n".join(row[0] for row in rows)
            assert f"using {index} " in plan, plan
            assert "Sort" not in plan, plan
        await connection.execute("reset enable_seqscan; reset enable_sort")
