"""The secrets of the current Stripe connection, for the processes that use them.

Secrets from the environment are fixed. Those entered in the admin pages or registered by us are
read from the database and cached for a few seconds, so that a change reaches every process without
a restart.
"""

import time
from collections.abc import Sequence

from latchkey.store import site_identity
from latchkey.store.pool import Pool
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.connection import NotConnectedError, StripeConnection
from latchkey.store.stripe.context import Account
from latchkey.stripe_api import StripeApi
from latchkey.stripe_rate import StripeRate
from latchkey.vault import Purpose, Vault, VaultError

FRESH_SECONDS = 3.0


class Keyring:
    """Account, key and signing secrets. `key` and `secrets` come from the environment. `address` is
    the site's public URL: at another one than the database acts for, Stripe is only read."""

    def __init__(
        self,
        pool: Pool,
        vault: Vault,
        *,
        key: str | None,
        secrets: Sequence[str],
        api_base: str | None,
        address: str,
        rate: StripeRate | None = None,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._key = key
        self._secrets = list(secrets)
        self._api_base = api_base
        self._address = address
        self._rate = rate
        self._writes = False
        self._apis: dict[str, StripeApi] = {}
        self._opened: tuple[bytes | None, list[str]] = (None, [])
        self._row: StripeConnection | None = None
        self._read_at = 0.0

    @property
    def vault(self) -> Vault:
        return self._vault

    @property
    def secrets_by_hand(self) -> bool:
        """Whether the signing secrets come from the environment."""
        return bool(self._secrets)

    async def connection(self) -> StripeConnection:
        if self._row is None or time.monotonic() - self._read_at > FRESH_SECONDS:
            await self.reload()
        assert self._row is not None, "reload fills it"
        return self._row

    async def reload(self) -> None:
        """Read the connection from the database again."""
        async with self._pool.acquire() as connection:
            self._row = await connections.current(connection)
            self._writes = (await site_identity.read(connection, self._address)).writes_to_stripe
        self._read_at = time.monotonic()

    async def account(self) -> Account | None:
        return (await self.connection()).account

    async def secrets(self) -> list[str]:
        """All signing secrets in use; more than one while a secret is being rolled."""
        if self._secrets:
            return self._secrets
        sealed = (await self.connection()).secrets_encrypted
        if sealed != self._opened[0]:
            self._opened = sealed, self._open_secrets(sealed)
        return self._opened[1]

    async def can_open_secrets(self) -> bool:
        """Whether the signing secrets that were registered can still be opened."""
        try:
            return bool(await self.secrets())
        except VaultError:
            return False

    def _open_secrets(self, sealed: bytes | None) -> list[str]:
        return self._vault.open(sealed, Purpose.WEBHOOK_SECRETS).split(",") if sealed else []

    async def key(self) -> str:
        """The Stripe key. Raises `NotConnectedError`."""
        if self._key:
            return self._key
        sealed = (await self.connection()).key_encrypted
        if sealed is None:
            raise NotConnectedError(
                "Stripe isn't connected: set STRIPE_SECRET_KEY or enter a key under Connectors"
            )
        return self._vault.open(sealed, Purpose.STRIPE_KEY)

    async def api(self) -> StripeApi:
        """The Stripe API with the current key. Raises `NotConnectedError`."""
        key = await self.key()
        if key not in self._apis:
            self._apis[key] = StripeApi(key, base=self._api_base, rate=self._rate)
        await self.connection()
        self._apis[key].writes = self._writes
        return self._apis[key]

    async def close(self) -> None:
        for api in self._apis.values():
            await api.close()
        self._apis.clear()
