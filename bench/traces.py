"""`python -m bench.traces`: what traces cost a web process, by the CPU time of a webhook.

Two web processes take webhooks in turn: one without traces, one that sends its spans to a receiver.
`--keep 0.1` has it keep one trace in ten. `bench.lifecycle` with `OTEL_EXPORTER_OTLP_ENDPOINT` set
says what they cost the worker.
"""

import argparse
import asyncio

from bench import load
from bench.ratio import Contestant, compare
from bench.stack import Stack, stack, wait
from bench.webhooks import CONNECTIONS, KEY, ROUNDS, UNHANDLED, prepare, requests
from tests.collector import collecting
from tests.harness import free_port


def web(running: Stack, name: str, **given: str) -> Contestant:
    """A web process with these settings besides."""
    port = free_port()
    running.environment |= {"STRIPE_WEBHOOK_SECRET": KEY, "LATCHKEY_PORT": str(port), **given}
    running.spawn(name, "-m", "latchkey.cli", "web")
    wait(f"http://127.0.0.1:{port}/healthz")

    def play(number: int) -> load.Result:
        sent = requests("/webhooks/stripe", f"{name}-{number}", UNHANDLED)
        return asyncio.run(load.run(port, sent, connections=CONNECTIONS))

    return Contestant(name, play)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with (
        stack(temporal=False, worker=False) as running,
        collecting(lambda path, body, encoding: None) as receiver,
    ):
        asyncio.run(prepare(running))
        off = web(running, "off")
        on = web(
            running,
            "on",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver,
            OTEL_TRACES_SAMPLER="parentbased_traceidratio",
            OTEL_TRACES_SAMPLER_ARG=str(given.keep),
        )
        compare(running, on, off, wanted=0.95, rounds=given.rounds)


if __name__ == "__main__":
    main()
