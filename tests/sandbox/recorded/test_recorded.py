"""Recorded exchanges with real Stripe, replayed against the sandbox: its answers match, or the
difference is explained.

The recordings aren't part of the project; they are replayed if available. A small dialogue of our
own, in the same format, is always there and proves that differences are noticed.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from sandbox.schema import Published
from sandbox.versions import added
from tests.harness import Json
from tests.sandbox.recorded.accounts import accounts
from tests.sandbox.recorded.changelog import ENTRIES, hidden
from tests.sandbox.recorded.differences import RULES, patterns, reason
from tests.sandbox.recorded.replay import Difference, dialogues, replay

pytestmark = pytest.mark.anyio
SAMPLE = Path(__file__).with_name("sample.jsonl")
BESIDE = Path(__file__).parents[3].parent / "shared" / "data"
RECORDED = sorted(
    Path(os.environ.get("LATCHKEY_REFERENCE_DATA", BESIDE)).glob("stripe-recorded*.jsonl")
)


def found() -> dict[str, list[Json]]:
    """The available dialogues, by name."""
    known = dialogues(SAMPLE)
    for path in RECORDED:
        known |= dialogues(path)
    return known


FOUND = found()
ACCOUNTS = accounts(FOUND)


@pytest.mark.parametrize("name", FOUND)
async def test_our_answers_match_the_recorded_ones(name: str, published: Published) -> None:
    result = await replay(FOUND[name], published, ACCOUNTS[name])
    unexplained = [one for one in result.differences if reason(one) is None]
    assert unexplained == []
    assert not result.left_out or name not in dialogues(SAMPLE)


def test_the_sample_is_replayed_in_full() -> None:
    assert set(dialogues(SAMPLE)) <= set(FOUND)


async def test_a_wrong_answer_is_noticed(published: Published) -> None:
    """Falsifying any entry of the sample makes an unexplained difference."""
    name, entries = next(iter(dialogues(SAMPLE).items()))
    for number, entry in enumerate(entries):
        false = [dict(one) for one in entries]
        false[number]["status"] = 418
        result = await replay(false, published)
        assert any(one.what == "status" for one in result.differences), name
        false = [dict(one) for one in entries]
        kept = {key: value for key, value in entry["body"].items() if key != "metadata"}
        false[number]["body"] = {**kept, "livemode": True, "no_such_key": 1}
        result = await replay(false, published)
        said = {(one.what, reason(one)) for one in result.differences}
        assert {("missing", None), ("value", None)} & said, name


async def test_no_explanation_outlives_its_difference(published: Published) -> None:
    """If the recordings are available, each pattern must explain a real difference; without them
    the table is only checked for its form."""
    seen: list[Difference] = []
    for name, entries in FOUND.items():
        seen += (await replay(entries, published, ACCOUNTS[name])).differences
    assert {reason(one) for one in seen} <= {rule.name for rule in RULES}
    said = [f"{one.what} {one.where}" for one in seen]
    unused = [p for p in patterns() if not any(fnmatchcase(one, p) for one in said)]
    assert unused == [] or not RECORDED
    assert all(pattern.partition(" ")[2] for pattern in patterns())


def test_the_changelog_explains_what_older_versions_lack(published: Published) -> None:
    """Each entry is about the version that added its field, and no field is left out of a recorded
    answer without one."""
    since = {
        f"{kind}.{path}": span.partition("..")[2]
        for span, kinds in added.SPANS.items()
        for kind, paths in kinds.items()
        for path in paths
    }
    assert {name: entry.version for name, entry in ENTRIES.items()} == {
        name: since.get(name) for name in ENTRIES
    }
    unexplained = hidden(published, [entry for entries in FOUND.values() for entry in entries])[1]
    assert unexplained == set()
