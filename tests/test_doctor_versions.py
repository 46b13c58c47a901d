"""Doctor's words about the releases of workers, and what Temporal says of them."""

from importlib.metadata import version

import pytest

from latchkey.doctor_versions import Releases, judged, read
from tests.harness import Latchkey, until

OLD, NEW = "1.0.0", "1.1.0"
NONE, BOTH = frozenset[str](), frozenset({OLD, NEW})
ONLY_OLD, ONLY_NEW = frozenset({OLD}), frozenset({NEW})


@pytest.mark.parametrize(
    "found",
    [
        Releases(plain=ONLY_NEW),
        Releases(versioned=ONLY_NEW, current=NEW),
        Releases(versioned=BOTH, current=OLD, ramping=NEW),
    ],
)
def test_workers_that_get_the_runs_are_fine(found: Releases) -> None:
    assert [check.ok for check in judged(found, installed=NEW)] == [True]


@pytest.mark.parametrize(
    ("found", "says", "advises"),
    [
        (Releases(plain=BOTH), "several run: 1.0.0 and 1.1.0", "aren't of 1.1.0"),
        (
            Releases(plain=frozenset({"0.9.0", "0.10.0"})),
            "several run: 0.10.0 and 0.9.0",
            "aren't of 0.10.0",
        ),
        (Releases(plain=ONLY_OLD), "of 1.0.0, and this is 1.1.0", "update the workers"),
        (Releases(versioned=ONLY_NEW), "none is current", "set-current-version --build-id 1.1.0"),
        (
            Releases(versioned=ONLY_NEW, current=OLD),
            "given to 1.0.0, and no worker of it",
            "set-current-version --build-id 1.1.0",
        ),
        (
            Releases(plain=ONLY_NEW, current=OLD),
            "given to 1.0.0, and no worker of it",
            "set-current-version --unversioned",
        ),
        (
            Releases(plain=ONLY_NEW, versioned=ONLY_OLD, current=OLD),
            "1.1.0 have no version, so they get no runs",
            "LATCHKEY_WORKER_VERSIONING=on",
        ),
        (
            Releases(versioned=BOTH, current=OLD),
            "1.0.0 is current, and workers of 1.0.0 and 1.1.0 run",
            "set-current-version --build-id 1.1.0",
        ),
        (
            Releases(versioned=ONLY_OLD, current=OLD, ramping=NEW),
            "of 1.0.0, and this is 1.1.0",
            "update the workers",
        ),
    ],
)
def test_it_says_what_keeps_workers_from_runs_and_what_to_do(
    found: Releases, says: str, advises: str
) -> None:
    [check] = judged(found, installed=NEW)
    assert not check.ok
    assert says in check.found
    assert advises in check.advice


def test_without_workers_there_is_another_check() -> None:
    assert judged(Releases(NONE, NONE, current=OLD), installed=NEW) == []


@pytest.mark.anyio
async def test_temporal_knows_the_release_that_runs(shared: Latchkey) -> None:
    async def polling() -> Releases | None:
        found = await read(shared.temporal)
        return found if found.plain else None

    installed = version("latchkey")
    found = await until(polling, "the worker asks for steps of runs")
    assert found == Releases(plain=frozenset({installed}))
    [check] = judged(found, installed=installed)
    assert check.ok
