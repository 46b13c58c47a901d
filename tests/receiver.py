"""A receiver of outgoing webhooks: a real HTTP server that answers as a test says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook

from latchkey import webhook_signing
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.webhooks import endpoints
from latchkey.vault import Purpose, Vault
from tests.harness import Latchkey, until


@dataclass(frozen=True)
class Received:
    """One request: its headers in lower case, and its body."""

    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified(self, secret: str) -> Any:
        """The payload, as a receiver takes it that trusts the library of Standard Webhooks."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = Callable[[Received], Awaitable[str]]


async def fine(_: Received) -> str:
    return "204 No Content"


def answering(*statuses: str) -> Answer:
    """Each status in turn, the last one from then on."""
    left = list(statuses)

    async def answer(_: Received) -> str:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


@dataclass
class Receiver:
    """What arrived. `answer` gives the status line's rest for a request, now or later."""

    port: int = 0
    answer: Answer = fine
    received: list[Received] = field(default_factory=list)
    headers: str = ""
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [request.json["type"] for request in self.received]

    async def got(self, count: int) -> list[Received]:
        """Wait until so many requests arrived."""

        async def there() -> bool:
            return len(self.received) >= count

        await until(there, f"{count} webhooks arrive")
        return self.received

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a server's handler is a task"
        self._serving.add(task)
        over = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*over), contextlib.closing(writer):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                lines = head.strip().split("\r\n")[1:]
                pairs = (line.partition(": ") for line in lines)
                headers = {name.lower(): value for name, _, value in pairs}
                body = await reader.readexactly(int(headers["content-length"]))
                request = Received(headers, body.decode())
                self.received.append(request)
                status = await self.answer(request)
                text = "" if status.startswith("204") else f"the answer is {status}"
                length = f"content-length: {len(text)}\r\n\r\n"
                writer.write(f"HTTP/1.1 {status}\r\n{self.headers}{length}{text}".encode())
                await writer.drain()

    async def close(self) -> None:
        """Break off every connection."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def receiving(answer: Answer = fine) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer=answer)
    server = await asyncio.start_server(receiver._serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await receiver.close()


async def add_endpoint(site: Latchkey, url: str, *types: str) -> str:
    """Have a site send its webhooks there; returns the endpoint's id."""
    vault = Vault(site.settings.require_secrets())
    async with site.pool.acquire() as connection, connection.transaction():
        return await endpoints.create(
            connection,
            format_=WebhookFormat.JSON,
            url=vault.seal(url, Purpose.WEBHOOK_URL),
            host="127.0.0.1",
            description="",
            types=types,
            secret=vault.seal(webhook_signing.new_secret(), Purpose.OUTGOING_SECRET),
            actor=None,
        )
