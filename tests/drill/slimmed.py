"""What the image runs: an environment with what `requirements.txt` pins, and Latchkey installed as
the Dockerfile does, after `deploy/slim.sh`."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import distribution
from pathlib import Path

from tests.drill.programs import HERE

SOURCES = ("activities", "integrations", "latchkey", "sandbox", "web", "workflows")
FILES = ("LICENSE", "README.md", "pyproject.toml", "requirements.in", "worker.py")
UNUSED = ("__pycache__", "config-*", "dist-packages", "site-packages", "test")
MEGABYTE = 1_000_000


def made(folder: Path) -> Path:
    """The Python of such an environment, made in an empty folder."""
    base, environment = folder / "python", folder / "venv"
    interpreter = _python(base)
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(interpreter)
    text = f"home = {interpreter.parent}\ninclude-system-site-packages = false\n"
    (environment / "pyvenv.cfg").write_text(text)
    _packages(environment / "lib" / Path(sysconfig.get_path("stdlib")).name / "site-packages")
    _latchkey(python, folder / "source")
    _slim(environment, folder / "tools")
    return python


def megabytes(folder: Path) -> float:
    """The size of the files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def _python(base: Path) -> Path:
    """The Python that runs this, copied without what is installed into it."""
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(
        library,
        base / "lib" / library.name,
        ignore=shutil.ignore_patterns(*UNUSED),
        copy_function=_copy,
    )
    interpreter = base / "bin" / library.name
    interpreter.parent.mkdir()
    shutil.copy2(Path(sys.executable).resolve(), interpreter)
    return interpreter


def _packages(site: Path) -> None:
    """What is pinned, and pip, as they are installed here."""
    lines = re.findall(r"^([\w.-]+)==(.*)", (HERE / "requirements.txt").read_text(), re.MULTILINE)
    pinned = [name for name, rest in lines if "sys_platform == 'win32'" not in rest]
    for name in (*pinned, "pip"):
        for file in distribution(name).files or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                target = site / file
                target.parent.mkdir(parents=True, exist_ok=True)
                _copy(str(file.locate()), str(target))


def _copy(source: str, target: str) -> None:
    """A link where that is possible. What is stripped is written in place, so it is copied."""
    if ".so" in source:
        shutil.copy2(source, target)
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _latchkey(python: Path, source: Path) -> None:
    """Install it from a copy: a build leaves its results in the tree."""
    for name in SOURCES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(HERE / name, source / name, ignore=ignored)
    for name in FILES:
        shutil.copy2(HERE / name, source)
    usual = ("install", "--quiet", "--no-cache-dir", "--no-compile", "--no-index")
    _run(python, "-m", "pip", *usual, "--no-deps", "--no-build-isolation", source)


def _slim(environment: Path, tools: Path) -> None:
    """Without binutils, symbols for debuggers stay."""
    tools.mkdir()
    (tools / "strip").write_text("#!/bin/sh\n")
    (tools / "strip").chmod(0o755)
    _run(HERE / "deploy" / "slim.sh", environment, PATH=f"{os.environ['PATH']}:{tools}")


def _run(*command: str | Path, **environment: str) -> None:
    done = subprocess.run(
        command,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
