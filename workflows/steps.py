"""What workflows have in common: running Temporal activities, and showing their state."""

from collections.abc import Sequence
from typing import TypeVar

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy, SearchAttributeKey
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)

from workflows.attempts import AT_ONCE, HEARTBEAT, ONE_ATTEMPT

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts

STATE = SearchAttributeKey.for_keyword("LatchkeyState")
PRODUCT = SearchAttributeKey.for_keyword("LatchkeyProduct")
CUSTOMER = SearchAttributeKey.for_keyword("StripeCustomer")
STRIPE_PRODUCT = SearchAttributeKey.for_keyword("StripeProduct")

Result = TypeVar("Result")


async def on_stripe_queue(
    activity: str,
    *inputs: object,
    result_type: type[Result],
    summary: str,
    retry_policy: RetryPolicy | None = None,
    priority: Priority = Priority.default,
) -> Result:
    """Run a Temporal activity that calls Stripe, at the cluster's rate."""
    return await _run(
        activity, inputs, result_type, summary, retry_policy, priority, contracts.STRIPE_QUEUE
    )


async def on_main_queue(
    activity: str,
    *inputs: object,
    result_type: type[Result],
    summary: str,
    retry_policy: RetryPolicy | None = None,
    priority: Priority = Priority.default,
) -> Result:
    """Run a Temporal activity that asks nothing of Stripe."""
    return await _run(activity, inputs, result_type, summary, retry_policy, priority, None)


async def at_once(
    activity: str, job: object, *, result_type: type[Result], summary: str
) -> Result | None:
    """Run a Temporal activity within the workflow task, in the worker that has the run.

    That saves the way through a task queue and a second workflow task. None if it failed or took
    long: run it on its queue then, where it waits its turn and is retried.
    """
    try:
        result: Result = await workflow.execute_local_activity(
            activity,
            job,
            result_type=result_type,
            start_to_close_timeout=AT_ONCE,
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=summary,
        )
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        return None
    return result


async def _run(
    activity: str,
    inputs: Sequence[object],
    result_type: type[Result],
    summary: str,
    retry_policy: RetryPolicy | None,
    priority: Priority,
    task_queue: str | None,
) -> Result:
    result: Result = await workflow.execute_activity(
        activity,
        args=inputs,
        result_type=result_type,
        task_queue=task_queue,
        start_to_close_timeout=ONE_ATTEMPT,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=retry_policy,
        priority=priority,
        summary=summary,
    )
    return result


def show(label: str, details: str) -> None:
    """Say the state in words, and in the search attribute where that changes."""
    workflow.set_current_details(details)
    if workflow.info().typed_search_attributes.get(STATE) != label:
        workflow.upsert_search_attributes([STATE.value_set(label)])


def reason_of(error: ActivityError) -> str:
    """Why a Temporal activity failed, as it said itself where it did."""
    return error.cause.message if isinstance(error.cause, ApplicationError) else str(error)
