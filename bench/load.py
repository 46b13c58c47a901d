"""A cheap load generator: raw HTTP/1.1 on keep-alive connections."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Result:
    """`seconds` per answer in milliseconds' order; `failed` counts answers other than 2xx."""

    count: int
    failed: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    def percentile(self, part: float) -> float:
        """A percentile of the response times, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * part))]

    def words(self) -> str:
        return (
            f"{self.rate:8.0f}/s   p50 {self.percentile(0.5):6.2f} ms   p99"
            f" {self.percentile(0.99):6.2f} ms"
            + (f"   {self.failed} FAILED" if self.failed else "")
        )


async def run(
    port: int, requests: Iterator[bytes], *, connections: int = 16, rate: float | None = None
) -> Result:
    """Send every request, `connections` at a time, and time the answers. With a `rate`, so many a
    second are due, and an answer's time counts from then, also if all connections were busy."""
    result = Result(0, 0, 0.0, [])
    began = time.perf_counter()
    due = (began + number / rate for number in itertools.count()) if rate else None
    await asyncio.gather(*(_connection(port, requests, due, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


async def _connection(
    port: int, requests: Iterator[bytes], due: Iterator[float] | None, result: Result
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        began = time.perf_counter()
        if due is not None:
            began = next(due)
            await asyncio.sleep(max(0, began - time.perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if length:
            await reader.readexactly(length)
        result.latencies.append(time.perf_counter() - began)
        result.count += 1
        if not head.startswith(b"HTTP/1.1 2"):
            result.failed += 1
    writer.close()


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
