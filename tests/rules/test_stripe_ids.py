"""References to ids, and ids in paths."""

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.stripe_ids import in_path, is_reference, reference

ODD = ["a?b=c&d", "Gold #1", "club/2014", "..", ".", "anna@old.example", "müller", "", "ref-1"]
ANY = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize("plain", ["cus_1", "sub_1AbC", "gold-monthly", "prod_x-Y_z"])
def test_an_id_that_stripe_makes_stands_for_itself(plain: str) -> None:
    assert reference(plain) == in_path(plain) == plain
    assert not is_reference(plain)


@pytest.mark.parametrize("odd", ODD)
def test_a_reference_tells_nothing_of_the_id(odd: str) -> None:
    assert is_reference(reference(odd))
    assert len(reference(odd)) == 36


@given(ANY, ANY)
def test_two_ids_never_share_a_reference(one: str, other: str) -> None:
    assert (reference(one) == reference(other)) == (one == other)


@given(ANY.filter(bool))
def test_an_id_is_one_part_of_a_path(odd: str) -> None:
    path = urlsplit(f"https://api.example/v1/customers/{in_path(odd)}").path
    head, _, last = path.rpartition("/")
    assert head == "/v1/customers"
    assert unquote(last) == odd
    assert last not in (".", "..")
