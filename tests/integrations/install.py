"""Installs the software of other sites that the integrations are proven with: Apache with
mod_auth_openidc from Debian, openid-client, Express and Next.js from npm, FastAPI and Django from
Python's package index. Says in a line what can't be had."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".venv" / ".integrations"
PYTHON = NODE / "python"
MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
PACKAGES = ("apache2-bin", "libapache2-mod-auth-openidc")


def apache() -> str | None:
    """The path of Apache, if it has the module."""
    return shutil.which("apache2") if MODULE.exists() else None


def from_npm(package: str) -> bool:
    """Whether a package of npm is there."""
    return shutil.which("node") is not None and (NODE / "node_modules" / package).is_dir()


def from_python(package: str) -> bool:
    """Whether a package of Python's index is there."""
    return (PYTHON / package).is_dir()


def examples() -> list[str]:
    """The examples of the client libraries whose framework is there."""
    by_python = [name for name in ("fastapi", "django") if from_python(name)]
    return by_python + [name for name in ("express", "next") if from_npm(name)]


def install() -> list[str]:
    """Install everything; returns a line for each thing that can't be had."""
    missing = []
    if apache() is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        get = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        for command in (["apt-get", "update", "-qq"], get):
            subprocess.run(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
    if apache() is None:
        missing.append(f"Apache with mod_auth_openidc (Debian's {' and '.join(PACKAGES)})")
    if _changed(HERE / "npm/package-lock.json", NODE / "package-lock.json") and shutil.which("npm"):
        _install_from_npm()
    missing += [
        f"{package} (npm with Node 20 or newer)"
        for package in ("openid-client", "express", "next")
        if not from_npm(package)
    ]
    requirements = HERE / "python/requirements.txt"
    if _changed(requirements, PYTHON / requirements.name):
        _install_from_python(requirements)
    missing += [
        f"{package} (Python's package index)"
        for package in ("fastapi", "django")
        if not from_python(package)
    ]
    return missing


def _changed(wanted: Path, installed: Path) -> bool:
    return not installed.exists() or installed.read_bytes() != wanted.read_bytes()


def _install_from_npm() -> None:
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "npm" / name, NODE / name)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(["npm", "ci", *quiet], cwd=NODE, check=False)
    if done.returncode:
        (NODE / "package-lock.json").unlink()


def _install_from_python(requirements: Path) -> None:
    shutil.rmtree(PYTHON, ignore_errors=True)
    quiet = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
    pip = [sys.executable, "-m", "pip", "install", *quiet]
    done = subprocess.run(
        [*pip, "--target", str(PYTHON), "-r", str(requirements)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0:
        shutil.copy(requirements, PYTHON / requirements.name)


if __name__ == "__main__":
    for line in install():
        print(f"Not tested, because it can't be had here: {line}")  # noqa: T201
