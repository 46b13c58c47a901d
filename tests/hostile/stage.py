"""A whole Latchkey for one life."""

import contextlib
from collections.abc import AsyncIterator

from latchkey import schedules
from sandbox.schema import Published
from tests.harness import Postgres, run_latchkey, run_sandbox
from tests.hostile.outside import Outside
from tests.hostile.truth import Truth


@contextlib.asynccontextmanager
async def stage(
    postgres: Postgres, temporal: str, published: Published, **given: str
) -> AsyncIterator[Outside]:
    """Run web, worker and sandbox on an empty database, with the settings `given`."""
    with run_sandbox(published) as stripe:
        async with run_latchkey(await postgres.create(), temporal, stripe, **given) as site:
            truth = Truth(stripe.url)

            async def catch_up() -> None:
                await schedules.catch_up_now(site.temporal)

            try:
                yield Outside(site.api, site.pool, truth, catch_up)
            finally:
                await truth.close()
