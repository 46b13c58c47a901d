"""Child processes of `latchkey up`: starts them, shows their output, stops them."""

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.text import Text


class Child:
    """One supervised process. Its output is shown line by line with its name."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        console: Console,
        color: str,
        env: Mapping[str, str] | None = None,
        identity: Mapping[str, Any] | None = None,
        quiet: bool = False,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._console = console
        self._color = color
        self._env = dict(env) if env is not None else None
        self._identity = dict(identity or {})
        self._quiet = quiet
        self._stop_signal = stop_signal
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None
        self.last_lines: list[str] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it in its own session, so that Ctrl-C reaches it only through us."""
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            **self._identity,
        )
        self._pump = asyncio.create_task(self._show_lines())

    async def wait(self) -> int:
        assert self._process is not None, "start it first"
        return await self._process.wait()

    async def stop(self, *, seconds: float) -> None:
        """Ask it to stop, and kill it if that takes longer than `seconds`."""
        if self._process is None:
            return
        if self.running:
            with suppress(ProcessLookupError):
                self._process.send_signal(self._stop_signal)
            try:
                async with asyncio.timeout(seconds):
                    await self._process.wait()
            except TimeoutError:
                with suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        if self._pump:
            await self._pump

    async def _show_lines(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            text = line.decode(errors="replace").rstrip()
            self.last_lines = [*self.last_lines[-9:], text]
            if text and not self._quiet:
                prefix = Text(f"{self.name:<9}│ ", style=self._color)
                self._console.print(prefix + Text(text), soft_wrap=True)


class Leftovers:
    """Records started processes, so that the next start can end those a crash left running."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def remember(self, children: Sequence[Child]) -> None:
        running = {
            str(child.pid): psutil.Process(child.pid).create_time()
            for child in children
            if child.pid and child.running
        }
        self._path.write_text(json.dumps(running))

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)

    def end(self) -> list[int]:
        """End processes that an earlier `up` left behind, and return their ids."""
        try:
            remembered: dict[str, float] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return []
        found = [process for pid, born in remembered.items() if (process := _same(int(pid), born))]
        for process in found:
            with suppress(psutil.Error):
                process.send_signal(
                    signal.SIGINT if process.name() == "postgres" else signal.SIGTERM
                )
        _, alive = psutil.wait_procs(found, timeout=10)
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=5)
        self.forget()
        return [process.pid for process in found]


def _same(pid: int, born: float) -> psutil.Process | None:
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if abs(process.create_time() - born) < 1 and pid != os.getpid():
            return process
    return None
