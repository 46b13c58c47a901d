"""Variables in texts that the team writes: names in braces, filled in where the text is shown."""

import re
from collections.abc import Collection, Mapping

_VARIABLE = re.compile(r"\{([^{}\s]{0,40})\}")


def unknown(text: str, known: Collection[str]) -> list[str]:
    """The variables in a text that it can't have, each once."""
    found = dict.fromkeys(_VARIABLE.findall(text))
    return [name for name in found if name not in known]


def refusal(text: str, known: Collection[str], *, where: str) -> str | None:
    """What to say about a text with variables that it can't have; None if it has none of them.
    `where` is what is written: "email", "text"."""
    if not (wrong := unknown(text, known)):
        return None
    return f"This {where} doesn't have {_listed(wrong)}. It has {_listed(known)}."


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The text with its variables replaced, once: what they are replaced by isn't read again."""
    return _VARIABLE.sub(lambda found: facts.get(found[1], found[0]), text)


def _listed(names: Collection[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
