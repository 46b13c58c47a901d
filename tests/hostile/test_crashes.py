"""Lives during which worker, web, Temporal and Postgres are killed and started again."""

import random
from pathlib import Path

import pytest

from tests.hostile.company import Company
from tests.hostile.crashing import crashing_stage
from tests.hostile.life import Life, Size

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.longest]


@pytest.mark.parametrize("seed", [1])
async def test_lives_with_killed_processes_end_as_the_model_predicts(
    seed: int, tmp_path: Path
) -> None:
    async with crashing_stage(tmp_path) as (outside, processes):
        chance = random.Random(seed)
        company = Company(outside, [Life(outside, seed, Size(rounds=2, moves=8))])
        company.meanwhile = lambda: processes.havoc(chance)
        await company.play()
        told = "\n".join(company.wrong.values())
        assert not told, f"killed {processes.killed}: {told}"
        assert processes.killed, "nothing was killed"
