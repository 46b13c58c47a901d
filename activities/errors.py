"""Turns what went wrong into what Temporal should do about it, without a personal word."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from temporalio.exceptions import ApplicationError

from latchkey.store.stripe.connection import NotConnectedError
from latchkey.stripe_api import StripeError
from latchkey.vault import VaultError

KEY_REFUSED = "StripeKeyRefused"
KEY_TROUBLE = timedelta(seconds=30)
"""How long to wait while the key is wrong: an admin has to repair it, then all goes on."""

log = structlog.get_logger("worker")


@asynccontextmanager
async def retried() -> AsyncIterator[None]:
    """Let what may pass be tried again for ever; what can't get better fails at once.

    Stripe's own text stays out: it quotes addresses and keys.
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
    """Like `retried`, where attempts have a limit: the last one's error enters the history and is
    shown to admins, so of an unexpected one only its kind is told."""
    try:
        async with retried():
            yield
    except ApplicationError:
        raise
    except Exception as error:
        log.exception("a Temporal activity failed")
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
        return ApplicationError(str(error), type="StripeAway", next_retry_delay=delay)
    return ApplicationError(str(error), type="StripeRefused", non_retryable=True)
