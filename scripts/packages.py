"""Build what is released beside Latchkey itself: the client libraries, and the WordPress plugin.

    python -m scripts.packages [folder]

A wheel, an npm package and a zip, into `dist/` if no other folder is named. The same source gives
the same bytes. Nothing is fetched.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.npm.install import MODULES
from web import integration_files

ROOT = Path(__file__).parents[1]
EPOCH = 1_577_836_800
"""The time of every file in the packages of the clients, in Unix seconds: the beginning of 2020."""


def build(folder: Path) -> list[Path]:
    """Build all packages into a folder; returns their paths: wheel, npm package, plugin."""
    folder.mkdir(parents=True, exist_ok=True)
    return [wheel(folder), npm_package(folder), plugin(folder)]


def wheel(folder: Path) -> Path:
    """Build the wheel of the Python client."""
    with TemporaryDirectory() as scratch:
        source = _copy("python", Path(scratch))
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
        alone = ["--no-deps", "--no-index", "--no-build-isolation", "--no-cache-dir"]
        made = Path(scratch) / "made"
        _run([*pip, *alone, "--wheel-dir", str(made), str(source)])
        return _moved(made, folder)


def npm_package(folder: Path) -> Path:
    """Build the npm package of the JavaScript client."""
    with TemporaryDirectory() as scratch:
        source, made = _copy("js", Path(scratch)), Path(scratch) / "made"
        made.mkdir()
        _run(["node", str(MODULES / "typescript/bin/tsc"), "-p", str(source)])
        pack = ["npm", "pack", "--ignore-scripts", "--offline", "--loglevel=error"]
        _run([*pack, "--pack-destination", str(made)], cwd=source)
        return _moved(made, folder)


def plugin(folder: Path) -> Path:
    """Write the zip of the WordPress plugin."""
    name, content = integration_files.plugin()
    target = folder / name
    target.write_bytes(content)
    return target


def _copy(client: str, scratch: Path) -> Path:
    """A copy of a client's source with the licence: tools write beside what they build."""
    ignored = shutil.ignore_patterns("__pycache__", "build", "dist", "node_modules", "*.egg-info")
    source = shutil.copytree(ROOT / "clients" / client, scratch / client, ignore=ignored)
    shutil.copy(ROOT / "LICENSE", source)
    for path in source.rglob("*"):
        os.utime(path, (EPOCH, EPOCH))
        path.chmod(0o755 if path.is_dir() else 0o644)
    return source


def _run(command: Sequence[str], *, cwd: Path | None = None) -> None:
    environment: Mapping[str, str] = os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def _moved(made: Path, folder: Path) -> Path:
    [built] = made.iterdir()
    return Path(shutil.move(built, folder / built.name))


if __name__ == "__main__":
    for package in build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(package)  # noqa: T201
