"""Calls to a community: what one may offer, why a call fails, and when the next one may be made."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from latchkey.outgoing_addresses import RefusedAddressError
from latchkey.outgoing_http import Answer, NoAnswerError, OutgoingHttp

LONGEST_WAIT = 5.0
"""Seconds that a call waits for its turn. What would wait longer is tried again later."""
KEPT = 4 * 1024 * 1024
"""How many bytes of an answer are read: lists of hundreds of roles."""


class CommunityError(Exception):
    """A call was refused or not answered. The message says why, in words for the admin, and begins
    in lower case.

    `asked` is how long we are to wait, `hopeless` says that nothing works before somebody does
    something, `gone` that what the call named doesn't exist any more: the role if only that is
    concerned (`of_role`), the member otherwise. `of_member` says that only this member is.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        asked: timedelta | None = None,
        hopeless: bool = False,
        gone: bool = False,
        of_role: bool = False,
        of_member: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.asked = asked
        self.hopeless = hopeless
        self.gone = gone
        self.of_role = of_role
        self.of_member = of_member

    @property
    def no_member(self) -> bool:
        """Whether the call named somebody who isn't in the community."""
        return self.gone and not self.of_role


@dataclass(frozen=True)
class RoleChoice:
    """A role or channel that can be given. `problem` says why it can't, in words."""

    id: str
    name: str
    problem: str | None = None


@dataclass(frozen=True)
class Member:
    """Somebody's account at a community."""

    id: str
    name: str


class CommunityApi(Protocol):
    """A connected community: who has which roles there, or is in which channels. All calls raise
    `CommunityError`. `calls` is what was called and answered, without anybody's id or name."""

    calls: list[str]

    async def offers(self) -> list[RoleChoice]:
        """What products can give there."""
        ...

    async def roles_of(self, member: str, *, given: frozenset[str]) -> set[str] | None:
        """What somebody has, of `given` also what can't be looked at; None if they aren't in the
        community."""
        ...

    async def give(self, member: str, role: str, *, reason: str) -> None: ...

    async def take(self, member: str, role: str, *, reason: str) -> None: ...


@dataclass
class Turns:
    """When each kind of call may be made again, as the answers to earlier ones said. All calls of a
    process for one community share one."""

    _from: dict[str, float] = field(default_factory=dict)

    async def take(self, route: str) -> None:
        """Wait for the turn of a call. Raises `CommunityError` if that takes long."""
        wait = self._from.get(route, 0.0) - time.monotonic()
        if wait > LONGEST_WAIT:
            raise CommunityError(
                "its limit of calls is reached", status=429, asked=timedelta(seconds=wait)
            )
        if wait > 0:
            await asyncio.sleep(wait)

    def heed(self, route: str, headers: Mapping[str, str]) -> None:
        """Note from an answer's headers when the next call may be made."""
        if headers.get("x-ratelimit-remaining") != "0":
            return
        try:
            pause = float(headers.get("x-ratelimit-reset-after", ""))
        except ValueError:
            return
        self.rest(route, timedelta(seconds=min(max(pause, 0.0), 3600.0)))

    def rest(self, route: str, pause: timedelta) -> None:
        """Make no such call for a while."""
        self._from[route] = time.monotonic() + pause.total_seconds()


async def ask(
    outgoing: OutgoingHttp, method: str, url: str, *, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """Make one call. Raises `CommunityError` if nothing answers."""
    try:
        return await outgoing.request(method, url, body=body, headers=headers, kept=KEPT)
    except (NoAnswerError, RefusedAddressError) as error:
        raise CommunityError(str(error)) from None
