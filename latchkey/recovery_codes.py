"""Recovery codes: each replaces a lost second factor once."""

import base64
import hashlib
import re
import secrets

HOW_MANY = 10
_BYTES, _LETTERS = 15, 24


def new_codes() -> list[str]:
    """Ten codes of 120 random bits, in groups of four letters and digits, to be shown once."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_BYTES))) for _ in range(HOW_MANY)]


def hash_of(code: str) -> bytes | None:
    """The hash that is stored of a code, however it was typed; None if the text can't be a code.

    A code can't be guessed, so a fast hash is safe.
    """
    plain = re.sub(r"[\s-]", "", code).lower()
    if not re.fullmatch(rf"[a-z2-7]{{{_LETTERS}}}", plain):
        return None
    return hashlib.sha256(b"latchkey recovery code " + plain.encode()).digest()


def _grouped(text: bytes) -> str:
    plain = text.decode().lower()
    return "-".join(plain[place : place + 4] for place in range(0, len(plain), 4))
