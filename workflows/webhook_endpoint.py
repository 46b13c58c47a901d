"""`WebhookEndpoint`: sends one endpoint what it is to be told, until nothing waits."""

from datetime import datetime, timedelta

from temporalio import workflow

from workflows.attempts import HEARTBEAT, ONE_ATTEMPT
from workflows.steps import show

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import SendWebhooksResult, WebhookEndpointState

SOON = timedelta(seconds=1)


@workflow.defn(name=contracts.WEBHOOK_ENDPOINT)
class WebhookEndpoint:
    """Each endpoint has a run of its own, so one that hangs or fails delays no other. It runs while
    there is something to send; the next event starts it again."""

    @workflow.init
    def __init__(self, state: WebhookEndpointState) -> None:
        self._state = state

    @workflow.signal(name=contracts.NUDGE)
    def nudge(self) -> None:
        self._state.nudged = True

    @workflow.run
    async def run(self, state: WebhookEndpointState) -> str:
        while True:
            self._state.nudged = False
            sent = await self._send()
            if not (sent.more or sent.next_at or self._state.nudged):
                show("idle", "Nothing waits to be sent")
                return "Nothing waits to be sent"
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)
            if sent.next_at is not None and not sent.more:
                await self._sleep(sent.next_at)

    async def _sleep(self, until: datetime) -> None:
        show("waiting", f"The next attempt is at {until:%Y-%m-%d %H:%M:%S} UTC")
        try:
            await workflow.wait_condition(
                lambda: self._state.nudged,
                timeout=max(until - workflow.now(), SOON),
                timeout_summary="the next attempt",
            )
        except TimeoutError:
            return

    async def _send(self) -> SendWebhooksResult:
        show("sending", "Sending what is due")
        sent: SendWebhooksResult = await workflow.execute_activity(
            contracts.SEND_WEBHOOKS,
            self._state.endpoint_id,
            result_type=SendWebhooksResult,
            task_queue=contracts.WEBHOOK_QUEUE,
            start_to_close_timeout=ONE_ATTEMPT,
            heartbeat_timeout=HEARTBEAT,
            summary="Send what is due",
        )
        return sent
