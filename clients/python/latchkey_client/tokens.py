"""Verifies signed access tokens without asking the site. Needs `latchkey-client[tokens]`."""

import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from latchkey_client._errors import UnavailableError


class TokenError(Exception):
    """The token doesn't let anybody open the product here and now."""


@dataclass
class TokenVerifier:
    """Checks the tokens of one site for one audience. It keeps the site's keys, and tries to read
    them again for a key that it doesn't know, at most once a minute."""

    url: str
    audience: str
    timeout: float = 10.0
    _keys: KeySet | None = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)

    def verify(self, token: str, *, product: str) -> dict[str, Any]:
        """The claims of a token for the product, by slug. Raises `TokenError`, and
        `UnavailableError` while the site's keys can't be read."""
        try:
            decoded = self._decoded(token)
            rules = jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self.url.rstrip("/")},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
                product={"essential": True, "value": product},
            )
            rules.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise TokenError(str(error)) from None
        if decoded.header.get("typ") != "at+jwt":
            raise TokenError("this is another kind of token")
        return decoded.claims

    def _decoded(self, token: str) -> jwt.Token:
        if self._keys is not None:
            try:
                return jwt.decode(token, self._keys, algorithms=["RS256"])
            except (JoseError, ValueError):
                if time.monotonic() - self._read_at < 60:
                    raise
        self._keys = self._read()
        return jwt.decode(token, self._keys, algorithms=["RS256"])

    def _read(self) -> KeySet:
        self._read_at = time.monotonic()
        try:
            answer = httpx.get(f"{self.url.rstrip('/')}/oauth/jwks", timeout=self.timeout)
            answer.raise_for_status()
            return KeySet.import_key_set(answer.json())
        except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError) as error:
            raise UnavailableError(f"the site's keys can't be read: {error}") from None
