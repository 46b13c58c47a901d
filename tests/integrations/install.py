"""Installs the software of other sites that the integrations are proven with: Apache with
mod_auth_openidc from Debian, openid-client from npm. Says in a line what can't be had."""

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".venv" / ".integrations"
MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
PACKAGES = ("apache2-bin", "libapache2-mod-auth-openidc")


def apache() -> str | None:
    """The path of Apache, if it has the module."""
    return shutil.which("apache2") if MODULE.exists() else None


def openid_client() -> bool:
    """Whether npm's openid-client is there."""
    return shutil.which("node") is not None and (NODE / "node_modules/openid-client").is_dir()


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
    if not openid_client() and shutil.which("npm"):
        NODE.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "npm" / name, NODE / name)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "ci", *quiet], cwd=NODE, check=False)
    if not openid_client():
        missing.append("openid-client (npm with Node 20 or newer)")
    return missing


if __name__ == "__main__":
    for line in install():
        print(f"Not tested, because it can't be had here: {line}")  # noqa: T201
