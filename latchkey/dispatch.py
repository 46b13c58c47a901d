"""Starts and signals workflows. Web and activities reach workflows only through this module."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Self

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from latchkey import contracts, temporal
from latchkey.contracts import (
    BurstInput,
    BurstObject,
    EntityState,
    GrantEndingsState,
    LinkPreviewInput,
    MemberImportState,
    Nudge,
    PolicyChangeState,
    ProductLinkState,
    ReconciliationState,
    StripeCallInput,
    StripeCallResult,
    WebhookEndpointState,
)
from latchkey.rules.plurals import counted
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Pool
from latchkey.store.products import link_previews, links
from latchkey.store.purchases.subscription_mirror import Lifecycle
from latchkey.store.stripe import wakeups
from latchkey.store.stripe.wakeups import Wakeup
from latchkey.stripe_ids import reference

CALL_TIMEOUT = 5.0
"""Seconds. Without it, the client's own retries would block a call for ten seconds while Temporal
is unavailable."""


STRIPE_CALL_LIFE = timedelta(minutes=2)

EARLIER = timedelta(seconds=2)
"""How long before its deadline a run that was started asleep is handed to a worker."""


class TemporalUnavailableError(Exception):
    """Temporal didn't accept the call. Nothing is lost, and the call can be repeated."""


class UndeliverableError(Exception):
    """Temporal rejects the call and would reject it again. The message says why."""


REFUSED = (UndeliverableError, ValueError)
"""What a call raises that would be rejected again, by Temporal or by its client."""


class WorkflowFailedError(Exception):
    """A workflow whose result was awaited failed. The message can be shown to people. `stripe_away`
    says that Stripe didn't answer, or answered with an error of its own."""

    def __init__(self, message: str, *, stripe_away: bool = False) -> None:
        super().__init__(message)
        self.stripe_away = stripe_away

    @classmethod
    def of(cls, error: WorkflowFailureError) -> Self:
        """From Temporal's error, whose innermost cause is what an activity said."""
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ApplicationError):
            cause = cause.__cause__
        if cause is None:
            return cls(str(error))
        return cls(cause.message, stripe_away=cause.type == contracts.STRIPE_AWAY)


async def nudge(client: Client, target: Target, event_ids: list[str]) -> None:
    """Signal the target's workflow that its object changed, starting it if it isn't running.

    Raises `TemporalUnavailableError`, `UndeliverableError`.
    """
    name, workflow_id, attributes = _entity(target)
    async with _bounded(client):
        await client.start_workflow(
            name,
            EntityState(target.id, nudged=False),
            id=workflow_id,
            task_queue=contracts.MAIN_QUEUE,
            start_signal=contracts.NUDGE,
            start_signal_args=[Nudge(event_ids, target.checkout_session)],
            static_summary=f"{name} {target.id}",
            search_attributes=attributes,
        )


async def hand_over(client: Client, objects: list[BurstObject]) -> WorkflowHandle[Any, str]:
    """Start the workflow that reads these objects together; the same handover is made once.

    Raises `TemporalUnavailableError`, `UndeliverableError`.
    """
    async with _bounded(client):
        handle: WorkflowHandle[Any, str] = await client.start_workflow(
            contracts.BURST,
            BurstInput(objects),
            id=contracts.burst_workflow_id(contracts.event_ids(objects)),
            task_queue=contracts.MAIN_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=f"Read and apply {counted(len(objects), 'object')} at once",
            result_type=str,
        )
    return handle


async def start_lifecycle(client: Client, lifecycle: Lifecycle) -> bool:
    """Start the workflow of an imported subscription, asleep until its first deadline.

    Temporal keeps its first workflow task back until it is nudged or until just before the
    deadline: a run that sleeps costs no worker anything. An existing run knows more and is left
    alone: False then. Raises `TemporalUnavailableError`.
    """
    async with _bounded(client):
        try:
            await client.start_workflow(
                contracts.SUBSCRIPTION,
                EntityState(
                    lifecycle.subscription_id,
                    nudged=False,
                    wake_at=lifecycle.wake_at,
                    wake=lifecycle.wake,
                ),
                id=contracts.subscription_workflow_id(lifecycle.subscription_id),
                task_queue=contracts.MAIN_QUEUE,
                static_summary=f"Subscription {lifecycle.subscription_id}",
                start_delay=_until_it_wakes(lifecycle.due),
                priority=Priority(priority_key=4),
                search_attributes=TypedSearchAttributes(
                    [
                        SearchAttributePair(
                            temporal.STRIPE_SUBSCRIPTION, lifecycle.subscription_id
                        ),
                        SearchAttributePair(
                            temporal.STRIPE_CUSTOMER, reference(lifecycle.customer_id)
                        ),
                    ]
                ),
            )
        except WorkflowAlreadyStartedError:
            return False
    return True


def _until_it_wakes(due: float | None) -> timedelta | None:
    """How long a run can do without its first workflow task, in which it sets its timer. Only
    signal-with-start, which `nudge` uses, ends that early."""
    if due is None:
        return None
    return max(timedelta(seconds=due - time.monotonic()) - EARLIER, timedelta()) or None


async def is_running(client: Client, workflow_id: str) -> bool:
    """Whether there is such a run: what `list_workflows` finds may be seconds old. Raises
    `TemporalUnavailableError`."""
    async with _bounded(client):
        try:
            found = await client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
    return found.status is WorkflowExecutionStatus.RUNNING


def run_of(target: Target) -> str | None:
    """The id of the workflow that a target's events go to; None if that takes a look at the
    database."""
    if target.kind in (TargetKind.PAYMENT, TargetKind.NONE):
        return None
    return _entity(target)[1]


def _entity(target: Target) -> tuple[str, str, TypedSearchAttributes]:
    match target.kind:
        case TargetKind.SUBSCRIPTION:
            pair = SearchAttributePair(temporal.STRIPE_SUBSCRIPTION, target.id)
            return (
                contracts.SUBSCRIPTION,
                contracts.subscription_workflow_id(target.id),
                TypedSearchAttributes([pair]),
            )
        case TargetKind.PURCHASE:
            workflow_id = contracts.purchase_workflow_id(target.id)
            return contracts.PURCHASE, workflow_id, TypedSearchAttributes([])
        case TargetKind.OBJECT:
            workflow_id = contracts.stripe_object_workflow_id(target.id)
            return contracts.STRIPE_OBJECT, workflow_id, TypedSearchAttributes([])
        case TargetKind.PAYMENT | TargetKind.NONE:
            raise ValueError(f"there is no workflow for a {target.kind}")


async def tell_link(client: Client, job: links.LinkJob) -> None:
    """Start a link's workflow, or signal it that its link was retried or removed.

    Raises `TemporalUnavailableError`.
    """
    signal = contracts.STOP if job.removed else contracts.NUDGE
    async with _bounded(client):
        await client.start_workflow(
            contracts.PRODUCT_LINK,
            ProductLinkState(job.id, job.product_id),
            id=contracts.product_link_workflow_id(job.product_id),
            task_queue=contracts.MAIN_QUEUE,
            start_signal=signal,
            start_signal_args=[job.id],
            static_summary=f"Product {job.product_id} → {job.stripe_product or 'new product'}",
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(temporal.LATCHKEY_PRODUCT, job.product_id)]
            ),
        )


async def start_reconciliation(client: Client, reconciliation_id: str, product: str | None) -> bool:
    """Start a comparison's workflow. False if one is still running: it may end without having seen
    the latest request, so try again later.

    Raises `TemporalUnavailableError`.
    """
    what = f"product {product}" if product else "all products"
    async with _bounded(client):
        try:
            await client.start_workflow(
                contracts.RECONCILIATION,
                ReconciliationState(reconciliation_id),
                id=contracts.reconciliation_workflow_id(reconciliation_id),
                task_queue=contracts.MAIN_QUEUE,
                static_summary=f"Compare grants with Stripe: {what}",
                priority=Priority(priority_key=5),
            )
        except WorkflowAlreadyStartedError:
            return False
    return True


async def rouse(client: Client, wakeup: Wakeup) -> None:
    """Deliver one wakeup from the outbox to Temporal. Raises `TemporalUnavailableError`."""
    match wakeup.kind:
        case wakeups.LOOK_AGAIN:
            await nudge(client, Target(TargetKind.SUBSCRIPTION, wakeup.ref), [])
        case wakeups.PURCHASE:
            await nudge(client, Target(TargetKind.PURCHASE, wakeup.ref), [])
        case wakeups.APPLIED:
            subscription, _, event_id = wakeup.ref.partition("/")
            await nudge(client, Target(TargetKind.SUBSCRIPTION, subscription), [event_id])
        case wakeups.LIFECYCLES:
            await _start_waiting(client)
        case wakeups.POLICY:
            await _apply_policy(client, int(wakeup.ref))
        case wakeups.ENDINGS:
            await _set_endings(client)
        case wakeups.MEMBER_IMPORT:
            await _work_on_import(client, wakeup.ref)
        case wakeups.WEBHOOKS:
            await _send_webhooks(client, wakeup.ref)
        case _:
            raise ValueError(f"unknown kind of wakeup: {wakeup.kind}")


async def _apply_policy(client: Client, change_id: int) -> None:
    async with _bounded(client):
        with suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(
                contracts.POLICY_CHANGE,
                PolicyChangeState(change_id),
                id=contracts.policy_change_workflow_id(change_id),
                task_queue=contracts.MAIN_QUEUE,
                static_summary=f"Apply policy change {change_id} to everyone",
            )


async def _work_on_import(client: Client, ref: str) -> None:
    import_id, _, run = ref.partition("/")
    async with _bounded(client):
        with suppress(WorkflowAlreadyStartedError):
            await client.start_workflow(
                contracts.MEMBER_IMPORT,
                MemberImportState(import_id, int(run)),
                id=contracts.member_import_workflow_id(import_id, int(run)),
                task_queue=contracts.MAIN_QUEUE,
                static_summary=f"Import of members {import_id}",
            )


async def _start_waiting(client: Client) -> None:
    async with _bounded(client):
        await client.start_workflow(
            contracts.LIFECYCLES,
            id=contracts.LIFECYCLES_WORKFLOW_ID,
            task_queue=contracts.MAIN_QUEUE,
            start_signal=contracts.NUDGE,
            static_summary="Start the workflows of subscriptions that bursts applied",
            priority=Priority(priority_key=4),
        )


async def _set_endings(client: Client) -> None:
    async with _bounded(client):
        await client.start_workflow(
            contracts.GRANT_ENDINGS,
            GrantEndingsState(),
            id=contracts.GRANT_ENDINGS_WORKFLOW_ID,
            task_queue=contracts.MAIN_QUEUE,
            start_signal=contracts.NUDGE,
            static_summary="End complimentary access on time",
        )


async def _send_webhooks(client: Client, endpoint_id: str) -> None:
    async with _bounded(client):
        await client.start_workflow(
            contracts.WEBHOOK_ENDPOINT,
            WebhookEndpointState(endpoint_id),
            id=contracts.webhook_endpoint_workflow_id(endpoint_id),
            task_queue=contracts.MAIN_QUEUE,
            start_signal=contracts.NUDGE,
            static_summary=f"Outgoing webhooks to {endpoint_id}",
        )


async def preview_link(
    client: Client, pool: Pool, *, product_id: str, stripe_product: str, seconds: float = 60
) -> str:
    """Run a link preview and return its id once its records are stored.

    Raises `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    preview_id = f"pv_{secrets.token_hex(8)}"
    async with pool.acquire() as connection:
        await link_previews.begin(
            connection,
            preview_id=preview_id,
            product_id=product_id,
            stripe_product=stripe_product,
        )
    async with _bounded(client, seconds):
        with _failures():
            await client.execute_workflow(
                contracts.LINK_PREVIEW,
                LinkPreviewInput(preview_id, product_id, stripe_product),
                id=contracts.link_preview_workflow_id(preview_id),
                task_queue=contracts.MAIN_QUEUE,
                static_summary=f"Preview: product {product_id} → {stripe_product}",
            )
    return preview_id


async def refresh_catalog(client: Client, *, seconds: float = 8) -> None:
    """Refresh the account's products, prices and counts, and wait for that up to `seconds`.

    If it takes longer, it continues in the background: counting a large account's subscriptions
    takes longer than a page can wait. Raises `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    async with _bounded(client):
        handle = await client.start_workflow(
            contracts.CATALOG,
            id=contracts.CATALOG_WORKFLOW_ID,
            task_queue=contracts.MAIN_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="Read the Stripe account's products, prices and active subscriptions",
        )
    with suppress(TimeoutError), _failures():
        async with asyncio.timeout(seconds):
            await handle.result()


async def check_connection(client: Client, *, seconds: float = 30, join: bool = False) -> None:
    """Check the key, register the webhook endpoint, read the catalog; wait up to `seconds`.

    A check that is under way is begun again, because the key may have changed since. With `join` it
    is left to end first, and the one after it is shared by all who wait for it. The outcome is
    stored in the connection's row. Raises `TemporalUnavailableError` and `WorkflowFailedError`.
    """
    policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING
    async with _bounded(client, seconds):
        if join:
            policy = WorkflowIDConflictPolicy.USE_EXISTING
            await _ended(client, contracts.CONNECTION_WORKFLOW_ID)
        with _failures():
            await client.execute_workflow(
                contracts.CONNECTION,
                id=contracts.CONNECTION_WORKFLOW_ID,
                task_queue=contracts.MAIN_QUEUE,
                id_conflict_policy=policy,
                static_summary="Check the Stripe key and webhook endpoint",
            )


async def _ended(client: Client, workflow_id: str) -> None:
    """Wait until a workflow's run has ended, however; at once if it never ran."""
    try:
        await client.get_workflow_handle(workflow_id).result()
    except WorkflowFailureError:
        pass
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def settle_checkout(client: Client, product_id: str, *, seconds: float = 0) -> bool:
    """Bring a product's payment links in line with what was chosen; wait up to `seconds`.

    True once that is done. Raises `TemporalUnavailableError`, `WorkflowFailedError`.
    """
    async with _bounded(client):
        handle = await client.start_workflow(
            contracts.CHECKOUT,
            product_id,
            id=contracts.checkout_workflow_id(product_id),
            task_queue=contracts.MAIN_QUEUE,
            start_signal=contracts.NUDGE,
            static_summary=f"Payment links of product {product_id}",
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(temporal.LATCHKEY_PRODUCT, product_id)]
            ),
        )
    if not seconds:
        return False
    with suppress(TimeoutError), _failures():
        async with asyncio.timeout(seconds):
            await handle.result()
            return True
    return False


async def call_stripe(
    client: Client,
    stripe_call: StripeCallInput,
    *,
    summary: str,
    nonce: str | None = None,
    seconds: float,
) -> StripeCallResult:
    """Run one call to Stripe while a person waits.

    Raises `TemporalUnavailableError`, also if it takes longer than `seconds`, and
    `WorkflowFailedError`.
    """
    async with _bounded(client, seconds):
        with _failures():
            result: StripeCallResult = await client.execute_workflow(
                contracts.STRIPE_CALL,
                stripe_call,
                id=contracts.stripe_call_workflow_id(
                    stripe_call.activity, nonce or secrets.token_hex(8)
                ),
                task_queue=contracts.MAIN_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=STRIPE_CALL_LIFE,
                static_summary=summary,
                priority=Priority(priority_key=1),
                result_type=StripeCallResult,
            )
    return result


@asynccontextmanager
async def _bounded(client: Client, seconds: float = CALL_TIMEOUT) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        if seconds <= CALL_TIMEOUT:
            raise _away(error) from error
        raise TemporalUnavailableError(
            f"this took longer than {seconds:g} s because Stripe or Temporal is slow or"
            " unavailable. It may still finish: check again in a minute"
        ) from error
    except (RPCError, RuntimeError) as error:
        if isinstance(error, RPCError) and error.status is RPCStatusCode.INVALID_ARGUMENT:
            if temporal.lacks_search_attribute(error):
                raise await _registering(client) from error
            raise UndeliverableError(f"Temporal rejected the call: {error.message}") from error
        if isinstance(error, RPCError) and temporal.lacks_namespace(error):
            raise TemporalUnavailableError(temporal.no_namespace(client.namespace)) from error
        raise _away(error) from error


async def _registering(client: Client) -> TemporalUnavailableError:
    """Register our search attributes with a namespace that is new or older than this release. The
    call itself is valid and can be repeated."""
    lacking = "the Temporal namespace lacks Latchkey's search attributes"
    try:
        async with asyncio.timeout(CALL_TIMEOUT):
            await temporal.register_search_attributes(client)
    except (RPCError, RuntimeError, TimeoutError) as error:
        return TemporalUnavailableError(
            f"{lacking}, and registering them failed ({error or type(error).__name__}): add"
            f" {', '.join(key.name for key in temporal.SEARCH_ATTRIBUTES)} as type Keyword"
        )
    return TemporalUnavailableError(f"{lacking}: they have been registered now, so try again")


def _away(error: Exception) -> TemporalUnavailableError:
    return TemporalUnavailableError(
        f"Temporal didn't answer ({type(error).__name__}): check that it is running and that"
        " TEMPORAL_ADDRESS is correct"
    )


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except WorkflowFailureError as error:
        raise WorkflowFailedError.of(error) from error
