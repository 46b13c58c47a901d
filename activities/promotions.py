"""Promotion codes that pages name: until when Stripe takes them."""

from datetime import UTC, datetime

import structlog
from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.store.pool import Pool
from latchkey.store.products import sales_pages
from latchkey.stripe_api import StripeApi, StripeError

log = structlog.get_logger("promotions")


class PromotionActivities:
    """Reads promotion codes for forms; writes nothing."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name=contracts.READ_PROMOTION)
    async def read_promotion(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """When the active promotion code that anybody can enter as `object_id` ends: `ends`, with
        the Unix time as the result's `object_id`; `endless`, `none`, or `refused` if the key may
        not look."""
        async with retried():
            api = await self._deps.keyring.api()
            try:
                found, ends = await _end_of(api, stripe_call.object_id)
            except StripeError as error:
                if not error.refused:
                    raise
                return StripeCallResult("refused")
        if not found:
            return StripeCallResult("none")
        return StripeCallResult("ends", str(ends)) if ends else StripeCallResult("endless")


async def end_countdowns(pool: Pool, api: StripeApi) -> int:
    """End the countdowns of sales pages now whose promotion code Stripe doesn't take any more, or
    when it stops taking it if that is sooner; returns how many. No countdown is made longer, and
    those whose code can't be read stay until the next look."""
    async with pool.acquire() as connection:
        codes = await sales_pages.running_codes(connection)
    count = 0
    for code in codes:
        try:
            found, ends = await _end_of(api, code)
        except StripeError as error:
            log.warning("promotion code can't be read", error=str(error))
            continue
        if found and not ends:
            continue
        at = datetime.fromtimestamp(ends, UTC) if ends else datetime.now(UTC).replace(microsecond=0)
        async with pool.acquire() as connection, connection.transaction():
            count += await sales_pages.end_countdowns(connection, code, at=at)
    if count:
        log.info("countdowns ended with their promotion codes", count=count)
    return count


async def _end_of(api: StripeApi, code: str) -> tuple[bool, int | None]:
    """Whether there is an active promotion code that anybody can enter like this, and the Unix time
    at which it ends, if it does."""
    codes = await api.promotion_codes(code)
    found = next((one for one in codes if not one.get("customer")), None)
    return found is not None, found.get("expires_at") if found else None
