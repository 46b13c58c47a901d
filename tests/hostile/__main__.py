"""`python -m tests.hostile --seeds 300`: many lives, one after the other; says which went wrong."""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

import structlog

from sandbox.schema import Published
from tests.harness import (
    Postgres,
    forget_namespaces,
    run_postgres,
    run_temporal,
)
from tests.hostile.life import Life, Size, Wrong
from tests.hostile.stage import stage


async def one(
    seed: int, size: Size, calm: bool, postgres: Postgres, temporal: str, published: Published
) -> str | None:
    """Play a seed; what went wrong, or None."""
    async with stage(postgres, temporal, published) as outside:
        life = Life(outside, seed, size)
        if calm:
            life.faults = {}
        try:
            await life.play()
        except (Wrong, AssertionError, Exception) as error:
            told = "" if isinstance(error, Wrong) else traceback.format_exc()
            report = Path(tempfile.gettempdir()) / f"hostile-{seed}.txt"
            report.write_text("\n".join([*life.log, f"{error}", told]))
            return f"{type(error).__name__}: {str(error)[:2500]}\n{told}see {report}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many lives")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--rounds", type=int, default=Size.rounds)
    parser.add_argument("--people", type=int, default=Size.people)
    parser.add_argument("--moves", type=int, default=Size.moves, help="moves of each round")
    parser.add_argument("--calm", action="store_true", help="without faults")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    logging.disable(logging.CRITICAL)
    size = Size(rounds=options.rounds, people=options.people, moves=options.moves)
    published, wrong = Published(), 0
    seeds = range(options.first, options.first + options.seeds)
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="hostile-")))
        folder.chmod(0o755)
        postgres = opened.enter_context(run_postgres(folder / "postgres"))
        for start in range(0, len(seeds), 40):
            with run_temporal() as address:
                os.environ["TEMPORAL_ADDRESS"] = address
                forget_namespaces()
                for seed in seeds[start : start + 40]:
                    began = time.monotonic()
                    told = asyncio.run(one(seed, size, options.calm, postgres, address, published))
                    wrong += told is not None
                    took = time.monotonic() - began
                    sys.stdout.write(f"seed {seed}: {told or 'right'} ({took:.1f} s)\n")
                    sys.stdout.flush()
    sys.stdout.write(f"{wrong} of {len(seeds)} went wrong\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
