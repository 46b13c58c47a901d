"""CSV that an admin uploads or pastes."""

import csv
import io

from starlette.datastructures import FormData, UploadFile

from latchkey.languages import _
from web.pages.guard import text

MOST_BYTES = 8_000_000
ENDINGS = (".csv", ".tsv", ".txt")


def named_file(fields: FormData) -> UploadFile | None:
    """The file of a form, if one was chosen. Raises `ValueError` if its name isn't that of CSV."""
    file = fields.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        return None
    if not file.filename.lower().endswith(ENDINGS):
        raise ValueError(
            _(
                "Choose a file whose name ends in %(join)s or %(endings)s.",
                join=", ".join(ENDINGS[:-1]),
                endings=ENDINGS[-1],
            )
        )
    return file


async def content_of(fields: FormData) -> str:
    """The text of a form's file, or what was pasted. Raises `ValueError`."""
    file = named_file(fields)
    raw = await file.read(MOST_BYTES + 1) if file else b""
    raw = raw or text(fields, "lines").encode()
    if len(raw) > MOST_BYTES:
        raise ValueError(_("The file is larger than 8 MB. Please split it."))
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(_("The file isn't UTF-8. Export it again as “CSV UTF-8”.")) from None
    if "\x00" in content:
        raise ValueError(_("This isn't a text file. Export the list as CSV."))
    return content.strip()


def rows_of(content: str) -> list[list[str]]:
    try:
        dialect: type[csv.Dialect] | str = csv.Sniffer().sniff(content[:2000], ",;\t")
    except csv.Error:
        dialect = "excel"
    try:
        return list(csv.reader(io.StringIO(content), dialect))
    except csv.Error as error:
        raise ValueError(_("This isn't a valid CSV file: %(error)s.", error=error)) from None
