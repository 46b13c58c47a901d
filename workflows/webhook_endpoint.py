"""`WebhookEndpoint`: sends one endpoint what it is to be told, until nothing waits."""

from datetime import datetime, timedelta

from temporalio import workflow

from workflows.attempts import HEARTBEAT, ONE_ATTEMPT

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import SendWebhooksResult, WebhookEndpointState

SOON = timedelta(seconds=1)
LINGER = timedelta(minutes=1)


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
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._state)
            if not sent.more and not await self._wait(sent.next_at):
                return "Nothing waits to be sent"

    async def _wait(self, next_at: datetime | None) -> bool:
        """Wait for the next attempt or a nudge. False if there was none for a while: ending and
        starting again for each event would cost more than to stay."""
        pause = max(next_at - workflow.now(), SOON) if next_at else LINGER
        workflow.set_current_details(
            f"The next attempt is at {next_at:%Y-%m-%d %H:%M:%S} UTC"
            if next_at
            else "Nothing waits to be sent"
        )
        try:
            await workflow.wait_condition(
                lambda: self._state.nudged,
                timeout=pause,
                timeout_summary="the next attempt" if next_at else "nothing more to send",
            )
        except TimeoutError:
            return next_at is not None or self._state.nudged
        return True

    async def _send(self) -> SendWebhooksResult:
        workflow.set_current_details("Sending what is due")
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
