"""`python -m tests.hostile --seeds 300`: plays many lives, a few at a time, and reports those that
went wrong."""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from sandbox.schema import Published
from tests.harness import Postgres, run_postgres, run_temporal
from tests.hostile.company import CALM, Company
from tests.hostile.crashing import crashing_stage
from tests.hostile.life import Life, Size
from tests.hostile.stage import stage

SITES_PER_SERVER = 100
"""How many Latchkeys one Temporal server serves: it keeps their histories in memory."""


async def together(
    seeds: range,
    size: Size,
    calm: bool,
    settings: dict[str, str],
    postgres: Postgres,
    temporal: str,
    published: Published,
) -> dict[int, str]:
    """Play lives side by side in one Latchkey within this process. Returns what went wrong, by
    seed."""
    async with stage(postgres, temporal, published, **settings) as outside:
        company = Company(outside, [Life(outside, seed, size) for seed in seeds])
        if calm:
            company.faults = dict(CALM)
        await company.play()
        return company.wrong


@contextlib.contextmanager
def _folder(kept: Path | None, name: str = "") -> Iterator[Path]:
    """A folder for what the processes write: one that is kept, or a temporary one."""
    if kept is not None:
        (kept / name).mkdir(parents=True, exist_ok=True)
        yield kept / name
        return
    with tempfile.TemporaryDirectory(prefix="hostile-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


async def crashing(
    seeds: range, size: Size, settings: dict[str, str], kept: Path | None
) -> dict[int, str]:
    """Play lives while processes are killed. Returns what went wrong, by seed."""
    with _folder(kept, f"from-{seeds[0]}") as folder:
        async with crashing_stage(folder, **settings) as (outside, processes):
            company = Company(outside, [Life(outside, seed, size) for seed in seeds])
            chance = random.Random(seeds[0])
            company.meanwhile = lambda: processes.havoc(chance)
            await company.play()
            return {
                seed: f"killed {processes.killed}: {told}\n{processes.text()}"
                for seed, told in company.wrong.items()
            }


def _noted(seed: int, told: str) -> str:
    """Write what went wrong to a file. Returns its beginning and the file's path."""
    report = Path(tempfile.gettempdir()) / f"hostile-{seed}.txt"
    report.write_text(told)
    return f"{told[:2500]}\nsee {report}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument(
        "--together", type=int, default=6, help="lives side by side in one Latchkey"
    )
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--people", type=int, default=Size.people)
    parser.add_argument("--moves", type=int, default=Size.moves, help="moves of each round")
    parser.add_argument("--calm", action="store_true", help="without faults")
    parser.add_argument(
        "--crash", action="store_true", help="each part a process, killed at random moments"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="a folder in which Postgres' data stay, one database for each group of lives",
    )
    parser.add_argument(
        "--burst-from", default="off", help="LATCHKEY_BURST_FROM: 1 has bursts read all they can"
    )
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    logging.disable(logging.CRITICAL)
    size = Size(rounds=options.rounds, people=options.people, moves=options.moves)
    settings = {"LATCHKEY_BURST_FROM": options.burst_from}
    published, wrong = Published(), 0
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(_folder(options.keep))
        postgres = opened.enter_context(run_postgres(folder / "postgres"))
        servers = opened.enter_context(contextlib.ExitStack())
        address = ""
        end = options.first + options.seeds
        for number, first in enumerate(range(options.first, end, options.together)):
            seeds, began = range(first, min(first + options.together, end)), time.monotonic()
            if options.crash:
                told = asyncio.run(crashing(seeds, size, settings, options.keep))
            else:
                if number % SITES_PER_SERVER == 0:
                    servers.close()
                    address = servers.enter_context(run_temporal())
                    os.environ["TEMPORAL_ADDRESS"] = address
                told = asyncio.run(
                    together(seeds, size, options.calm, settings, postgres, address, published)
                )
            for seed in seeds:
                sys.stdout.write(
                    f"seed {seed}: {_noted(seed, told[seed]) if seed in told else 'right'}\n"
                )
            wrong += len(told)
            each = (time.monotonic() - began) / len(seeds)
            sys.stdout.write(f"{wrong} wrong so far; {each:.1f} s a seed\n")
            sys.stdout.flush()
    sys.stdout.write(f"{wrong} of {options.seeds} went wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
