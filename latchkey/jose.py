"""Signing and verifying JSON Web Tokens, and the keys for it: the only module with joserfc."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

ALGORITHM = "RS256"
"""OpenID Connect asks every provider for it, and every client library can verify it."""

_BITS = 2048

Jwk = dict[str, Any]


class TokenRefusedError(Exception):
    """This isn't a token that one of our keys signed."""


@dataclass(frozen=True)
class NewKey:
    """A key pair. `id` is the thumbprint of the public key (RFC 7638), and `private` the whole key
    as JSON text."""

    id: str
    public: Jwk
    private: str


def generate() -> NewKey:
    """Make a key pair. This computes for a tenth of a second."""
    key = RSAKey.generate_key(_BITS)
    key_id = key.thumbprint()
    marks = {"use": "sig", "alg": ALGORITHM, "kid": key_id}
    public: Jwk = {**key.as_dict(private=False), **marks}
    return NewKey(key_id, public, json.dumps({**key.as_dict(private=True), **marks}))


class SigningKey:
    """A private key, opened."""

    def __init__(self, key_id: str, private: str) -> None:
        self.id = key_id
        self._key = RSAKey.import_key(json.loads(private))

    def sign(self, claims: Mapping[str, Any], *, kind: str = "JWT") -> str:
        """A signed token. `kind` is its media type, the header `typ`, which keeps tokens for one
        purpose from passing for another."""
        header = {"alg": ALGORITHM, "kid": self.id, "typ": kind}
        return jwt.encode(header, dict(claims), self._key, algorithms=[ALGORITHM])


def unverified(token: str) -> dict[str, Any]:
    """The claims of a token whose signature isn't looked at, since whoever handed it over vouches
    for it. Raises `TokenRefusedError`."""
    try:
        claims = json.loads(jws.extract_compact(token.encode()).payload)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenRefusedError(type(error).__name__) from None
    if not isinstance(claims, dict):
        raise TokenRefusedError("no claims")
    return claims


def read(token: str, public: Iterable[Jwk], *, kind: str = "JWT") -> dict[str, Any]:
    """The claims of a token that one of these keys signed as this kind. It isn't looked at when it
    expires. Raises `TokenRefusedError`."""
    keys = KeySet([RSAKey.import_key(key) for key in public])
    try:
        found = jwt.decode(token, keys, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise TokenRefusedError(type(error).__name__) from None
    if found.header.get("typ") != kind:
        raise TokenRefusedError("another kind")
    return dict(found.claims)
