"""References that bind a purchase to a signed-in user can't be forged."""

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.identity import read_reference, sign_reference


@given(st.integers(1, 2**63 - 1), st.text(min_size=1))
def test_a_signed_reference_reads_back(user: int, secret: str) -> None:
    reference = sign_reference(user, secrets=(secret,))
    assert len(reference) <= 200
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in reference)
    assert read_reference(reference, secrets=(secret,)) == user
    assert read_reference(reference, secrets=("current", secret)) == user
    assert read_reference(reference, secrets=(secret + "x",)) is None


@given(st.text())
def test_any_other_reference_is_ignored(text: str) -> None:
    assert read_reference(text, secrets=("secret",)) is None


def test_a_signed_reference_with_another_user_is_ignored() -> None:
    reference = sign_reference(7, secrets=("secret",))
    assert read_reference(reference.replace("_7_", "_8_"), secrets=("secret",)) is None
