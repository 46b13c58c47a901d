"""Stripe pages that are opened on demand: the customer portal and receipts."""

import asyncio
import time
from datetime import UTC, datetime

from latchkey import contracts, dispatch
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.rules.promotions import NewPromotion
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.products import checkout
from latchkey.store.products.checkout import Bought
from latchkey.stripe_ids import reference
from latchkey.vault import Purpose
from web.site import Site

STRIPE_CALL_SECONDS = 15.0
LOOK_SECONDS = 6.0


class GoneError(Exception):
    """Stripe doesn't have the object any more. It is read again, since its event was missed."""


class ChangedError(Exception):
    """The subscription was changed in Stripe, and what was asked for isn't possible any more. It is
    read again, since its event was missed or is on its way."""


async def portal(
    site: Site,
    customer: str,
    *,
    flow: str | None = None,
    subscription: str | None = None,
    locale: str | None = None,
) -> str | None:
    """The URL of a new portal session; None if the customer was deleted in Stripe, which is then
    read again, since the event that said so was missed.

    Raises `ChangedError` if that `subscription` can't be cancelled, `TemporalUnavailableError`,
    `WorkflowFailedError`.
    """
    stands_for = reference(customer)
    sealed = None
    if stands_for != customer:
        sealed = site.keyring.vault.seal(customer, Purpose.STRIPE_CALL).decode()
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(
            contracts.OPEN_PORTAL,
            stands_for,
            flow,
            subscription,
            sealed,
            locale,
        ),
        summary=f"Customer portal for {stands_for}",
        seconds=STRIPE_CALL_SECONDS,
    )
    if result.state == "gone":
        target = Target(TargetKind.OBJECT, f"customer/{stands_for}")
        await dispatch.nudge(site.temporal, target, [])
        return None
    if result.state == "changed" and subscription:
        await dispatch.nudge(site.temporal, Target(TargetKind.SUBSCRIPTION, subscription), [])
        raise ChangedError
    return _opened(site, result)


async def receipt(site: Site, source_id: str) -> str | None:
    """The URL of Stripe's receipt page, None if there is no receipt.

    Raises `GoneError`, `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.FIND_RECEIPT, source_id),
        summary=f"Receipt of {source_id}",
        seconds=STRIPE_CALL_SECONDS,
    )
    if result.state == "gone":
        raise GoneError
    return _opened(site, result) if result.sealed else None


async def promotion(site: Site, code: str) -> str:
    """Whether buyers can enter a promotion code: `found`, `none`, or `refused` if the key may not
    look. Raises `TemporalUnavailableError`, `WorkflowFailedError`."""
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.FIND_PROMOTION, code),
        summary=f"Promotion code {code}",
        seconds=STRIPE_CALL_SECONDS,
    )
    return result.state


async def promotion_end(site: Site, code: str) -> datetime | str:
    """When a promotion code that anybody can enter ends; `endless`, `none` if there is no active
    one, or `refused` if the key may not look. Raises `TemporalUnavailableError`,
    `WorkflowFailedError`."""
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.READ_PROMOTION, code),
        summary=f"End of promotion code {code}",
        seconds=STRIPE_CALL_SECONDS,
    )
    if result.state == "ends" and result.object_id:
        return datetime.fromtimestamp(int(result.object_id), UTC)
    return result.state


async def make_promotion(site: Site, wanted: NewPromotion) -> str:
    """Create a promotion code: `made`, `taken`, `refused` or `invalid`. Raises
    `TemporalUnavailableError`, `WorkflowFailedError`."""
    sealed = site.keyring.vault.seal(wanted.text(), Purpose.STRIPE_CALL).decode()
    result = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.MAKE_PROMOTION, wanted.code, sealed=sealed),
        summary=f"New promotion code {wanted.code}",
        nonce=wanted.idempotency_key,
        seconds=STRIPE_CALL_SECONDS,
    )
    return result.state


async def come_back(site: Site, session_id: str) -> tuple[str, Bought]:
    """A checkout session's state in Stripe, and what has been stored about it so far.

    If the session is complete, nudges its workflow and waits a few seconds for the result. Raises
    `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    deadline = time.monotonic() + LOOK_SECONDS
    seen = await dispatch.call_stripe(
        site.temporal,
        StripeCallInput(contracts.LOOK_AT_SESSION, session_id),
        summary=f"Buyer returned with {session_id}",
        nonce=session_id,
        seconds=LOOK_SECONDS,
    )
    pause = 0.02
    while True:
        async with site.pool.acquire() as connection:
            found = await checkout.bought(connection, session_id)
        over = time.monotonic() > deadline
        behind = found.state == "none" or (found.state, seen.state) == ("pending", "complete")
        if not behind or seen.state not in ("complete", "pending") or over:
            return seen.state, found
        if seen.state == "pending" and time.monotonic() > deadline - LOOK_SECONDS / 2:
            return seen.state, found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.3)


def _opened(site: Site, result: StripeCallResult) -> str:
    assert result.sealed is not None, "only a result with an address is opened"
    return site.keyring.vault.open(result.sealed.encode(), Purpose.STRIPE_CALL)
