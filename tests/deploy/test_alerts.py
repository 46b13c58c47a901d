"""The alert rules are valid, fire when they should, and name figures that exist."""

import re
import subprocess
from pathlib import Path

import prometheus_client
import pytest
import yaml

import worker
from tests.deploy import promtool
from web import alarms, app

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests" / "deploy" / "alerts_test.yml"
RULES = ROOT / "deploy" / "prometheus-alerts.yml"
MODULES = (alarms, app, worker)
"""Importing them declares every figure."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("check", "rules", RULES), ("test", "rules", TESTS)], ids=lambda given: given[0]
)
def test_promtool_is_content(arguments: tuple[str | Path, ...]) -> None:
    tool = promtool.find()
    assert tool is not None, "`make test` unpacks promtool"
    done = subprocess.run([tool, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_ask_for_figures_that_exist() -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    asked = set(re.findall(r"latchkey_\w+", " ".join(rule["expr"] for rule in rules)))
    declared = {
        f"{metric.name}{suffix}"
        for metric in prometheus_client.REGISTRY.collect()
        for suffix in ("", "_total", "_bucket", "_count", "_sum")
    }
    assert asked
    assert asked <= declared, asked - declared


def test_each_alarm_of_the_documentation_has_a_rule() -> None:
    table = (ROOT / "docs" / "operating.md").read_text()
    documented = set(re.findall(r"^  \| `(latchkey_\w+)", table, re.M))
    assert documented
    assert documented <= set(re.findall(r"latchkey_\w+", RULES.read_text()))
