"""`python -m bench.moving`: how long importing another system's members takes, from the upload to
the last grant, and how much memory it needs."""

import io
import re
import sys
import time

import httpx

from bench.pages import sign_in
from bench.stack import Stack, stack
from tests.harness import ADMIN, PASSWORD

SIZES = (100_000,)
IMPORT = "/admin/users/import"
STEP_SECONDS = 1800.0
"""A step that takes longer than this has failed."""


def file_of(count: int) -> bytes:
    """An export like Patreon's: people with names, two tiers, half of them with an end."""
    text = io.StringIO()
    text.write("Name,Email,Patron Status,Tier,Access Expiration,Country,Additional Details\r\n")
    for n in range(count):
        end = f"2031-{n % 12 + 1:02}-{n % 28 + 1:02} 00:00:00" if n % 2 else ""
        text.write(
            f'"Person, {n}",person{n}@moving.example,Active patron,{("Gold", "Silver")[n % 2]},'
            f"{end},Norway,{'x' * 40}\r\n"
        )
    return text.getvalue().encode()


class Timed:
    """Prints how long each step took, and the most memory of the worker and the web process."""

    def __init__(self, running: Stack, client: httpx.Client) -> None:
        self._running, self._client = running, client
        self.began = self._step = time.perf_counter()
        self._before = self._memory()
        self._peak = self._before

    def done(self, name: str) -> None:
        now = time.perf_counter()
        self._peak = [max(pair) for pair in zip(self._peak, self._memory(), strict=True)]
        print(f"{now - self._step:7.1f} s  {name}", flush=True)
        self._step = now

    def wait(self, here: str, words: str) -> None:
        """Wait until the page of the import shows some words."""
        while words not in self._client.get(here).text:
            if time.perf_counter() - self._step > STEP_SECONDS:
                raise SystemExit(f"{here} doesn't show “{words}”")
            self._peak = [max(pair) for pair in zip(self._peak, self._memory(), strict=True)]
            time.sleep(0.2)

    def end(self, count: int) -> None:
        seconds = time.perf_counter() - self.began
        worker, web = (
            f"{before / 2**20:.0f} to {peak / 2**20:.0f} MB"
            for before, peak in zip(self._before, self._peak, strict=True)
        )
        print(f"{seconds:7.1f} s  all of {count:,} lines; worker {worker}, web {web}", flush=True)

    def _memory(self) -> list[int]:
        return [self._running.memory(name) for name in ("worker", "web")]


def move(running: Stack, client: httpx.Client, count: int) -> None:
    """Import so many people into two products."""
    products = [
        running.api("POST", "/products", json={"name": f"{name} {count}", "status": "live"})["id"]
        for name in ("Gold", "Silver")
    ]
    content = file_of(count)
    timed = Timed(running, client)
    token = _field(client, IMPORT, "csrf_token")
    answer = client.post(
        IMPORT,
        data={"csrf_token": token},
        files={"file": ("members.csv", content, "text/csv")},
    )
    assert answer.status_code == 303, answer.text
    here = answer.headers["location"]
    timed.done(f"uploaded {len(content) / 2**20:.0f} MB")
    shown = client.get(f"{here}/columns").text
    columns = dict(
        re.findall(r'<select name="(column-\d+)".*?<option value="([^"]*)" selected>', shown)
    )
    _send(client, f"{here}/columns", f"{here}/columns", **columns)
    run = _field(client, f"{here}/plans", "run")
    plans = {"plan-0": products[0], "plan-1": products[1]}
    _send(client, f"{here}/plans", f"{here}/plans", run=run, **plans)
    timed.wait(here, "Preview of the import")
    timed.done("checked")
    _send(client, here, f"{here}/start", run=_field(client, here, "run"))
    timed.wait(here, "Nobody was emailed.")
    timed.done("imported")
    timed.end(count)


def _field(client: httpx.Client, page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="(\w+)"', client.get(page).text)
    assert found, f"{page} has no {name}"
    return found[1]


def _send(client: httpx.Client, page: str, path: str, **fields: str) -> None:
    answer = client.post(path, data={"csrf_token": _field(client, page, "csrf_token"), **fields})
    assert answer.status_code == 303, answer.text


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    with (
        stack(LATCHKEY_ADMIN_EMAIL=ADMIN, LATCHKEY_ADMIN_PASSWORD=PASSWORD) as running,
        httpx.Client(base_url=running.url, timeout=300) as client,
    ):
        sign_in(client, "/login", email=ADMIN, password=PASSWORD)
        for size in sizes:
            move(running, client, size)


if __name__ == "__main__":
    main()
