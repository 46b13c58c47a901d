"""Fixtures: a shared Postgres and Temporal, and new databases and sandboxes on request."""

import asyncio
import functools
import gc
import inspect
import itertools
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings
from jinja2 import FileSystemBytecodeCache
from starlette import routing
from temporalio.client import Schedule

from latchkey import dispatch, doctor_checks, doctor_temporal, passwords, schedules, worker_port
from latchkey.mail import render as mail_rendering
from latchkey.settings import Settings
from latchkey.store.pool import Pool, create_pool
from sandbox.pages import frame as sandbox_pages
from sandbox.schema import Published
from tests.harness import (
    PATIENCE,
    Latchkey,
    Postgres,
    Stripe,
    memory_folder,
    run_latchkey,
    run_postgres,
    run_sandbox,
    run_temporal,
)
from tests.sandbox.alone import Alone, run_alone
from web import health
from web.pages import render as page_rendering
from web.pages.admin import stripe_settings

settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")
"""How fast a machine is fails no test: the first text that is generated takes seconds on a busy
one. Each run tries the same examples, so that what fails fails again; the profile `search` tries
others."""

LONGEST = 600.0
"""Seconds that no test takes, even on a machine that does much else; the `longest` may take twice
as many."""

gc.set_threshold(20_000, 20, 50)
"""The garbage collector looks rarely, also while tests are collected: it would take a tenth of
that time, and a fifteenth of theirs."""

FAILED = pytest.StashKey[bool]()
"""Set on a test that has failed, for the fixtures that can say more about it."""

_warnings: deque[Any] = deque(maxlen=100)
"""What Latchkey has logged during the test."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first: the processes that share the tests then end at the same time. A
    test with a Latchkey of its own counts as one of them, and so does each of some folders.
    Processes begin with two tests each, so every other one of the first is among the longest."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        alone = "temporal_address" in fixtures and "shared" not in fixtures
        if alone or "site" in fixtures or item.path.parent.name in ("drill", "life"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    longest = [item for item in items if item.get_closest_marker("longest")]
    others = [item for item in items if not item.get_closest_marker("longest")]
    pairs = itertools.zip_longest(longest, others)
    items[:] = [item for pair in pairs for item in pair if item is not None]


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what stays until the end."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what Latchkey logged: it may never happen again."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
        lines = "\n".join(str(line) for line in _warnings)
        report.sections.append((f"Log of Latchkey {report.when}", lines or "(no warnings)"))
    return report


def pytest_runtest_setup() -> None:
    _warnings.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """End a test that hangs, where it hangs."""
    test = pyfuncitem.obj
    seconds = LONGEST * (2 if pyfuncitem.get_closest_marker("longest") else 1)

    @functools.wraps(test)
    async def bounded(**given: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(**given)

    if inspect.iscoroutinefunction(test) and not hasattr(test, "hypothesis"):
        pyfuncitem.obj = bounded


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that the web uses in production, which computes a fifth less. The worker's own is
    asyncio's: tests that start a process of Latchkey have it."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def usual_garbage() -> Iterator[None]:
    """Lets a test set how the whole process looks for garbage, from Python's beginning on."""
    found = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.freeze()
    gc.set_threshold(*found)


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """The tests read what happened from the database and the API, not from the log. Warnings are
    kept for a test that fails."""

    def kept(_: Any, method: str, line: structlog.typing.EventDict) -> Any:
        _warnings.append(line)
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, kept],
        wrapper_class=structlog.make_filtering_bound_logger(30),
    )


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash passwords cheaply: as in production, each sign-in would compute for 0.2 s."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_routes() -> Iterator[None]:
    """Read each path once: there are more than Python keeps compiled, and each site and sandbox
    would compile all of its own again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routing, "compile_path", functools.cache(routing.compile_path))
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each template once in a run: its processes would compute two seconds each."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    compiled = FileSystemBytecodeCache(str(folder))
    with pytest.MonkeyPatch.context() as patch:
        for module in (page_rendering, mail_rendering, sandbox_pages):
            patch.setattr(module._ENVIRONMENT, "bytecode_cache", compiled)
        yield


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Wait as long for what is only slow as the tests do. In production, checks of health and pages
    that refresh a list go on after seconds, with what they have."""
    defaults = dispatch.refresh_catalog.__kwdefaults__
    assert defaults is not None
    with pytest.MonkeyPatch.context() as patch:
        for module in (worker_port, health, doctor_checks, doctor_temporal):
            patch.setattr(module, "PATIENCE_SECONDS", PATIENCE)
        patch.setattr(stripe_settings, "REFRESH_SECONDS", PATIENCE)
        patch.setitem(defaults, "seconds", PATIENCE)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_time_of_day() -> Iterator[None]:
    """Have Temporal's schedules begin long after a site's start: else those tests would fail that a
    round minute, or the night's comparison, finds at work."""
    catch_up = schedules._catch_up

    def later(settings: Settings) -> Schedule:
        schedule = catch_up(settings)
        for interval in schedule.spec.intervals:
            if interval.every > timedelta(minutes=1):
                interval.offset = timedelta(seconds=time.time() - 1) % interval.every
        return schedule

    noon = timedelta(seconds=time.time(), hours=12) % schedules.DAY
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedules, "_catch_up", later)
        patch.setattr(schedules, "NIGHT", timedelta(seconds=int(noon.total_seconds())))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with memory_folder() as folder, run_postgres(folder) as server:
        yield server


@pytest.fixture(scope="session")
def temporal_address() -> Iterator[str]:
    with run_temporal() as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", address)
        yield address


@pytest.fixture
def alone() -> Iterator[Alone]:
    with run_alone() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def published() -> Published:
    return Published()


@pytest.fixture
async def dsn(postgres: Postgres) -> AsyncIterator[str]:
    made = await postgres.create()
    yield made
    await postgres.drop(made)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    made = await create_pool(dsn)
    yield made
    await made.close()


@pytest.fixture
def stripe(published: Published) -> Iterator[Stripe]:
    with run_sandbox(published, chance=1) as running:
        yield running
        assert running.problems() == []


@pytest.fixture
async def site(
    dsn: str, temporal_address: str, stripe: Stripe, request: pytest.FixtureRequest
) -> AsyncIterator[Latchkey]:
    """A whole Latchkey for this test alone."""
    stripe.never_settles()
    async with run_latchkey(dsn, temporal_address, stripe) as running:
        yield running
        if FAILED in request.node.stash:
            await running.tell()


@pytest.fixture(scope="session")
async def shared(
    postgres: Postgres, temporal_address: str, published: Published
) -> AsyncIterator[Latchkey]:
    """A whole Latchkey that tests share, each with its own products and people."""
    with run_sandbox(published, chance=1) as stripe:
        stripe.never_settles()
        async with run_latchkey(await postgres.create(), temporal_address, stripe) as running:
            yield running
        assert stripe.problems() == []


@pytest.fixture
async def shared_site(shared: Latchkey, request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Nothing is kept from the test before, and a failure says what the site has left to do."""
    shared.forget()
    yield
    if FAILED in request.node.stash:
        await shared.tell()


@pytest.fixture(autouse=True)
def each_test_on_the_shared_site(request: pytest.FixtureRequest) -> None:
    if "shared" in request.fixturenames:
        request.getfixturevalue("shared_site")
