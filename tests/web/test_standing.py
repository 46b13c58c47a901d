"""A purchase's state follows its money."""

from types import SimpleNamespace
from typing import Any

import pytest

from web.wording.standing import purchase

PAID = {
    "state": "paid",
    "charged": 2900,
    "amount_refunded": 0,
    "refunded": False,
    "disputed": False,
    "dispute_status": None,
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Paid"),
        ({"charged": 0}, "Paid"),
        ({"amount_refunded": 100}, "Partly refunded"),
        ({"amount_refunded": 2900}, "Refunded"),
        ({"refunded": True, "amount_refunded": 2900, "charged": 3000}, "Refunded"),
        ({"disputed": True, "dispute_status": "needs_response"}, "Disputed"),
        ({"disputed": True, "dispute_status": "won"}, "Paid"),
        ({"disputed": True, "dispute_status": "lost"}, "Dispute lost"),
        ({"state": "pending"}, "Payment pending"),
        ({"state": "failed"}, "Payment failed"),
        ({"state": "open"}, "Not completed"),
    ],
)
def test_the_words_follow_the_money(changes: dict[str, Any], words: str) -> None:
    assert purchase(SimpleNamespace(**PAID | changes))[0] == words
