"""Temporal is emptied: the next worker says so and starts what was lost."""

import pytest
from prometheus_client import REGISTRY

from latchkey import lost_runs
from tests.harness import Latchkey, until
from tests.life.play import linked

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def lost() -> float:
    return REGISTRY.get_sample_value("latchkey_runs_lost_total") or 0


async def running(site: Latchkey) -> set[str]:
    return {run.id async for run in site.temporal.list_workflows(lost_runs.RUNNING)}


async def test_what_temporal_lost_is_started_again(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = [await site.stripe.subscribe(f"lost{n}@runs.example", price) for n in range(3)]
    for n in range(3):
        await site.has(product, f"lost{n}@runs.example")
    await site.settled()
    wanted = {f"subscription/{one['id']}" for one in made} | {f"product-link/{product}"}

    async def all_run() -> bool:
        return wanted <= await running(site)

    await until(all_run, "every object has its run")
    assert await lost_runs.mend(site.pool, site.temporal) == 0
    await site.stop_worker()
    await site.terminate(lost_runs.RUNNING)

    async def none_runs() -> bool:
        return not await running(site)

    await until(none_runs, "Temporal has lost everything")
    await site.call("PUT", "/policy", json={"unpaid": True})

    async def shown() -> bool:
        return bool(await running(site))

    await until(shown, "the change of the policy is handed to Temporal")
    await site.terminate(lost_runs.RUNNING)
    await until(none_runs, "Temporal has lost that, too")
    await site.pool.execute(
        "update events set state = 'relayed', relayed_at = now(), not_before = now() + '1 day'"
        " where target_id = $1",
        made[1]["id"],
    )
    before = lost()
    await site.start_worker()
    await until(all_run, "what was lost runs again")
    assert lost() == before + 5, "three subscriptions, a link, and a change of the policy"

    async def applied() -> bool:
        done = await site.pool.fetchval("select bool_and(state = 'done') from policy_changes")
        handled = await site.pool.fetchval("select bool_and(state = 'handled') from events")
        return bool(done and handled)

    await until(applied, "what was being done goes on, without waiting for its events' next turn")
    await site.stripe.delete(f"subscriptions/{made[0]['id']}")
    await site.has(product, "lost0@runs.example", access=False)
