"""Which new passwords are refused, and what is said about them."""

import asyncio
from pathlib import Path

import pytest

from latchkey import password_rules, passwords
from latchkey.password_rules import weakness


@pytest.mark.parametrize(
    ("password", "staff", "said"),
    [
        ("nine char", False, "Use 10 to 200 characters"),
        ("x" * 201, False, "Use 10 to 200 characters"),
        ("eleven char", True, "Use 12 to 200 characters"),
        ("Password123", False, "most common"),
        ("password1234", True, "most common"),
        ("Liverpool123", False, "most common"),
        ("MarGaret is here", False, "can't contain “margaret”"),
        ("join Sail School now", False, "can't contain “sail school”"),
    ],
)
def test_weak_passwords_are_refused(password: str, staff: bool, said: str) -> None:
    found = weakness(password, staff=staff, names=["margaret@x.example", "Sail School", ""])
    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    "password", ["ten charsx", "purple anvils sing", "ünïcödé päss", "x" * 200]
)
def test_others_are_accepted(password: str) -> None:
    assert weakness(password, staff=False, names=["ten@x.example", "Sail School"]) is None


def test_a_password_is_checked_as_it_was_typed() -> None:
    """Not cut to the longest that is allowed, nor stripped, nor in another case."""

    async def checks() -> list[bool]:
        stored = await passwords.hash_password("x" * 200)
        typed = ("x" * 200, "x" * 201, "x" * 200 + " ", "X" * 200, "")
        return [await passwords.matches(stored, one) for one in typed]

    assert asyncio.run(checks()) == [True, False, False, False, False]


def test_three_thousand_passwords_that_the_rules_allow_are_known() -> None:
    text = Path(password_rules.__file__).with_name("common_passwords.txt").read_text()
    known = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(set(known)) == len(known) >= 3000
    assert all(len(one) >= password_rules.SHORTEST and one == one.casefold() for one in known)
