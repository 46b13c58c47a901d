"""References that bind a purchase to a signed-in user can't be forged."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey import references
from latchkey.rules.identity import Reference
from latchkey.vault import Purpose, Vault

SECRETS = ("current", "earlier")
VAULT, EARLIER, FOREIGN = Vault(SECRETS), Vault(("earlier",)), Vault(("foreign",))


def of_before(user_id: int, secret: str) -> str:
    """A reference as 0.1.0 signed it."""
    message = f"latchkey buyer {user_id}".encode()
    return f"lk1_{user_id}_{hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()[:40]}"


def read(text: str | None) -> Reference | None:
    return references.read(text, vault=VAULT, secrets=SECRETS)


@given(st.integers(1, 2**63 - 1), st.from_regex("prd_[0-9a-f]{16}", fullmatch=True))
def test_a_signed_reference_reads_back(user: int, product: str) -> None:
    issued = datetime(2027, 1, 1, tzinfo=UTC)
    for vault in (VAULT, EARLIER):
        text = references.sign(user, product, vault=vault, issued_at=issued.timestamp())
        assert len(text) <= 200
        assert all(c.isascii() and (c.isalnum() or c in "-_") for c in text)
        assert read(text) == Reference(user, product, issued + timedelta(days=1))
    foreign = references.sign(user, product, vault=FOREIGN, issued_at=issued.timestamp())
    assert read(foreign) == Reference(None)


@given(st.text())
def test_what_a_site_puts_there_itself_is_ignored(text: str) -> None:
    assert read(text) is None
    assert read(None) is None


def test_nothing_in_it_can_be_changed() -> None:
    text = references.sign(7, "prd_1", vault=VAULT, issued_at=1_800_000_000)
    for old, new in (("_7_", "_8_"), ("prd_1", "prd_2"), ("_1800086400_", "_1900086400_")):
        assert old in text
        assert read(text.replace(old, new)) == Reference(None)
    assert read(text[:-1]) == read("lk2_7") == read("lk3_x") == Reference(None)


def test_a_signature_serves_one_purpose() -> None:
    text = "lk2_7_prd_1_1800000000"
    assert read(f"{text}_{VAULT.sign(text, Purpose.REFERENCE)[:40]}") != Reference(None)
    assert read(f"{text}_{VAULT.sign(text, Purpose.API_ANSWER)[:40]}") == Reference(None)


def test_references_of_before_are_read_under_every_secret() -> None:
    assert read(of_before(7, "current")) == read(of_before(7, "earlier")) == Reference(7)
    assert read(of_before(7, "foreign")) == Reference(None)
    assert read(of_before(7, "current").replace("_7_", "_8_")) == Reference(None)
