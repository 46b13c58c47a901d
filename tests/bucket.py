"""A bucket in memory, behind a real HTTP server that checks signatures as S3 does."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from latchkey.s3 import Bucket
from tests.harness import free_port, until


@dataclass
class BucketServer:
    """`objects` by key. `failing` is an error that every request gets, as its status and code."""

    bucket: Bucket
    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    failing: tuple[int, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope, receive)
            answer = await self._answer(request, await request.body())
            await answer(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> Response:
        if self.failing:
            return _error(*self.failing)
        if not self._signed(request, body):
            return _error(403, "SignatureDoesNotMatch")
        path = unquote(request.scope["raw_path"].decode())
        _, bucket, key = path.split("/", 2)
        if bucket != self.bucket.name:
            return _error(404, "NoSuchBucket")
        match request.method:
            case "PUT":
                self.objects[key] = (request.headers["content-type"], body)
                return Response()
            case "DELETE":
                self.objects.pop(key, None)
                return Response(status_code=204)
        if not key:
            prefix = dict(parse_qsl(request.url.query))["prefix"]
            listed = (f"<Key>{name}</Key>" for name in self.objects if name.startswith(prefix))
            return Response(f"<ListBucketResult>{''.join(listed)}</ListBucketResult>")
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        kind, found = self.objects[key]
        return Response(found, media_type=kind)

    def _signed(self, request: Request, body: bytes) -> bool:
        """Whether what arrived is what was signed, with the key to the bucket."""
        return is_signed(
            self.bucket,
            method=request.method,
            path=request.scope["raw_path"].decode(),
            query=request.url.query,
            headers=request.headers,
            body=body,
        )


_AUTHORIZATION = re.compile(
    "AWS4-HMAC-SHA256 Credential=([^/]+)/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)


def is_signed(
    bucket: Bucket,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> bool:
    """Whether a request is signed with the key to a bucket, and everything that has to be. Written
    apart from what signs, from Amazon's description, so that it finds the other's mistakes."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        return False
    access_key, scope, signed, signature = found.groups()
    names = signed.split(";")
    own = {"host", "content-type", *(name for name in headers if name.startswith("x-amz-"))}
    stamp, digest = headers["x-amz-date"], hashlib.sha256(body).hexdigest()
    pairs = sorted(
        f"{quote(name, safe='')}={quote(value, safe='')}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    request = "\n".join((method, path, "&".join(pairs), lines, signed, digest))
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{bucket.secret_key}".encode()
    for part in (*scope.split("/"), "\n".join(("AWS4-HMAC-SHA256", stamp, scope, hashed))):
        key = hmac.digest(key, part.encode(), "sha256")
    return (
        (access_key, scope) == (bucket.access_key, f"{stamp[:8]}/{bucket.region}/s3/aws4_request")
        and names == sorted(names)
        and own & {*headers} <= {*names}
        and headers["x-amz-content-sha256"] == digest
        and signature == key.hex()
    )


@asynccontextmanager
async def bucket_server() -> AsyncIterator[BucketServer]:
    """A server with one bucket, `site-pictures`."""
    port = free_port()
    bucket = Bucket(f"http://127.0.0.1:{port}", "eu-central-2", "site-pictures", "KEY", "secret/+=")
    made = BucketServer(bucket)
    server = uvicorn.Server(
        uvicorn.Config(made, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the bucket's server starts")
    try:
        yield made
    finally:
        server.should_exit = True
        await serving


def _error(status: int, code: str) -> Response:
    return Response(f"<Error><Code>{code}</Code></Error>", status, media_type="application/xml")
