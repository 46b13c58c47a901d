"""The dumped schema that people read is the one that the migrations make."""

import difflib

import pytest

from scripts.schema import TARGET, dump

pytestmark = pytest.mark.anyio


async def test_the_dumped_schema_is_what_the_migrations_leave(dsn: str) -> None:
    written, actual = TARGET.read_text().splitlines(), dump(dsn).splitlines()
    difference = difflib.unified_diff(written, actual, "schema.sql", "migrated", lineterm="")
    assert not list(difference), "run `make schema` and commit what it writes"
