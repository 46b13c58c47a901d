"""An endpoint's run over days of skipped time, with a stand-in for what it sends."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from latchkey import contracts
from latchkey.contracts import SendWebhooksResult, WebhookEndpointState
from tests.harness import until
from tests.workflows.test_entities import environment
from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

__all__ = ["environment"]

Answer = Callable[[int, datetime], SendWebhooksResult]
"""From the number of the round and the time."""


@dataclass
class Sender:
    """Records when it was asked to send, and answers as a test says."""

    environment: WorkflowEnvironment
    answer: Answer
    asked: list[datetime] = field(default_factory=list)

    @activity.defn(name=contracts.SEND_WEBHOOKS)
    async def send(self, endpoint_id: str) -> SendWebhooksResult:
        now = await self.environment.get_current_time()
        self.asked.append(now)
        return self.answer(len(self.asked), now)


async def started(client: Client) -> WorkflowHandle[object, str]:
    name = f"we_{uuid.uuid4().hex[:10]}"
    handle: WorkflowHandle[object, str] = await client.start_workflow(
        contracts.WEBHOOK_ENDPOINT,
        WebhookEndpointState(name),
        id=contracts.webhook_endpoint_workflow_id(name),
        task_queue=contracts.MAIN_QUEUE,
    )
    return handle


def workers(client: Client, sender: Sender) -> tuple[Worker, Worker]:
    return (
        Worker(
            client,
            task_queue=contracts.MAIN_QUEUE,
            workflows=WORKFLOWS,
            workflow_runner=workflow_runner(),
        ),
        Worker(client, task_queue=contracts.WEBHOOK_QUEUE, activities=[sender.send]),
    )


async def test_an_endpoint_is_tried_for_days_until_nothing_waits(
    environment: WorkflowEnvironment,
) -> None:
    pauses = [timedelta(seconds=5), timedelta(minutes=30), timedelta(hours=10), timedelta(days=2)]

    def answer(nth: int, now: datetime) -> SendWebhooksResult:
        if nth > len(pauses):
            return SendWebhooksResult(delivered=1)
        return SendWebhooksResult(failed=1, next_at=now + pauses[nth - 1])

    sender = Sender(environment, answer)
    main, webhooks = workers(environment.client, sender)
    async with main, webhooks:
        handle = await started(environment.client)
        assert await handle.result() == "Nothing waits to be sent"
    waited = [then - now for now, then in zip(sender.asked, sender.asked[1:], strict=False)]
    for real, wanted in zip(waited, pauses, strict=True):
        assert wanted <= real < wanted + timedelta(seconds=5)


async def test_a_nudge_cuts_a_pause_short(environment: WorkflowEnvironment) -> None:
    def answer(nth: int, now: datetime) -> SendWebhooksResult:
        return SendWebhooksResult(next_at=now + timedelta(days=300) if nth == 1 else None)

    sender = Sender(environment, answer)
    main, webhooks = workers(environment.client, sender)
    async with main, webhooks:
        handle = await started(environment.client)

        async def asked() -> bool:
            return bool(sender.asked)

        await until(asked, "it looked once")
        await handle.signal(contracts.NUDGE)
        await handle.result()
    assert len(sender.asked) == 2
    assert sender.asked[1] - sender.asked[0] < timedelta(days=300)


async def test_more_is_sent_at_once(environment: WorkflowEnvironment) -> None:
    sender = Sender(environment, lambda nth, _: SendWebhooksResult(delivered=9, more=nth < 4))
    main, webhooks = workers(environment.client, sender)
    async with main, webhooks:
        await (await started(environment.client)).result()
    assert len(sender.asked) == 4
    assert sender.asked[-1] - sender.asked[0] < timedelta(minutes=1)


async def test_a_run_stays_for_what_comes_next(environment: WorkflowEnvironment) -> None:
    """An event within a minute of the last one costs no new run."""
    sender = Sender(environment, lambda *_: SendWebhooksResult(delivered=1))
    main, webhooks = workers(environment.client, sender)
    async with main, webhooks:
        handle = await started(environment.client)
        for count in (1, 2, 3):

            async def asked(count: int = count) -> bool:
                return len(sender.asked) == count

            await until(asked, f"it looked {count} times")
            if count < 3:
                await handle.signal(contracts.NUDGE)
        assert await handle.result() == "Nothing waits to be sent"
    assert len(sender.asked) == 3
