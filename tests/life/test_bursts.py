"""Lives during which every reading is a burst's."""

import time

import pytest
from temporalio.worker import Replayer

from tests.harness import Latchkey, Stripe, run_latchkey, shortly, until
from tests.life.play import linked
from tests.life.test_privacy import ADDRESS, decoded, histories
from tests.workflows.recording import record
from worker import WORKFLOWS, workflow_runner

RECORDED = {
    "burst": "burst",
    "lifecycles": "lifecycles",
    "subscription": "subscription-started-by-burst",
}

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def until_started(site: Latchkey, count: int) -> None:
    """Wait until the subscriptions' runs have been started."""

    async def started() -> bool:
        query = "select count(*) from subscriptions where lifecycle_at is not null and not untold"
        return bool(await site.pool.fetchval(query) == count)

    await until(started, f"{count} runs know what was applied")


async def test_purchases_by_bursts_live_on_by_their_own_runs(
    dsn: str, temporal_address: str, stripe: Stripe
) -> None:
    async with run_latchkey(dsn, temporal_address, stripe, LATCHKEY_BURST_FROM="1") as site:
        product, stripe_product, price = await linked(site)
        once = await stripe.price(stripe_product, every=None)
        made = (await stripe.buy("zaphod@burst.example", price))["subscription"]
        await stripe.buy("once@burst.example", once, mode="payment")
        for name in ("zaphod", "once"):
            await site.has(product, f"{name}@burst.example")
        await until_started(site, 1)
        end = int(time.time()) + shortly()
        await stripe.post(f"subscriptions/{made}", cancel_at=end)
        await site.settled()
        await until_started(site, 1)
        await site.has(product, "zaphod@burst.example", access=False)
        await site.settled()

        async def ended() -> bool:
            found = await site.temporal.get_workflow_handle(f"subscription/{made}").describe()
            return bool(found.status and found.status.name == "COMPLETED")

        await until(ended, "the run has ended")
        mails = await site.pool.fetch("select kind from mails where kind = 'product_access'")
        assert len(mails) == 2
        replayer = Replayer(workflows=WORKFLOWS, workflow_runner=workflow_runner())
        kinds = set()
        async for history in histories(site):
            text = history.to_json()
            kind = history.workflow_id.split("/")[0]
            kinds.add(kind)
            assert "zaphod" not in decoded(text)
            assert not ADDRESS.findall(decoded(text))
            await replayer.replay_workflow(history)
            if kind in RECORDED:
                record(history, RECORDED[kind])
        assert set(RECORDED) <= kinds
        assert "purchase" not in kinds, "a paid purchase has nothing to wait for"
