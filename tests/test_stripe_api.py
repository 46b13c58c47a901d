"""The Stripe client: one call is one request."""

from urllib.parse import unquote

import pytest

from latchkey import stripe_api
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
            await api.account()
        assert raised.value.passing
    finally:
        await api.close()
    assert [entry["path"] for entry in stripe.box.api.log] == ["/v1/account"]


ODD_IDS = ["a?b=c&d", "Gold #1", "club/2014", "..", "%2e", "anna@old.example", "müller", "a\nb"]


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_an_id_that_a_shop_chose_stays_one_part_of_the_path(stripe: Stripe, odd: str) -> None:
    stripe.box.api.log.clear()
    api = StripeApi(KEY, base=stripe.url)
    try:
        with pytest.raises(StripeError) as raised:
            await api.retrieve("products", odd)
        assert raised.value.missing
    finally:
        await api.close()
    paths = [unquote(entry["path"]) for entry in stripe.box.api.log]
    assert paths in ([f"/v1/products/{unquote(odd)}"], [])


async def test_what_cannot_be_stored_is_replaced_and_noted(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs: list[dict[str, object]] = []
    monkeypatch.setattr(stripe_api.log, "warning", lambda event, **values: logs.append(values))
    customer = await stripe.customer("odd@x.example")
    kept = stripe.box.shop.world.table("customer")[customer]
    kept["name"], kept["metadata"] = "Zoë\x00 😀", {"list\x00": "a\x00b"}
    api = StripeApi(KEY, base=stripe.url)
    try:
        found = await api.retrieve("customers", customer)
        page = await api.page("/v1/customers", {}, after=None)
    finally:
        await api.close()
    assert found["name"] == "Zoë\ufffd 😀"
    assert found["metadata"] == {"list\ufffd": "a\ufffdb"}
    assert [one["name"] for one in page.data if one["id"] == customer] == [found["name"]]
    assert [set(line) for line in logs] == [{"kind", "request"}] * 2
    assert {line["kind"] for line in logs} == {"customers"}
