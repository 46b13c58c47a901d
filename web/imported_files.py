"""Files with members from another system: their lines are stored, and nothing else happens yet."""

import asyncio
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

from latchkey import languages
from latchkey.csv_files import (
    MOST_COLUMNS,
    CsvLine,
    UnreadableFileError,
    format_of,
    lines_of,
)
from latchkey.languages import _
from latchkey.rules import exports
from latchkey.store.pool import Connection
from latchkey.store.users import member_imports
from latchkey.texts import visible

MOST_LINES = 200_000


async def store(connection: Connection, file: BinaryIO, *, name: str, actor: int | None) -> str:
    """Store a file's lines as a new import; returns its id. Raises `UnreadableFileError`. The
    caller opens the transaction."""
    written = await asyncio.to_thread(format_of, file)
    reader = lines_of(file, written)
    first = await asyncio.to_thread(next, reader, None)
    if first is None:
        raise UnreadableFileError(_("The file is empty."))
    heading = _heading(first)
    rest: Iterator[CsvLine] = reader
    if not exports.is_heading(first.cells):
        rest = chain([first], reader)
    import_id = await member_imports.begin(
        connection, file_name=name, written=written, heading=heading, actor=actor
    )
    stored = 0
    while batch := await asyncio.to_thread(lambda: [*islice(rest, member_imports.AT_ONCE)]):
        stored += await member_imports.stage(connection, import_id, batch)
        if stored > MOST_LINES:
            raise UnreadableFileError(
                _(
                    "There are more than %(most_lines)s lines. Please split the file.",
                    most_lines=languages.written(MOST_LINES),
                )
            )
    if not stored:
        raise UnreadableFileError(_("The file has a heading, but no lines below it."))
    await member_imports.staged(connection, import_id, lines=stored)
    return import_id


def _heading(first: CsvLine) -> list[str]:
    """The names of the columns. Without a heading, the first address is in the column Email, and
    the first column beside it holds names. Raises `UnreadableFileError`."""
    if len(first.cells) > MOST_COLUMNS:
        raise UnreadableFileError(
            _("There are more than %(most_columns)s columns.", most_columns=MOST_COLUMNS)
        )
    numbered = [_("Column %(at)s", at=at) for at in range(1, len(first.cells) + 1)]
    if exports.is_heading(first.cells):
        return [
            visible(cell, longest=100) or name
            for cell, name in zip(first.cells, numbered, strict=True)
        ]
    at = next(at for at, cell in enumerate(first.cells) if "@" in cell)
    numbered[at] = _("Email")
    if len(numbered) > 1:
        numbered[0 if at else 1] = _("Name")
    return numbered
