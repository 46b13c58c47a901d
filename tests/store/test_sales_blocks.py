"""A sales page's blocks: stored as a list, of which each change touches what it is about."""

import asyncio
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.store.pool import Pool
from latchkey.store.products import sales_blocks, sales_pages
from latchkey.store.products.sales_blocks import (
    AnsweredQuestion,
    Block,
    Content,
    PictureBlock,
    PlansBlock,
    QuestionsBlock,
    Stored,
    TextBlock,
    TooMuchError,
)

LATER = {"id": "blk_later", "kind": "hologram", "edition": 3, "content": {"depth": 4}}
"""A block of a kind that only a later release knows."""

texts = st.text(max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
voices = st.lists(st.builds(sales_blocks.Testimonial, texts, texts)).map(tuple)
contents: st.SearchStrategy[Content] = st.one_of(
    st.builds(TextBlock, texts),
    st.builds(PictureBlock, texts, texts, texts),
    st.builds(PlansBlock, texts, texts, texts),
    st.builds(sales_blocks.TestimonialsBlock, voices, texts),
    st.builds(sales_blocks.VideoBlock, texts, texts, st.none() | texts),
    st.builds(sales_blocks.CountdownBlock, moments, texts, texts, texts),
    st.builds(
        QuestionsBlock, st.lists(st.builds(AnsweredQuestion, texts, texts)).map(tuple), texts
    ),
)
pages = st.lists(contents, max_size=6).map(
    lambda several: [Block(f"blk_{n}", content, n) for n, content in enumerate(several)]
)
lists = st.tuples(pages, st.booleans()).map(
    lambda made: sales_blocks.as_stored(made[0]) + ([LATER] if made[1] else [])
)


def ids(stored: Stored) -> list[str]:
    return [entry["id"] for entry in stored]


@given(pages)
def test_what_is_stored_is_read_again(page: list[Block]) -> None:
    assert sales_blocks.read(sales_blocks.as_stored(page)) == tuple(page)


@given(lists, st.integers(0, 7), st.integers(-8, 8))
def test_moving_loses_no_block_and_moving_back_undoes_it(
    stored: Stored, number: int, by: int
) -> None:
    block_id = f"blk_{number}"
    there = sales_blocks.moved(stored, block_id, by=by)
    assert sorted(ids(there)) == sorted(ids(stored))
    before, after = ([block.id for block in sales_blocks.read(one)] for one in (stored, there))
    if block_id not in before:
        assert there == stored
        return
    place = min(max(number + by, 0), len(before) - 1)
    assert after.index(block_id) == place
    assert [one for one in after if one != block_id] == [one for one in before if one != block_id]
    again = sales_blocks.moved(there, block_id, by=number - place)
    assert sales_blocks.read(again) == sales_blocks.read(stored)


def test_blocks_of_a_later_kind_stay_behind_their_neighbour() -> None:
    stored = [*sales_blocks.as_stored([Block(f"blk_{n}", PlansBlock()) for n in range(3)]), LATER]
    there = sales_blocks.moved(stored, "blk_2", by=-2)
    assert ids(there) == ["blk_2", "blk_later", "blk_0", "blk_1"]
    assert ids(sales_blocks.moved(there, "blk_2", by=1)) == [
        "blk_0",
        "blk_2",
        "blk_later",
        "blk_1",
    ], "what the page doesn't show takes no place"


@given(lists, st.integers(0, 7), contents)
def test_placing_a_block_leaves_the_others_as_they_are(
    stored: Stored, number: int, content: Content
) -> None:
    block = Block(f"blk_{number}", content, 9)
    placed = sales_blocks.place(stored, block)
    assert [entry for entry in placed if entry["id"] != block.id] == [
        entry for entry in stored if entry["id"] != block.id
    ]
    assert block in sales_blocks.read(placed)


def test_a_page_has_bounds() -> None:
    full = sales_blocks.as_stored([Block(f"blk_{n}", PlansBlock()) for n in range(40)])
    with pytest.raises(TooMuchError, match="up to 40"):
        sales_blocks.place(full, Block("blk_40", PlansBlock()))
    sales_blocks.place(full, Block("blk_39", TextBlock("a")))
    long = sales_blocks.place([], Block("blk_1", TextBlock("a" * 200_000)))
    with pytest.raises(TooMuchError, match="300,000"):
        sales_blocks.place(long, Block("blk_2", TextBlock("b" * 150_000)))


def test_what_cannot_be_read_is_not_shown() -> None:
    wrong: list[dict[str, Any]] = [
        LATER,
        {},
        {"id": "a", "kind": "text", "edition": 1, "content": {"body": 4}},
        {"id": "a", "kind": "text", "edition": 1, "content": {}},
    ]
    assert sales_blocks.read(wrong) == ()


async def started(pool: Pool, product: str = "prd_1", **columns: Any) -> None:
    await pool.execute(
        "insert into products (id, slug, name) values ($1, $1, 'Knots') on conflict do nothing",
        product,
    )
    given = {"headline": "Tie it", "body": "", "image_url": None, "price_line": "", "button": ""}
    given |= columns
    await pool.execute(
        "insert into sales_pages (product_id, headline, body, image_url, price_line, button)"
        " values ($1, $2, $3, $4, $5, $6)",
        product,
        *given.values(),
    )


@pytest.mark.anyio
async def test_a_page_from_before_shows_what_it_showed(pool: Pool) -> None:
    await started(
        pool, body="## Why\n\nBecause.", image_url="/pictures/x", price_line="Cheap", button="Go"
    )
    async with pool.acquire() as connection, connection.transaction():
        page = await sales_pages.find(connection, "prd_1")
        assert page
        assert [block.content for block in page.blocks] == [
            PictureBlock("/pictures/x"),
            TextBlock("## Why\n\nBecause."),
            PlansBlock(price_line="Cheap", button="Go"),
        ]
        text = page.blocks[1]
        assert await sales_pages.put_block(
            connection, "prd_1", text.id, TextBlock("Now."), edition=text.edition
        )
        changed = await sales_pages.find(connection, "prd_1")
        assert changed
        assert changed.blocks == (
            page.blocks[0],
            replace(text, content=TextBlock("Now."), edition=2),
            page.blocks[2],
        )
        before = await connection.fetchrow("select * from sales_pages")
    assert before
    assert [before[name] for name in ("body", "image_url", "price_line", "button")] == [
        "Now.",
        "/pictures/x",
        "Cheap",
        "Go",
    ], "the release before shows the new text"


@pytest.mark.anyio
async def test_a_copy_is_a_page_of_its_own(pool: Pool) -> None:
    await started(pool, body="One", price_line="Cheap")
    await pool.execute("insert into products (id, slug, name) values ('prd_2', 'two', 'Two')")
    async with pool.acquire() as connection, connection.transaction():
        assert await sales_pages.start(connection, "prd_2", copy_of="prd_1")
        assert not await sales_pages.start(connection, "prd_2", copy_of="prd_none")
        copy = await sales_pages.find(connection, "prd_2")
        assert copy
        assert (copy.headline, copy.status) == ("Tie it", "draft")
        for block in copy.blocks:
            await sales_pages.delete_block(connection, "prd_2", block)
        emptied = await sales_pages.find(connection, "prd_2")
        assert emptied
        assert emptied.blocks == ()
        source = await sales_pages.find(connection, "prd_1")
        assert source
        assert [block.content for block in source.blocks] == [
            TextBlock("One"),
            PlansBlock(price_line="Cheap"),
        ]


@pytest.mark.anyio
async def test_two_people_edit_a_page_at_the_same_time(pool: Pool) -> None:
    """Different blocks don't get in each other's way; of the same block, the second is refused."""
    await started(pool, body="One")

    async def put(block_id: str, text: str, edition: int) -> bool:
        async with pool.acquire() as connection, connection.transaction():
            content = TextBlock(text)
            return await sales_pages.put_block(
                connection, "prd_1", block_id, content, edition=edition
            )

    made = [f"blk_{n}" for n in range(4)]
    assert all(await asyncio.gather(*(put(block_id, block_id, 0) for block_id in made * 2)))
    assert await put("blk_1", "changed", 1)
    assert await put("blk_1", "changed", 1), "sent twice"
    with pytest.raises(sales_pages.OutdatedError):
        await put("blk_1", "changed otherwise", 1)
    assert not await put("blk_none", "changed", 1), "somebody deleted it"
    async with pool.acquire() as connection:
        page = await sales_pages.find(connection, "prd_1")
    assert page
    texts = sorted(one.content.body for one in page.blocks if isinstance(one.content, TextBlock))
    assert texts == sorted(["One", "blk_0", "changed", "blk_2", "blk_3"])


@pytest.mark.anyio
async def test_blocks_of_a_later_release_survive_a_change(pool: Pool) -> None:
    await started(pool)
    await pool.execute("update sales_pages set blocks = $1", [LATER])
    async with pool.acquire() as connection, connection.transaction():
        await sales_pages.put_block(connection, "prd_1", "blk_1", TextBlock("a"), edition=0)
        await sales_pages.move_block(connection, "prd_1", "blk_1", by=-1)
        stored = await connection.fetchval("select blocks from sales_pages")
    assert stored[0] == LATER
