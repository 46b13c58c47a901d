"""Maps errors to what Temporal should do about them, without personal data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from temporalio.exceptions import ApplicationError

from latchkey import contracts
from latchkey.store.stripe.connection import NotConnectedError
from latchkey.stripe_api import StripeError
from latchkey.vault import VaultError

KEY_REFUSED = "StripeKeyRefused"
KEY_TROUBLE = timedelta(seconds=30)
"""How long to wait while the key is invalid: once an admin has fixed it, everything continues."""

log = structlog.get_logger("worker")


@asynccontextmanager
async def retried() -> AsyncIterator[None]:
    """Let temporary errors be retried forever, and fail at once on permanent ones.

    Stripe's own messages stay out: they quote addresses and keys.
    """
    try:
        yield
    except StripeError as error:
        raise _for_temporal(error) from None
    except (NotConnectedError, VaultError) as error:
        raise ApplicationError(
            str(error), type=type(error).__name__, next_retry_delay=KEY_TROUBLE
        ) from None


@asynccontextmanager
async def discreet() -> AsyncIterator[None]:
    """Like `retried`, for activities with limited attempts. The last error enters the history and
    is shown to admins, so an unexpected error is reduced to its type."""
    try:
        async with retried():
            yield
    except ApplicationError:
        raise
    except Exception as error:
        log.exception("activity failed")
        name = type(error).__name__
        raise ApplicationError(f"unexpected {name}: see the worker's log", type=name) from None


def _for_temporal(error: StripeError) -> ApplicationError:
    if error.refused:
        return ApplicationError(
            f"{error}. Check the key and its permissions under Connectors",
            type=KEY_REFUSED,
            next_retry_delay=KEY_TROUBLE,
        )
    if error.passing:
        delay = timedelta(seconds=error.retry_after) if error.retry_after else None
        return ApplicationError(str(error), type=contracts.STRIPE_AWAY, next_retry_delay=delay)
    return ApplicationError(str(error), type="StripeRefused", non_retryable=True)
