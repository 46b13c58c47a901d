"""The sandbox as its users run it: `latchkey sandbox`, in its own process."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import httpx

from tests.harness import PATIENCE, free_port


@dataclass
class Alone:
    """A running sandbox; `reset` starts an empty one at the same address."""

    url: str
    port: int
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "latchkey.cli", "sandbox", "--", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        with httpx.Client(base_url=self.url, verify=False) as client:
            while True:
                with suppress(httpx.HTTPError):
                    if client.get("/_sandbox/ready").is_success:
                        return
                assert self.process.poll() is None, "the sandbox ended"
                assert time.monotonic() < deadline, "the sandbox did not start"
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE)

    def reset(self) -> None:
        self.stop()
        self.start()

    def problems(self) -> list[str]:
        """Mistakes the sandbox found in its own responses."""
        answer = httpx.get(f"{self.url}/_sandbox/problems", timeout=PATIENCE)
        problems: list[str] = answer.json()["data"]
        return problems


@contextmanager
def run_alone(*options: str) -> Iterator[Alone]:
    """Run a sandbox on a free port, with its command's options."""
    port = free_port()
    made = Alone(f"http://127.0.0.1:{port}", port, options)
    made.start()
    try:
        yield made
    finally:
        made.stop()
