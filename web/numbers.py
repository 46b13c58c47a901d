"""Whole numbers in URLs and form fields."""


def number(given: str | None, *, digits: int = 18) -> int | None:
    """A number of at most `digits` digits, so that it fits a database column; otherwise None."""
    return int(given) if given and given.isdecimal() and len(given) <= digits else None
