"""Two of each server: those that are lost, and empty ones."""

from collections.abc import Iterator

import pytest

from tests.drill import release_before
from tests.harness import Postgres, memory_folder, run_postgres, run_temporal

collect_ignore = [] if release_before.is_known() else ["test_rolling.py"]


def pytest_report_header() -> list[str]:
    """Say what can't be run here."""
    if release_before.is_known():
        return []
    return [f"no rolling upgrade: this clone's history lacks {release_before.COMMIT}"]


@pytest.fixture
def empty_postgres() -> Iterator[Postgres]:
    with memory_folder() as folder, run_postgres(folder) as server:
        yield server


@pytest.fixture
def empty_temporal() -> Iterator[str]:
    with run_temporal() as address:
        yield address
