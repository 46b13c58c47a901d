"""A bucket in memory, behind a real HTTP server that checks signatures as S3 does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from latchkey.s3 import Bucket, signature_headers
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
        given = request.headers
        authorization = given.get("authorization", "")
        names = authorization.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        own = {"host", "x-amz-content-sha256", "x-amz-date"}
        expected = signature_headers(
            self.bucket,
            method=request.method,
            host=given["host"],
            path=request.scope["raw_path"].decode(),
            query=request.url.query,
            body=body,
            headers={name: given[name] for name in names if name not in own},
            at=datetime.strptime(given["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
        )
        return own <= {*names} and expected["authorization"] == authorization


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
