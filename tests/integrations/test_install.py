"""Installing what the integrations need: what doesn't answer is given up."""

from pathlib import Path

import pytest

from tests.integrations import install


def test_a_registry_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexec sleep 60\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(install, "NODE", tmp_path / "node")
    monkeypatch.setattr(install, "PATIENCE", 0.1)
    install._install_from_npm()
    assert (tmp_path / "node/package.json").exists()
    assert not (tmp_path / "node/package-lock.json").exists(), "the next run tries again"
