"""Counts with their nouns, for pages, emails and messages alike. Pure."""


def noun(number: int, one: str, many: str | None = None) -> str:
    """The noun that goes with a number: `many` is `one` with an s unless it is given."""
    return one if number == 1 else many or f"{one}s"


def counted(number: int, one: str, many: str | None = None, *, most: int | None = None) -> str:
    """A number with its noun: "1 person", "2 people", "1,000 events".

    `most` is where the counting stopped: from there on it is "1,000+ events".
    """
    beyond = "+" if most is not None and number >= most else ""
    return f"{number:,}{beyond} {noun(2 if beyond else number, one, many)}"
