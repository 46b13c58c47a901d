"""Files that lessons bring along, in parts of `PART` bytes."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from latchkey.languages import A_
from latchkey.store import audit_draft
from latchkey.store.pool import Connection, Pool

MOST = 20
"""Files of one lesson."""

PART = 256 * 1024
"""Bytes. A file in the database has parts of this length: it can't change."""

_FIELDS = "id, lesson_id, name, size, digest, created_at"


class FileRefusedError(Exception):
    """The file can't be added. The message says why."""


@dataclass(frozen=True)
class LessonFile:
    """`size` in bytes; `digest` is the SHA-256 of the content."""

    id: str
    lesson_id: str
    name: str
    size: int
    digest: bytes
    created_at: datetime


async def add(
    connection: Connection,
    lesson_id: str,
    *,
    name: str,
    read: Callable[[int], Awaitable[bytes]],
    most: int,
) -> LessonFile:
    """Add a file of up to `most` bytes, which `read` returns in pieces of at most the length that
    it is asked for. Raises `FileRefusedError`. The caller opens the transaction."""
    await connection.execute("select from lessons where id = $1 for no key update", lesson_id)
    count = await connection.fetchval(
        "select count(*) from lesson_files where lesson_id = $1", lesson_id
    )
    if count >= MOST:
        raise FileRefusedError(A_("A lesson can have up to %(most)s files.", most=MOST))
    file_id, size, digest = f"fil_{secrets.token_hex(8)}", 0, hashlib.sha256()
    await connection.execute(
        "insert into lesson_files (id, lesson_id, name, size, digest) values ($1, $2, $3, 0, '')",
        file_id,
        lesson_id,
        name,
    )
    while body := await _part(read):
        await connection.execute(
            "insert into lesson_file_parts (file_id, part, body) values ($1, $2, $3)",
            file_id,
            size // PART,
            body,
        )
        size += len(body)
        digest.update(body)
        if size > most:
            raise FileRefusedError(
                A_("The file is larger than %(most)s MiB.", most=most // (1024 * 1024))
            )
    if not size:
        raise FileRefusedError(A_("The file is empty."))
    row = await connection.fetchrow(
        f"update lesson_files set size = $2, digest = $3 where id = $1 returning {_FIELDS}",
        file_id,
        size,
        digest.digest(),
    )
    assert row is not None, "it was inserted above"
    audit_draft.note(after={"file": name, "bytes": size})
    return LessonFile(**dict(row))


async def _part(read: Callable[[int], Awaitable[bytes]]) -> bytes:
    """The next part: whole, unless it is the last one."""
    pieces: list[bytes] = []
    missing = PART
    while missing and (piece := await read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


async def of_lesson(connection: Connection, lesson_id: str) -> list[LessonFile]:
    """A lesson's files, oldest first."""
    rows = await connection.fetch(
        f"select {_FIELDS} from lesson_files where lesson_id = $1 order by created_at, id",
        lesson_id,
    )
    return [LessonFile(**dict(row)) for row in rows]


async def find(connection: Connection, lesson_id: str, file_id: str) -> LessonFile | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from lesson_files where id = $1 and lesson_id = $2", file_id, lesson_id
    )
    return LessonFile(**dict(row)) if row else None


async def delete(connection: Connection, lesson_id: str, file_id: str) -> bool:
    name = await connection.fetchval(
        "delete from lesson_files where id = $1 and lesson_id = $2 returning name",
        file_id,
        lesson_id,
    )
    audit_draft.note(before={"file": name})
    return name is not None


async def content(pool: Pool, file: LessonFile, first: int, last: int) -> AsyncIterator[bytes]:
    """The bytes from `first` to `last`, both included, part by part. No connection is held between
    parts, so slow readers cost none. Raises `LookupError` if the file is deleted meanwhile."""
    for part in range(first // PART, last // PART + 1):
        body: bytes | None = await pool.fetchval(
            "select body from lesson_file_parts where file_id = $1 and part = $2", file.id, part
        )
        if body is None:
            raise LookupError(f"{file.id} was deleted while it was read")
        begins = part * PART
        yield body[max(first - begins, 0) : last - begins + 1]
