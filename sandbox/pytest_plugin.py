"""A pytest plugin: the fixture `stripe_sandbox` is a running sandbox."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import stripe

START_SECONDS = 60


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox in its own process: its address, and a key that it accepts."""

    url: str
    key: str = "sk_test_pytest"

    def client(self) -> stripe.StripeClient:
        """Stripe's own client, pointed at the sandbox."""
        return stripe.StripeClient(self.key, base_addresses={"api": self.url})

    def control(self, path: str, **body: object) -> Any:
        """Post to the control API, such as `clock/advance`. Raises `httpx.HTTPStatusError`."""
        answer = httpx.post(f"{self.url}/_sandbox/{path}", json=body, timeout=60)
        return answer.raise_for_status().json()


@pytest.fixture(scope="session")
def stripe_sandbox() -> Iterator[RunningSandbox]:
    """A sandbox on a free port, for the whole session."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "--port", str(port)])
    try:
        running = RunningSandbox(f"http://127.0.0.1:{port}")
        _await_ready(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_ready(running: RunningSandbox, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{running.url}/_sandbox/ready").is_success:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("the Stripe sandbox didn't start")
        time.sleep(0.05)
