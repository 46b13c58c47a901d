"""Whole numbers as addresses and forms carry them."""


def number(given: str | None, *, digits: int = 18) -> int | None:
    """A number of at most so many `digits`, which a column can hold; None for anything else."""
    return int(given) if given and given.isdecimal() and len(given) <= digits else None
