"""`python -m bench.webhooks`: accepted events per second against a bare handler."""

import asyncio
import hashlib
import hmac
import statistics
import time
from collections.abc import Iterator

import orjson

from bench import load
from bench.stack import Stack, fetch, stack, wait
from tests.harness import free_port

EVENTS, ROUNDS, CONNECTIONS = 6000, 5, 16
KEY = "whsec_bench"


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
        ratios = []
        for number in range(ROUNDS + 1):
            first = asyncio.run(
                load.run(
                    ours,
                    requests("/webhooks/stripe", f"o{number}", "invoice.created"),
                    connections=CONNECTIONS,
                )
            )
            second = asyncio.run(
                load.run(
                    bare,
                    requests("/webhook", f"b{number}", "invoice.created"),
                    connections=CONNECTIONS,
                )
            )
            if number == 0:
                continue
            ratios.append(first.rate / second.rate)
            print(f"latchkey {first.words()}")
            print(f"bare     {second.words()}   ratio {ratios[-1]:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} (wanted: at least 0.80)")
        busy = asyncio.run(
            load.run(
                ours,
                requests("/webhooks/stripe", "h", "customer.subscription.updated"),
                connections=CONNECTIONS,
            )
        )
        print(f"handled types, while the relay looks for an absent Temporal: {busy.words()}")


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
    main()
