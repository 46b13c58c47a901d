"""Counts refused and failed requests for the audit log, so that it gets one row a minute and not
one for each request."""

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from starlette.requests import Request

from latchkey.rules.vocabulary import AuditActor
from latchkey.store import audit
from latchkey.store.audit import Actor, AuditEntry, AuditOrigin
from latchkey.store.pool import DATABASE_FAILED, Pool
from web.numbers import number
from web.visitors import address_of, network

MOST_COUNTED = 1000
"""How many different refusals are counted at a time. Further ones are counted without who sent them
and from where."""

LAST_SECONDS = 5

VISITOR = Actor(AuditActor.VISITOR)


def origin_of(request: Request) -> AuditOrigin:
    return AuditOrigin(address_of(request), request.headers.get("user-agent"))


def actor_named(text: str) -> tuple[AuditActor, int | None]:
    """The actor that a filter names: `user:12`, `token:3`, or only a kind. Raises `ValueError`."""
    kind, colon, number_text = text.partition(":")
    found = number(number_text)
    if kind not in list(AuditActor) or (colon and found is None):
        kinds = ", ".join(AuditActor)
        raise ValueError(f"must be one of {kinds}; the first two also with an id, such as user:12")
    return AuditActor(kind), found


@dataclass
class _Count:
    first: AuditEntry
    minute: int
    waiting: int = 1
    written: bool = False


log = structlog.get_logger("audit")


class AuditCounts:
    """Refused and failed requests of one web process, counted by what, who and where.

    The first of each kind is written within a second, and the rest of that minute as one row.
    """

    def __init__(self) -> None:
        self._counts: dict[object, _Count] = {}

    def count(self, entry: AuditEntry) -> None:
        origin = network(entry.origin.ip or "")
        key: object = (entry.action, entry.outcome, entry.actor, origin, entry.target)
        if key not in self._counts and len(self._counts) >= MOST_COUNTED:
            entry = AuditEntry(entry.action, entry.outcome, VISITOR)
            key = (entry.action, entry.outcome, VISITOR, None, None)
        known = self._counts.get(key)
        if known is None:
            first = replace(entry, at=datetime.now(UTC))
            self._counts[key] = _Count(first, minute=_minute())
            return
        if not known.waiting:
            known.first = replace(entry, at=datetime.now(UTC))
        known.waiting += 1

    async def flush_last(self, pool: Pool) -> None:
        """Write all counts before the process ends, without waiting long for the database."""
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self.flush(pool, everything=True)
        except DATABASE_FAILED as error:
            log.error("refusals weren't recorded", error=type(error).__name__)

    async def flush(self, pool: Pool, *, everything: bool = False) -> None:
        """Write what is due. If that fails, keep it for the next attempt."""
        now = _minute()
        due = [
            count
            for count in self._counts.values()
            if count.waiting and (everything or not count.written or count.minute < now)
        ]
        numbers = [count.waiting for count in due]
        if due:
            entries = [replace(count.first, count=count.waiting) for count in due]
            async with pool.acquire() as connection:
                await audit.write(connection, entries)
        for count, written in zip(due, numbers, strict=True):
            count.waiting -= written
            count.written = True
        for key, count in list(self._counts.items()):
            if count.minute < now and not count.waiting:
                del self._counts[key]


def _minute() -> int:
    return int(time.monotonic() // 60)
