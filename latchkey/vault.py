"""Keeps secrets that have to live in the database: sealed with keys made from LATCHKEY_SECRET."""

import base64
import hashlib
import hmac
from enum import StrEnum
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

_VERSION = b"v2:"
"""What a sealed text begins with. Earlier releases had no version, purpose or stretched key: theirs
are opened, and sealed in the new way by `latchkey rotate`."""


class Purpose(StrEnum):
    """What is sealed or signed. A text sealed for one purpose doesn't open for another, and a
    signature for one isn't valid for another."""

    STRIPE_KEY = "stripe_key"
    WEBHOOK_SECRETS = "webhook_secrets"
    API_ANSWER = "api_answer"
    STRIPE_CALL = "stripe_call"
    CHECKOUT_URL = "checkout_url"
    APP_SECRET = "app_secret"
    APP_SETUP = "app_setup"
    WEBHOOK_URL = "webhook_url"
    OUTGOING_SECRET = "outgoing_secret"
    REFERENCE = "reference"
    SIGNING_KEY = "signing_key"
    SMTP_PASSWORD = "smtp_password"
    COMMUNITY_TOKEN = "community_token"
    COMMUNITY_SECRET = "community_secret"
    COMMUNITY_STATE = "community_state"
    EMBED_RETURN = "embed_return"
    EMBED_TOKEN = "embed_token"
    ADDRESS_PROOF = "address_proof"


class VaultError(Exception):
    """A stored secret can't be decrypted. The message says what to do."""


class Vault:
    """Seals and opens text. Every process has the same `secrets`: the first seals, all open."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        assert secrets, "one or more secrets, the current one first"
        self._current = MultiFernet([Fernet(stretched(secret)) for secret in secrets])
        self._first = Fernet(stretched(secrets[0]))
        self._earlier = MultiFernet([Fernet(_plain_key(secret)) for secret in secrets])
        self._secrets = secrets
        self.fingerprints = tuple(fingerprint(secret) for secret in secrets)

    def seal(self, text: str, purpose: Purpose) -> bytes:
        return _VERSION + self._first.encrypt(f"{purpose}\0{text}".encode())

    def open(self, sealed: bytes, purpose: Purpose) -> str:
        """Raises `VaultError` where the text was sealed under a secret that isn't among ours, or
        for another purpose."""
        try:
            if not sealed.startswith(_VERSION):
                return self._earlier.decrypt(sealed).decode()
            sealed_for, _, text = (
                self._current.decrypt(sealed.removeprefix(_VERSION)).decode().partition("\0")
            )
        except InvalidToken:
            raise VaultError(
                "a stored secret was sealed under another LATCHKEY_SECRET: add the earlier value"
                " after the current one, separated by a comma, or enter the secret again"
            ) from None
        if sealed_for != purpose:
            raise VaultError(f"a stored secret was sealed for another purpose ({sealed_for})")
        return text

    def sign(self, text: str, purpose: Purpose) -> str:
        """The signature of a text by the first secret, in hexadecimal."""
        return self.signatures(text, purpose)[0]

    def signatures(self, text: str, purpose: Purpose) -> list[str]:
        """The signatures by each of the secrets: any of them is valid."""
        message = f"latchkey {purpose}\0{text}".encode()
        return [
            hmac.new(stretched(secret), message, hashlib.sha256).hexdigest()
            for secret in self._secrets
        ]

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first secret sealed it, in today's way."""
        if not sealed.startswith(_VERSION):
            return False
        try:
            self._first.decrypt(sealed.removeprefix(_VERSION))
        except InvalidToken:
            return False
        return True


@lru_cache(maxsize=16)
def stretched(secret: str) -> bytes:
    """A Fernet key that costs a guesser some 50 ms a try."""
    kdf = Scrypt(salt=b"latchkey vault v2", length=32, n=2**14, r=8, p=1)
    return base64.urlsafe_b64encode(kdf.derive(secret.encode()))


def fingerprint(secret: str) -> bytes:
    """Names a secret without showing it: sessions end with the secret that they began under."""
    return hmac.new(stretched(secret), b"latchkey fingerprint", hashlib.sha256).digest()[:16]


def _plain_key(secret: str) -> bytes:
    digest = hashlib.sha256(b"latchkey vault\0" + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest)
