"""The source of the release before this one, as the repository's history has it."""

import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.drill.programs import HERE

COMMIT = "243e45e9809d0679f16104d6d13d6a6ae8254858"
"""What may run beside this release: its workflows can continue what those of this release began.
Release 0.1.0 can't (CONTRIBUTING.md). The next release takes its predecessor's tag."""


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(HERE), *arguments], capture_output=True, check=False)


def is_known() -> bool:
    """Whether the history is there: a shallow clone or an archive lacks it."""
    try:
        return _git("cat-file", "-e", f"{COMMIT}^{{commit}}").returncode == 0
    except FileNotFoundError:
        return False


def unpack(folder: Path) -> Path:
    """Write the source into a folder."""
    with tempfile.TemporaryFile() as file:
        file.write(_git("archive", COMMIT).stdout)
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            archive.extractall(folder, filter="data")
    return folder
