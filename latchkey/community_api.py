"""Calls to a community: what one may offer, why a call fails, and when the next one may be made."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

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
    something, `gone` that what the call named doesn't exist any more, and `of_role` that only this
    role is concerned.
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
    ) -> None:
        super().__init__(message)
        self.status = status
        self.asked = asked
        self.hopeless = hopeless
        self.gone = gone
        self.of_role = of_role


@dataclass(frozen=True)
class RoleChoice:
    """A role that can be given. `problem` says why it can't, in words."""

    id: str
    name: str
    problem: str | None = None


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
        self._from[route] = time.monotonic() + min(max(pause, 0.0), 3600.0)


async def ask(
    outgoing: OutgoingHttp, method: str, url: str, *, body: bytes, headers: Mapping[str, str]
) -> Answer:
    """Make one call. Raises `CommunityError` if nothing answers."""
    try:
        return await outgoing.request(method, url, body=body, headers=headers, kept=KEPT)
    except (NoAnswerError, RefusedAddressError) as error:
        raise CommunityError(str(error)) from None
