"""Password hashing with argon2, off the event loop."""

import asyncio
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from latchkey import password_rules

_hasher = PasswordHasher()


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(_hasher.hash, password)


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is correct. Takes just as long if there is no hash, so that timing
    doesn't reveal who has an account. One that is longer than any password may be is wrong."""
    allowed = len(password) <= password_rules.LONGEST
    try:
        right = await asyncio.to_thread(_verify, password_hash, password if allowed else "")
    except (VerificationError, InvalidHashError):
        return False
    return right and allowed and password_hash is not None


def _verify(password_hash: str | None, password: str) -> bool:
    return _hasher.verify(password_hash or _decoy(), password)


@cache
def _decoy() -> str:
    """Made when first needed: it takes a tenth of a second, and every process would wait."""
    return _hasher.hash("a password that nobody has")
