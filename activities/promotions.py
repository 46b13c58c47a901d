"""Promotion codes that pages name: until when Stripe takes them."""

from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.stripe_api import StripeError


class PromotionActivities:
    """Reads promotion codes; writes nothing."""

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
                codes = await api.promotion_codes(stripe_call.object_id)
            except StripeError as error:
                if not error.refused:
                    raise
                return StripeCallResult("refused")
        code = next((one for one in codes if not one.get("customer")), None)
        if code is None:
            return StripeCallResult("none")
        ends = code.get("expires_at")
        return StripeCallResult("ends", str(ends)) if ends else StripeCallResult("endless")
