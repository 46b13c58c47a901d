"""Headers, errors of `/v2`, and what the sandbox refuses to browsers."""

import asyncio
import json

import pytest
import stripe as sdk

from tests.harness import KEY, Stripe, http_client
from tests.sandbox.test_faults import receiving

pytestmark = pytest.mark.anyio


async def test_a_repeat_says_that_it_is_one(stripe: Stripe) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await stripe.client.post("/v1/customers", data={"name": "A"}, headers=headers)
    again = await stripe.client.post("/v1/customers", data={"name": "A"}, headers=headers)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Idempotency-Key"] == "one"
    assert again.json() == first.json()


async def test_a_key_in_flight_is_refused(stripe: Stripe) -> None:
    await stripe.control("faults", api_latency_seconds=2)
    headers = {"Idempotency-Key": "busy"}
    calls = [
        stripe.client.post("/v1/customers", data={"name": "A"}, headers=headers) for _ in range(2)
    ]
    answers = sorted(await asyncio.gather(*calls), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json()["error"]["code"] == "idempotency_key_in_use"
    assert answers[1].headers["Stripe-Should-Retry"] == "true"
    assert len((await stripe.get("customers"))["data"]) == 1


async def test_a_stored_failure_is_not_worth_a_retry(stripe: Stripe) -> None:
    await stripe.control("faults", api_500_after=1)
    headers = {"Idempotency-Key": "failed"}
    for expected in (None, "false"):
        answer = await stripe.client.post("/v1/customers", headers=headers)
        assert answer.status_code == 500
        assert answer.headers.get("Stripe-Should-Retry") == expected
        assert "logs/req_" in answer.json()["error"]["request_log_url"]


@pytest.mark.parametrize(
    ("fault", "status", "reason", "retry"),
    [
        ("api_429", 429, "endpoint-rate", None),
        ("api_429_retry", 429, "endpoint-concurrency", "true"),
        ("api_409", 409, None, "true"),
    ],
)
async def test_refusals_give_their_reason(
    stripe: Stripe, fault: str, status: int, reason: str | None, retry: str | None
) -> None:
    await stripe.control("faults", **{fault: 1})
    answer = await stripe.client.get("/v1/customers")
    assert answer.status_code == status
    assert answer.headers.get("Stripe-Rate-Limited-Reason") == reason
    assert answer.headers.get("Stripe-Should-Retry") == retry


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/core/unicorns", 404),
        ("DELETE", "/v2/anything", 404),
        ("POST", "/v2/core/event_destinations/ed_no/ping", 404),
        ("POST", "/v2/core/event_destinations", 400),
        ("GET", "/v2/core/events?limit=x", 400),
    ],
)
async def test_errors_of_v2_are_json(stripe: Stripe, method: str, path: str, status: int) -> None:
    answer = await stripe.client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert answer.headers["Request-Id"].startswith("req_")


async def test_v2_refuses_bodies_and_versions_that_it_cannot_read(stripe: Stripe) -> None:
    path = "/v2/core/event_destinations"
    assert (await stripe.client.post(path, content=b"{")).status_code == 400
    assert (await stripe.client.post(path, content=b"[]")).status_code == 400
    banana = await stripe.client.get(path, headers={"Stripe-Version": "banana"})
    assert (banana.status_code, "banana" in banana.json()["error"]["message"]) == (400, True)


async def test_a_destination_is_pinged(stripe: Stripe) -> None:
    client = sdk.StripeClient(KEY, base_addresses={"api": stripe.url})
    with receiving() as pinged, receiving() as other:

        def story() -> tuple[str, str]:
            made = [
                client.v2.core.event_destinations.create(
                    {
                        "name": "thin ones",
                        "type": "webhook_endpoint",
                        "event_payload": "thin",
                        "enabled_events": ["v1.customer.created"],
                        "webhook_endpoint": {"url": receiver.url},
                    }
                )
                for receiver in (pinged, other)
            ]
            event = client.v2.core.event_destinations.ping(made[0].id)
            assert client.v2.core.events.retrieve(event.id).type == event.type
            return event.id, made[0].id

        event_id, destination = await asyncio.to_thread(story)
        await stripe.control("idle")
        (body,) = pinged.bodies()
        assert (body["id"], body["type"]) == (event_id, "v2.core.event_destination.ping")
        assert body["related_object"]["id"] == destination
        assert other.bodies() == []


@pytest.mark.parametrize("path", ["/", "/v1/customers", "/_sandbox/ready", "/v2/core/events"])
async def test_foreign_hosts_are_refused(stripe: Stripe, path: str) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "[broken"):
        answer = await stripe.client.get(path, headers={"Host": host})
        assert answer.status_code == 421, host
    for host in ("localhost:1", "[::1]:12111", "127.0.0.1"):
        answer = await stripe.client.get(path, headers={"Host": host})
        assert answer.status_code == 200, host


async def test_foreign_pages_are_refused(stripe: Stripe) -> None:
    async def advance(origin: str | None) -> int:
        headers = {} if origin is None else {"Origin": origin}
        async with http_client(base_url=stripe.url) as browser:
            answer = await browser.post("/control/advance", data={"seconds": "60"}, headers=headers)
        return answer.status_code

    assert await advance("http://evil.example") == 403
    assert await advance("null") == 403
    assert await advance(stripe.url) == 303
    assert await advance(None) == 303


async def test_control_calls_must_be_json(stripe: Stripe) -> None:
    text = json.dumps({"seconds": 60}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await stripe.client.post(
            "/_sandbox/clock/advance", content=text, headers={"Content-Type": kind}
        )
        assert answer.status_code == 415
    answer = await stripe.client.post(
        "/_sandbox/clock/advance",
        content=text,
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    assert answer.status_code == 200
