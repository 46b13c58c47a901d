"""Codes of authenticator apps and recovery codes, without a database."""

import pyotp
import pytest

from latchkey import recovery_codes, totp

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOW = 1_700_000_015


def test_a_code_is_that_of_the_standard() -> None:
    """RFC 6238, appendix B, shortened to six digits."""
    assert totp.step_of(SECRET, "287082", at=59) == 1
    assert totp.step_of(SECRET, "081804", at=1111111109) == 37037036


@pytest.mark.parametrize(
    ("off", "accepted"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)]
)
def test_a_clock_may_be_one_step_off(off: int, accepted: bool) -> None:
    code = pyotp.TOTP(SECRET).at(NOW + off)
    step = totp.step_of(SECRET, code, at=NOW)
    assert (step is not None) is accepted
    if accepted:
        assert step == (NOW + off) // 30


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "٣٣٣٣٣٣", "²87082"])
def test_what_is_not_six_digits_is_wrong(typed: str) -> None:
    assert totp.step_of(SECRET, typed, at=59) is None


def test_spaces_in_a_code_do_not_matter() -> None:
    assert totp.step_of(SECRET, " 287 082 ", at=59) == 1


def test_the_qr_code_asks_for_nothing_from_elsewhere() -> None:
    address = totp.address(SECRET, account="ada@example.com", site='S&"<b>')
    assert address.startswith("otpauth://totp/")
    assert SECRET in address
    drawn = totp.qr_code(address)
    assert drawn.startswith("<svg ")
    assert "http" not in drawn
    assert "style=" not in drawn


def test_recovery_codes_are_random_and_read_however_they_are_typed() -> None:
    codes = recovery_codes.new_codes()
    assert len(set(codes)) == len(codes) == recovery_codes.HOW_MANY
    stored = recovery_codes.hash_of(codes[0])
    assert stored is not None
    assert recovery_codes.hash_of(f" {codes[0].upper().replace('-', ' ')} ") == stored
    assert recovery_codes.hash_of(codes[1]) != stored


@pytest.mark.parametrize("typed", ["", "123456", "a" * 23, "a" * 25, "1" * 24, "é" * 24])
def test_what_cannot_be_a_recovery_code_has_no_hash(typed: str) -> None:
    assert recovery_codes.hash_of(typed) is None
