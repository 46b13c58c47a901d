"""Installs what the tests need from npm, pinned by hash: Stripe's command line, Stripe's Node SDK
with its types, TypeScript, and axe, which checks accessibility."""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".venv" / ".npm"
MODULES = FOLDER / "node_modules"
OLDEST_NODE = 20

_MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
_CLI = f"@stripe/cli-{platform.system().lower()}-{_MACHINE}"


def find_cli() -> Path | None:
    """Stripe's command line, where it is installed."""
    path = MODULES / _CLI / "bin" / "stripe"
    return path if path.exists() else None


def install() -> Path:
    """Install everything. Raises `SystemExit` with what to do."""
    if shutil.which("npm") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "npm"]):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if shutil.which("npm") is None or _node_version() < OLDEST_NODE:
        raise SystemExit(
            f"The tests run Stripe's own tools from npm: install npm with Node {OLDEST_NODE} or"
            " newer and try again."
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, FOLDER / name)
    pinned: dict[str, str] = json.loads((HERE / "package.json").read_text())["dependencies"]
    version = next(v for name, v in pinned.items() if name.startswith("@stripe/cli-"))
    what = ["ci"] if _CLI in pinned else ["install", "--force", f"{_CLI}@{version}"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(["npm", *what, *quiet], cwd=FOLDER, check=False)
    found = find_cli()
    if done.returncode or found is None:
        raise SystemExit("npm could not install what the tests need: see its message above.")
    return found


def _node_version() -> int:
    done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    return int(done.stdout.strip().lstrip("v").split(".")[0] or 0) if done.returncode == 0 else 0


if __name__ == "__main__":
    print(f"Triggers come from {install()}")  # noqa: T201
