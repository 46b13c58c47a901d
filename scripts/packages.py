"""Build what is released beside Latchkey itself: the client libraries, and the WordPress plugin.

    python -m scripts.packages [folder]

A wheel, an npm package and a zip, into `dist/` if no other folder is named. The same source gives
the same bytes. Nothing is fetched.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.npm.install import MODULES

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "integrations/wordpress/latchkey"
EPOCH = 1_577_836_800
"""The time of every file in the packages, in Unix seconds: the beginning of 2020."""
EPOCH_OF_ZIP = (2020, 1, 1, 0, 0, 0)


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
    """Build the zip of the WordPress plugin, as WordPress takes it under *Upload Plugin*."""
    found = re.search(r"^Stable tag: (\S+)$", (PLUGIN / "readme.txt").read_text(), re.M)
    assert found, "readme.txt says the version"
    target = folder / f"latchkey-for-wordpress-{found[1]}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in PLUGIN.rglob("*") if path.is_file()):
            name = f"latchkey/{path.relative_to(PLUGIN).as_posix()}"
            entry = zipfile.ZipInfo(name, EPOCH_OF_ZIP)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
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
