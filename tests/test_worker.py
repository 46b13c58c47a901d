"""What workers tell Temporal about their release."""

from importlib.metadata import version

from temporalio.common import VersioningBehavior

import worker
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
