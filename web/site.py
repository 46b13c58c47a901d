"""What every request handler of one web process shares."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from starlette.requests import HTTPConnection
from temporalio.client import Client

from latchkey.keyring import Keyring
from latchkey.settings import Settings
from latchkey.store.pool import Pool


@dataclass
class Site:
    """The process's settings and connections. `wake` stirs the relay after a commit."""

    settings: Settings
    pool: Pool
    keyring: Keyring
    temporal: Client
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake_in(self, pause: timedelta) -> None:
        """Stir the relay after a pause."""
        asyncio.get_running_loop().call_later(pause.total_seconds(), self.wake.set)

    @property
    def secret(self) -> str:
        return self.settings.require_secret()

    @property
    def public_url(self) -> str:
        return self.settings.public_url


def site_of(request: HTTPConnection) -> Site:
    """The site that serves a request."""
    found: Site = request.app.state.site
    return found
