"""Hands over to the database together what requests ask of it at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from latchkey.store.pool import DATABASE_AWAY

MOST = 50
"""How many requests share one statement at most."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
_Waiting = tuple[Asked, asyncio.Future[Answer]]


class Batches(Generic[Asked, Answer]):
    """Requests that share statements. In a quiet process each has its own, and at once.

    `run` answers several in their order. At most `under_way` of its calls run at a time; what
    arrives meanwhile shares the next one. Requests with the same `subject` are never in two calls
    at a time, so that a later one sees what an earlier one did; by default, each has its own.
    What is logged meanwhile is about no single request, so it has the ids of none.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Asked]], Awaitable[Sequence[Answer]]],
        *,
        under_way: int,
        subject: Callable[[Asked], object] = id,
    ) -> None:
        self._run = run
        self._under_way = under_way
        self._subject = subject
        self._arrived: list[_Waiting[Asked, Answer]] = []
        self._runners: set[asyncio.Task[None]] = set()
        self._subjects: set[object] = set()

    async def ask(self, asked: Asked) -> Answer:
        """What `run` answers to this alone. Its errors are those of this request alone, unless the
        database is away."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._arrived.append((asked, answer))
        if sum(not runner.done() for runner in self._runners) < self._under_way:
            runner = asyncio.create_task(self._run_all(), context=Context())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await answer

    async def _run_all(self) -> None:
        """Run what has arrived. What has a subject of another runner is left to that one."""
        while together := self._taken():
            subjects = {self._subject(asked) for asked, _ in together}
            self._subjects |= subjects
            try:
                await self._answer(together)
            finally:
                self._subjects -= subjects

    def _taken(self) -> list[_Waiting[Asked, Answer]]:
        together: list[_Waiting[Asked, Answer]] = []
        left: list[_Waiting[Asked, Answer]] = []
        for one in self._arrived:
            free = len(together) < MOST and self._subject(one[0]) not in self._subjects
            (together if free else left).append(one)
        self._arrived = left
        return together

    async def _answer(self, together: list[_Waiting[Asked, Answer]]) -> None:
        try:
            answers = await self._run([asked for asked, _ in together])
            answered = list(zip(together, answers, strict=True))
        except BaseException as error:
            away = isinstance(error, DATABASE_AWAY)
            if len(together) > 1 and isinstance(error, Exception) and not away:
                for one in together:
                    await self._answer([one])
                return
            for _, answer in together:
                if not answer.done():
                    answer.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, answer), given in answered:
                if not answer.done():
                    answer.set_result(given)
