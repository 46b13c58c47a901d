"""Encryption of secrets: which secret decrypts what."""

import base64
import hashlib

import pytest
from cryptography.fernet import Fernet

from latchkey.vault import Purpose, Vault, VaultError

OLD, NEW = "the secret of last year, long enough", "the secret of this year, long enough"


def test_every_secret_decrypts_and_the_first_encrypts() -> None:
    sealed = Vault((OLD,)).seal("sk_test_1", Purpose.STRIPE_KEY)
    both = Vault((NEW, OLD))
    assert both.open(sealed, Purpose.STRIPE_KEY) == "sk_test_1"
    assert not both.is_current(sealed)
    again = both.seal("sk_test_1", Purpose.STRIPE_KEY)
    assert both.is_current(again)
    assert Vault((NEW,)).open(again, Purpose.STRIPE_KEY) == "sk_test_1"
    with pytest.raises(VaultError, match="another LATCHKEY_SECRET"):
        Vault((OLD,)).open(again, Purpose.STRIPE_KEY)


def test_texts_encrypted_for_one_purpose_do_not_decrypt_for_another() -> None:
    vault = Vault((NEW,))
    sealed = vault.seal("sk_test_1", Purpose.STRIPE_KEY)
    with pytest.raises(VaultError, match="another purpose"):
        vault.open(sealed, Purpose.WEBHOOK_SECRETS)


@pytest.mark.parametrize("broken", [b"", b"v2:", b"v2:nonsense", b"nonsense", b"v3:x"])
def test_forged_texts_are_refused(broken: bytes) -> None:
    with pytest.raises(VaultError):
        Vault((NEW, OLD)).open(broken, Purpose.STRIPE_KEY)


def test_texts_of_earlier_releases_decrypt_and_are_not_current() -> None:
    key = base64.urlsafe_b64encode(hashlib.sha256(f"latchkey vault\0{OLD}".encode()).digest())
    sealed = Fernet(key).encrypt(b"whsec_1")
    vault = Vault((NEW, OLD))
    assert vault.open(sealed, Purpose.WEBHOOK_SECRETS) == "whsec_1"
    assert not vault.is_current(sealed)


def test_fingerprints_name_secrets_without_showing_them() -> None:
    first, second = Vault((NEW, OLD)).fingerprints
    assert first != second
    assert (second,) == Vault((OLD,)).fingerprints
    assert OLD.encode() not in second
