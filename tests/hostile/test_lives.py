"""Random lives through the whole of Latchkey. Hundreds are played by `python -m tests.hostile`."""

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sandbox.schema import Published
from tests.harness import Postgres
from tests.hostile.company import Company
from tests.hostile.life import Life, Size
from tests.hostile.stage import stage

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.longest]


@settings(
    max_examples=1,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seeds=st.lists(st.integers(1000, 2**31), min_size=2, max_size=2, unique=True))
@example(seeds=[2, 5, 1000]).via("seeds that have gone wrong once")
async def test_lives_end_as_the_model_predicts(
    seeds: list[int], postgres: Postgres, temporal_address: str, published: Published
) -> None:
    """Although deliveries are duplicated, late, lost, out of date or refused."""
    async with stage(postgres, temporal_address, published) as outside:
        size = Size(rounds=2, moves=12)
        company = Company(outside, [Life(outside, seed, size) for seed in seeds])
        await company.play()
        assert company.wrong == {}, "\n\n".join(company.wrong.values())
