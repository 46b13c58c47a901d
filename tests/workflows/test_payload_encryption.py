"""Encrypted workflows with a real Temporal: runs that begin before, between and after keys, and its
own command line, which asks the codec server."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from latchkey import codec_server, payload_codec
from latchkey.embedded import temporal_binary
from latchkey.payload_codec import PayloadKeys
from latchkey.serving import InnerServer
from latchkey.settings import Settings
from tests.harness import Latchkey, free_port, until
from tests.test_payload_codec import BOTH, OLD, TOKEN
from worker import WORKFLOWS, workflow_runner

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def give_keys(site: Latchkey, text: str) -> Client:
    """Restart web and worker with these keys, as an operator does; returns a client that has
    them."""
    await site.stop_worker()
    await site.stop_web()
    site.settings = site.settings.model_copy(update={"temporal_keys": SecretStr(text)})
    await site.start_web()
    await site.start_worker()
    config = site.temporal.config()
    config["data_converter"] = payload_codec.converter(PayloadKeys.of(text))
    return Client(**config)


async def history(client: Client, subscription: str) -> WorkflowHistory:
    return await client.get_workflow_handle(f"subscription/{subscription}").fetch_history()


def payloads(found: WorkflowHistory) -> list[Payload]:
    """What a history holds, without what the SDK's core writes for itself."""
    held = []

    def collect(message: object) -> None:
        for field, value in message.ListFields():  # type: ignore[attr-defined]
            if isinstance(value, Payload):
                held.append(value)
            elif field.name in ("search_attributes", "header"):
                continue
            elif field.name == "details" and "result" in value:
                collect(value["result"])
            elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
                for each in value if field.is_repeated else [value]:
                    held.append(each) if isinstance(each, Payload) else collect(each)

    for event in found.events:
        collect(event)
    return held


def key_ids(found: WorkflowHistory) -> list[str]:
    """The keys of a history's payloads in order; empty for what isn't encrypted."""
    return [one.metadata.get("encryption-key-id", b"").decode() for one in payloads(found)]


async def replay(client: Client, subscription: str) -> None:
    found = await history(client, subscription)
    await Replayer(
        workflows=WORKFLOWS,
        workflow_runner=workflow_runner(),
        data_converter=client.data_converter,
    ).replay_workflow(found)


async def test_runs_go_on_as_keys_come_and_rotate(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)

    async def buy(name: str) -> str:
        session = await site.stripe.buy(f"{name}@keys.example", price)
        await site.has(product, f"{name}@keys.example")
        await site.quiet()
        return str(session["subscription"])

    before = await buy("before")
    plain = await history(site.temporal, before)
    assert set(key_ids(plain)) == {""}

    client = await give_keys(site, OLD)
    between = await buy("between")
    sealed = await history(client, between)
    assert set(key_ids(sealed)) == {"2026"}
    for one in payloads(sealed):
        assert between.encode() not in one.SerializeToString()

    client = await give_keys(site, BOTH)
    after = await buy("after")
    assert set(key_ids(await history(client, after))) == {"2027"}
    for subscription, name in ((before, "before"), (between, "between"), (after, "after")):
        await site.stripe.delete(f"subscriptions/{subscription}")
        await site.has(product, f"{name}@keys.example", access=False)
    await site.quiet()
    for subscription, first in ((before, ""), (between, "2026"), (after, "2027")):
        found = key_ids(await history(client, subscription))
        assert (found[0], found[-1]) == (first, "2027")
        await replay(client, subscription)

    await temporal_s_command_line_reads(client, after)


async def temporal_s_command_line_reads(client: Client, subscription: str) -> None:
    async with served(BOTH) as endpoint:
        command = [temporal_binary(), "workflow", "show", "--output", "json"]
        command += ["--address", client.service_client.config.target_host]
        command += ["--namespace", client.namespace, "-w", f"subscription/{subscription}"]
        asking = ["--codec-endpoint", endpoint, "--codec-auth", f"Bearer {TOKEN}"]
        encrypted = base64.b64encode(payload_codec.ENCODING)
        assert encrypted in await told(*command)
        read = await told(*command, *asking)
        assert encrypted not in read
        assert base64.b64encode(b"json/plain") in read


async def told(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    answer, _ = await process.communicate()
    assert process.returncode == 0
    return answer


@asynccontextmanager
async def served(keys: str) -> AsyncIterator[str]:
    """The codec server, at an address of its own."""
    port = free_port()
    settings = Settings.model_validate(
        {"LATCHKEY_TEMPORAL_KEYS": keys, "LATCHKEY_CODEC_TOKEN": TOKEN}
    )
    config = uvicorn.Config(codec_server.app(settings), port=port, log_level="error")
    server = InnerServer(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the codec server listens")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving
