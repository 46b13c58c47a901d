"""`python -m bench.webhooks`: accepted events per second against a bare handler.

`--temporal-away` shows what the relay costs the intake while Temporal doesn't answer, `--busy` how
fast webhooks are answered beside everything else.
"""

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Event

import httpx
import orjson

from bench import load
from bench.ratio import Contestant, compare
from bench.stack import Stack, fetch, stack, wait
from tests.harness import TOKEN, free_port

EVENTS, ROUNDS, CONNECTIONS = 3000, 11, 16
KEY = "whsec_bench"
UNHANDLED, HANDLED = "invoice.created", "customer.subscription.updated"
STEADY_RATE, STEADY_SECONDS, IMPORTED = 500, 10, 3000

_over: Event


def event(number: str, kind: str) -> bytes:
    """A snapshot event of realistic size (about 3 KB)."""
    subscription = {
        "id": f"sub_{number}",
        "object": "subscription",
        "customer": f"cus_{number}",
        "status": "active",
        "metadata": {f"key_{n}": "x" * 40 for n in range(50)},
    }
    return orjson.dumps(
        {
            "id": f"evt_{number}",
            "object": "event",
            "type": kind,
            "livemode": False,
            "created": int(time.time()),
            "api_version": "2026-10-28.dahlia",
            "data": {"object": subscription},
        }
    )


def requests(path: str, run: str, kind: str, count: int = EVENTS) -> Iterator[bytes]:
    made = []
    for number in range(count):
        body = event(f"{run}x{number}", kind)
        at = int(time.time())
        digest = hmac.new(KEY.encode(), b"%d.%s" % (at, body), hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}
        made.append(load.request("POST", path, headers, body))
    return iter(made)


async def prepare(running: Stack) -> None:
    await fetch(
        running.dsn,
        """
        update stripe_connection set state = 'connected', account_id = 'acct_bench',
               livemode = false, endpoint_state = 'manual'
        """,
    )
    await fetch(running.dsn, "create table bare_events (id text primary key, body text not null)")


def main() -> None:
    """Time both handlers in turn over several rounds; the median ratio counts."""
    with stack(temporal=False, worker=False) as running:
        asyncio.run(prepare(running))
        ours = free_port()
        running.environment |= {
            "STRIPE_WEBHOOK_SECRET": KEY,
            "BARE_SECRET": KEY,
            "LATCHKEY_PORT": str(ours),
        }
        running.spawn("web2", "-m", "latchkey.cli", "web")
        wait(f"http://127.0.0.1:{ours}/healthz")
        bare = free_port()
        running.spawn(
            "bare",
            "-m",
            "uvicorn",
            "bench.bare:app",
            "--port",
            str(bare),
            "--no-access-log",
            "--log-level",
            "warning",
        )
        wait_port(bare)

        def play(port: int, path: str, run: str) -> load.Result:
            sent = requests(path, run, UNHANDLED)
            return asyncio.run(load.run(port, sent, connections=CONNECTIONS))

        compare(
            running,
            Contestant("web2", lambda n: play(ours, "/webhooks/stripe", f"o{n}")),
            Contestant("bare", lambda n: play(bare, "/webhook", f"b{n}")),
            wanted=0.90,
            rounds=ROUNDS,
        )


@contextlib.contextmanager
def second_web(running: Stack) -> Iterator[int]:
    """The port of a web process that accepts the events made here."""
    port = free_port()
    running.environment |= {"STRIPE_WEBHOOK_SECRET": KEY, "LATCHKEY_PORT": str(port)}
    running.spawn("web2", "-m", "latchkey.cli", "web")
    wait(f"http://127.0.0.1:{port}/healthz")
    yield port


def played(
    port: int, run: str, kind: str, count: int = EVENTS, rate: float | None = None
) -> load.Result:
    sent = requests("/webhooks/stripe", run, kind, count)
    return asyncio.run(load.run(port, sent, connections=CONNECTIONS, rate=rate))


def steadily(running: Stack, port: int) -> str:
    """Send events that are relayed, at a steady rate."""
    before = running.cpu()["web2"]
    result = played(port, "steady", HANDLED, STEADY_RATE * STEADY_SECONDS, STEADY_RATE)
    spent = (running.cpu()["web2"] - before) / result.count * 1e6
    return f"{result.words()}   {spent:.0f} us of web's CPU an event"


def temporal_away() -> None:
    """Send events that nothing waits for, then events that wait for Temporal."""
    with stack(temporal=False, worker=False) as running:
        asyncio.run(prepare(running))
        with second_web(running) as port:
            rates = {}
            for name, kind in (("not relayed", UNHANDLED), ("waiting", HANDLED)):
                played(port, f"{name[0]}0", kind)
                used = running.cpu()["web2"]
                found = [played(port, f"{name[0]}{n + 1}", kind) for n in range(ROUNDS)]
                spent = (running.cpu()["web2"] - used) / (ROUNDS * EVENTS) * 1e6
                rates[name] = statistics.median(result.rate for result in found)
                for result in found:
                    print(f"{name:12} {result.words()}")
                print(f"{name:12} {spent:.0f} us of web's CPU an event")
            print(f"ratio of medians {rates['waiting'] / rates['not relayed']:.2f}")
            waiting = EVENTS * (ROUNDS + 1)
            print(f"{STEADY_RATE} a second, {waiting} waiting already: {steadily(running, port)}")


def busy() -> None:
    """Send events at a steady rate while Temporal, the relay, an import and lists of the API are at
    work."""
    with stack() as running, second_web(running) as port:
        made = running.control("bulk", count=IMPORTED)
        product = running.api("POST", "/products", json={"name": "Bench"})["id"]
        while not any(
            item["id"] == made["product"]
            for item in running.api("GET", "/stripe/products?refresh=true")["data"]
        ):
            time.sleep(0.5)
        given = {"stripe_product": made["product"], "mail": "suppress"}
        running.api("PUT", f"/products/{product}/link", json=given)
        over = multiprocessing.Event()
        with ProcessPoolExecutor(1, initializer=_told, initargs=(over,)) as pool:
            reading = pool.submit(_read_lists, port)
            words = steadily(running, port)
            over.set()
            calls = reading.result()
        link = running.api("GET", f"/products/{product}/link")
        print(
            f"{STEADY_RATE} a second beside {calls} lists and an import ({link['progress']}):"
            f" {words}"
        )


def _told(over: Event) -> None:
    global _over
    _over = over


def _read_lists(port: int) -> int:
    """Ask for lists without a pause, in a process of its own, which takes no time from the load
    generator's."""
    calls = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        while not _over.is_set():
            for path in ("/users", "/subscriptions", "/products"):
                client.get(path).raise_for_status()
                calls += 1
    return calls


def wait_port(port: int) -> None:
    """Wait until something listens on the port."""
    import socket

    deadline = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing listens on {port}")
        time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--temporal-away", action="store_true")
    parser.add_argument("--busy", action="store_true")
    given = parser.parse_args()
    if given.temporal_away:
        temporal_away()
    elif given.busy:
        busy()
    else:
        main()
