"""Objects in a bucket: of Amazon S3, or of a server that speaks its protocol. Only what pictures
need of it: four kinds of request, signed by AWS Signature Version 4."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx
from httpx_auth import AWS4Auth

TIMEOUT: Final = httpx.Timeout(10, connect=5)
TRIES = 2
"""A connection that was kept may have been closed meanwhile. Each request can be repeated."""

LARGEST = 16 * 1024 * 1024
"""Bytes of an object that is read. Pictures have less."""

_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KEY = re.compile(r"<Key>([^<&]+)</Key>")


class S3Error(Exception):
    """The bucket can't be used. The message says what the server answered, in a few words."""


@dataclass(frozen=True)
class Bucket:
    """A bucket and the key to it. `endpoint` is the server's address without a path; the bucket's
    name is the first part of each path, since not every server has a host for each bucket."""

    endpoint: str
    region: str
    name: str
    access_key: str
    secret_key: str = field(repr=False)


class S3:
    """Reads and writes the objects of a bucket. Each method raises `S3Error`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._http = httpx.AsyncClient(
            base_url=bucket.endpoint,
            auth=AWS4Auth(bucket.access_key, bucket.secret_key, bucket.region, "s3"),
            timeout=TIMEOUT,
            follow_redirects=False,
        )

    async def put(self, key: str, body: bytes, *, media_type: str) -> None:
        """Write an object, over one that is there."""
        await self._send("PUT", key, body=body, headers={"content-type": media_type})

    async def get(self, key: str) -> bytes | None:
        """An object, None if there isn't one."""
        return await self._send("GET", key)

    async def delete(self, key: str) -> None:
        """Delete an object, whether or not there is one."""
        await self._send("DELETE", key)

    async def keys(self, prefix: str) -> list[str]:
        """The keys that begin with a prefix, up to a thousand."""
        found = await self._send(
            "GET", "", query=f"list-type=2&prefix={quote(prefix, safe='-_.~')}"
        )
        return _KEY.findall((found or b"").decode(errors="replace"))

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(
        self,
        method: str,
        key: str,
        *,
        body: bytes = b"",
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes | None:
        path = quote(f"/{self._bucket.name}/{key}", safe="/-_.~")
        target = self._http.base_url.copy_with(raw_path=f"{path}?{query}".rstrip("?").encode())
        for attempt in range(TRIES):
            try:
                async with self._http.stream(
                    method, target, content=body, headers=headers
                ) as answer:
                    return await _read(answer)
            except httpx.TransportError as error:
                if attempt + 1 == TRIES:
                    raise S3Error(f"no answer ({type(error).__name__})") from error
        raise AssertionError("the last attempt returns or raises")


async def _read(answer: httpx.Response) -> bytes | None:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LARGEST:
            raise S3Error("the object is larger than any picture")
    if answer.is_success:
        return bytes(body)
    found = _CODE.search(body[:4096].decode(errors="replace"))
    code = found[1] if found else ""
    if code == "NoSuchKey":
        return None
    raise S3Error(f"{answer.status_code} {code}".strip())
