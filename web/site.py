"""What all request handlers of one web process share."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.requests import HTTPConnection
from temporalio.client import Client

from latchkey.keyring import Keyring
from latchkey.outgoing_http import OutgoingHttp
from latchkey.picture_files import PictureFiles, picture_files
from latchkey.pictures import PictureReader
from latchkey.serving import Drain
from latchkey.settings import Settings
from latchkey.signing import SigningKeys
from latchkey.store import page_texts, site_identity, site_settings
from latchkey.store.access import grants
from latchkey.store.access.grants import AccessQuestion
from latchkey.store.checks.dashboard import Numbers
from latchkey.store.communities import communities
from latchkey.store.figures.series import Figures
from latchkey.store.forward_auth import standings
from latchkey.store.forward_auth.standings import SiteStanding, StandingQuestion
from latchkey.store.oauth import authorizations
from latchkey.store.oauth.authorizations import TokenAnswer, TokenQuestion
from latchkey.store.page_texts import PageTexts
from latchkey.store.pool import Connection, Pool
from latchkey.store.site_identity import SiteIdentity
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users.sessions import SessionRules
from latchkey.supervision import LoopSupervisor
from web.alarms import AlarmCache
from web.audit import AuditCounts
from web.batching import Batches
from web.brakes import Brake
from web.refusals import Refusals

LOOK_SECONDS = 5.0

QUESTIONS = 2
"""How many statements about access, about tokens and about protected sites are under way at
most."""


@dataclass
class Site:
    """The process's settings and connections.

    `arrived` wakes the relay for events, `wake` after any other commit. `look` caches the site's
    name and colours, `texts` what the team wrote for members' pages, `identity` whether it is a
    copy, `has_communities` whether members can connect an account with one. `numbers` caches the
    dashboard's counts and figures with the time they were taken, `members` the member counts of
    products with too many members to count for every page.
    `access` answers whether people may open products, `tokens` what OAuth tokens stand for,
    `standings` who may enter protected sites.
    `sign_ins` slows down networks that try many passwords or passkeys within a quarter of an hour.
    """

    settings: Settings
    pool: Pool
    keyring: Keyring
    temporal: Client
    drain: Drain = field(default_factory=Drain)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: Refusals = field(default_factory=Refusals)
    audit: AuditCounts = field(default_factory=AuditCounts)
    supervisor: LoopSupervisor = field(default_factory=LoopSupervisor)
    look: SiteSettings = field(default_factory=SiteSettings)
    texts: PageTexts = field(default_factory=dict)
    identity: SiteIdentity = field(default_factory=SiteIdentity)
    has_communities: bool = False
    bell: AlarmCache = field(init=False)
    signing: SigningKeys = field(init=False)
    picture_reader: PictureReader = field(default_factory=PictureReader)
    picture_files: PictureFiles = field(init=False)
    outgoing: OutgoingHttp = field(init=False)
    numbers: tuple[float, Numbers, Figures | None] | None = None
    members: tuple[float, dict[str, int]] = (0.0, {})
    access: Batches[AccessQuestion, list[Any]] = field(init=False)
    tokens: Batches[TokenQuestion, TokenAnswer] = field(init=False)
    standings: Batches[StandingQuestion, SiteStanding | None] = field(init=False)
    sign_ins: Brake = field(default_factory=lambda: Brake(free=100, step=0.1, longest=5, most=20))
    _look_until: float = 0.0

    def __post_init__(self) -> None:
        self.access = Batches(partial(grants.answer, self.pool), under_way=QUESTIONS)
        self.tokens = Batches(partial(authorizations.answer, self.pool), under_way=QUESTIONS)
        self.standings = Batches(self._standings, under_way=QUESTIONS)
        self.bell = AlarmCache(self.settings)
        self.picture_files = picture_files(self.settings)
        self.signing = SigningKeys(self.pool, self.keyring.vault)
        self.outgoing = OutgoingHttp.of(self.settings)

    async def _standings(
        self, questions: Sequence[StandingQuestion]
    ) -> Sequence[SiteStanding | None]:
        return await standings.answer(self.pool, questions, rules=self.session_rules)

    async def refresh_look(self) -> None:
        """Reload the site's name, colours and texts, at most every few seconds."""
        if time.monotonic() >= self._look_until:
            self._look_until = time.monotonic() + LOOK_SECONDS
            async with self.pool.acquire() as connection:
                self.look = await site_settings.read(connection)
                self.texts = await page_texts.read(connection)
                self.identity = await site_identity.read(connection, self.public_url)
                self.has_communities = await communities.any_open(connection)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Connection]:
        """A transaction that Temporal must hear of: its commit wakes the relay."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield connection
        self.wake.set()

    def event_due(self, pause: timedelta) -> None:
        """Wake the relay for an event after a pause."""
        asyncio.get_running_loop().call_later(pause.total_seconds(), self.arrived.set)

    @property
    def session_rules(self) -> SessionRules:
        """What ends a session, by the settings."""
        settings = self.settings
        return SessionRules(
            member_idle=timedelta(days=settings.member_idle_days),
            member_life=timedelta(days=settings.member_session_days),
            staff_idle=timedelta(hours=settings.staff_idle_hours),
            staff_life=timedelta(days=settings.staff_session_days),
            secret_fingerprints=tuple(self.keyring.vault.fingerprints),
        )

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.settings.require_secrets()

    @property
    def public_url(self) -> str:
        return self.settings.public_url


def site_of(request: HTTPConnection) -> Site:
    """The site that handles a request."""
    found: Site = request.app.state.site
    return found
