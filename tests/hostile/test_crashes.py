"""Lives during which worker, web, Temporal and Postgres are killed and started again."""

import random
from pathlib import Path

import pytest

from tests.hostile.crashing import crashing_stage
from tests.hostile.life import Life, Size, Wrong

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.parametrize("seed", [1])
async def test_whatever_is_killed_all_settles_to_what_the_model_says(
    seed: int, tmp_path: Path
) -> None:
    async with crashing_stage(tmp_path) as (outside, processes):
        chance = random.Random(seed)
        life = Life(outside, seed, Size(rounds=3, moves=10))
        life.meanwhile = lambda: processes.havoc(chance)
        try:
            await life.play()
        except Wrong as wrong:
            raise Wrong(f"killed {processes.killed}: {wrong}\n{processes.text()}") from None
        assert processes.killed, "nothing was killed"
