"""A machine's clock is set back by ten minutes while web and worker run on it. Postgres and Stripe
have the right time. Webhooks seem to come from the future then, and are refused: what happened is
found by the look for missed events, before an end or after it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drill.programs import HERE, program, serves
from tests.drill.test_drill import Shop, as_paid, differences
from tests.harness import Stripe, environment_of, free_port, prepare_latchkey, shortly, until
from tests.integrations import install
from tests.life.play import linked

pytestmark = pytest.mark.anyio

BACK = 600


@pytest.mark.parametrize("burst_from", [20, 1], ids=["one by one", "together"])
async def test_nobody_loses_access_early_or_keeps_it(
    dsn: str, temporal_address: str, stripe: Stripe, tmp_path: Path, burst_from: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    given = {
        "LD_PRELOAD": str(install.faketime()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with (
        prepare_latchkey(
            dsn,
            temporal_address,
            stripe,
            LATCHKEY_PORT=free_port(),
            LATCHKEY_CATCHUP_SECONDS=10,
            LATCHKEY_BURST_FROM=burst_from,
        ) as site,
        program("web", site.settings, site.namespace, given=given),
        program("worker", site.settings, site.namespace, given=given) as worker,
    ):
        await serves(site.url)
        await site.connected()
        product, _, price = await linked(site)
        shop = Shop(stripe, price)
        ending, staying = [await shop.buy() for _ in range(2)]
        await shop.end_at(staying, int(time.time()) + 86_400)
        await site.settled()
        await as_paid(site, product, shop)

        clock.write_text(f"-{BACK}")
        await shop.buy()
        soon = int(time.time()) + shortly()
        await shop.end_at(ending, soon)
        await as_paid(site, product, shop)

        async def over() -> bool:
            return not (await site.access(product, ending))["access"]

        await until(over, "the access ends that is to end")
        assert time.time() >= soon
        await as_paid(site, product, shop)
        await shop.buy()
        await site.settled()
        await as_paid(site, product, shop)

        async def ended() -> int | None:
            moment = await site.pool.fetchval(
                "select coalesce(g.due_at, g.until) from grants g join users u on u.id = g.user_id"
                " where u.email = $1 and g.ended_at is not null",
                ending,
            )
            return int(moment.timestamp()) if moment else None

        assert await until(ended, "the end is written down") == soon
        assert await differences(site) == []
        assert "Traceback" not in worker.log.read_text()
        doctor = subprocess.run(
            [sys.executable, "-m", "latchkey.cli", "doctor"],
            env=environment_of(site.settings) | {"TEMPORAL_NAMESPACE": site.namespace, **given},
            cwd=HERE,
            capture_output=True,
            text=True,
        )
        assert doctor.returncode == 1
        assert f"clock: off by {BACK} s, compared with the database's" in doctor.stdout
    assert os.environ.get("LD_PRELOAD") is None, "only the programs have it"
