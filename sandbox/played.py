"""Which published parameters each call plays; all others are refused, none is dropped in silence.

`played.txt` declares them, call by call: names one after the other, those of an object in braces,
`{*}` for whatever keys there are, `name=a|b` where only these values are played, `!name` for what
is refused where `*` plays the rest. Entries of lists stand there without their number. A name
without braces is played with all that is inside it. `?name` is taken though no answer shows it.
`tests/sandbox/test_parameters.py` sends every published parameter and sees that this is true.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.shop import StripeApiError

Json = dict[str, Any]

ALWAYS = ("expand", "limit", "starting_after", "ending_before", "customer_account")
"""Parameters that are played by every call that has them."""
_FILE = Path(__file__).with_name("played.txt")
_TOKEN = re.compile(r"\s*([{}]|[^\s{}]+)")


@dataclass
class Played:
    """What is played of one object of a request: names, each with the values that are (None: all),
    and what of its own keys is (None: all)."""

    names: dict[str, "Played | None"] = field(default_factory=dict)
    values: dict[str, frozenset[str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

    def inner(self, name: str) -> "tuple[bool, Played | None]":
        """Whether a name is played, and what is of its keys."""
        if name in self.refused:
            return False, None
        key = name if name in self.names else "*"
        return key in self.names, self.names.get(key)

    def unplayed(self, tree: Json, *, path: str = "") -> Iterator[tuple[str, str | None]]:
        """Paths of a decoded form that nothing plays, with the value where only that is why. An
        empty text unsets, which is true of what is never set."""
        for name, value in tree.items():
            where = f"{path}[{name}]" if path else name
            known, inner = self.inner(name)
            allowed = self.values.get(name)
            if not known:
                if value != "":
                    yield where, None
            elif allowed is not None:
                given = value if isinstance(value, list) else [value]
                yield from ((where, str(one)) for one in given if one not in allowed)
            elif inner is not None:
                yield from _inside(inner, where, value)


def _inside(inner: Played, where: str, value: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(value, dict):
        yield from inner.unplayed(value, path=where)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            yield from _inside(inner, f"{where}[{number}]", entry)


def parse(text: str) -> Played:
    """Read the names of one call."""
    tokens = _TOKEN.findall(text)
    made, rest = _names(tokens, 0)
    assert rest == len(tokens), f"a brace too many: {text}"
    return made


def _names(tokens: list[str], at: int) -> tuple[Played, int]:
    made, last = Played(), ""
    while at < len(tokens) and tokens[at] != "}":
        token = tokens[at]
        at += 1
        if token == "{":
            made.names[last], at = _names(tokens, at)
            assert at < len(tokens), f"a brace is missing after {last}"
            at += 1
            continue
        if token[0] == "!":
            made.refused.add(token[1:])
            continue
        last, _, values = token.lstrip("?").partition("=")
        made.names[last] = None
        if token[0] == "?":
            made.unseen.add(last)
        if values:
            made.values[last] = frozenset(values.split("|"))
    return made, at


@cache
def declared() -> dict[tuple[str, str], Played]:
    """What each call plays, by method and template (`/v1/products/{}`)."""
    found: dict[tuple[str, str], list[str]] = {}
    lines: list[str] = []
    for line in _FILE.read_text().splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            method, template = line.split()
            lines = found.setdefault((method, template), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    always = " ".join(ALWAYS)
    return {call: parse(f"{always} {' '.join(lines)}") for call, lines in found.items()}


_NOTHING = parse(" ".join(ALWAYS))


def played_by(method: str, template: str) -> Played:
    """What a call plays; a call that isn't in the file plays nothing but `ALWAYS`."""
    return declared().get((method, template), _NOTHING)


def refuse(path: str, value: str | None) -> StripeApiError:
    """The answer to a parameter of Stripe's, or a value of one, that the sandbox doesn't play."""
    what = f"`{path}`" if value is None else f"`{path}={value}`"
    return StripeApiError(
        400,
        f"The sandbox doesn't play {what}, though Stripe does. docs/sandbox.md lists what each call"
        " plays.",
        param=path,
        code="sandbox_unsupported",
    )


def refuse_call(method: str, template: str) -> StripeApiError:
    """The answer to a call of Stripe's that the sandbox doesn't have."""
    return StripeApiError(
        400,
        f"The sandbox doesn't play {method} {template}, though Stripe does. docs/sandbox.md lists"
        " the calls that it plays.",
        code="sandbox_unsupported",
    )
