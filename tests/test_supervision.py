"""Background loops survive any error and report it."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from latchkey import supervision
from latchkey.supervision import FAILURES, LoopSupervisor
from tests.harness import PATIENCE

pytestmark = pytest.mark.anyio

ERRORS = [
    RuntimeError("a fault"),
    AttributeError("'Group' object has no attribute 'local_part'"),
    asyncpg.InterfaceError("pool is closing"),
    asyncpg.InternalClientError("cut while a statement was prepared"),
    OSError("connection refused"),
    UnicodeEncodeError("ascii", "ü", 0, 1, "ordinal not in range"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.001)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_a_loop_goes_on_after_an_error_and_counts_it(error: Exception) -> None:
    supervisor, rounds = LoopSupervisor(), 0
    before = FAILURES.labels("tried")._value.get()

    async def round_() -> bool:
        nonlocal rounds
        rounds += 1
        if rounds <= 3:
            raise error
        supervisor.stop()
        return False

    async with asyncio.timeout(PATIENCE):
        await supervisor.repeat("tried", round_, every=60)
    assert rounds == 4
    assert FAILURES.labels("tried")._value.get() == before + 3
    assert supervisor.loops["tried"].error is None, "it recovered"


async def test_a_loop_that_fails_or_hangs_for_too_long_is_stuck() -> None:
    supervisor, hanging = LoopSupervisor(), asyncio.Event()

    async def failing() -> bool:
        raise RuntimeError("a fault")

    async def hangs() -> bool:
        await hanging.wait()
        return False

    async def fine() -> bool:
        return False

    short, patience = timedelta(milliseconds=1), timedelta(milliseconds=50)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervisor.repeat("resting", fine, every=3600, patience=short))
        tasks.create_task(supervisor.repeat("failing", failing, every=0.001, patience=patience))
        tasks.create_task(supervisor.repeat("hanging", hangs, every=0.001, patience=patience))
        tasks.create_task(supervisor.repeat("fine", fine, every=0.001))
        while {loop.name for loop in supervisor.stuck} != {"failing", "hanging"}:
            await asyncio.sleep(0.01)
        assert supervisor.loops["failing"].error == "RuntimeError"
        supervisor.stop()
        hanging.set()


async def test_pauses_grow_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def rest(_: asyncio.Event, seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 20:
            supervisor.stop()

    monkeypatch.setattr(supervision, "_rest", rest)
    supervisor = LoopSupervisor()

    async def failing() -> bool:
        raise RuntimeError("a fault")

    await supervisor.repeat("growing", failing, every=1)
    assert pauses == sorted(pauses)
    assert pauses[0] == supervision.FIRST_PAUSE
    assert pauses[-1] <= supervision.LONGEST_PAUSE


async def test_what_a_start_needs_is_tried_until_it_succeeds() -> None:
    supervisor, tries = LoopSupervisor(), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("not yet")

    async with asyncio.timeout(PATIENCE):
        await supervisor.once("start", work)
    assert tries == 3
    assert not supervisor.loops, "it isn't watched any longer"
