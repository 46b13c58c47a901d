"""Whatever says that Postgres is away is told apart from what a question is to blame for."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest
from starlette.requests import Request
from starlette.responses import Response

from web import pages
from web.batching import Batches
from web.oauth.calls import call

pytestmark = pytest.mark.anyio

AWAY = [
    OSError("connection refused"),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cut while a statement was prepared"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.DiskFullError("could not extend file: No space left on device"),
]
ASKED_WRONGLY = [
    asyncpg.DataError("invalid input for query argument $1"),
    asyncpg.UniqueViolationError("duplicate key value"),
    asyncpg.UndefinedColumnError("there is no such column"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]


def named(error: Exception) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", AWAY, ids=named)
async def test_whoever_asks_learns_that_it_is_away(error: Exception) -> None:
    asked: list[list[int]] = []

    async def answer(numbers: Sequence[int]) -> list[int]:
        asked.append(list(numbers))
        raise error

    batches = Batches(answer, under_way=1)
    found = await asked_together(batches, 3)
    assert (found, asked) == ([error] * 3, [[0, 1, 2]])
    assert (await called(error)).status_code == 503
    assert handler_of(error) is handler_of(OSError())


@pytest.mark.parametrize("error", ASKED_WRONGLY, ids=named)
async def test_a_wrong_question_is_its_own_fault(error: Exception) -> None:
    async def answer(numbers: Sequence[int]) -> list[int]:
        if 1 in numbers:
            raise error
        return list(numbers)

    assert await asked_together(Batches(answer, under_way=1), 3) == [0, error, 2]
    assert (await called(error)).status_code == 500
    assert handler_of(error) is not handler_of(OSError())


async def asked_together(batches: Batches[int, int], count: int) -> list[int | BaseException]:
    return await asyncio.gather(*map(batches.ask, range(count)), return_exceptions=True)


async def called(error: Exception) -> Response:
    """What a client's call is answered that fails with this."""

    async def handle(request: Request) -> Response:
        raise error

    return await call(handle)(Request({"type": "http", "path": "/oauth/token", "headers": []}))


def handler_of(error: Exception) -> object:
    """What shows the page about an error."""
    handlers = pages.exception_handlers()
    return next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)
