"""What a label may be, and how several stand in one cell of a file."""

import re

LONGEST = 40
SEPARATOR = "; "
"""What is between labels in the files that we write; no label has a semicolon."""


def split(cell: str, separators: str) -> tuple[str, ...]:
    """The labels in a cell, each once; whoever is written first counts. Any of the characters in
    `separators` ends a label."""
    parts = (part.strip() for part in re.split(f"[{re.escape(separators)}]", cell))
    found: dict[str, str] = {}
    for part in parts:
        if part:
            found.setdefault(part.casefold(), part)
    return tuple(found.values())
