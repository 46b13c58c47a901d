"""How a worker's process begins, and what it tells Temporal about its release."""

import asyncio
import gc
import os
import signal
from importlib.metadata import version

import pytest
from temporalio.common import VersioningBehavior

import worker
from latchkey.serving import YOUNG_OBJECTS
from latchkey.settings import Settings


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
