"""Histories recorded by earlier releases still replay: a deploy breaks no running workflow.

`LATCHKEY_RECORD_HISTORIES=tests/workflows/histories pytest tests/life/test_privacy.py` records a
new set; keep the old ones beside it under another name.
"""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import _Definition

from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

RECORDED = sorted(Path(__file__).with_name("histories").glob("*.json"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_recorded_histories_replay(path: Path) -> None:
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    await Replayer(workflows=WORKFLOWS, workflow_runner=workflow_runner()).replay_workflow(history)


def test_every_workflow_type_is_recorded() -> None:
    types = set()
    for path in RECORDED:
        history = WorkflowHistory.from_json(path.stem, path.read_text())
        started = history.events[0].workflow_execution_started_event_attributes
        types.add(started.workflow_type.name)
    assert types == {_Definition.must_from_class(workflow).name for workflow in WORKFLOWS}


def test_histories_name_no_machine() -> None:
    for path in RECORDED:
        assert "site-packages" not in path.read_text(), path.name
