"""Counts agree with their nouns."""

import pytest

from latchkey.rules.plurals import counted, noun


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (1234, "1,234 events")]
)
def test_the_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert counted(number, "event") == text


def test_an_irregular_plural_is_given() -> None:
    assert counted(1, "person", "people") == "1 person"
    assert counted(2, "person", "people") == "2 people"
    assert noun(2, "subscription is", "subscriptions are") == "subscriptions are"


def test_a_capped_count_is_marked() -> None:
    assert counted(1000, "event", most=1000) == "1,000+ events"
    assert counted(999, "event", most=1000) == "999 events"
    assert counted(1, "event", most=1) == "1+ events"
