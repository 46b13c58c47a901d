"""docs/sandbox.md names every control call, fault, setting and option."""

import inspect
from dataclasses import fields
from pathlib import Path

from sandbox.__main__ import serve
from sandbox.control import documented
from sandbox.delivery import Faults
from sandbox.settings import Settings
from tests.sandbox.recorded.differences import RULES

TEXT = (Path(__file__).parents[2] / "docs/sandbox.md").read_text()


def test_every_control_call_is_documented_as_it_is() -> None:
    for call, does in documented():
        if call != "GET /":
            assert f"| `{call}` | {does} |" in TEXT, call


def test_every_fault_setting_option_and_reason_is_documented() -> None:
    for name in (field.name for field in fields(Faults)):
        assert f"| `{name}` |" in TEXT
    for name in (field.name for field in fields(Settings)):
        assert f"`{name}`" in TEXT
    for name in inspect.signature(serve).parameters:
        assert f"--{name.replace('_', '-')}" in TEXT
    for rule in RULES:
        assert f"| {rule.name} | {rule.meaning} |" in TEXT
