"""What clients learn of several grants: one entry for each product, with its latest end."""

from typing import Any

import pytest

from latchkey.store.oauth import claims

SOON, LATER = "2026-07-01T00:00:00+00:00", "2026-07-01T00:00:00.5+00:00"


def access(held: list[list[Any]] | None, open_: list[list[Any]] | None = None) -> list[Any]:
    row = {"user_id": 1, "email": "a@b.example", "name": None, "email_verified": True}
    found = claims.read({**row, "held": held, "open": open_})
    return [(entry["product"], entry["until"]) for entry in found.access]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([SOON], SOON), ([SOON, LATER], LATER), ([LATER, SOON], LATER), ([SOON, None, LATER], None)],
)
def test_the_latest_end_of_a_product_counts(ends: list[str | None], expected: str | None) -> None:
    assert access([["sailing", "prd_1", until] for until in ends]) == [("sailing", expected)]


def test_products_are_in_order_and_open_ones_have_no_end() -> None:
    held: list[list[Any]] = [["sailing", "prd_1", SOON], ["knots", "prd_2", None]]
    opened: list[list[Any]] = [["sailing", "prd_1", None], ["welcome", "prd_3", None]]
    assert access(held, opened) == [("knots", None), ("sailing", None), ("welcome", None)]
    assert access(None) == []
