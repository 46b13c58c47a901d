"""Files to be saved: in whole, or in the part that the request asks for (RFC 9110, 14)."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

FILE_TYPE = "application/octet-stream"
"""Whatever a file says that it is, browsers save it. It isn't compressed on its way: parts count
its own bytes."""

_ONE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class UnsatisfiableError(Exception):
    """The file has none of the bytes that are asked for."""


@dataclass(frozen=True)
class ByteRange:
    """The bytes from `first` to `last`, both included."""

    first: int
    last: int


def asked_for(header: str | None, size: int) -> ByteRange | None:
    """The part of a file of `size` bytes that a `Range` header names. None: all of it; so also for
    what isn't understood and for several parts at once, which a server may ignore.

    Raises `UnsatisfiableError`.
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        if not int(last) or not size:
            raise UnsatisfiableError
        return ByteRange(max(size - int(last), 0), size - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise UnsatisfiableError
    return ByteRange(int(first), min(int(last), size - 1) if last else size - 1)


def download(
    request: Request,
    *,
    name: str,
    size: int,
    digest: bytes,
    content: Callable[[int, int], AsyncIterator[bytes]],
) -> Response:
    """A file that browsers save under its name. `content` yields the bytes from one place to
    another, both included."""
    tag = f'"{digest.hex()}"'
    headers = {
        "Content-Disposition": _attachment(name),
        "Accept-Ranges": "bytes",
        "ETag": tag,
    }
    wanted = request.headers.get("range")
    if request.headers.get("if-range", tag) != tag:
        wanted = None
    try:
        part = asked_for(wanted, size)
    except UnsatisfiableError:
        return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    sent = part or ByteRange(0, size - 1)
    headers["Content-Length"] = str(sent.last - sent.first + 1)
    if part:
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=FILE_TYPE)
    return StreamingResponse(
        content(sent.first, sent.last), status, headers=headers, media_type=FILE_TYPE
    )


def _attachment(name: str) -> str:
    quoted = quote(name, safe="")
    return (
        f'attachment; filename="{name}"'
        if quoted == name
        else (f"attachment; filename*=UTF-8''{quoted}")
    )
