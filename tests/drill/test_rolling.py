"""The release before is replaced by this one, and this one by the release before, web and workers
one by one, on this release's schema. People buy and cancel all the while, and nothing is lost."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.drill import release_before
from tests.drill.programs import HERE, command, program, serves
from tests.drill.test_drill import Shop, as_paid, mail_server
from tests.harness import (
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    prepare_latchkey,
    shortly,
    until,
)
from tests.life.play import linked
from tests.life.test_mail import everything_sent

pytestmark = pytest.mark.anyio

MEANWHILE = 3
"""How many people buy during each step."""

WELCOME = "You have access to Course"


@dataclass
class Balancer:
    """Leads connections to the web processes that are ready, one after the other."""

    ports: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self.ports.pop(0)
        self.ports.append(port)
        with contextlib.suppress(ConnectionError):
            onward, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pipe(reader, back), _pipe(onward, writer))
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def balancing(port: int) -> AsyncIterator[Balancer]:
    balancer = Balancer()
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", port)
    try:
        yield balancer
    finally:
        server.close()


@contextlib.asynccontextmanager
async def serving(site: Latchkey, source: Path, balancer: Balancer) -> AsyncIterator[None]:
    """A web process that gets requests from when it is ready until it is about to stop."""
    settings = site.settings.model_copy(update={"port": free_port()})
    async with program("web", settings, site.namespace, source):
        await serves(f"http://127.0.0.1:{settings.port}")
        balancer.ports.append(settings.port)
        try:
            yield
        finally:
            balancer.ports.remove(settings.port)


async def buy_some(shop: Shop) -> list[str]:
    return [await shop.buy() for _ in range(MEANWHILE)]


async def test_a_release_is_rolled_out_and_back_while_people_buy(
    postgres: Postgres,
    temporal_address: str,
    stripe: Stripe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, began = release_before.unpack(tmp_path), time.monotonic()
    async with (
        mail_server() as (inbox, smtp),
        prepare_latchkey(
            await postgres.create_empty(), temporal_address, stripe, SMTP_URL=smtp
        ) as site,
        balancing(int(site.url.rpartition(":")[2])) as balancer,
        AsyncExitStack() as processes,
    ):

        async def start(
            process: contextlib.AbstractAsyncContextManager[object],
        ) -> AsyncExitStack:
            stack = await processes.enter_async_context(AsyncExitStack())
            await stack.enter_async_context(process)
            return stack

        async def web(source: Path) -> AsyncExitStack:
            return await start(serving(site, source, balancer))

        async def worker(source: Path) -> AsyncExitStack:
            return await start(program("worker", site.settings, site.namespace, source))

        async def replace(
            old: AsyncExitStack, starting: Coroutine[None, None, AsyncExitStack]
        ) -> AsyncExitStack:
            """Start one process, let both work for a while, and stop the old one."""
            buying = asyncio.create_task(buy_some(shop))
            new = await starting
            await buying
            buying = asyncio.create_task(buy_some(shop))
            await old.aclose()
            await buying
            return new

        await command(site.settings, "migrate", source=before)
        workers = await worker(before)
        await site.connected()
        webs = await web(before)
        product, _, price = await linked(site)
        shop = Shop(stripe, price)
        first = await buy_some(shop)
        await site.settled()

        buying = asyncio.create_task(buy_some(shop))
        assert "Applied" in await command(site.settings, "migrate")
        await buying
        await buy_some(shop)
        webs = await replace(webs, web(HERE))
        workers = await replace(workers, worker(HERE))

        second = await buy_some(shop)
        await shop.cancel(first[0])
        await shop.end_at(first[1], int(time.time()) + shortly())
        await site.settled()
        await as_paid(site, product, shop)

        workers = await replace(workers, worker(before))
        webs = await replace(webs, web(before))
        await buy_some(shop)
        await shop.cancel(first[2])
        await shop.cancel(second[0])
        await shop.end_at(second[1], int(time.time()) + shortly())
        await site.settled()
        await as_paid(site, product, shop)
        await everything_sent(site)

        async def ended() -> bool:
            found = await site.pool.fetchval(
                "select count(*) from grants where source = 'subscription' and ended_at is not null"
            )
            return bool(found == len(shop.ended) + len(shop.until))

        await until(ended, "every end has come")
        await as_paid(site, product, shop)
        invited = Counter(mail["To"] for mail in inbox.mails if mail["Subject"] == WELCOME)
        assert invited == dict.fromkeys(shop.subscriptions, 1)
        rows = await site.pool.fetch("select source, count(*) from events group by source")
        events = {row["source"]: row["count"] for row in rows}
        assert not await site.pool.fetchval("select count(*) from events where state = 'failed'")
        refused = await site.pool.fetch("select code, count from webhook_refusals")
        assert [tuple(row) for row in refused] == []
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions in {time.monotonic() - began:.0f} s while"
            f" {release_before.COMMIT[:7]} was replaced, and put back:"
            f" {events}."
        )
