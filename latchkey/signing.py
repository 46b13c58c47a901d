"""The keys that sign tokens for other sites: made, published, used and replaced in time."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from latchkey import jose
from latchkey.jose import Jwk, SigningKey
from latchkey.rules.signing import KeyPlan, KeyTime, plan
from latchkey.store import audit_draft, signing_keys
from latchkey.store.pool import Pool
from latchkey.store.signing_keys import StoredKey
from latchkey.vault import Purpose, Vault, VaultError

FRESH_SECONDS = 60.0
"""How long a process goes by what it has read. Keys are published for days before they sign."""

log = structlog.get_logger("signing")


@dataclass(frozen=True)
class _Keys:
    signer: SigningKey
    published: list[Jwk]


@dataclass
class SigningKeys:
    """The signing keys of one process, read once a minute. Whoever reads them first when a key is
    due makes it, so that rotation needs no schedule."""

    pool: Pool
    vault: Vault
    _keys: _Keys | None = None
    _read_at: float = 0.0
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def sign(self, claims: Mapping[str, Any], *, kind: str = "JWT") -> str:
        """A token with these claims, signed by the current key."""
        return (await self._current()).signer.sign(claims, kind=kind)

    async def published(self) -> list[Jwk]:
        """The public keys: the one that signs, its successor, and earlier ones as long as something
        that they signed is valid."""
        return (await self._current()).published

    async def read(self, token: str, *, kind: str = "JWT") -> dict[str, Any]:
        """The claims of a token of ours, whether it has expired or not. Raises
        `TokenRefusedError`."""
        return jose.read(token, await self.published(), kind=kind)

    async def _current(self) -> _Keys:
        async with self._reading:
            if self._keys is None or time.monotonic() - self._read_at > FRESH_SECONDS:
                self._keys = await self._read()
                self._read_at = time.monotonic()
            return self._keys

    async def _read(self) -> _Keys:
        async with self.pool.acquire() as connection:
            keys, now = await signing_keys.read(connection)
        wanted = plan(_times(keys), now)
        if self._signer(keys, wanted) is None or wanted.next_from or wanted.over:
            keys, wanted = await self._replace()
        signer = self._signer(keys, wanted)
        assert signer is not None, "a key that can be opened was made"
        return _Keys(signer, [key.public for key in keys if key.id in wanted.published])

    async def _replace(self) -> tuple[list[StoredKey], KeyPlan]:
        """Make the key that is due and remove those that are over. A key that can't be opened any
        more is replaced at once."""
        made = await asyncio.to_thread(jose.generate)
        with audit_draft.aside():
            return await self._replaced_by(made)

    async def _replaced_by(self, made: jose.NewKey) -> tuple[list[StoredKey], KeyPlan]:
        async with self.pool.acquire() as connection, connection.transaction():
            await signing_keys.lock(connection)
            keys, now = await signing_keys.read(connection)
            wanted = plan(_times(keys), now)
            await signing_keys.remove(connection, wanted.over)
            signs_from = wanted.next_from
            if self._signer(keys, wanted) is None:
                signs_from = now
            if signs_from is not None:
                sealed = self.vault.seal(made.private, Purpose.SIGNING_KEY)
                key = StoredKey(made.id, made.public, sealed, signs_from)
                await signing_keys.add(connection, key)
                log.info("signing key made", key=key.id, signs_from=signs_from.isoformat())
            keys, now = await signing_keys.read(connection)
        return keys, plan(_times(keys), now)

    def _signer(self, keys: list[StoredKey], wanted: KeyPlan) -> SigningKey | None:
        """The key that signs; None if there is none, or it was sealed under a lost
        LATCHKEY_SECRET."""
        key = next((key for key in keys if key.id == wanted.current), None)
        if key is None:
            return None
        try:
            return SigningKey(key.id, self.vault.open(key.sealed, Purpose.SIGNING_KEY))
        except VaultError as error:
            log.error("a signing key can't be opened and is replaced", key=key.id, error=str(error))
            return None


def _times(keys: list[StoredKey]) -> list[KeyTime]:
    return [KeyTime(key.id, key.signs_from) for key in keys]
