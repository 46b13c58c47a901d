"""Lessons in the database: their order, when each opens for whom, and whose marks are kept."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.store.access import lesson_progress
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import lessons, products
from latchkey.store.users import erasure, merging, profile, unmerging, users

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)


async def course(
    connection: Connection, *days: int, access_mode: str = "assigned"
) -> tuple[str, list[str]]:
    """A live product with a live lesson for each number of days: the ids of both."""
    product = await products.create(
        connection, name="Course", slug=None, status="live", access_mode=access_mode
    )
    made = []
    for number, after in enumerate(days, start=1):
        lesson = await lessons.create(
            connection,
            product.id,
            lesson_id=lessons.new_id(),
            title=f"Lesson {number}",
            released_after_days=after,
            status="live",
        )
        assert lesson is not None
        made.append(lesson.id)
    return product.id, made


async def person(connection: Connection, email: str) -> int:
    return (await users.find_or_create(connection, email))[0].id


async def granted(
    connection: Connection, user_id: int, product_id: str, since: datetime, **more: object
) -> None:
    columns = {"user_id": user_id, "product_id": product_id, "since": since, **more}
    await connection.execute(
        f"""
        insert into grants (source, source_id, cause, {", ".join(columns)})
        values ('manual', (select count(*)::text from grants), 'admin',
                {", ".join(f"${n}" for n in range(1, len(columns) + 1))})
        """,
        *columns.values(),
    )


async def opens(connection: Connection, product_id: str, user_id: int | None) -> datetime | None:
    steps = await lesson_progress.steps(connection, product_id, user_id=user_id)
    return steps[-1].opens_at


async def titles(connection: Connection, product_id: str) -> list[str]:
    return [row.title[-1] for row in await lessons.listed(connection, product_id)]


async def test_lessons_keep_the_order_that_they_are_given(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        product, made = await course(connection, 0, 0, 0, 0)
        other, [foreign] = await course(connection, 0)

        async def move(place: int, by: int) -> str:
            await lessons.move(connection, product, made[place], by=by)
            return "".join(await titles(connection, product))

        assert await move(0, -1) == "1234"
        assert await move(0, 1) == "2134"
        assert await move(3, 1) == "2134"
        assert await move(1, 2) == "1324"
        assert await move(3, -9) == "4132"
        await lessons.move(connection, product, foreign, by=-1)
        assert "".join(await titles(connection, product)) == "4132"
        await lessons.reorder(connection, product, made)
        assert "".join(await titles(connection, product)) == "1234"
        for wrong in (made[1:], [*made, made[0]], [*made[1:], foreign], []):
            with pytest.raises(lessons.OtherLessonsError):
                await lessons.reorder(connection, product, wrong)
        assert "".join(await titles(connection, product)) == "1234"
        assert await titles(connection, other) == ["1"]
        assert await lessons.delete(connection, other, made[0]) is False
        assert await lessons.update(connection, other, made[0], {"title": "Mine"}) is None


async def test_several_people_order_and_add_lessons_at_once(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        product, made = await course(connection, 0, 0, 0, 0)

    async def move(lesson: str, by: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await lessons.move(connection, product, lesson, by=by)

    async def add(number: int) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await lessons.create(
                connection, product, lesson_id=lessons.new_id(), title=f"Lesson {number}"
            )

    changes = [move(made[0], 3), move(made[3], -2), move(made[1], 2), *map(add, (5, 6, 7))]
    await asyncio.gather(*changes)
    rows = await pool.fetch("select position from lessons where product_id = $1", product)
    assert len({row["position"] for row in rows}) == 7, "each has a place of its own"


async def test_a_form_sent_twice_makes_one_lesson(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        product, _ = await course(connection)
        other, _ = await course(connection)
    same = lessons.new_id()

    async def create(product_id: str) -> lessons.Lesson | None:
        async with pool.acquire() as connection, connection.transaction():
            return await lessons.create(connection, product_id, lesson_id=same, title="Lesson 1")

    first, second = await asyncio.gather(create(product), create(product))
    assert first == second
    assert first is not None
    assert await create(other) is None


async def test_a_product_has_a_bounded_number_of_lessons(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "MOST", 2)
    async with pool.acquire() as connection, connection.transaction():
        await course(connection, 0, 0)
        with pytest.raises(lessons.TooManyLessonsError):
            await course(connection, 0, 0, 0)


async def test_days_count_from_when_access_first_began(pool: Pool) -> None:
    now = datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        product, _ = await course(connection, 0, 7)
        returns = await person(connection, "returns@lessons.example")
        await granted(connection, returns, product, now)
        assert await opens(connection, product, returns) == now + 7 * DAY
        early = now - 300 * DAY
        await granted(connection, returns, product, early, ended_at=early + DAY)
        assert await opens(connection, product, returns) == early + 7 * DAY
        imported = await person(connection, "imported@lessons.example")
        await granted(connection, imported, product, now, bought_at=now - 30 * DAY)
        assert await opens(connection, product, imported) == now - 23 * DAY
        steps = await lesson_progress.steps(connection, product, user_id=imported, whole=True)
        assert [step.opens_at for step in steps] == [None, None]


async def test_days_count_without_a_purchase_where_none_is_needed(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        joined = await person(connection, "joined@lessons.example")
        free, _ = await course(connection, 3, access_mode="signed_in")
        made = (await products.find(connection, free)).created_at  # type: ignore[union-attr]
        await connection.execute(
            "update users set created_at = $2 where id = $1", joined, made - DAY
        )
        assert await opens(connection, free, joined) == made + 3 * DAY
        await connection.execute(
            "update users set created_at = $2 where id = $1", joined, made + DAY
        )
        assert await opens(connection, free, joined) == made + 4 * DAY
        await granted(connection, joined, free, made - 9 * DAY)
        assert await opens(connection, free, joined) == made - 6 * DAY
        public, _ = await course(connection, 3, access_mode="public")
        await granted(connection, joined, public, made)
        assert await opens(connection, public, joined) is None
        assert await opens(connection, public, None) is None


async def test_drafts_arent_among_a_members_lessons(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        product, made = await course(connection, 0, 0)
        reader = await person(connection, "reader@lessons.example")
        await lesson_progress.mark(connection, reader, made[0], done=True)
        await lessons.update(connection, product, made[0], {"status": "draft"})
        steps = await lesson_progress.steps(connection, product, user_id=reader)
        assert [step.id for step in steps] == [made[1]]
        found = await lesson_progress.of_products(connection, reader, [product])
        assert (found[product].lessons, found[product].done) == (1, 0)


async def marks(connection: Connection, user_id: int) -> set[str]:
    rows = await connection.fetch("select lesson_id from lesson_marks where user_id = $1", user_id)
    return {row["lesson_id"] for row in rows}


async def test_marks_go_with_a_merge_and_come_back_when_it_is_undone(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        product, made = await course(connection, 0, 0, 5)
        stays = await person(connection, "stays@lessons.example")
        goes = await person(connection, "goes@lessons.example")
        for user_id, lesson in ((stays, 0), (stays, 1), (goes, 1), (goes, 2)):
            await lesson_progress.mark(connection, user_id, made[lesson], done=True)
        now = datetime.now(UTC)
        await granted(connection, stays, product, now)
        await granted(connection, goes, product, now - 9 * DAY)
    async with pool.acquire() as connection, connection.transaction():
        await merging.merge(connection, into=stays, other=goes, reason=None, actor=None)
        assert await marks(connection, stays) == set(made)
        assert await opens(connection, product, stays) == now - 4 * DAY
    async with pool.acquire() as connection, connection.transaction():
        await unmerging.undo(connection, from_user=goes, actor=None)
        assert await marks(connection, stays) == set(made[:2])
        assert await marks(connection, goes) == set(made[1:])


async def test_marks_are_exported_and_erased(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        _, [lesson] = await course(connection, 0)
        reader = await person(connection, "erased@lessons.example")
        for done in (True, True, False, True):
            await lesson_progress.mark(connection, reader, lesson, done=done)
        assert '"lesson": "Lesson 1"' in await profile.export(connection, reader)
        await lesson_progress.mark(connection, reader, "les_0000000000000000", done=True)
        await erasure.erase(connection, reader, actor=reader)
        assert await marks(connection, reader) == set()
