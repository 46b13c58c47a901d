"""The lifecycle that subscriptions, purchases and other Stripe objects share.

When nudged or woken by its timer, an entity has its object fetched and applied, sets the timer for
the next deadline and sleeps. The activity makes the decisions, so changing them doesn't change the
workflow.
"""

from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.common import Priority, SearchAttributeUpdate

from workflows.steps import CUSTOMER, PRODUCT, STATE, at_once, on_main_queue, on_stripe_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import EndDueInput, EntityState, Nudge, SyncInput, SyncResult

SOON = timedelta(seconds=1)

LOOK_BEFORE_ENDING = "look-before-ending"
"""The id of a change of commands: see CONTRIBUTING.md, Changing workflow code."""

READ_AT_ONCE = "read-at-once"
"""The id of a change of commands: see CONTRIBUTING.md, Changing workflow code."""


@dataclass(frozen=True)
class Syncing:
    """The Temporal activity that fetches and applies, and a summary of it for operators."""

    activity: str
    summary: str


def take(state: EntityState, nudge: Nudge) -> None:
    """Record a nudge. The signal handler does nothing else, so that it can't fail."""
    state.nudged = True
    state.asked = state.asked or not nudge.event_ids
    state.event_ids += nudge.event_ids
    state.checkout_session = nudge.checkout_session or state.checkout_session


async def live(state: EntityState, syncing: Syncing) -> str:
    """Keep the object in sync until it is finished; returns its last state as a sentence."""
    by_timer = overdue = False
    last: SyncResult | None = None
    while True:
        if state.nudged:
            result = await _sync(state, syncing, by_timer=by_timer, last=last)
            if last is None or not result.unchanged:
                if overdue and result.unread:
                    await _end_due(state)
                overdue = False
                _show(state, result)
                last = result
            if last.finished and not state.nudged:
                return last.state
            state.wake_at, state.wake = last.wake_at, last.wake
        if workflow.info().is_continue_as_new_suggested():
            workflow.continue_as_new(state)
        by_timer = await _sleep(state)
        if by_timer:
            overdue = await _wake(state)


async def _sync(
    state: EntityState, syncing: Syncing, *, by_timer: bool, last: SyncResult | None
) -> SyncResult:
    """The flag is cleared before the read, so that a nudge during the read causes another one."""
    job = SyncInput(
        object_id=state.object_id,
        as_of=workflow.now(),
        event_ids=state.event_ids,
        checkout_session=state.checkout_session,
        by_timer=by_timer,
        only_events=last is not None and not by_timer and not state.asked,
        ticket=last.ticket if last else 0,
    )
    state.nudged, state.asked, state.event_ids, state.checkout_session = False, False, [], None
    if workflow.patched(READ_AT_ONCE):
        result = await at_once(
            syncing.activity, job, result_type=SyncResult, summary=syncing.summary
        )
        if result is not None:
            return result
    return await on_stripe_queue(
        syncing.activity,
        job,
        result_type=SyncResult,
        priority=Priority(priority_key=2),
        summary=syncing.summary,
    )


def _show(state: EntityState, result: SyncResult) -> None:
    """Show the state in the UI; search attributes are written only when they change."""
    updates: list[SearchAttributeUpdate[str]] = []
    if result.label != state.label:
        updates.append(STATE.value_set(result.label))
    if result.product and result.product != state.product:
        updates.append(PRODUCT.value_set(result.product))
    if result.customer and result.customer != state.customer:
        updates.append(CUSTOMER.value_set(result.customer))
    if updates:
        workflow.upsert_search_attributes(updates)
    state.label = result.label
    state.product = result.product or state.product
    state.customer = result.customer or state.customer
    details = result.state
    if result.wake_at is not None:
        why = result.wake.words if result.wake else "look again"
        details += f"\n\nNext: {why}, {result.wake_at:%Y-%m-%d %H:%M:%S} UTC"
    workflow.set_current_details(details)


async def _sleep(state: EntityState) -> bool:
    """Sleep until nudged or until the deadline; True if it was the deadline."""
    left = None
    if state.wake_at is not None:
        left = max(state.wake_at - workflow.now(), SOON)
    try:
        await workflow.wait_condition(
            lambda: state.nudged,
            timeout=left,
            timeout_summary=state.wake.words if state.wake else None,
        )
    except TimeoutError:
        return True
    return False


async def _wake(state: EntityState) -> bool:
    """Handle the deadline: read Stripe, and end what is due without it only if Stripe can't be
    read. True if something is due. Runs of earlier releases end first and read then, which
    announced an end and took it back when the event of a withdrawn cancellation was lost."""
    due = state.wake is not None and state.wake.ends_access
    state.nudged = True
    if due and not workflow.patched(LOOK_BEFORE_ENDING):
        await _end_due(state)
        return False
    return due


async def _end_due(state: EntityState) -> None:
    await on_main_queue(
        contracts.END_DUE_ACCESS,
        EndDueInput(state.object_id, workflow.now()),
        result_type=int,
        priority=Priority(priority_key=1),
        summary="End access that is due",
    )
