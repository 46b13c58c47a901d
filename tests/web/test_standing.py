"""A purchase is called by the state of its money."""

from types import SimpleNamespace

import pytest

from latchkey.rules.vocabulary import MoneyState
from web.wording.standing import purchase


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (MoneyState.PAID, "Paid"),
        (MoneyState.PARTLY_REFUNDED, "Partly refunded"),
        (MoneyState.REFUNDED, "Refunded"),
        (MoneyState.CREDITED, "Credited"),
        (MoneyState.DISPUTED, "Disputed"),
        (MoneyState.DISPUTE_LOST, "Dispute lost"),
        (MoneyState.PENDING, "Payment pending"),
        ("haunted", "Haunted"),
    ],
)
def test_the_words_follow_the_money(state: str, words: str) -> None:
    assert purchase(SimpleNamespace(money_state=state))[0] == words
