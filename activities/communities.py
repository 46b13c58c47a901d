"""Brings members' accounts at communities in line with their access."""

import time
from dataclasses import dataclass, field

import structlog

from latchkey import communities as apis
from latchkey.community_api import CommunityApi, CommunityError, Turns
from latchkey.outgoing_http import OutgoingHttp
from latchkey.store.communities import accounts, communities
from latchkey.store.communities.accounts import DueAccount
from latchkey.store.communities.communities import Community
from latchkey.store.pool import Pool
from latchkey.store.webhooks.deliveries import Attempt, Delivery
from latchkey.vault import Vault

log = structlog.get_logger("communities")


@dataclass
class CommunitySettler:
    """Gives and takes roles and channels. What somebody should have is asked of the database each
    time, and what they have of the community, so it doesn't matter which event says that, when, or
    how often."""

    pool: Pool
    vault: Vault
    outgoing: OutgoingHttp
    _turns: dict[str, Turns] = field(default_factory=dict)

    async def find(self, community_id: str) -> Community | None:
        async with self.pool.acquire() as connection:
            return await communities.find(connection, community_id)

    async def finish_leaving(self, community_id: str) -> None:
        """Delete a community that is being left, once nothing is left to take back."""
        async with self.pool.acquire() as connection:
            if await communities.finish_leaving(connection, community_id):
                self._turns.pop(community_id, None)

    async def attempt(self, community: Community, delivery: Delivery) -> Attempt:
        """Bring the accounts of the event's user in line; whatever goes wrong is in the result."""
        begun = time.monotonic()
        turns = self._turns.setdefault(community.id, Turns())
        said: list[str] = []
        calls: list[str] = []
        failure: CommunityError | None = None
        try:
            api = apis.api_of(community, vault=self.vault, outgoing=self.outgoing, turns=turns)
            calls = api.calls
            if delivery.user is not None:
                said = await self._settle(api, community, delivery.user.id)
        except CommunityError as error:
            failure = error
        except Exception as error:
            log.exception("community failed", community=community.id, delivery=delivery.id)
            failure = CommunityError(f"an error of Latchkey's own ({type(error).__name__})")
        return Attempt(
            request="\n".join(calls),
            status=failure.status if failure else None,
            answer="\n".join(said) or None,
            error=str(failure) if failure else None,
            milliseconds=round((time.monotonic() - begun) * 1000),
            asked=failure.asked if failure else None,
            hopeless=failure.hopeless if failure else False,
            accepted=failure is None,
            alone=failure.of_role or failure.of_member if failure else False,
        )

    async def _settle(self, api: CommunityApi, community: Community, user_id: int) -> list[str]:
        """Bring a user's accounts in line; returns what was done, in words. Raises
        `CommunityError`, once whatever can be done is done."""
        async with self.pool.acquire() as connection:
            due = await accounts.due(connection, community.id, user_id)
        said: list[str] = []
        failures: list[CommunityError] = []
        for account in due:
            await self._settle_one(api, community, account, said, failures)
        if failures:
            raise failures[0]
        return said or ["nothing to do"]

    async def _settle_one(
        self,
        api: CommunityApi,
        community: Community,
        account: DueAccount,
        said: list[str],
        failures: list[CommunityError],
    ) -> None:
        away, before = False, len(failures)
        try:
            has = await self._has(api, account)
            away = has is None
            if has is not None:
                await self._take(api, account, has, said, failures)
                await self._give(api, community, account, has, said, failures)
        except CommunityError as error:
            if not error.no_member:
                raise
            away = True
        if away:
            said.append("not a member: given once they join")
            await self._note_taken(account, account.given | account.wanted.keys())
        if len(failures) == before:
            async with self.pool.acquire() as connection:
                await accounts.note_settled(connection, account.id, away=away)

    async def _has(self, api: CommunityApi, account: DueAccount) -> set[str] | None:
        """What somebody has. Nobody is asked about an account that nothing is to be done about."""
        if not (account.wanted or account.given):
            return set()
        return await api.roles_of(account.external_id, given=account.given)

    async def _take(
        self,
        api: CommunityApi,
        account: DueAccount,
        has: set[str],
        said: list[str],
        failures: list[CommunityError],
    ) -> None:
        """Take what Latchkey gave and access no longer gives. What somebody else gave stays."""
        for role in sorted(account.given - account.wanted.keys()):
            try:
                if role in has:
                    await api.take(account.external_id, role, reason="Latchkey: access ended")
                    said.append(f"took {role}")
            except CommunityError as error:
                if not (error.of_role or error.of_member):
                    raise
                if not error.gone:
                    failures.append(error)
                    continue
            await self._note_taken(account, {role})

    async def _give(
        self,
        api: CommunityApi,
        community: Community,
        account: DueAccount,
        has: set[str],
        said: list[str],
        failures: list[CommunityError],
    ) -> None:
        """Give what is missing. That is noted before: after a crash in between, a role that nobody
        noted would never be taken. Of a role that can't be given, the page says why."""
        for role in sorted(account.wanted.keys() - has):
            async with self.pool.acquire() as connection:
                await accounts.note_given(connection, account.id, role)
            problem = None
            try:
                reason = f"Latchkey: access to {account.wanted[role]}"
                await api.give(account.external_id, role, reason=reason)
                said.append(f"gave {role}")
            except CommunityError as error:
                if not (error.of_role or error.of_member):
                    raise
                problem = str(error) if error.of_role else None
                await self._note_taken(account, {role} - account.given)
                if not error.gone:
                    failures.append(error)
            async with self.pool.acquire() as connection:
                await communities.note_problem(connection, community.id, role, problem)

    async def _note_taken(self, account: DueAccount, roles: set[str] | frozenset[str]) -> None:
        async with self.pool.acquire() as connection:
            await accounts.note_taken(connection, account.id, sorted(roles))
