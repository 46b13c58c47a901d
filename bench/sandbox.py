"""The sandbox's speed: creates per second, pages of a hundred, and a seeded hundred thousand.

Run as `python -m bench.sandbox`. The sandbox is one process; CPU time is its own, wall time is the
machine's.
"""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.harness import free_port

CREATES = 5_000
PAGES = 200
CUSTOMERS = 100_000
AT_ONCE = 16
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A running sandbox, by address and process."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> float:
        """Peak memory, in megabytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


async def ask(server: Server, requests: list[tuple[str, str, str]]) -> None:
    """Send requests (method, path, form) over a few keep-alive connections. Raises unless all
    answer 200."""
    left = iter(requests)

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for method, path, form in left:
            writer.write(
                f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Authorization: Bearer sk_test_bench\r\n"
                "Stripe-Version: 2026-10-28.endive\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(form)}\r\n\r\n{form}".encode()
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.split("content-length: ")[1].split("\r\n")[0])
            body = await reader.readexactly(size)
            if " 200 " not in head.split("\r\n")[0]:
                raise SystemExit(f"{method} {path}: {body.decode()}")
        writer.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def measure(server: Server, name: str, requests: list[tuple[str, str, str]]) -> None:
    """Print how long each request takes, in wall time and in the sandbox's CPU time."""
    began, cpu = time.perf_counter(), server.cpu()
    asyncio.run(ask(server, requests))
    wall, used = time.perf_counter() - began, server.cpu() - cpu
    count = len(requests)
    print(
        f"{name}: {count / wall:,.0f} a second, {1000 * wall / count:.2f} ms each by the clock;"
        f" {count / used:,.0f} a second of its CPU, {1000 * used / count:.2f} ms each"
    )


def main() -> None:
    """Start a sandbox, load it, and print a line per measurement."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "--port", str(port)])
    server = Server(port, process.pid)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{url}/_sandbox/ready").is_success:
                    break
            time.sleep(0.05)
        forms = [f"email=c{n}%40bench.example&name=C{n}&metadata[n]={n}" for n in range(CREATES)]
        measure(server, "warm up", [("POST", "/v1/customers", forms[0])] * 200)
        measure(server, "creates", [("POST", "/v1/customers", form) for form in forms])
        measure(server, "customers by 100", [("GET", "/v1/customers?limit=100", "")] * PAGES)
        began, cpu = time.perf_counter(), server.cpu()
        made = httpx.post(f"{url}/_sandbox/bulk", json={"count": CUSTOMERS}, timeout=600)
        made.raise_for_status()
        print(
            f"{CUSTOMERS:,} with subscriptions: {time.perf_counter() - began:.0f} s by the"
            f" clock, {server.cpu() - cpu:.0f} s of CPU, {server.memory():,.0f} MB at most"
        )
        price = made.json()["monthly"]
        path = f"/v1/subscriptions?price={price}&status=all&limit=100"
        measure(server, "subscriptions by 100", [("GET", path, "")] * PAGES)
        measure(
            server,
            "events by 100",
            [("GET", "/v1/events?limit=100&type=customer.created", "")] * PAGES,
        )
        problems = httpx.get(f"{url}/_sandbox/problems").json()["data"]
        if problems:
            raise SystemExit(f"the checker found {problems[:3]}")
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
