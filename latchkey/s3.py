"""Objects in a bucket: of Amazon S3, or of a server that speaks its protocol. Only what pictures
need of it: four kinds of request, signed by AWS Signature Version 4."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import httpx

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
            base_url=bucket.endpoint, timeout=TIMEOUT, follow_redirects=False
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
        signed = signature_headers(
            self._bucket,
            method=method,
            host=self._http.base_url.netloc.decode(),
            path=path,
            query=query,
            body=body,
            headers=headers or {},
            at=datetime.now(UTC),
        )
        target = self._http.base_url.copy_with(raw_path=f"{path}?{query}".rstrip("?").encode())
        for attempt in range(TRIES):
            try:
                async with self._http.stream(
                    method, target, content=body, headers=signed
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


def signature_headers(
    bucket: Bucket,
    *,
    method: str,
    host: str,
    path: str,
    query: str,
    body: bytes,
    headers: Mapping[str, str],
    at: datetime,
) -> dict[str, str]:
    """The headers of a signed request: AWS Signature Version 4 for the service s3. `path` and
    `query` are as they are sent, the query's parameters by their names in order. Names of headers
    are in lower case."""
    digest = hashlib.sha256(body).hexdigest()
    stamp, day = f"{at:%Y%m%dT%H%M%SZ}", f"{at:%Y%m%d}"
    sent = {**headers, "host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
    request = "\n".join((method, path, query, lines, names, digest))
    scope = f"{day}/{bucket.region}/s3/aws4_request"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashed))
    key = f"AWS4{bucket.secret_key}".encode()
    for part in (day, bucket.region, "s3", "aws4_request", to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={bucket.access_key}/{scope},"
        f"SignedHeaders={names},Signature={key.hex()}"
    )
    return sent
