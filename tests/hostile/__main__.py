"""`python -m tests.hostile --seeds 300`: many lives, one after the other; says which went wrong."""

import argparse
import asyncio
import contextlib
import logging
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import structlog

from sandbox.schema import Published
from tests.harness import (
    NAMESPACES,
    Postgres,
    forget_namespaces,
    run_postgres,
    run_temporal,
)
from tests.hostile.crashing import crashing_stage
from tests.hostile.life import Life, Size
from tests.hostile.stage import stage


async def together(
    seed: int, size: Size, calm: bool, postgres: Postgres, temporal: str, published: Published
) -> str | None:
    """A life of a Latchkey within this process; what went wrong, or None."""
    async with stage(postgres, temporal, published) as outside:
        life = Life(outside, seed, size)
        if calm:
            life.faults = {}
        return await _played(life)


async def crashing(seed: int, size: Size) -> str | None:
    """A life during which processes are killed; what went wrong, or None."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        async with crashing_stage(folder) as (outside, processes):
            life = Life(outside, seed, size)
            chance = random.Random(seed)
            life.meanwhile = lambda: processes.havoc(chance)
            told = await _played(life)
            return told and f"killed {processes.killed}: {told}\n{processes.text()}"


async def _played(life: Life) -> str | None:
    try:
        await life.play()
    except Exception as error:
        report = Path(tempfile.gettempdir()) / f"hostile-{life.seed}.txt"
        report.write_text("\n".join([*life.log, f"{error}", traceback.format_exc()]))
        return f"{type(error).__name__}: {str(error)[:2500]}\nsee {report}"
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--people", type=int, default=Size.people)
    parser.add_argument("--moves", type=int, default=Size.moves, help="moves of each round")
    parser.add_argument("--calm", action="store_true", help="without faults")
    parser.add_argument(
        "--crash", action="store_true", help="each part a process, killed at random moments"
    )
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    logging.disable(logging.CRITICAL)
    size = Size(rounds=options.rounds, people=options.people, moves=options.moves)
    published, wrong = Published(), 0
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        folder.chmod(0o755)
        postgres = opened.enter_context(run_postgres(folder / "postgres"))
        servers = opened.enter_context(contextlib.ExitStack())
        address = ""
        for number in range(options.seeds):
            seed, began = options.first + number, time.monotonic()
            if options.crash:
                told = asyncio.run(crashing(seed, size))
            else:
                if number % len(NAMESPACES) == 0:
                    servers.close()
                    address = servers.enter_context(run_temporal())
                    os.environ["TEMPORAL_ADDRESS"] = address
                    forget_namespaces()
                told = asyncio.run(together(seed, size, options.calm, postgres, address, published))
            wrong += told is not None
            sys.stdout.write(f"seed {seed}: {told or 'right'} ({time.monotonic() - began:.1f} s)\n")
            sys.stdout.flush()
    sys.stdout.write(f"{wrong} of {options.seeds} went wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
