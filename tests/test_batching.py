"""Requests that share statements: each gets its own answer or error, and none is forgotten."""

import asyncio
from collections.abc import Sequence

import pytest
from structlog.contextvars import bind_contextvars, get_contextvars

from web.batching import Batches

pytestmark = pytest.mark.anyio


class Database:
    """Answers each question with its tenfold. One about 13 fails with all that share its call; once
    `opened`, calls are answered."""

    def __init__(self) -> None:
        self.opened = asyncio.get_running_loop().create_future()
        self.calls: list[list[int]] = []

    async def answer(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        await self.opened
        if 13 in numbers:
            raise ZeroDivisionError
        return [10 * number for number in numbers]


async def test_a_question_that_fails_fails_alone() -> None:
    database = Database()
    batches = Batches(database.answer, under_way=1)
    asked = [asyncio.create_task(batches.ask(number)) for number in (1, 13, 2)]
    database.opened.set_result(None)
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert found[::2] == [10, 20]
    assert isinstance(found[1], ZeroDivisionError)
    assert database.calls == [[1, 13, 2], [1], [13], [2]]


async def test_who_stops_asking_takes_no_answer_from_others() -> None:
    database = Database()
    batches = Batches(database.answer, under_way=1)
    asked = [asyncio.create_task(batches.ask(number)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    asked[1].cancel()
    database.opened.set_result(None)
    assert await asyncio.gather(*asked[::2]) == [10, 30]


async def test_a_question_that_arrives_as_the_last_call_ends_is_asked() -> None:
    database = Database()
    batches = Batches(database.answer, under_way=1)
    first = asyncio.create_task(batches.ask(1))
    while not database.calls:
        await asyncio.sleep(0)
    database.opened.set_result(None)
    second = asyncio.create_task(batches.ask(2))
    async with asyncio.timeout(20):
        assert (await first, await second) == (10, 20)
    assert database.calls == [[1], [2]]


async def test_no_more_calls_run_at_a_time_than_may() -> None:
    database = Database()
    batches = Batches(database.answer, under_way=2)
    asked = []
    for number in range(5):
        asked.append(asyncio.create_task(batches.ask(number)))
        for _ in range(5):
            await asyncio.sleep(0)
    assert database.calls == [[0], [1]]
    database.opened.set_result(None)
    assert await asyncio.gather(*asked) == [0, 10, 20, 30, 40]
    assert database.calls == [[0], [1], [2, 3, 4]]


async def test_a_missing_answer_is_an_error() -> None:
    async def answer(numbers: Sequence[int]) -> list[int]:
        return []

    batches = Batches(answer, under_way=1)
    async with asyncio.timeout(20):
        found = await asyncio.gather(batches.ask(1), batches.ask(2), return_exceptions=True)
    assert [type(error) for error in found] == [ValueError, ValueError]


async def test_a_call_has_the_log_fields_of_no_single_request() -> None:
    async def answer(numbers: Sequence[int]) -> list[dict[str, object]]:
        return [get_contextvars() for _ in numbers]

    batches = Batches(answer, under_way=1)

    async def asks(number: int) -> dict[str, object]:
        bind_contextvars(request_id=str(number))
        return await batches.ask(number)

    assert list(await asyncio.gather(asks(1), asks(2))) == [{}, {}]
