"""Finds Prometheus's promtool, or takes it out of Debian's package."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = Path(sys.prefix) / ".promtool" / "promtool"


def find() -> str | None:
    return shutil.which("promtool") or (str(OURS) if OURS.exists() else None)


def install() -> str:
    """Unpack Debian's package, without installing its services. Raises `SystemExit`."""
    if shutil.which("apt-get"):
        with tempfile.TemporaryDirectory() as folder:
            if os.geteuid() == 0:
                _quietly("apt-get", "update", "-qq", folder=folder)
            _quietly("apt-get", "download", "-qq", "prometheus", folder=folder)
            for package in Path(folder).glob("prometheus_*.deb"):
                _quietly("dpkg", "-x", package.name, "unpacked", folder=folder)
            unpacked = Path(folder) / "unpacked" / "usr" / "bin" / "promtool"
            if unpacked.exists():
                OURS.parent.mkdir(exist_ok=True)
                shutil.move(unpacked, OURS)
    found = find()
    if found is None:
        raise SystemExit("The tests of the alerts need promtool: install Prometheus and try again.")
    return found


def _quietly(*command: str, folder: str) -> None:
    nowhere = subprocess.DEVNULL
    subprocess.run(command, cwd=folder, stdout=nowhere, stderr=nowhere, check=False)


if __name__ == "__main__":
    print(f"Alerts are tested by {find() or install()}")  # noqa: T201
