"""A site that is in trouble for a while: a real server in front of one, which fails as told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

HANG = "hang"
HANG_UP = "hang up"
UNAVAILABLE = "503 Service Unavailable"
IN_USE = '409 Conflict\n{"code": "idempotency_key_in_use", "detail": "The first one is running."}'


@dataclass
class Trouble:
    """`faults` are what the next requests meet, in turn: `HANG`, `HANG_UP`, or a status line's rest
    with perhaps a body on the lines after it. Later ones reach the site. `keys` are the idempotency
    keys of all requests."""

    target: int
    url: str = ""
    faults: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a server's handler is a task"
        self._serving.add(task)
        over = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*over), contextlib.closing(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode().strip().split("\r\n")[1:]
            headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.keys.append(headers.get("idempotency-key"))
            match self.faults.pop(0) if self.faults else None:
                case None:
                    writer.write(await self._answer(head, body))
                case "hang":
                    await reader.read()
                case "hang up":
                    pass
                case answer:
                    status, _, content = answer.partition("\n")
                    more = f"Retry-After: 0\r\nConnection: close\r\nContent-Length: {len(content)}"
                    writer.write(f"HTTP/1.1 {status}\r\n{more}\r\n\r\n{content}".encode())
            await writer.drain()

    async def _answer(self, head: bytes, body: bytes) -> bytes:
        lines = [
            line
            for line in head.split(b"\r\n")
            if not line.lower().startswith((b"host:", b"connection:"))
        ]
        lines[1:1] = [f"Host: 127.0.0.1:{self.target}".encode(), b"Connection: close"]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        with contextlib.closing(writer):
            writer.write(b"\r\n".join(lines) + body)
            await writer.drain()
            return await reader.read()

    async def close(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def in_trouble(url: str, *faults: str) -> AsyncIterator[Trouble]:
    """A server that leads to the site at `url`, once it has failed so often."""
    trouble = Trouble(int(url.rpartition(":")[2]), faults=list(faults))
    server = await asyncio.start_server(trouble.serve, "127.0.0.1", 0)
    trouble.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield trouble
    finally:
        server.close()
        await trouble.close()
