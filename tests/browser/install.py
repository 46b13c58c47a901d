"""Finds a Chromium for the browser tests, or installs one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
"""Chromium without its window: it computes a third less, and shows the same pages."""

NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a Chromium on this machine: the system's, or Playwright's own."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    own = sorted(cache.glob("chromium*/*/chrome")) + sorted(
        cache.glob("chromium*/*/headless_shell")
    )
    return str(own[-1]) if own else None


def install() -> str:
    """Install one: Debian's package as root, Playwright's own otherwise. Raises `SystemExit`."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], stdout=subprocess.DEVNULL, check=False)
        for package in (SHELL, "chromium"):
            command = ["apt-get", "install", "-y", "-qq", package]
            done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
            if done.returncode == 0:
                break
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    found = find()
    if found is None:
        raise SystemExit(
            "The browser tests need Chromium and none could be installed: install your system's"
            " chromium package, or run `.venv/bin/playwright install chromium`, and try again."
        )
    return found


if __name__ == "__main__":
    print(f"Browser tests use {find() or install()}")  # noqa: T201
