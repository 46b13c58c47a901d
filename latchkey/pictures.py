"""Uploaded pictures: read by a process of their own (`picture_reader`), then kept and collected."""

import asyncio
import contextlib
import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from latchkey.languages import A_
from latchkey.picture_files import PictureFiles
from latchkey.rules.pictures import SIZES, PictureUse, address, named
from latchkey.s3 import S3Error
from latchkey.store import pictures
from latchkey.store.pool import Pool

MOST_BYTES = 10_000_000
"""The size of an uploaded file."""

PATIENCE_SECONDS = 60.0
MOST_WAITING = 20
_MOST_ANSWER = 16 * 1024 * 1024
_READER = Path(__file__).with_name("picture_reader.py")
_BEGINNINGS = {"webp": b"RIFF", "png": b"\x89PNG\r\n\x1a\n"}
_REFUSALS = {
    "unknown": A_(
        "This isn't a picture that we can read. Choose a PNG, JPEG, WebP, GIF or AVIF file."
    ),
    "large": A_(
        "The picture has more than 20 million pixels (a JPEG: 50 million). Please make it smaller."
    ),
    "broken": A_("The picture is damaged, so we couldn't read all of it. Export it again."),
}
_SVG = A_("SVG files can contain scripts, so we don't accept them. Export it as PNG or WebP.")
_NOT_KEPT = A_("The picture can't be stored at the moment. Please try again in a few minutes.")
_BUSY = A_("Too many pictures are being uploaded at the moment. Please try again shortly.")

log = structlog.get_logger("pictures")


class PictureError(Exception):
    """A file that isn't kept. The message is a sentence for whoever uploaded it."""


class PicturesBusyError(PictureError):
    """Nothing is wrong with the file: later, it may be kept."""


@dataclass(frozen=True)
class Picture:
    """A picture that was read: its files by name, the largest first."""

    digest: str
    files: dict[str, bytes]

    @property
    def address(self) -> str:
        """The path of its largest file."""
        return address(self.digest, next(iter(self.files)))


class PictureReader:
    """Reads one picture at a time; the others wait for their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def read(self, raw: bytes, use: PictureUse) -> Picture:
        """The picture in the sizes of its use. Raises `PictureError`."""
        if not raw:
            raise PictureError(A_("The file is empty."))
        if len(raw) > MOST_BYTES:
            raise PictureError(A_("The file is larger than 10 MB. Please make it smaller."))
        if self._waiting >= MOST_WAITING:
            raise PicturesBusyError(_BUSY)
        self._waiting += 1
        try:
            async with self._turn:
                answer = await _answer(raw, use)
        finally:
            self._waiting -= 1
        return _picture(answer, raw)


async def keep(pool: Pool, files: PictureFiles, picture: Picture) -> str:
    """Keep a picture; returns its address. What nothing refers to is collected after a day. Raises
    `PicturesBusyError` where the folder or the bucket can't be written to."""
    try:
        async with pool.acquire() as connection, connection.transaction():
            await pictures.keep(connection, picture.digest)
            await files.put(connection, picture.digest, picture.files)
    except (S3Error, OSError) as error:
        log.error("picture can't be kept", error=str(error))
        raise PicturesBusyError(_NOT_KEPT) from error
    return picture.address


async def collect(pool: Pool, files: PictureFiles) -> int:
    """Delete the pictures that nothing has referred to for a day; returns how many. Where the
    bucket can't be reached, they stay until the next time."""
    async with pool.acquire() as connection:
        await pictures.mark_used(connection)
    count = 0
    while True:
        try:
            async with pool.acquire() as connection, connection.transaction():
                digests = await pictures.drop_unused(connection)
                for digest in digests:
                    await files.drop(connection, digest)
        except S3Error as error:
            log.error("pictures can't be collected", error=str(error))
            return count
        count += len(digests)
        if not digests:
            return count


async def _answer(raw: bytes, use: PictureUse) -> bytes:
    """What the reader wrote; empty if it failed or took too long. It inherits no variables."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    kept["MALLOC_ARENA_MAX"] = "1"
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-X", "utf8", str(_READER), json.dumps(asdict(SIZES[use]))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=kept,
        cwd="/",
    )
    assert reader.stdin is not None, "it has a pipe"
    assert reader.stdout is not None, "it has a pipe"
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            feeding = asyncio.create_task(_feed(reader.stdin, raw))
            answer = bytearray()
            while chunk := await reader.stdout.read(256 * 1024):
                answer += chunk
                if len(answer) > _MOST_ANSWER:
                    return b""
            await feeding
            return bytes(answer) if await reader.wait() == 0 else b""
    except TimeoutError:
        log.warning("picture took too long", bytes=len(raw))
        return b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            reader.kill()
        await reader.wait()


async def _feed(stdin: asyncio.StreamWriter, raw: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(raw)
        await stdin.drain()
    stdin.close()


def _picture(answer: bytes, raw: bytes) -> Picture:
    """The picture in the reader's answer, which isn't trusted either: each file has to be what its
    name says. Raises `PictureError`."""
    head, _, rest = answer.partition(b"\n")
    try:
        said = json.loads(head)
        if reason := _REFUSALS.get(said.get("refused")):
            svg = said["refused"] == "unknown" and b"<svg" in raw[:4096].lower()
            raise PictureError(_SVG if svg else reason)
        files = {}
        for name, size in said["files"]:
            files[str(name)], rest = rest[:size], rest[size:]
        digest = hashlib.sha256(next(iter(files.values()))).hexdigest()
        if all(_is_what_it_says(digest, name, body) for name, body in files.items()):
            return Picture(digest, files)
    except (ValueError, TypeError, AttributeError, LookupError, StopIteration):
        pass
    log.warning("picture reader failed", bytes=len(raw))
    raise PictureError(_REFUSALS["broken"])


def _is_what_it_says(digest: str, file: str, body: bytes) -> bool:
    known = named(f"{digest}-{file}")
    return known is not None and body.startswith(_BEGINNINGS[known.format])
