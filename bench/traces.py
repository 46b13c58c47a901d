"""`python -m bench.traces`: what traces cost a web process, by the CPU time of a webhook.

Web processes take webhooks in turn: one without traces, and one for each share of them that is
kept. The webhooks are of the cheapest kind, which nothing waits for. `bench.lifecycle` with
`OTEL_EXPORTER_OTLP_ENDPOINT` set says what traces cost the worker.
"""

import argparse
import asyncio
import statistics

from bench import load
from bench.ratio import Contestant, played
from bench.stack import Stack, stack, wait
from bench.webhooks import CONNECTIONS, KEY, ROUNDS, UNHANDLED, prepare, requests
from tests.collector import collecting
from tests.harness import free_port

SHARES = (1.0, 0.1, 0.05, 0.01)


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
    """Print each round, then the median ratio of CPU time for each share to that of two processes
    without traces, and of one of these to the other, which says how far to trust the rest."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=float, nargs="*", default=SHARES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with (
        stack(temporal=False, worker=False) as running,
        collecting(lambda path, body, encoding: None) as receiver,
    ):
        asyncio.run(prepare(running))
        off = web(running, "off")
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver}
        others = [web(running, "off again")] + [
            web(running, f"{share:.0%}", OTEL_TRACES_SAMPLER_ARG=str(share), **settings)
            for share in given.keep
        ]
        contestants = [off, *others]
        ratios: dict[str, list[float]] = {one.process: [] for one in others}
        for number in range(given.rounds + 1):
            spent = {one.process: played(running, one, number)[1] for one in contestants}
            contestants = contestants[1:] + contestants[:1]
            print(", ".join(f"{one.process} {spent[one.process]:.0f} us" for one in [off, *others]))
            for name, found in ratios.items():
                if number:
                    untraced = [spent["off"], spent["off again"]]
                    base = untraced[0] if name == "off again" else statistics.mean(untraced)
                    found.append(spent[name] / base)
        for name, found in ratios.items():
            print(f"{name:>9}: {statistics.median(found):.3f} of the CPU time without traces")


if __name__ == "__main__":
    main()
