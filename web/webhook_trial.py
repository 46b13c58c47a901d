"""Tries the webhook with a real event: Stripe is asked for a change, and the event waited for."""

import asyncio
import secrets
import time
from enum import StrEnum

from latchkey import contracts
from latchkey.contracts import StripeCallInput
from latchkey.dispatch import call_stripe
from latchkey.store.checks import first_steps
from web.site import Site

CALL_SECONDS = 15.0
EVENT_SECONDS = 10.0
"""Stripe usually delivers within a second or two."""
_PAUSE_SECONDS = 0.2


class TrialOutcome(StrEnum):
    """What came of a trial. `refused`: the key may not create a product; `copy`: this site writes
    nothing to Stripe; `silent`: Stripe made the change, and no event came."""

    ARRIVED = "arrived"
    SILENT = "silent"
    REFUSED = "refused"
    COPY = "copy"


async def run(site: Site) -> TrialOutcome:
    """Have a product created and deleted in Stripe, and wait for an event about it. Raises
    `TemporalUnavailableError`, `WorkflowFailedError`."""
    nonce = secrets.token_hex(8)
    result = await call_stripe(
        site.temporal,
        StripeCallInput(contracts.TRY_WEBHOOK, nonce),
        summary="Test event",
        nonce=nonce,
        seconds=CALL_SECONDS,
    )
    if result.object_id is None:
        return TrialOutcome(result.state)
    deadline = time.monotonic() + EVENT_SECONDS
    while time.monotonic() < deadline:
        async with site.pool.acquire() as connection:
            if await first_steps.arrived(connection, result.object_id):
                return TrialOutcome.ARRIVED
        await asyncio.sleep(_PAUSE_SECONDS)
    return TrialOutcome.SILENT
