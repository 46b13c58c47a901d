"""`stripe listen`, `stripe events resend` and `stripe logs tail`, by the real command line."""

import asyncio
import os
import re
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import stripe as sdk

from tests.harness import KEY, Stripe, until
from tests.npm.install import find_cli
from tests.sandbox.test_faults import Receiver, receiving
from tests.stripe_cli.test_triggers import cli

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@asynccontextmanager
async def running(stripe: Stripe, home: Path, *arguments: str) -> AsyncIterator[Process]:
    """The command line, until the end of the block."""
    program = find_cli()
    assert program, "no Stripe CLI: run `python -m tests.npm.install`"
    environment = os.environ | {"HOME": str(home), "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}
    target = ("--api-base", stripe.url, "--api-key", KEY, "--no-wss")
    process = await asyncio.create_subprocess_exec(
        str(program), *arguments, *target, env=environment, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        await process.wait()


async def line_with(process: Process, text: str) -> str:
    """The next line of output that holds a text."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while True:
            line = (await process.stdout.readline()).decode()
            assert line, f"the command line ended before it said {text!r}"
            if text in line:
                return line


async def arrived(receiver: Receiver, count: int) -> None:
    """Wait until a receiver has got so many events."""

    async def condition() -> bool:
        return len(receiver.bodies()) == count

    await until(condition, f"{count} events arrive", seconds=60)


async def test_listen_forwards_and_resend_repeats(stripe: Stripe, tmp_path: Path) -> None:
    target = ("--api-base", stripe.url, "--api-key", KEY)
    with receiving() as receiver:
        options = ("--all-snapshot", "--skip-update", "--forward-to", receiver.url)
        async with running(stripe, tmp_path, "listen", *options) as listening:
            ready = await line_with(listening, "signing secret")
            secret = re.findall(r"whsec_\w+", ready)[0]
            made = await stripe.post("customers", email="cli@listen.example")
            await arrived(receiver, 1)
            (body,) = receiver.bodies()
            assert (body["type"], body["data"]["object"]["id"]) == ("customer.created", made["id"])
            signature, raw = receiver.got[0]
            assert sdk.Webhook.construct_event(raw, signature, secret)["id"] == body["id"]
            status, said = await cli(tmp_path, "events", "resend", body["id"], *target)
            assert status == 0, said
            await arrived(receiver, 2)
            assert receiver.bodies()[1]["id"] == body["id"]


async def test_resend_to_an_endpoint(stripe: Stripe, tmp_path: Path) -> None:
    with receiving() as receiver:
        endpoint = await stripe.post(
            "webhook_endpoints", url=receiver.url, enabled_events=["customer.created"]
        )
        await stripe.post("customers", email="cli@listen.example")
        await arrived(receiver, 1)
        event = receiver.bodies()[0]["id"]
        target = ("--api-base", stripe.url, "--api-key", KEY)
        named = ("--webhook-endpoint", endpoint["id"])
        status, said = await cli(tmp_path, "events", "resend", event, *named, *target)
        assert status == 0, said
        await arrived(receiver, 2)


async def test_logs_are_tailed_and_filtered(stripe: Stripe, tmp_path: Path) -> None:
    filters = ("--filter-http-method", "POST", "--filter-status-code-type", "4XX")
    async with running(stripe, tmp_path, "logs", "tail", *filters) as tailing:
        await line_with(tailing, "waiting to receive API request logs")
        await stripe.post("customers", email="cli@logs.example")
        await stripe.client.get("/v1/customers/cus_nobody")
        answer = await stripe.client.post("/v1/prices", data={"product": "prod_no"})
        line = await line_with(tailing, "/v1/")
        assert "POST" in line
        assert "/v1/prices" in line
        assert answer.headers["Request-Id"] in line


async def test_an_unknown_session_is_refused(stripe: Stripe) -> None:
    answer = await stripe.client.get(
        "/stripecli/subscribe",
        headers={
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Websocket-Id": "cliws_nobody",
        },
    )
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Unknown WebSocket ID."
