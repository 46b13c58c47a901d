"""The Stripe client: one call is one request."""

import pytest

from latchkey.stripe_api import StripeApi, StripeError
from tests.harness import KEY, Stripe

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", ["api_429", "api_429_retry", "api_500_before", "api_500_after"])
async def test_the_sdk_does_not_retry(stripe: Stripe, fault: str) -> None:
    await stripe.control("faults", **{fault: 1})
    stripe.box.api.log.clear()
    api = StripeApi(KEY, base=stripe.url)
    try:
        with pytest.raises(StripeError) as raised:
            await api.retrieve("/v1/account")
        assert raised.value.passing
    finally:
        await api.close()
    assert [entry["path"] for entry in stripe.box.api.log] == ["/v1/account"]
