"""Deliberate faults: each does what it says, and the same seed gives the same run."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import orjson
import pytest
import stripe as sdk

from sandbox import delivery
from sandbox.schema import Published
from tests.harness import Json, Stripe, run_sandbox, until

pytestmark = pytest.mark.anyio


@dataclass
class Receiver:
    """A webhook endpoint that records what it receives; `answer` is the status it returns."""

    url: str = ""
    answer: int = 200
    got: list[tuple[str, bytes]] = field(default_factory=list)

    def bodies(self) -> list[Json]:
        return [orjson.loads(body) for _, body in self.got]


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.headers["Stripe-Signature"], body))
            self.send_response(receiver.answer)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


async def listen(stripe: Stripe, receiver: Receiver) -> Json:
    return await stripe.post(
        "webhook_endpoints", url=receiver.url, enabled_events=["customer.created"]
    )


async def customers(stripe: Stripe, count: int) -> list[str]:
    made = [
        (await stripe.post("customers", email=f"{number}@fault.example"))["id"]
        for number in range(count)
    ]
    await stripe.delivered()
    return made


async def test_duplicates_and_drops(stripe: Stripe, receiver: Receiver) -> None:
    await listen(stripe, receiver)
    await stripe.control("faults", duplicate=1)
    await customers(stripe, 2)
    ids = [body["id"] for body in receiver.bodies()]
    assert (len(ids), len(set(ids))) == (4, 2)
    await stripe.control("faults", reset=True, drop=1)
    lost = await customers(stripe, 1)
    assert len(receiver.got) == 4
    sent = await stripe.client.get("/_sandbox/events", params={"object": lost[0]})
    await stripe.control(f"events/{sent.json()['data'][0]['id']}/repeat")
    await stripe.delivered()
    assert receiver.bodies()[-1]["data"]["object"]["id"] == lost[0]


async def test_delays_change_the_order(stripe: Stripe, receiver: Receiver) -> None:
    await listen(stripe, receiver)
    await stripe.control("faults", delay=1, delay_seconds=0.5)
    made = await customers(stripe, 12)
    got = [body["data"]["object"]["id"] for body in receiver.bodies()]
    assert sorted(got) == sorted(made)
    assert got != made


async def test_an_endpoint_that_never_answers_holds_up_no_other(
    stripe: Stripe, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "AT_ONCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        silenced = await listen(stripe, Receiver(url))
        await listen(stripe, receiver)
        for number in range(3):
            await stripe.post("customers", email=f"held-{number}@fault.example")

        async def arrived() -> bool:
            return len(receiver.got) == 3

        await until(arrived, "the other endpoint has heard of all")
        tried = (await stripe.client.get("/_sandbox/deliveries")).json()["data"]
        waiting = [one for one in tried if one["endpoint"] == silenced["id"]]
        assert [one["error"] for one in waiting] == [None] * 3


@pytest.mark.parametrize(
    ("fault", "good"), [("stale_timestamp", False), ("bad_signature", False), ("none", True)]
)
async def test_signatures_are_checked_by_stripes_own_package(
    stripe: Stripe, receiver: Receiver, fault: str, good: bool
) -> None:
    endpoint = await listen(stripe, receiver)
    if fault != "none":
        await stripe.control("faults", **{fault: 1})
    await customers(stripe, 1)
    header, body = receiver.got[0]

    def verified() -> bool:
        try:
            sdk.WebhookSignature.verify_header(body.decode(), header, endpoint["secret"], 300)
        except sdk.SignatureVerificationError:
            return False
        return True

    assert verified() is good


async def test_both_secrets_sign_while_one_is_rolled(stripe: Stripe, receiver: Receiver) -> None:
    endpoint = await listen(stripe, receiver)
    path = f"webhook_endpoints/{endpoint['id']}"
    new, old = (await stripe.control(path, roll=True))["secrets"]
    assert old == endpoint["secret"]
    await customers(stripe, 1)
    header, body = receiver.got[0]
    assert header.count("v1=") == 2
    for secret in (new, old):
        assert sdk.WebhookSignature.verify_header(body.decode(), header, secret, 300)
    assert (await stripe.control(path, end_roll=True))["secrets"] == [new]


async def test_old_renderings(stripe: Stripe, receiver: Receiver) -> None:
    await stripe.post(
        "webhook_endpoints",
        url=receiver.url,
        enabled_events=["customer.created", "customer.updated"],
    )
    await stripe.control("faults", old_api_version=1)
    made = await customers(stripe, 1)
    assert receiver.bodies()[-1]["api_version"] == "2020-08-27"
    await stripe.control("faults", reset=True, old_snapshot=1)
    await stripe.post(f"customers/{made[0]}", email="new@fault.example")
    await stripe.delivered()
    assert receiver.bodies()[-1]["data"]["object"]["email"] == "0@fault.example"
    await stripe.control("faults", reset=True, thin=1)
    await stripe.post(f"customers/{made[0]}", email="third@fault.example")
    await stripe.delivered()
    shown = receiver.bodies()[-1]
    assert (shown["object"], shown["type"]) == ("v2.core.event", "v1.customer.updated")
    assert "data" not in shown


async def test_refused_deliveries_are_retried(stripe: Stripe, receiver: Receiver) -> None:
    await listen(stripe, receiver)
    receiver.answer = 500
    await customers(stripe, 1)
    receiver.answer = 200

    async def delivered() -> bool:
        rows = (await stripe.client.get("/_sandbox/deliveries")).json()["data"]
        return bool(rows[0]["state"] == "delivered")

    await until(delivered, "the second try is accepted")
    first, second = receiver.got
    assert first[1] == second[1]
    assert first[0] != second[0]


@pytest.mark.parametrize(
    ("fault", "status", "retry"),
    [
        ("api_429", 429, None),
        ("api_429_retry", 429, "true"),
        ("api_409", 409, "true"),
        ("api_500_before", 500, None),
        ("api_500_after", 500, None),
    ],
)
async def test_the_api_refuses(stripe: Stripe, fault: str, status: int, retry: str | None) -> None:
    await stripe.control("faults", **{fault: 1})
    answer = await stripe.client.post("/v1/customers", data={"email": "x@fault.example"})
    assert answer.status_code == status
    assert answer.headers.get("Stripe-Should-Retry") == retry
    await stripe.control("faults", reset=True)
    written = (await stripe.get("customers"))["data"]
    assert bool(written) is (fault == "api_500_after")


async def test_a_cut_connection_a_rate_and_a_wait(stripe: Stripe) -> None:
    await stripe.control("faults", cut_connection=1)
    with pytest.raises(httpx.HTTPError):
        await stripe.get("customers")
    await stripe.control("faults", reset=True, api_rate=3)
    calls = [stripe.client.get("/v1/customers") for _ in range(12)]
    statuses = [answer.status_code for answer in await asyncio.gather(*calls)]
    assert {200, 429} == set(statuses)
    await stripe.control("faults", reset=True, api_latency_seconds=0.2)
    began = asyncio.get_running_loop().time()
    await stripe.get("customers")
    assert asyncio.get_running_loop().time() - began >= 0.2


async def test_pages_that_end_early_or_move(stripe: Stripe) -> None:
    made = await customers(stripe, 6)
    await stripe.control("faults", short_page=1)
    page = await stripe.get("customers", limit=6)
    assert (len(page["data"]), page["has_more"]) == (5, True)
    await stripe.control("faults", reset=True, shifting_page=1)
    page = await stripe.get("customers", limit=3, starting_after=made[3])
    assert [row["id"] for row in page["data"]] == [made[3], made[2], made[1]]
    assert page["has_more"] is True


async def test_a_spared_request_is_exempt(stripe: Stripe) -> None:
    await stripe.control("faults", api_500_before=1)
    headers = {"Sandbox-Spared": "yes"}
    assert (await stripe.client.get("/v1/customers", headers=headers)).status_code == 200


@pytest.mark.parametrize("given", [{"drop": 1.5}, {"drop": -1}, {"drop": True}, {"gremlin": 1}])
async def test_bad_faults_are_refused(stripe: Stripe, given: Json) -> None:
    answer = await stripe.client.post("/_sandbox/faults", json=given)
    assert answer.status_code == 400


async def run(published: Published, seed: int) -> list[object]:
    """One run with faults: the responses, and what was delivered how often."""
    with receiving() as receiver, run_sandbox(published, chance=seed) as stripe:
        await stripe.post(
            "webhook_endpoints",
            url=receiver.url,
            enabled_events=["customer.created", "customer.updated"],
        )
        await stripe.control(
            "faults", duplicate=0.3, drop=0.3, old_snapshot=0.3, api_500_before=0.3, api_409=0.2
        )
        seen: list[object] = []
        for number in range(20):
            answer = await stripe.client.post("/v1/customers", data={"name": str(number)})
            seen.append((answer.status_code, answer.json().get("id")))
        await stripe.delivered()
        seen += sorted(body["id"] for body in receiver.bodies())
        assert stripe.problems() == []
        return seen


async def test_the_same_seed_gives_the_same_run(published: Published) -> None:
    first, second, other = [await run(published, seed) for seed in (7, 7, 8)]
    assert first == second
    assert first != other
