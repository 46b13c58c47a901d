"""`latchkey move-pictures`: uploaded pictures go from one place to another while the site runs."""

from dataclasses import dataclass
from pathlib import Path

from latchkey.picture_files import PictureFiles, picture_files
from latchkey.rules.pictures import PictureName
from latchkey.settings import PICTURE_PLACES, Settings, SettingsError, is_picture_place
from latchkey.store import pictures
from latchkey.store.pool import Connection, Pool, create_pool


@dataclass(frozen=True)
class Moved:
    """How many pictures were copied, were there already, and are at neither place; and how many
    were deleted where they came from."""

    copied: int = 0
    there: int = 0
    nowhere: int = 0
    deleted: int = 0


async def move(
    pool: Pool, source: PictureFiles, target: PictureFiles, *, delete: bool = False
) -> Moved:
    """Copy the pictures that the target lacks; with `delete`, delete those at the source that the
    target has. Doing it again goes on where it was interrupted. Meanwhile nothing collects the
    picture that is being copied."""
    async with pool.acquire() as connection:
        digests = await pictures.digests(connection)
    copied = there = nowhere = deleted = 0
    for digest in digests:
        async with pool.acquire() as connection, connection.transaction():
            if not await pictures.lock(connection, digest):
                continue
            theirs = await source.names(connection, digest)
            present = await target.names(connection, digest)
            missing = [name for name in theirs if name not in present]
            if missing:
                await _copy(pool, connection, source, target, missing)
            copied += bool(missing)
            there += bool(present and not missing)
            nowhere += not (theirs or present)
        if delete:
            deleted += await _delete(pool, source, target, digest)
    return Moved(copied, there, nowhere, deleted)


async def _copy(
    pool: Pool,
    connection: Connection,
    source: PictureFiles,
    target: PictureFiles,
    names: list[PictureName],
) -> None:
    """Copy some files of one picture."""
    files = {}
    for name in names:
        body = await source.get(pool, name)
        assert body is not None, "it was listed, and the row's lock keeps it"
        files[name.file] = body
    await target.put(connection, names[0].digest, files)


async def _delete(pool: Pool, source: PictureFiles, target: PictureFiles, digest: str) -> bool:
    """Delete a picture at the source if the target has all its files; whether it did. The copy has
    been committed: a folder or a bucket deletes at once, whatever becomes of a transaction."""
    async with pool.acquire() as connection, connection.transaction():
        if not await pictures.lock(connection, digest):
            return False
        theirs = await source.names(connection, digest)
        if not theirs or not {*theirs} <= {*await target.names(connection, digest)}:
            return False
        await source.drop(connection, digest)
        return True


async def move_between(
    settings: Settings, source: str, target: str, *, delete: bool = False
) -> Moved:
    """The same for two places as LATCHKEY_PICTURES names them. Raises `SettingsError` if a place
    can't be used, or if the pictures that the site uses would be deleted."""
    for place in (source, target):
        if not is_picture_place(place):
            raise SettingsError(f"{place}: a place {PICTURE_PLACES}")
    if _same(source, target):
        raise SettingsError(f"{source} and {target} are the same place")
    if delete and _same(source, settings.pictures):
        raise SettingsError(
            f"the site uses the pictures in {source}: set LATCHKEY_PICTURES to {target} and restart"
            " web and worker first"
        )
    files = [picture_files(settings, place) for place in (source, target)]
    pool = await create_pool(settings.require_database())
    try:
        return await move(pool, *files, delete=delete)
    finally:
        await pool.close()
        for each in files:
            await each.close()


def _same(one: str, other: str) -> bool:
    """Whether two places are one. A folder can have several names: by links, mounts and `..`."""
    folders = Path(one), Path(other)
    if all(folder.is_absolute() and folder.exists() for folder in folders):
        return folders[0].samefile(folders[1])
    return one.rstrip("/") == other.rstrip("/")
