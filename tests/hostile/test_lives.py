"""Random lives through the whole of Latchkey. Hundreds are played by `python -m tests.hostile`."""

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from sandbox.schema import Published
from tests.harness import Postgres
from tests.hostile.life import Life, Size
from tests.hostile.stage import stage

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@settings(
    max_examples=2,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(1000, 2**31))
@example(seed=2).via("an item of another product added while that product's link was imported")
@example(seed=5).via("a product linked twice, once kept; two orders of one person imported")
async def test_a_life_leads_to_what_the_model_says(
    seed: int, postgres: Postgres, temporal_address: str, published: Published
) -> None:
    """Whatever is doubled, late, lost, old or refused on the way."""
    async with stage(postgres, temporal_address, published) as outside:
        await Life(outside, seed, Size(rounds=3, moves=12)).play()
