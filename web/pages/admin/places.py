"""The form that moves a row of a list that is in an order."""

from starlette.datastructures import FormData

from web.numbers import number
from web.pages.guard import text


def places_of(fields: FormData) -> int:
    """By how many places to move it: down or, below zero, up; 0 for what isn't understood."""
    places = number(text(fields, "places") or "1", digits=3) or 0
    return {"up": -places, "down": places}.get(text(fields, "do"), 0)
