"""The file that `latchkey backup` writes: a tar with the dump of the database and a manifest.

`tar xf` takes it apart, and `pg_restore` reads its `database.dump`, on a machine without Latchkey
too. Whatever a restore has to know before it begins is in `manifest.json`.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from pydantic import TypeAdapter, ValidationError

DUMP, MANIFEST = "database.dump", "manifest.json"
FORMAT = 1
CHUNK = 1024 * 1024
_HEAD = 512


class BackupFileError(Exception):
    """The file isn't a whole backup that this release can read. The message says why."""


@dataclass(frozen=True)
class Manifest:
    """What is in a backup.

    `made_at` is in UTC. `home` is the address that the site acts for, None if no release that
    remembers it has run. `migrations` has the oldest release that each of them allows, if it says
    one. `counts` are the rows of each table. `secrets` are the fingerprints of the values of
    LATCHKEY_SECRET, which the sessions in the database carry as well; the secret itself isn't in a
    backup.
    """

    format: int
    release: str
    made_at: str
    postgres: int
    client: int
    home: str | None
    account: str | None
    livemode: bool | None
    migrations: Mapping[str, str | None]
    counts: Mapping[str, int]
    secrets: Sequence[str]
    bytes: int = 0
    sha256: str = ""

    @property
    def when(self) -> datetime:
        return datetime.fromisoformat(self.made_at)


_OBJECT, _MANIFEST = TypeAdapter(dict[str, Any]), TypeAdapter(Manifest)


class DumpWriter:
    """Writes the dump into a new file as it comes, then the manifest. The dump's size is known only
    at its end, so its head is written last."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0
        file.write(bytes(_HEAD))

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def finish(self, manifest: Manifest) -> None:
        self._file.write(bytes(-self.size % tarfile.BLOCKSIZE))
        seconds = int(manifest.when.timestamp())
        self._file.seek(0)
        self._file.write(_member(DUMP, self.size, seconds))
        self._file.seek(0, io.SEEK_END)
        text = orjson.dumps(asdict(manifest), option=orjson.OPT_INDENT_2) + b"\n"
        self._file.write(_member(MANIFEST, len(text), seconds))
        self._file.write(text + bytes(-len(text) % tarfile.BLOCKSIZE))
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))


def _member(name: str, size: int, seconds: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, seconds, 0o600
    head = info.tobuf(tarfile.GNU_FORMAT)
    assert len(head) == _HEAD, "short names and GNU's numbers need one block"
    return head


def read_manifest(path: Path) -> Manifest:
    """The manifest of a backup whose dump is as it was written. Reads the whole file. Raises
    `BackupFileError`, `OSError`."""
    try:
        with tarfile.open(path, "r:") as archive:
            text = archive.extractfile(MANIFEST)
            given = _OBJECT.validate_json(text.read() if text else b"")
        if given.get("format", FORMAT) != FORMAT:
            raise BackupFileError(
                f"{path} has format {given['format']}: restore it by the release that made it"
                f" ({given.get('release')})"
            )
        manifest = _MANIFEST.validate_python(given)
        found = hashlib.sha256()
        for chunk in read_dump(path):
            found.update(chunk)
    except (tarfile.TarError, KeyError) as error:
        raise BackupFileError(f"{path} isn't a whole backup of Latchkey ({error})") from None
    except ValidationError as error:
        wrong = error.errors()[0]
        where = ".".join(map(str, (MANIFEST, *wrong["loc"])))
        raise BackupFileError(
            f"{path} isn't a backup of Latchkey ({where}: {wrong['msg']})"
        ) from None
    if found.hexdigest() != manifest.sha256:
        raise BackupFileError(f"{path} is damaged: its dump isn't the one that was written")
    return manifest


def read_dump(path: Path) -> Iterator[bytes]:
    """The dump, in chunks."""
    with tarfile.open(path, "r:") as archive:
        dump = archive.extractfile(DUMP)
        if dump is None:
            raise KeyError(f"{DUMP} isn't a file")
        while chunk := dump.read(CHUNK):
            yield chunk
