"""Installs Stripe's command line from npm, pinned by hash, for the tests that fire its triggers."""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".venv" / ".stripe-cli"


MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
PACKAGE = f"@stripe/cli-{platform.system().lower()}-{MACHINE}"


def find() -> Path | None:
    """The installed program."""
    path = FOLDER / "node_modules" / PACKAGE / "bin" / "stripe"
    return path if path.exists() else None


def install() -> Path:
    """Install it. Raises `SystemExit` with what to do."""
    if shutil.which("npm") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "npm"]):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if shutil.which("npm") is None:
        raise SystemExit(
            "The tests run Stripe's own command line, which comes from npm: install npm and try"
            " again."
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, FOLDER / name)
    pinned: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]
    what = ["ci"] if PACKAGE in pinned else ["install", f"{PACKAGE}@{max(pinned.values())}"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(["npm", *what, *quiet], cwd=FOLDER, check=False)
    found = find()
    if done.returncode or found is None:
        raise SystemExit("npm could not install @stripe/cli: see its message above.")
    return found


if __name__ == "__main__":
    print(f"Triggers come from {find() or install()}")  # noqa: T201
