"""The docs match reality, and all prose is free of habits that a test can see."""

import ast
import re
from pathlib import Path

import pytest

from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.settings import variables
from scripts import clients
from tests.prose import ROOT, files, habits

PAGES = files("*.md")


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


def test_client_libraries_are_made_from_the_api_as_it_is() -> None:
    """`tests/integrations/test_generated.py` compares the files themselves."""
    assert clients.digest() in clients.CALLS.read_text(), "run `make clients`"


def test_the_endpoint_by_hand_lists_the_events_we_handle() -> None:
    block = (ROOT / "docs/stripe.md").read_text().split("```")[1]
    assert tuple(block.split()) == HANDLED_EVENTS
    assert not {"*", "invoice.created"} & set(HANDLED_EVENTS), "they would hold up Stripe's billing"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", page.read_text()):
        if not target.startswith("http"):
            there = page.parent / target if target else page
            assert there.exists(), target
            assert not heading or heading in headings(there), f"{target}#{heading}"


def test_the_glossary_has_all_its_parts() -> None:
    assert headings(ROOT / "docs/glossary.md") == {
        "glossary", "stripes-side", "purchases-and-access", "what-people-see",
        "whether-everything-is-right", "people", "inside", "names-that-stay-as-they-were",
    }  # fmt: skip


def headings(page: Path) -> set[str]:
    """What links to a page's headings say after the #."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_test_that_the_list_of_mistakes_names_is_there() -> None:
    text = (ROOT / "docs" / "gotchas.md").read_text()
    rows = [line.split(" | ") for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > 50
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


PROSE = (
    *("*.md", "*.py", "*.html", "*.js", "*.mjs", "*.ts", "*.php", "*.css", "*.sh", "*.y*ml"),
    *("*.example", "Makefile"),
)
NOT_OURS = ("web/static/htmx.min.js", "tests/deploy/compose-spec.json")
THE_PAST = ("tests/workflows/release_before/", "latchkey/store/migrations/", "CHANGELOG.md")
SAYS_IT = ("tests/prose.py", "tests/test_docs.py")
KEPT = {"latchkey e-mail change": "a salt: links that were emailed are read with it"}


def ours(*patterns: str) -> list[Path]:
    left_out = (*NOT_OURS, *THE_PAST, *SAYS_IT)
    found = files(*patterns)
    return [p for p in found if not p.relative_to(ROOT).as_posix().startswith(left_out)]


def test_no_habit_of_language_creeps_in() -> None:
    """`tests/prose.py` has the list, with what to write instead."""
    found = [habit for path in ours(*PROSE) for habit in habits(path)]
    assert not [habit for habit in found if not any(kept in habit for kept in KEPT)]


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("The body is no JSON.", True),
        ("There is no limit, and it is no longer so.", False),
        ("Enter an E-mail address.", True),
        ("Read anew what `anew` held.", True),
        ("The column `anew`.", False),
    ],
)
def test_habits_are_found_in_prose(text: str, caught: bool) -> None:
    assert bool(list(habits(ROOT / "x.md", text))) is caught


@pytest.mark.parametrize(
    ("name", "text", "caught"),
    [
        ("x.html", "<p>{{ count }} problems</p>", True),
        ("x.html", "<p>{{ count|counted('problem') }}</p>", False),
        ("x.py", 'f"{count} open events"', True),
        ("x.py", 'f"{name} has {MOST_EVENTS} events"', False),
    ],
)
def test_straight_plurals_are_found(name: str, text: str, caught: bool) -> None:
    assert bool(list(habits(ROOT / name, text))) is caught


OLD_MODULES = {
    "acting", "chores", "effects", "errand", "gifts", "home", "homes", "missed", "occasion",
    "owing", "passed_over", "people", "person", "product_list", "reads", "searching", "signs",
    "steady", "user_list", "walk", "words",
}  # fmt: skip
OLD_NAMES = {
    "Bell", "Edges", "Errand", "Given", "Home", "Occasion", "Signs", "holds_import",
    "home_of", "homes", "klass", "owing", "passed_over", "signs", "steady",
}  # fmt: skip
"""Names that gave way to those of docs/glossary.md. Strings may hold them, for Temporal or SQL."""


def test_old_names_stay_away() -> None:
    anywhere = re.compile(rf"\b(?:{'|'.join(sorted(OLD_NAMES))})\b")
    for path in ours("*.py"):
        where = path.relative_to(ROOT).as_posix()
        assert path.stem.removeprefix("test_") not in OLD_MODULES, where
        text = path.read_text()
        if anywhere.search(text):
            for node in ast.walk(ast.parse(text)):
                assert not names_of(node) & OLD_NAMES, f"{where}: {names_of(node)}"


def names_of(node: ast.AST) -> set[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.keyword(arg=str(name)) | ast.alias(name=name):
            return {name.rpartition(".")[2]}
    return set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_the_documents_name_exist(page: Path) -> None:
    paths = {path.relative_to(ROOT).as_posix() for path in files("*")}
    for name in re.findall(r"`([\w/.-]+\.(?:py|sql|html|ts|css|md|yaml|yml))`", page.read_text()):
        assert any(f"/{path}".endswith(f"/{name}") for path in paths), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lines_fit(page: Path) -> None:
    """Rows of tables and links can't be broken."""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        unbreakable = line.lstrip().startswith(("|", "![")) or "](" in line
        assert unbreakable or len(line) <= 100, number
