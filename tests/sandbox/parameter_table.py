"""What each call plays and refuses of Stripe's published parameters, as docs/sandbox.md shows it.

`python -m tests.sandbox.parameter_table` writes the table into the document.
"""

from collections.abc import Iterator
from pathlib import Path

from sandbox import calls
from sandbox.played import ALWAYS, Played
from sandbox.schema import Published, Route
from tests.harness import Json

DOCUMENT = Path(__file__).parents[2] / "docs/sandbox.md"
BEGIN, END = "<!-- parameters: begin -->", "<!-- parameters: end -->"


def served(published: Published) -> list[Route]:
    """The published calls that the sandbox answers, by address."""
    found = [
        route
        for routes in published._by_shape.values()
        for route in routes
        if calls.handler(route.method, route.template)
    ]
    return sorted(found, key=lambda route: (route.template, route.method))


def inner(published: Published, schema: Json) -> dict[str, Json]:
    """The names inside a parameter, through lists and choices; empty for a plain value."""
    made: dict[str, Json] = {}
    for choice in published.alternatives(schema):
        if choice.get("type") == "array":
            made |= inner(published, choice["items"])
        elif choice.get("type") == "object":
            made |= choice.get("properties") or {}
            other = choice.get("additionalProperties")
            if not choice.get("properties") and isinstance(other, dict) and "const" not in other:
                made |= {"*": other} if inner(published, other) else {}
    return made


def split(
    published: Published, schema: Json, played: Played, path: str = ""
) -> Iterator[tuple[str, bool]]:
    """Each published parameter with whether it is played: as far out as that is one answer."""
    for name, value in inner(published, schema).items():
        if not path and name in ALWAYS:
            continue
        where = f"{path}[{name}]" if path else name
        known, more = played.inner(name)
        if name in played.unseen:
            continue
        if known and name in played.values:
            yield f"{where}={' or '.join(sorted(played.values[name]))}", True
            yield f"{where} (other values)", False
        elif known and more is not None:
            yield from split(published, value, more, where)
        else:
            yield where, known


def unseen(published: Published, schema: Json, played: Played, path: str = "") -> Iterator[str]:
    """Each parameter that a call takes without an effect."""
    for name, value in inner(published, schema).items():
        where = f"{path}[{name}]" if path else name
        known, more = played.inner(name)
        if known and name in played.unseen:
            yield where
        elif known and more is not None:
            yield from unseen(published, value, more, where)


def table(published: Published) -> str:
    """The table, in Markdown."""
    rows = ["| call | plays | refuses | takes without effect |", "|---|---|---|---|"]
    for route in served(published):
        schema, played = published.request_schema(route), calls.played(route)
        found = list(split(published, schema, played))
        columns = [[name for name, known in found if known is wanted] for wanted in (True, False)]
        columns.append(list(unseen(published, schema, played)))
        if any(columns):
            told = (", ".join(f"`{name}`" for name in names) or "–" for names in columns)
            rows.append(f"| `{route.method} {route.template}` | {' | '.join(told)} |")
    return "\n".join(rows)


def document(text: str, published: Published) -> str:
    """The document with the table as it is now."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table(published)}\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text(), Published()))
