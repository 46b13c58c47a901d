"""Leaves the sandbox: `latchkey up` goes on with a database of its own for a Stripe account.

It begins as a copy of the rehearsal's, of which only the set-up is left. The rehearsal, with what
Temporal knows of it, stays in the data folder, and nothing reads it any more: nothing of the
sandbox can meet anything of an account. Each step finds out whether it has been taken, so a start
after a crash takes the others.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from latchkey.embedded import POSTGRES_DATABASE
from latchkey.store import leaving_sandbox
from latchkey.store.leaving_sandbox import Dsn

_TEMPORAL_FILES = ("temporal.db-wal", "temporal.db-shm", "temporal.db")


@dataclass(frozen=True)
class ExitRequest:
    """How the sandbox is to be left: whether the products go along, and which user wants it."""

    products: bool
    actor: int


def request_file(data: Path) -> Path:
    """Where the pages ask `up` to leave the sandbox."""
    return data / "leave-sandbox"


def ask(file: Path, wanted: ExitRequest) -> None:
    """Ask `up` to leave the sandbox. Raises `OSError`."""
    written = file.with_suffix(".new")
    written.write_text(json.dumps(asdict(wanted)))
    written.replace(file)


def asked(data: Path) -> ExitRequest | None:
    """What was asked for and isn't done yet. What can't be read isn't followed."""
    try:
        given = json.loads(request_file(data).read_text())
        return ExitRequest(products=given["products"] is True, actor=int(given["actor"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def has_left(data: Path) -> bool:
    """Whether the site in a data folder has left the sandbox."""
    return _left_file(data).exists()


async def leave(data: Path, wanted: ExitRequest, *, dsn: Dsn, public_url: str) -> None:
    """Leave the sandbox. Neither Temporal nor anything that uses the database is running."""
    if not has_left(data):
        await leaving_sandbox.divide(
            dsn,
            POSTGRES_DATABASE,
            products=wanted.products,
            actor=wanted.actor,
            public_url=public_url,
        )
        _put_away_temporal(data)
        _left_file(data).touch()
    request_file(data).unlink(missing_ok=True)


def _left_file(data: Path) -> Path:
    return data / "left-sandbox"


def _put_away_temporal(data: Path) -> None:
    """Move what Temporal knows of the rehearsal out of the way, its database last."""
    put_away = data / "rehearsal"
    put_away.mkdir(exist_ok=True)
    for name in _TEMPORAL_FILES:
        if (data / name).exists():
            (data / name).replace(put_away / name)
