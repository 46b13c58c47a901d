"""Links that sign a person in: signed, for 48 hours, once."""

import time
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

LIFE_SECONDS = 48 * 3600


class LinkRefused(Exception):
    """A link that can't be used; the message says what to do."""


@dataclass(frozen=True)
class SignIn:
    """What a link carries: whom it signs in, and the name under which it is used up."""

    user_id: int
    nonce: str


def sign(user_id: int, nonce: str, *, secret: str, issued_at: float | None = None) -> str:
    """The token of a link. The same input gives the same token, so that a mail rendered twice is
    the same mail. `issued_at` is a Unix time, now by default."""
    issued = int(time.time() if issued_at is None else issued_at)
    token: str = _serializer(secret).dumps([user_id, nonce, issued + LIFE_SECONDS])
    return token


def read(token: str, *, secret: str) -> SignIn:
    """What a token carries. Raises `LinkRefused`. Whether it was used is not known here."""
    try:
        user_id, nonce, expires = _serializer(secret).loads(token)
    except (BadSignature, ValueError, TypeError):
        raise LinkRefused("This link is not valid. Ask for a new one below.") from None
    if expires < time.time():
        raise LinkRefused("This link is older than 48 hours. Ask for a new one below.")
    return SignIn(user_id, nonce)


def _serializer(secret: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="latchkey sign-in")
