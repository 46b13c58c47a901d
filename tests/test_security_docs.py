"""The table of OWASP's ASVS leaves nothing out and names only what exists; every column of the
database is named as personal or not."""

import re
from collections import Counter

import pytest

from latchkey.store.personal_data import EMPTIED, KEPT, REPLACED
from tests.prose import ROOT

LEVELS = {
    "1.1": "22", "1.2": "1111122223", "1.3": "112222222223", "1.4": "222", "1.5": "123",
    "2.1": "122", "2.2": "112", "2.3": "12223", "2.4": "23", "3.1": "3", "3.2": "113",
    "3.3": "12223", "3.4": "11222233", "3.5": "11122333", "3.6": "3", "3.7": "22333",
    "4.1": "12233", "4.2": "23333", "4.3": "22", "4.4": "1222", "5.1": "2", "5.2": "112333",
    "5.3": "113", "5.4": "222", "6.1": "122", "6.2": "111111112222", "6.3": "11223333",
    "6.4": "112233", "6.5": "22222333", "6.6": "2223", "6.7": "33", "6.8": "2222", "7.1": "222",
    "7.2": "1111", "7.3": "22", "7.4": "11222", "7.5": "223", "7.6": "22", "8.1": "1233",
    "8.2": "1123", "8.3": "133", "8.4": "23", "9.1": "111", "9.2": "1222", "10.1": "22",
    "10.2": "223", "10.3": "22223", "10.4": "1111122222233333", "10.5": "22222", "10.6": "22",
    "10.7": "222", "11.1": "2233", "11.2": "22233", "11.3": "11233", "11.4": "1222",
    "11.5": "23", "11.6": "23", "11.7": "33", "12.1": "12233", "12.2": "11", "12.3": "22223",
    "13.1": "2333", "13.2": "222223", "13.3": "2233", "13.4": "1222233", "14.1": "22",
    "14.2": "12223333", "14.3": "122", "15.1": "12233", "15.2": "12233", "15.3": "1222222",
    "15.4": "3333", "16.1": "2", "16.2": "22222", "16.3": "2222", "16.4": "222", "16.5": "2223",
    "17.1": "23", "17.2": "22223333", "17.3": "22",
}  # fmt: skip
"""The sections of ASVS 5.0.0, and the level of each of their requirements, in their order."""

TABLE = r"CREATE (?:UNLOGGED )?TABLE (\w+)"
TYPES = (
    *("bigint", "boolean", "bytea", "date", "double precision", "integer", "interval", "jsonb"),
    *("numeric", "text", "timestamp", "uuid"),
)
"""Of the columns of our tables."""

STATES = {"met", "yours", "partly", "not met", "none"}
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "asvs.md").read_text().splitlines()
    if re.match(r"\| \d", line)
]


def numbers(cell: str) -> list[str]:
    """The requirements of a row: `1.2.3`, `1.2.3, 1.2.5` or `1.2.3–1.2.5`."""
    found = []
    for part in cell.split(", "):
        first, _, last = part.partition("–")
        section, _, number = first.rpartition(".")
        until = int(last.rpartition(".")[2]) if last else int(number)
        found += [f"{section}.{each}" for each in range(int(number), until + 1)]
    return found


def test_every_requirement_of_levels_1_and_2_has_its_row() -> None:
    wanted = {
        f"{section}.{number}"
        for section, levels in LEVELS.items()
        for number, level in enumerate(levels, 1)
        if level in "12"
    }
    given = Counter(number for row in ROWS for number in numbers(row[0]))
    assert set(given) == wanted
    assert not [number for number, count in given.items() if count > 1]
    assert len(wanted) == 253


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_rows_name_what_exists(row: list[str]) -> None:
    _, asks, state, where = row
    assert asks
    assert state in STATES
    named = re.findall(r"`([^`]+)`", where)
    tests = [name for name in named if name.startswith("test_")]
    paths = [name for name in named if re.fullmatch(r"[\w./-]+/[\w./-]+|[\w.-]+\.\w+|\.\w+", name)]
    assert [name for name in tests if name not in TESTS] == []
    for path in paths:
        assert (ROOT / path).is_file(), path
    assert tests or paths or "](" in where or state not in ("met", "yours")
    assert where


TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.M)
}


def test_every_column_is_named_as_personal_or_not() -> None:
    """`latchkey scrub` goes by it."""
    schema = (ROOT / "latchkey/store/schema.sql").read_text()
    found = {
        (table, column.strip('"'))
        for table, body in re.findall(rf"{TABLE} \(\n(.*?)\n\)", schema, re.S)
        for column in re.findall(rf"^    (\"?\w+\"?) (?:{'|'.join(TYPES)})\b", body, re.M)
    }
    tables = {table for table, _ in found}
    assert tables == set(re.findall(TABLE, schema))
    assert not EMPTIED - tables, "these tables are gone: take them out of personal_data.py"
    assert not EMPTIED & (REPLACED.keys() | KEPT.keys())
    replaced = {(table, column) for table, columns in REPLACED.items() for column in columns}
    kept = {(table, column) for table, columns in KEPT.items() for column in columns.split()}
    assert not replaced & kept
    decided = replaced | kept | {each for each in found if each[0] in EMPTIED}
    assert found == decided, "decide in latchkey/store/personal_data.py what is personal"
