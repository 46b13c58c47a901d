"""Fields that Stripe has added since a version, which answers of that version don't have yet.

That is so for versions with a name, which begin with acacia; 2024-06-20 shows whatever was added
since. Recorded answers of one day show both.

`added.json` comes from the SDK releases of each version (`scripts/stripe_added.py`). Its keys are
spans of versions, from the first that lacks the fields (the oldest, if it isn't named) up to, but
not including, the one that has them; below them are paths of fields, by the kind of object.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.versions.families import Version

Paths = dict[str, list[list[str]]]
SPANS: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("added.json").read_text()
)
_DAY = 10


@cache
def lacking(version: Version) -> Paths:
    """The paths that a version lacks, by kind."""
    found: Paths = {}
    if "." not in version.name:
        return found
    for span, kinds in SPANS.items():
        first, _, until = span.partition("..")
        if first[:_DAY] <= version.name[:_DAY] < until[:_DAY]:
            for kind, paths in kinds.items():
                found.setdefault(kind, []).extend(path.split(".") for path in paths)
    return found


def drop(node: Any, paths: Paths) -> None:
    """Take these fields out of an answer and of every object in it, in place. Events stay as they
    are."""
    if isinstance(node, list):
        for entry in node:
            drop(entry, paths)
    elif isinstance(node, dict):
        kind = node.get("object")
        if kind == "event":
            return
        for path in paths.get(kind, ()) if isinstance(kind, str) else ():
            _drop(node, path)
        for value in node.values():
            drop(value, paths)


def _drop(node: Any, path: list[str]) -> None:
    if isinstance(node, list):
        for entry in node:
            _drop(entry, path)
    elif isinstance(node, dict):
        if len(path) == 1:
            node.pop(path[0], None)
        else:
            _drop(node.get(path[0]), path[1:])
