"""Where the files of uploaded pictures are: in the database, or in a folder."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from latchkey.rules.pictures import PictureName
from latchkey.settings import Settings, SettingsError
from latchkey.store import pictures
from latchkey.store.pool import Connection, Pool

IN_DATABASE = "postgres"


class PictureFiles(Protocol):
    """Keeps files that never change under the digest of their picture. Whoever puts or drops holds
    the lock of the picture's row by the connection's transaction."""

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        """Keep a picture's files. Doing it twice changes nothing."""

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        """One file, None if there isn't one."""

    async def drop(self, connection: Connection, digest: str) -> None:
        """Delete a picture's files, whether or not there are any."""


class DatabasePictures:
    """Files in Postgres: whatever copies the database copies them, too."""

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        await pictures.put_files(connection, digest, files)

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        async with pool.acquire() as connection:
            return await pictures.file(connection, name.digest, name.file)

    async def drop(self, connection: Connection, digest: str) -> None:
        """They go with the row."""


class FolderPictures:
    """Files in a folder that web and worker share, a folder for each picture. Those that were
    uploaded before the folder was set stay in Postgres, and are served from there."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._earlier = DatabasePictures()

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        await asyncio.to_thread(self._write, digest, files)

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        found = await asyncio.to_thread(self._read, name)
        return await self._earlier.get(pool, name) if found is None else found

    async def drop(self, connection: Connection, digest: str) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder(digest), ignore_errors=True)

    def _folder(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def _read(self, name: PictureName) -> bytes | None:
        try:
            return (self._folder(name.digest) / name.file).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, digest: str, files: Mapping[str, bytes]) -> None:
        """Each file appears whole: nobody ever reads half of it, even after a crash."""
        folder = self._folder(digest)
        folder.mkdir(parents=True, exist_ok=True)
        for file, body in files.items():
            descriptor, path = tempfile.mkstemp(dir=folder)
            with os.fdopen(descriptor, "wb") as half:
                half.write(body)
                half.flush()
                os.fsync(half.fileno())
            Path(path).replace(folder / file)


def picture_files(settings: Settings) -> PictureFiles:
    """The files where the settings put them. Raises `SettingsError` if that isn't a folder."""
    if settings.pictures == IN_DATABASE:
        return DatabasePictures()
    root = Path(settings.pictures)
    if not root.is_dir() or not os.access(root, os.W_OK):
        raise SettingsError(f"LATCHKEY_PICTURES: {root} isn't a folder that we can write to")
    return FolderPictures(root)
