"""Stores webhooks that arrive at the same time by one statement."""

from collections.abc import Sequence
from datetime import timedelta

from latchkey.rules.routing import TargetKind
from latchkey.store.pool import Pool
from latchkey.store.stripe import inbox
from web.batching import Batches

WRITERS = 4
"""How many statements are under way at most."""


class Intake:
    """The inbox of one web process."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._batches = Batches(self._stored, under_way=WRITERS, subject=_subject)

    async def store(self, event: inbox.Arrival) -> timedelta | None:
        """How long an event waits before it is relayed; None if it was stored before, or isn't
        relayed. It has been committed when this returns."""
        return await self._batches.ask(event)

    async def _stored(self, together: Sequence[inbox.Arrival]) -> list[timedelta | None]:
        due = await inbox.store(self._pool, together)
        return [due.get(event.id) for event in together]


def _subject(event: inbox.Arrival) -> str:
    """An event that follows another one of its object closely is only held if it sees that one."""
    return event.id if event.target.kind is TargetKind.NONE else event.target.id
