"""Where the files of uploaded pictures are: in the database, in a folder, or in a bucket."""

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from latchkey.rules.pictures import PictureName, named
from latchkey.s3 import S3, Bucket, S3Error
from latchkey.settings import Settings, SettingsError
from latchkey.store import pictures
from latchkey.store.pool import Connection, Pool

IN_DATABASE = "postgres"
IN_BUCKET = "s3://"


class PictureFiles(Protocol):
    """Keeps files that never change under the digest of their picture. Whoever puts or drops holds
    the lock of the picture's row by the connection's transaction."""

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        """Keep a picture's files. Doing it twice changes nothing."""

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        """One file, None if there isn't one."""

    async def drop(self, connection: Connection, digest: str) -> None:
        """Delete a picture's files, whether or not there are any."""

    async def names(self, connection: Connection, digest: str) -> list[PictureName]:
        """A picture's files that are here, and not in the database if that is another place."""

    async def close(self) -> None:
        """Close the connections to where the files are."""


class DatabasePictures:
    """Files in Postgres: whatever copies the database copies them, too."""

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        await pictures.put_files(connection, digest, files)

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        async with pool.acquire() as connection:
            return await pictures.file(connection, name.digest, name.file)

    async def drop(self, connection: Connection, digest: str) -> None:
        await pictures.drop_files(connection, digest)

    async def names(self, connection: Connection, digest: str) -> list[PictureName]:
        return _names(digest, await pictures.file_names(connection, digest))

    async def close(self) -> None:
        """The pool is others'."""


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

    async def names(self, connection: Connection, digest: str) -> list[PictureName]:
        return _names(digest, await asyncio.to_thread(self._listed, digest))

    async def close(self) -> None:
        """Nothing stays open."""

    def _folder(self, digest: str) -> Path:
        return self._root / digest[:2] / digest

    def _read(self, name: PictureName) -> bytes | None:
        try:
            return (self._folder(name.digest) / name.file).read_bytes()
        except FileNotFoundError:
            return None

    def _listed(self, digest: str) -> list[str]:
        folder = self._folder(digest)
        return [path.name for path in folder.iterdir()] if folder.is_dir() else []

    def _write(self, digest: str, files: Mapping[str, bytes]) -> None:
        """Each file appears whole: nobody ever reads half of it, even after a crash. Raises
        `OSError` where the folder is full or away."""
        folder = self._folder(digest)
        folder.mkdir(parents=True, exist_ok=True)
        for file, body in files.items():
            path = folder / f".{secrets.token_hex(8)}"
            try:
                with path.open("xb") as half:
                    half.write(body)
                    half.flush()
                    os.fsync(half.fileno())
                path.replace(folder / file)
            finally:
                path.unlink(missing_ok=True)


class BucketPictures:
    """Files in a bucket of Amazon S3, or of a server that speaks its protocol. Those that were
    uploaded before the bucket was set stay in Postgres, and are served from there."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._s3 = S3(bucket)
        self._prefix = prefix
        self._earlier = DatabasePictures()

    async def put(self, connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
        for file, body in files.items():
            if name := named(f"{digest}-{file}"):
                await self._s3.put(self._key(name), body, media_type=name.media_type)

    async def get(self, pool: Pool, name: PictureName) -> bytes | None:
        found = await self._s3.get(self._key(name))
        return await self._earlier.get(pool, name) if found is None else found

    async def drop(self, connection: Connection, digest: str) -> None:
        for name in await self.names(connection, digest):
            await self._s3.delete(self._key(name))

    async def names(self, connection: Connection, digest: str) -> list[PictureName]:
        folder = self._folder(digest)
        keys = await self._s3.keys(folder)
        return _names(digest, [key.removeprefix(folder) for key in keys])

    async def close(self) -> None:
        await self._s3.close()

    async def probe(self) -> None:
        """Write, read, list and delete an object, as pictures are. Raises `S3Error`."""
        key, body = f"{self._prefix}probe-{secrets.token_hex(8)}", b"latchkey"
        await self._s3.put(key, body, media_type="text/plain")
        try:
            if await self._s3.get(key) != body or key not in await self._s3.keys(key):
                raise S3Error("what was written can't be read")
        finally:
            await self._s3.delete(key)

    def _folder(self, digest: str) -> str:
        return f"{self._prefix}{digest[:2]}/{digest}/"

    def _key(self, name: PictureName) -> str:
        return self._folder(name.digest) + name.file


def picture_files(settings: Settings, place: str | None = None) -> PictureFiles:
    """The files at a place, by default the one of the settings. Raises `SettingsError` if it isn't
    a folder, or a bucket that there is a key to."""
    place = place or settings.pictures
    if place == IN_DATABASE:
        return DatabasePictures()
    if place.startswith(IN_BUCKET):
        return _in_bucket(settings, place)
    root = Path(place)
    if not root.is_dir() or not os.access(root, os.W_OK):
        raise SettingsError(f"LATCHKEY_PICTURES: {root} isn't a folder that we can write to")
    return FolderPictures(root)


def _in_bucket(settings: Settings, place: str) -> BucketPictures:
    if settings.s3_access_key_id is None or settings.s3_secret_access_key is None:
        raise SettingsError(
            f"LATCHKEY_PICTURES: {place} needs LATCHKEY_S3_ACCESS_KEY_ID and"
            " LATCHKEY_S3_SECRET_ACCESS_KEY"
        )
    name, _, prefix = place.removeprefix(IN_BUCKET).strip("/").partition("/")
    region = settings.s3_region
    bucket = Bucket(
        settings.s3_endpoint or f"https://s3.{region}.amazonaws.com",
        region,
        name,
        settings.s3_access_key_id.get_secret_value(),
        settings.s3_secret_access_key.get_secret_value(),
    )
    return BucketPictures(bucket, f"{prefix}/" if prefix else "")


def _names(digest: str, files: Iterable[str]) -> list[PictureName]:
    """The files that are a picture's; what else is there is nobody's business."""
    found = [named(f"{digest}-{file}") for file in files]
    return [name for name in found if name is not None]
