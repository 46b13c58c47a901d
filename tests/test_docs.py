"""The docs match reality: settings, dependencies, events, files."""

import re
from pathlib import Path

import pytest

from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.settings import variables

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_setting_is_explained() -> None:
    text = (ROOT / "docs/settings.md").read_text()
    assert [name for name in variables().values() if f"`{name}`" not in text] == []


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs/dependencies.md").read_text()
    wanted = {
        re.split(r"[\[=><]", line)[0]
        for name in ("requirements.in", "requirements-dev.in")
        for line in (ROOT / name).read_text().split("\n")
        if line and not line.startswith(("-", "types-"))
    }
    named = set(re.findall(r"[A-Za-z0-9@/_-]+", text))
    assert wanted - named == set()


def test_the_endpoint_by_hand_lists_the_events_we_handle() -> None:
    block = (ROOT / "docs/stripe.md").read_text().split("```")[1]
    assert tuple(block.split()) == HANDLED_EVENTS
    assert not {"*", "invoice.created"} & set(HANDLED_EVENTS), "they would hold up Stripe's billing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_test_that_the_list_of_mistakes_names_is_there() -> None:
    text = (ROOT / "docs" / "gotchas.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, 51))
    written = "\n".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))
    for row in rows:
        for name in re.findall(r"`([^`]+)`", row[-1]):
            if name.startswith("tests/"):
                assert (ROOT / name).exists(), name
                continue
            module, _, test = name.rpartition("::")
            wanted = test.rstrip("…")
            here = (ROOT / "tests" / "life" / f"{wanted}.py").exists()
            assert here or f"def {wanted}" in written, name
            if module.strip("…"):
                assert (ROOT / "tests" / "life" / f"{module}.py").exists(), name
