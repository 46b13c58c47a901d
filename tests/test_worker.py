"""How a worker's process begins, and what it tells Temporal about its release."""

import asyncio
import gc
import os
import signal
from importlib.metadata import version

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.bridge.proto.activity_task import Cancel
from temporalio.common import VersioningBehavior
from temporalio.worker import FixedSizeSlotSupplier, ResourceBasedSlotSupplier
from temporalio.worker._activity import _ActivityWorker

import worker
from latchkey import contracts
from latchkey.serving import YOUNG_OBJECTS
from latchkey.settings import Settings
from tests.harness import Latchkey, until


def test_workers_have_versions_only_if_asked() -> None:
    assert worker.version_of(Settings.model_validate({})) is None
    asked = worker.version_of(Settings.model_validate({"LATCHKEY_WORKER_VERSIONING": "on"}))
    assert asked is not None
    assert asked.use_worker_versioning
    assert asked.version.deployment_name == "latchkey"
    assert asked.version.build_id == version("latchkey")
    assert asked.default_versioning_behavior is VersioningBehavior.AUTO_UPGRADE, (
        "runs last for years: none may be left to a release that doesn't run any more"
    )


@pytest.mark.anyio
@pytest.mark.parametrize(
    "queue", [contracts.MAIN_QUEUE, contracts.STRIPE_QUEUE, contracts.WEBHOOK_QUEUE]
)
async def test_temporal_is_told_the_release_of_a_worker(shared: Latchkey, queue: str) -> None:
    asked = DescribeTaskQueueRequest(
        namespace=shared.namespace,
        task_queue=TaskQueue(name=queue),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )

    async def polling() -> set[str]:
        answer = await shared.temporal.workflow_service.describe_task_queue(asked)
        return {poller.worker_version_capabilities.build_id for poller in answer.pollers}

    assert await until(polling, f"a worker asks for work of {queue}") == {version("latchkey")}


def test_an_activity_that_ended_before_its_cancellation_ends_no_worker() -> None:
    """The SDK warns of it. In tests a warning is an error, which nothing there catches."""
    ended = _ActivityWorker.__new__(_ActivityWorker)
    ended._running_activities = {}
    ended._handle_cancel_activity_task(b"local activity", Cancel())


@pytest.mark.parametrize("slots", ["fixed", "by-resources"])
def test_a_worker_takes_a_bounded_number_of_tasks(slots: str) -> None:
    tuner = worker.tuner(Settings.model_validate({"LATCHKEY_WORKER_SLOTS": slots}))
    bounds: list[int | None] = []
    for supplier in (
        tuner._get_workflow_task_slot_supplier(),
        tuner._get_activity_task_slot_supplier(),
        tuner._get_local_activity_task_slot_supplier(),
    ):
        if isinstance(supplier, FixedSizeSlotSupplier):
            bounds.append(supplier.num_slots)
        else:
            assert isinstance(supplier, ResourceBasedSlotSupplier)
            bounds.append(supplier.slot_config.maximum_slots)
    assert bounds == [worker.WORKFLOW_TASKS, worker.ACTIVITY_SLOTS, worker.AT_ONCE_SLOTS]


def test_a_worker_rarely_looks_for_garbage_and_stops_when_asked(
    usual_garbage: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[int, bool]] = []

    async def run(settings: Settings, stop: asyncio.Event) -> None:
        found.append((gc.get_threshold()[0], gc.get_freeze_count() > 0))
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()

    monkeypatch.setattr(worker, "run", run)
    asyncio.run(worker.main())
    assert found == [(YOUNG_OBJECTS, True)]
