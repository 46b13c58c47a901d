"""A site whose database is behind pgbouncer in transaction mode: each transaction may have another
connection of the four that there are."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from latchkey import backup
from latchkey.backup import BackupError
from latchkey.store.migrate import MigrationError, migrate
from tests.harness import Stripe, free_port, run_latchkey, until
from tests.integrations import install
from tests.life.play import linked

pytestmark = pytest.mark.anyio

CONNECTIONS, BUYERS = 4, 12
SETTINGS = """
[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
"""


@pytest.fixture
def pooled(dsn: str) -> Iterator[str]:
    """The address of the test's database through pgbouncer, which may not run as root: it runs as
    the user of Postgres."""
    binary, port = install.pgbouncer(), free_port()
    assert binary is not None, "it isn't collected otherwise"
    parts = urlsplit(dsn)
    folder = Path(parse_qs(parts.query)["host"][0])
    owner = folder.stat().st_uid if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        ini = Path(place) / "pgbouncer.ini"
        ini.write_text(SETTINGS.format(folder=folder, port=port, connections=CONNECTIONS))
        ini.chmod(0o644)
        process = subprocess.Popen(
            [binary, "--quiet", str(ini)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=owner,
        )
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}{parts.path}?statement_cache_size=0"
        finally:
            process.terminate()
            process.wait()


async def listening(address: str) -> None:
    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(address.partition("?")[0], statement_cache_size=0)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    await until(answers, "pgbouncer answers")


async def test_a_site_lives_behind_pgbouncer(
    pooled: str, temporal_address: str, stripe: Stripe, tmp_path: Path
) -> None:
    await listening(pooled)
    async with run_latchkey(pooled, temporal_address, stripe) as site:
        product, _, price = await linked(site)
        emails = [f"buyer{n}@pooled.example" for n in range(BUYERS)]
        made = await asyncio.gather(*(stripe.subscribe(email, price) for email in emails))
        await asyncio.gather(*(site.has(product, email) for email in emails))
        await stripe.delete(f"subscriptions/{made[0]['id']}")
        await site.has(product, emails[0], access=False)
        found = await asyncio.gather(
            *(site.call("GET", "/subscriptions", params={"search": email}) for email in emails)
        )
        listed = [[row["id"] for row in page["data"]] for page in found]
        assert listed == [[each["id"]] for each in made], "searches are planned for their words"
        await site.settled()
        with pytest.raises(MigrationError, match="Postgres itself"):
            await migrate(pooled)
        with pytest.raises(BackupError, match="Postgres itself"):
            await backup.back_up(site.settings, tmp_path)
