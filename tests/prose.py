"""The prose of the project, and the habits of language that a test can see in it."""

import ast
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[1]

_NOUNS = (
    "accounts|addresses|calls|changes|checks|claims|comparisons|customers|days|differences|emails"
    "|events|failures|files|grants|holders|hours|lines|links|matches|members|minutes|months|mails"
    "|objects|orders|pages|payments|people|persons|prices|problems|products|purchases|refunds|rows"
    "|runs|secrets|subscriptions|tokens|tries|users|workflows|years"
)
HABITS = {
    r"\be-mail": "email",
    r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b)": "isn't a …, has no …",
    r"\banew\b": "again",
    r"\bby now\b": "already, or nothing",
    r"\bfor good\b": "permanently, forever",
    r"\b(?:tells?|told|telling) of\b": "say, report, name",
}
"""What not to write, as a pattern, and what to write in its place."""

COUNTED = re.compile(rf"^\s(?:[a-z-]+\s)?(?:{_NOUNS})\b")
"""What follows a number that is filled in: it would read "1 events"."""


_SQL = re.compile(r"\s*(?:select|with|insert|update|delete|lock|create|from|,)\b")
_LEFT_BY_TOOLS = re.compile(r"^\.|^node_modules$|^build$|^__pycache__$|\.egg-info$")


def files(*patterns: str) -> list[Path]:
    """The project's files whose names fit one of these patterns, without what tools have left."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(s for s in subfolders if not _LEFT_BY_TOOLS.search(s))
        found += [Path(folder, name) for name in names if any(fnmatch(name, p) for p in patterns)]
    return sorted(found)


def _prose(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """What people read in a file, with its line: strings and comments of Python, all of the rest.

    SQL and texts in other languages are out, and so is what stands in backticks.
    """
    if path.suffix != ".py":
        yield from enumerate(_unquoted(text).splitlines(), 1)
        return
    for node in _nodes(text):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if " " in node.value and not _SQL.match(node.value):
            yield node.lineno, _unquoted(" ".join(node.value.split()))
    for number, line in enumerate(text.splitlines(), 1):
        if comment := re.search(r"(?:^|\s)# (.*)", line):
            yield number, comment[1]


@lru_cache(maxsize=1)
def _nodes(text: str) -> list[ast.AST]:
    """All nodes of a module. It is read for habits first and for plurals right after."""
    return list(ast.walk(ast.parse(text)))


def _unquoted(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "`…`", text)


def habits(path: Path, source: str | None = None) -> Iterator[str]:
    """Each habit found in a file, or in `source` as such a file: where, what, what to write.

    Counts may stand before plurals in tests and benchmarks: only developers read these.
    """
    source = path.read_text() if source is None else source
    name = path.relative_to(ROOT)
    for number, text in _prose(path, source):
        for pattern, better in HABITS.items():
            if found := re.search(pattern, text, re.IGNORECASE):
                near = text[max(0, found.start() - 25) : found.end() + 25]
                yield f"{name}:{number}: …{near}… ({better})"
    if str(name).startswith(("tests/", "bench/")):
        return
    for number, near in _straight_plurals(path, source):
        yield f"{name}:{number}: {near} (counted(), so that 1 is singular)"


def _straight_plurals(path: Path, source: str) -> Iterator[tuple[int, str]]:
    if path.suffix == ".html":
        for number, line in enumerate(source.splitlines(), 1):
            for found in re.finditer(r"\{\{([^}]*)\}\}([^{<]*)", line):
                if COUNTED.match(found[2]) and "counted" not in found[1]:
                    yield number, found[0]
    elif path.suffix == ".py":
        for node in _nodes(source):
            if not isinstance(node, ast.JoinedStr):
                continue
            for value, after in zip(node.values, node.values[1:], strict=False):
                if (
                    isinstance(value, ast.FormattedValue)
                    and isinstance(after, ast.Constant)
                    and isinstance(after.value, str)
                    and COUNTED.match(after.value)
                    and not re.search(r"[A-Z]{3}", ast.unparse(value.value))
                ):
                    yield after.lineno, f"{{{ast.unparse(value.value)}}}{after.value}"
