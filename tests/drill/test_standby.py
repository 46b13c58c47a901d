"""A streaming standby takes over from a Postgres that is killed while people buy. What was
acknowledged is there, everybody has what they paid for, and nobody restarts anything."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from latchkey.embedded import POSTGRES_USER, postgres_binaries, prepare_postgres
from latchkey.store import site_identity
from latchkey.store.migrate import migrate
from latchkey.store.site_identity import SiteRole
from tests.drill.test_drill import Shop, as_paid, differences, everything_runs
from tests.harness import PATIENCE, Stripe, free_port, memory_folder, run_latchkey, until
from tests.life.play import linked

pytestmark = pytest.mark.anyio

BEFORE, MEANWHILE = 5, 10
SITE = "site"


@dataclass
class Cluster:
    """A Postgres, and the standby that receives all that is written to it."""

    folder: Path
    primary: int = field(default_factory=free_port)
    standby: int = field(default_factory=free_port)
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def dsn(self, port: int, database: str = SITE) -> str:
        return f"postgresql://{POSTGRES_USER}@127.0.0.1:{port}/{database}"

    @property
    def either(self) -> str:
        """The URL of whichever of the two takes writes, as docs/disaster.md recommends it."""
        hosts = f"127.0.0.1:{self.primary},127.0.0.1:{self.standby}"
        return f"postgresql://{POSTGRES_USER}@{hosts}/{SITE}?target_session_attrs=read-write"

    def start(self, folder: Path, port: int) -> None:
        prepared = prepare_postgres(folder, durable=True)
        options = {"listen_addresses": "127.0.0.1", "port": str(port), "fsync": "off"}
        argv = prepared.argv + [f"-c{name}={value}" for name, value in options.items()]
        self.processes[port] = subprocess.Popen(
            argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **prepared.identity
        )

    async def attach(self) -> None:
        """Have the standby copy the primary and follow it; from then on a commit waits for it."""
        folder = self.folder / "primary" / "standby"
        """Where the primary's user may make one."""
        identity = prepare_postgres(self.folder / "primary").identity
        copying = subprocess.Popen(
            [
                *(postgres_binaries() / "pg_basebackup", "--write-recovery-conf"),
                *("-h", "127.0.0.1", "-p", str(self.primary), "-U", POSTGRES_USER),
                *("-D", str(folder / "data"), "--checkpoint=fast"),
            ],
            **identity,
        )
        assert await asyncio.to_thread(copying.wait, PATIENCE) == 0
        self.start(folder, self.standby)
        await answers(self.dsn(self.standby))
        connection = await asyncpg.connect(self.dsn(self.primary))
        await connection.execute("alter system set synchronous_standby_names = '*'")
        await connection.execute("select pg_reload_conf()")

        async def waits() -> bool:
            states = await connection.fetch("select sync_state from pg_stat_replication")
            return [row["sync_state"] for row in states] == ["sync"]

        await until(waits, "commits wait for the standby")
        await connection.close()

    def kill_primary(self) -> None:
        """As a power cut would."""
        self.processes[self.primary].kill()
        self.processes[self.primary].wait()

    async def promote(self) -> None:
        connection = await asyncpg.connect(self.dsn(self.standby))
        assert await connection.fetchval("select pg_promote()")
        await connection.close()


async def answers(dsn: str) -> None:
    async def connects() -> bool:
        try:
            await (await asyncpg.connect(dsn)).close()
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    await until(connects, "Postgres accepts connections")


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    with memory_folder() as folder:
        made = Cluster(folder)
        folder.chmod(0o755)
        made.start(folder / "primary", made.primary)
        try:
            await answers(made.dsn(made.primary, "postgres"))
            connection = await asyncpg.connect(made.dsn(made.primary, "postgres"))
            await connection.execute(f"create database {SITE}")
            await connection.close()
            await migrate(made.dsn(made.primary))
            await made.attach()
            yield made
        finally:
            for process in made.processes.values():
                process.kill()
                process.wait()


async def acknowledged(stripe: Stripe) -> set[str]:
    """The events that were answered with 2xx, as Stripe sees it."""
    answer = await stripe.client.get("/_sandbox/deliveries", params={"limit": 100_000})
    rows = answer.json()["data"]
    return {row["event"] for row in rows if row["state"] == "delivered"}


async def test_a_standby_takes_over_while_people_buy(
    cluster: Cluster, temporal_address: str, stripe: Stripe, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_latchkey(cluster.either, temporal_address, stripe) as site:
        product, _, price = await linked(site)
        shop = Shop(stripe, price)
        for _ in range(BEFORE):
            await shop.buy()
        gift = {
            "email": "guest@standby.example",
            "until": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
        }
        await site.call("POST", f"/products/{product}/grants", 201, json=gift)
        await site.settled()
        stop = asyncio.Event()
        buying = asyncio.create_task(shop.keep_buying(stop))
        await shop.has_sold(BEFORE + MEANWHILE)
        began = time.monotonic()
        cluster.kill_primary()
        sure = await acknowledged(stripe)
        await cluster.promote()
        promoted = time.monotonic() - began
        connection = await asyncpg.connect(cluster.dsn(cluster.standby))
        kept = {row["id"] for row in await connection.fetch("select id from events")}
        await connection.close()
        assert len(sure) > BEFORE
        assert sure - kept == set(), "an event that was acknowledged is lost"
        await shop.buy()
        stop.set()
        await buying
        await as_paid(site, product, shop)
        took = time.monotonic() - began
        await site.settled()
        async with site.pool.acquire() as held:
            found = await site_identity.read(held, site.settings.public_url)
        assert found.role is SiteRole.ORIGINAL, "a standby isn't a copy"
        assert (await site.access(product, gift["email"]))["access"]
        await everything_runs(site)
        assert await differences(site) == []
        assert await site.pool.fetchval("select inet_server_port()") == cluster.standby
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions; the standby took writes {promoted:.1f} s"
            f" after the primary was killed, and everybody had access {took:.1f} s after."
        )
