"""The Grafana dashboards ask for what exists, in valid PromQL."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import promtool
from tests.deploy.test_metrics import declared

FOLDER = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
SUFFIXES = ("_bucket", "_count", "_sum")
PROMETHEUS = {"le", "job"}
"""Labels that every histogram, and every scraped program, has."""


def panels() -> list[Any]:
    return [panel for board in DASHBOARDS.values() for panel in board["panels"]]


def expressions() -> list[str]:
    """With intervals in place of Grafana's variables."""
    given = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [re.sub(r"\$__(rate_interval|range)", "5m", expr) for expr in given]


def test_there_are_two_with_panels_that_do_not_overlap() -> None:
    assert DASHBOARDS.keys() == {"health", "purchases"}
    for board in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert at["x"] + at["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells


@pytest.mark.parametrize("expr", expressions())
def test_panels_ask_for_metrics_and_labels_that_exist(expr: str) -> None:
    known = declared()
    labels = set(PROMETHEUS)
    for name in re.findall(r"latchkey_\w+", expr):
        base = name
        for suffix in SUFFIXES:
            base = base.removesuffix(suffix)
        assert base in known, name
        labels |= set(known[base]._labelnames)
    if "latchkey_" in expr:
        by = [
            one.strip() for found in re.findall(r"by \(([^)]*)\)", expr) for one in found.split(",")
        ]
        matched = re.findall(r'(\w+)=?[=~!]+"', expr)
        assert {*by, *matched} <= labels


def test_legends_name_labels_that_the_query_keeps() -> None:
    for panel in panels():
        for target in panel["targets"]:
            for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), panel["title"]


@pytest.mark.slow
def test_promtool_reads_every_expression(tmp_path: Path) -> None:
    tool = promtool.find()
    assert tool is not None, "`make test` unpacks promtool"
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([tool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
