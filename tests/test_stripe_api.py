"""The Stripe client: one call is one request."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest
import stripe as sdk
from structlog.contextvars import bound_contextvars, get_contextvars
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from latchkey import contracts, stripe_api
from latchkey.dispatch import WorkflowFailedError
from latchkey.stripe_api import NoPermitError, SlowAnswerError, StripeApi, StripeError
from latchkey.stripe_rate import Ask, Calling, Lease, StripeRate, calling
from tests.harness import KEY, Stripe, until

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


@pytest.mark.parametrize(
    ("status", "code", "request_id", "said"),
    [
        (None, None, None, "Stripe didn't answer"),
        (500, None, "req_1", "Stripe answered 500 (request req_1)"),
        (402, "card_declined", None, "Stripe answered 402: card_declined"),
    ],
)
def test_an_error_says_what_is_known(
    status: int | None, code: str | None, request_id: str | None, said: str
) -> None:
    error = StripeError(status=status, code=code, message="anna@x.example", request_id=request_id)
    assert str(error) == said


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
    assert [set(line) for line in logs] == [{"kind", "stripe_request"}] * 2
    assert {line["kind"] for line in logs} == {"customers"}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"name": "Zo\\u00eb \\ud83d\\ude00"}', "Zoë 😀"),
        (b'{"name": "half \\ud83d"}', "half \ufffd"),
        (b'{"name": "nothing \\u0000"}', "nothing \ufffd"),
    ],
)
async def test_an_answer_is_decoded_whatever_its_text_escapes(
    monkeypatch: pytest.MonkeyPatch, body: bytes, name: str
) -> None:
    async def answered(*_: object) -> tuple[bytes, int, dict[str, str]]:
        return body, 200, {}

    monkeypatch.setattr(sdk.HTTPXClient, "request_async", answered)
    api = StripeApi(KEY)
    try:
        assert await api.retrieve("customers", "cus_1") == {"name": name}
    finally:
        await api.close()


async def test_an_answer_that_is_not_json_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answered(*_: object) -> tuple[bytes, int, dict[str, str]]:
        return b"<html>", 200, {}

    monkeypatch.setattr(sdk.HTTPXClient, "request_async", answered)
    api = StripeApi(KEY)
    try:
        with pytest.raises(StripeError):
            await api.retrieve("customers", "cus_1")
    finally:
        await api.close()


def test_a_429_slows_the_rate_down_and_says_for_how_long() -> None:
    def refused(code: str, **headers: str) -> StripeError:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        error = sdk.RateLimitError("too many", http_status=429, headers=sent, code=code)
        return stripe_api._translated(error)

    busy = refused("rate_limit", Stripe_Rate_Limited_Reason="global-rate", Retry_After="2.5")
    assert (busy.limited, busy.retry_after, busy.passing) == ("global-rate", 2.5, True)
    assert refused("rate_limit").limited == "unknown"
    assert refused("lock_timeout").limited is None, "somebody else changes the same object"
    assert refused("lock_timeout").passing


def test_what_stripe_says_about_a_retry_counts() -> None:
    for said, passing in (("true", True), ("false", False)):
        error = sdk.APIError("odd", http_status=400, headers={"stripe-should-retry": said})
        assert stripe_api._translated(error).passing is passing


async def test_each_call_takes_a_permit_and_reports_a_429(stripe: Stripe) -> None:
    asked: list[Ask] = []

    async def lend(ask: Ask) -> Lease | None:
        asked.append(ask)
        return Lease(ask.want, 1.0, 0.0, 0.0, 1)

    rate = StripeRate(10, lend)
    api = StripeApi(KEY, base=stripe.url, rate=rate)
    token = calling.set(Calling(priority=5, patience=5))
    try:
        await api.account()
        assert [ask.limited for ask in asked] == [None]
        await stripe.control("faults", api_429=1)
        with pytest.raises(StripeError) as raised:
            await api.account()
        assert raised.value.limited == "endpoint-rate"

        async def reported() -> bool:
            return any(ask.limited is not None for ask in asked)

        await until(reported, "the refusal is reported")
        stripe.box.api.log.clear()
        calling.set(Calling(priority=5, patience=0))
        rate.limited(pause=60, reason="global-rate")
        with pytest.raises(NoPermitError) as without:
            await api.account()
        assert without.value.passing
        assert not stripe.box.api.log, "a call without a permit isn't made"
    finally:
        calling.reset(token)
        await api.close()
        await rate.close()


async def test_permits_are_fetched_with_the_log_fields_of_no_call() -> None:
    """One call begins it, but it goes on for others, as long as the process lasts."""
    found: list[Mapping[str, Any]] = []
    asked = asyncio.Event()

    async def lend(ask: Ask) -> Lease | None:
        found.append(get_contextvars())
        asked.set()
        return Lease(ask.want, 1.0, 0.0, 0.0, 1)

    rate = StripeRate(10, lend)
    with bound_contextvars(object="sub_1"):
        await rate.permit()
    await until(asked.wait, "permits are fetched")
    await rate.close()
    assert found == [{}]


async def test_who_cannot_wait_is_told_that_stripe_is_slow(stripe: Stripe) -> None:
    await stripe.control("faults", api_latency_seconds=2)
    api = StripeApi(KEY, base=stripe.url)
    token = calling.set(Calling(answer=0.01))
    try:
        with pytest.raises(SlowAnswerError) as raised:
            await api.account()
    finally:
        calling.reset(token)
        await api.close()
    assert raised.value.passing
    assert raised.value.outcome == "unavailable"


async def test_a_deleted_product_has_no_prices(stripe: Stripe) -> None:
    gone = await stripe.product()
    await stripe.delete(f"products/{gone}")
    api = StripeApi(KEY, base=stripe.url)
    try:
        assert await api.prices_of(gone) == []
    finally:
        await api.close()


async def test_a_key_that_may_not_read_cards_still_reads_subscriptions(stripe: Stripe) -> None:
    made = await stripe.subscribe("cards@x.example", await stripe.price(await stripe.product()))
    allowed = dict.fromkeys(("customers", "subscriptions"), "read")
    await stripe.control("keys", key="rk_test_cardless", permissions=allowed)
    stripe.box.api.log.clear()
    cardless, whole = (StripeApi(key, base=stripe.url) for key in ("rk_test_cardless", KEY))
    try:
        for _ in range(2):
            found = await cardless.subscription(made["id"])
            settings = found["customer"]["invoice_settings"]
            assert isinstance(settings["default_payment_method"], str)
        statuses = [entry["status"] for entry in stripe.box.api.log]
        assert statuses == [403, 200, 200], "it is asked once in a while"
        found = await whole.subscription(made["id"])
        card = found["customer"]["invoice_settings"]["default_payment_method"]["card"]
        assert card["last4"] == "4242"
        with pytest.raises(StripeError) as raised:
            await whole.subscription("sub_0")
        assert raised.value.missing
    finally:
        await cardless.close()
        await whole.close()


@pytest.mark.parametrize("kind", [contracts.STRIPE_AWAY, "StripeRefused"])
def test_people_read_what_an_activity_said_without_the_name_of_its_class(kind: str) -> None:
    said = ApplicationError("Stripe didn't answer", type=kind)
    failure = WorkflowFailureError(cause=said)
    error = WorkflowFailedError.of(failure)
    assert str(error) == "Stripe didn't answer"
    assert error.stripe_away is (kind == contracts.STRIPE_AWAY)
