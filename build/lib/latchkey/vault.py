"""Keeps secrets that have to live in the database: encrypted with a key from LATCHKEY_SECRET."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken


class VaultError(Exception):
    """A stored secret can't be read; the message says what to do."""


class Vault:
    """Encrypts and decrypts text. The same `secret` must be given to every process."""

    def __init__(self, secret: str) -> None:
        key = hashlib.sha256(b"latchkey vault\0" + secret.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Raises `VaultError` where the text was sealed under another LATCHKEY_SECRET."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise VaultError(
                "a stored secret was sealed under another LATCHKEY_SECRET: set the old value"
                " again, or connect Stripe anew"
            ) from None
