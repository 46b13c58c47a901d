"""Two of each server: those that are lost, and empty ones."""

from collections.abc import Iterator

import pytest

from tests.harness import Postgres, memory_folder, run_postgres, run_temporal


@pytest.fixture
def empty_postgres() -> Iterator[Postgres]:
    with memory_folder() as folder, run_postgres(folder) as server:
        yield server


@pytest.fixture
def empty_temporal() -> Iterator[str]:
    with run_temporal() as address:
        yield address
