"""The sandbox by itself: the package `latchkey-sandbox` that is built from the same tree."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging/sandbox"
PROJECT = tomllib.loads((PACKAGING / "pyproject.toml").read_text())
README = (PACKAGING / "README.md").read_text()
MODULES = {"jsonschema-rs": "jsonschema_rs", "typing-extensions": "typing_extensions"}
"""Distributions whose module has another name."""
BEHIND = {"websockets"}
"""What another library needs: uvicorn speaks websockets by it."""


def test_it_declares_what_it_imports() -> None:
    names = [re.split(r"[=<>\[]", given)[0] for given in PROJECT["project"]["dependencies"]]
    declared = {MODULES.get(name, name) for name in names}
    imported = set()
    for file in (ROOT / "sandbox").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module).partition(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"sandbox"}
    assert foreign - {"pytest"} == declared - BEHIND
    pinned = next(
        line for line in (ROOT / "requirements.in").read_text().split() if "stripe" in line
    )
    assert f"stripe=={pinned.rpartition('=')[2]}" in PROJECT["project"]["dependencies"]


def test_it_holds_every_module() -> None:
    folders = {file.parent.relative_to(ROOT) for file in (ROOT / "sandbox").rglob("*.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert PROJECT["project"]["version"] == whole["project"]["version"]


@pytest.mark.slow
def test_an_environment_that_has_it_buys_something(tmp_path: Path) -> None:
    """The wheel is built, installed into a new environment, and the README's test passes there.
    The environment borrows the dependencies of this one, so that nothing is downloaded."""
    ignore = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(PACKAGING, tmp_path / "packaging/sandbox", ignore=ignore)
    shutil.copytree(ROOT / "sandbox", tmp_path / "sandbox", ignore=ignore)
    pip = [sys.executable, "-m", "pip", "-q"]
    built = tmp_path / "dist"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-w", str(built)]
    run(*pip, "wheel", *options, str(tmp_path / "packaging/sandbox"))
    (wheel,) = built.iterdir()
    place = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(place))
    python = str(place / "bin/python")
    run(*pip, "--python", python, "install", "--no-index", "--no-deps", str(wheel))
    (site,) = place.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    here = tmp_path / "project"
    here.mkdir()
    said = run(str(place / "bin/latchkey-sandbox"), "--help", cwd=here)
    assert "--month-seconds" in said
    where = run(python, "-c", "import sandbox; print(sandbox.__file__)", cwd=here)
    assert where.startswith(str(place))
    (example,) = re.findall(r"```python\n(def test_checkout.*?)```", README, re.DOTALL)
    (here / "test_example.py").write_text(example)
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_example.py", cwd=here)
    assert "1 passed" in said


def run(*command: str, cwd: Path | None = None) -> str:
    """What a command prints. Fails with it where the command does."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
