"""docs/observing.md lists the metrics that there are, with their kinds and labels."""

import re
from pathlib import Path

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

import worker
from web import alarms, app

PAGE = Path(__file__).parents[2] / "docs" / "observing.md"
DECLARING = (alarms, app, worker)
"""Importing them declares every metric."""

ROW = re.compile(r"^\| `(latchkey_\w+)` \| (\w+), [^|]+ \| ([^|]*)\|", re.M)
IDS = re.compile(r"(^|_)(id|ids|email|address|user|path|url)$")


def declared() -> dict[str, MetricWrapperBase]:
    found = set(prometheus_client.REGISTRY._collector_to_names)
    ours = [one for one in found if isinstance(one, MetricWrapperBase)]
    return {
        one._name + ("_total" if one._type == "counter" else ""): one
        for one in ours
        if one._name.startswith("latchkey_")
    }


def test_every_metric_is_documented_as_it_is() -> None:
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(PAGE.read_text())
    }
    exposed = {name: (one._type, tuple(one._labelnames)) for name, one in declared().items()}
    assert exposed
    assert documented == exposed


def test_labels_hold_no_ids_or_addresses() -> None:
    labels = {label for metric in declared().values() for label in metric._labelnames}
    assert not [label for label in labels if IDS.search(label)]
