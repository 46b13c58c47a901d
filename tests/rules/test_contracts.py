"""What earlier releases stored is still read; what is stored now is an id."""

import pytest
from temporalio.converter import value_to_type

from latchkey.contracts import ReconcileStep, Wake


@pytest.mark.parametrize(
    ("stored", "wake"),
    [
        ("access ends", Wake.ACCESS_ENDS),
        ("grace for the failed payment ends", Wake.GRACE_ENDS),
        ("trial ends", Wake.TRIAL_ENDS),
        ("renewal is due: look again", Wake.RENEWAL_DUE),
        ("payment is pending: look again", Wake.PAYMENT_PENDING),
        ("paused collection resumes", Wake.RESUMES),
        ("it could not be read: try again", Wake.TRY_AGAIN),
    ],
)
def test_the_sentences_of_0_1_0_are_read_as_ids(stored: str, wake: Wake) -> None:
    assert value_to_type(Wake, stored) is wake
    assert value_to_type(Wake, wake.value) is wake


def test_the_step_of_0_1_0_is_read() -> None:
    assert value_to_type(ReconcileStep, "what was not met on the walk") is ReconcileStep.UNSEEN


@pytest.mark.parametrize("word", [*Wake, *ReconcileStep])
def test_what_is_stored_is_an_id(word: str) -> None:
    assert str(word).replace("_", "").isalpha()


@pytest.mark.parametrize("wake", list(Wake))
def test_every_wake_has_a_sentence(wake: Wake) -> None:
    assert wake.words != wake.value


def test_an_unknown_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="is not a valid Wake"):
        Wake("some day")
