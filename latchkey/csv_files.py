"""CSV files as other systems write them: their encoding, their delimiter and their lines."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from latchkey.languages import A_
from latchkey.texts import made_storable

SAMPLE, BLOCK = 64 * 1024, 1024 * 1024
DELIMITERS = ",;\t|"
MOST_COLUMNS = 100
LONGEST_CELL = 5000
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x1f\x8b")
"""What spreadsheets, PDFs and archives begin with."""


class UnreadableFileError(ValueError):
    """A file isn't CSV that can be read. The message says what to do."""


@dataclass(frozen=True)
class CsvFormat:
    """How a file is written: Python's name of the encoding, and one of `DELIMITERS`."""

    encoding: str
    delimiter: str


@dataclass(frozen=True)
class CsvLine:
    """`number` is the line of the file, from 1, on which its cells begin."""

    number: int
    cells: list[str]


def format_of(file: BinaryIO) -> CsvFormat:
    """How a file is written. Raises `UnreadableFileError`.

    Without a byte order mark, it is UTF-8 if all of it is; if not, UTF-16 where every other byte is
    zero, and else Windows-1252, which spreadsheets write.
    """
    file.seek(0)
    sample = file.read(SAMPLE)
    if sample.startswith(_NOT_TEXT):
        raise UnreadableFileError(
            A_("This is a spreadsheet or an archive. Save the list as CSV, and choose that file.")
        )
    encoding = _encoding(file, sample)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
    if not text.strip():
        raise UnreadableFileError(A_("The file is empty."))
    return CsvFormat(encoding, _delimiter(text))


def lines_of(file: BinaryIO, written: CsvFormat) -> Iterator[CsvLine]:
    """The lines that hold something, with trimmed cells that Postgres can store. Reads as it is
    asked. Raises `UnreadableFileError`."""
    file.seek(0)
    text = io.TextIOWrapper(file, written.encoding, newline="")
    reader = csv.reader(text, delimiter=written.delimiter, skipinitialspace=True)
    number = 1
    try:
        for cells in reader:
            trimmed = [made_storable(cell).strip()[:LONGEST_CELL] for cell in cells]
            while trimmed and not trimmed[-1]:
                trimmed.pop()
            if trimmed:
                yield CsvLine(number, trimmed[: MOST_COLUMNS + 1])
            number = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFileError(
            A_("Line %(number)s isn't valid CSV: %(error)s.", number=number, error=error)
        ) from None
    except UnicodeError:
        raise UnreadableFileError(A_("This isn't a text file. Export the list as CSV.")) from None
    finally:
        text.detach()


def _encoding(file: BinaryIO, sample: bytes) -> str:
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    zeros_after, zeros_before = sample[1::2].count(0), sample[::2].count(0)
    if max(zeros_after, zeros_before) > len(sample) // 8:
        return "utf-16-le" if zeros_after > zeros_before else "utf-16-be"
    if b"\x00" in sample:
        raise UnreadableFileError(A_("This isn't a text file. Export the list as CSV."))
    return "utf-8" if _is_utf_8(file) else "cp1252"


def _is_utf_8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(text: str) -> str:
    """The delimiter of a file: the one by which most of its first lines have as many cells as the
    heading, and most cells. Names and addresses hold commas, and amounts do."""
    lines = text.splitlines()[:50]
    best, delimiter = (0, 0), ","
    for candidate in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=candidate) if any(row)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            alike = sum(width == widths[0] for width in widths)
            best, delimiter = max((best, delimiter), ((alike, widths[0]), candidate))
    return delimiter
