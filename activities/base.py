"""What every activity needs: the database, the Stripe keys and the secret that signs references."""

import time
from dataclasses import dataclass, replace
from datetime import datetime

from structlog.contextvars import bind_contextvars

from latchkey import references, tracing
from latchkey.contracts import SyncInput
from latchkey.keyring import Keyring
from latchkey.rules.identity import Reference
from latchkey.rules.routing import TargetKind
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Pool
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe import inbox
from latchkey.store.stripe.connection import NotConnectedError
from latchkey.store.stripe.context import Account, ApplyContext


@dataclass(frozen=True)
class ActivityDeps:
    """The injected dependencies. `secrets` sign the references of signed-in buyers."""

    pool: Pool
    keyring: Keyring
    secrets: tuple[str, ...]

    async def account(self) -> Account:
        """The connected account. Raises `NotConnectedError`."""
        account = await self.keyring.account()
        if account is None:
            raise NotConnectedError("Stripe isn't connected: connect it under Connectors")
        return account

    async def context(
        self, *, as_of: datetime, cause: Cause, event_ids: list[str] | None = None
    ) -> ApplyContext:
        """A new context. Create it before the read: its ticket (a fencing token) orders
        readings."""
        account = await self.account()
        async with self.pool.acquire() as connection:
            ticket = await connections.next_ticket(connection)
        return ApplyContext(account, ticket, as_of, cause, event_ids or [])

    async def begin(self, job: SyncInput, kind: TargetKind) -> tuple[SyncInput, ApplyContext]:
        """Call before reading an object. Returns the context, and the job with all events that the
        reading will serve, including those that no nudge has mentioned yet."""
        account = await self.account()
        async with self.pool.acquire() as connection:
            ticket, events = await inbox.begin_reading(connection, kind, job.object_id)
            read_at = time.perf_counter()
            here = {event.id for event in events}
            if passed_on := [event_id for event_id in job.event_ids if event_id not in here]:
                await inbox.adopt(connection, passed_on, kind, job.object_id, job.checkout_session)
        ids = list(dict.fromkeys([*job.event_ids, *(event.id for event in events)]))
        bind_contextvars(object=job.object_id, events=ids)
        tracing.link([event.trace for event in events])
        sessions = [event.target.checkout_session for event in events]
        named = next(filter(None, sessions), None)
        job = replace(job, event_ids=ids, checkout_session=job.checkout_session or named)
        cause = Cause.TIMER if job.by_timer else Cause.STRIPE
        arrivals = {event.id: read_at - event.age for event in events}
        return job, ApplyContext(account, ticket, job.as_of, cause, ids, arrivals=arrivals)

    def reference(self, text: str | None) -> Reference | None:
        """What an order's `client_reference_id` says, None if it isn't ours."""
        return references.read(text, vault=self.keyring.vault, secrets=self.secrets)
