"""A site is copied by `pg_dump | psql` while people buy, and the copy is started beside it with the
same settings: the copy does nothing, and the original misses nothing."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from latchkey.settings import Settings
from latchkey.store.pool import Pool, create_pool
from tests.drill.programs import program
from tests.drill.test_drill import Shop, as_paid, mail_server
from tests.dumps import copy_database
from tests.harness import (
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    new_namespace,
    run_latchkey,
    until,
)
from tests.life.play import linked
from tests.life.test_mail import Inbox, everything_sent
from tests.receiver import Receiver, add_endpoint, receiving

pytestmark = pytest.mark.anyio

BEFORE, AFTER = 6, 4
AS_ORIGINAL, AS_COPY = "127.0.0.1", "localhost"
"""Under which name each of them calls the sandbox, which tells their requests apart."""


@contextlib.contextmanager
def requests_to(stripe: Stripe) -> Iterator[list[tuple[str, str, str]]]:
    """Who calls the sandbox from now on: under which name, by which method, for which path."""
    calls: list[tuple[str, str, str]] = []
    note = stripe.box.api.note

    def noting(request: Any, status: int, **given: Any) -> None:
        calls.append((request.url.hostname, request.method, request.url.path))
        note(request, status, **given)

    stripe.box.api.note = noting  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        stripe.box.api.note = note  # type: ignore[method-assign]


async def says_it_is_a_copy(url: str) -> None:
    async def says() -> bool:
        try:
            async with httpx.AsyncClient(base_url=url) as visitor:
                return "This is a copy of" in (await visitor.get("/login")).text
        except httpx.TransportError:
            return False

    await until(says, "every page of the copy says what it is")


async def missed_nothing(
    site: Latchkey, product: str, shop: Shop, inbox: Inbox, receiver: Receiver
) -> None:
    """Wait until everybody has what they paid for and was told so once, and so was the receiver."""
    await site.settled()
    await as_paid(site, product, shop)
    await everything_sent(site)
    assert Counter(mail["To"] for mail in inbox.mails) == dict.fromkeys(shop.subscriptions, 1)

    async def told() -> int:
        waiting = await site.pool.fetchval(
            "select (select count(*) from webhook_facts)"
            " + (select count(*) from webhook_deliveries where state <> 'delivered')"
        )
        found: int = await site.pool.fetchval("select count(*) from webhook_deliveries")
        return 0 if waiting else found

    delivered = await until(told, "the receiver has everything")
    heard = Counter(request.headers["webhook-id"] for request in receiver.received)
    assert len(heard) == delivered >= 2 * len(shop.subscriptions)
    assert set(heard.values()) == {1}


async def test_a_copy_beside_its_original_does_nothing(
    postgres: Postgres, temporal_address: str, stripe: Stripe, capsys: pytest.CaptureFixture[str]
) -> None:
    original, copied = await postgres.create(), await postgres.create_empty()
    async with (
        mail_server() as (inbox, smtp),
        receiving() as receiver,
        run_latchkey(original, temporal_address, stripe, SMTP_URL=smtp) as site,
    ):
        product, _, price = await linked(site)
        await add_endpoint(site, receiver.url)
        shop = Shop(stripe, price)
        stop = asyncio.Event()
        buying = asyncio.create_task(shop.keep_buying(stop))
        await shop.has_sold(BEFORE)
        await receiver.got(BEFORE)
        await copy_database(original, copied)
        stop.set()
        await buying
        settings = site.settings.model_copy(
            update={
                "database_url": SecretStr(copied),
                "port": free_port(),
                "stripe_api_base": stripe.url.replace(AS_ORIGINAL, AS_COPY),
            }
        )
        async with await create_pool(copied) as pool:
            await pool.execute("update mails set state = 'queued', sent_at = null, due_at = now();")
            await pool.execute(
                "update webhook_deliveries set state = 'waiting', done_at = null, due_at = now()"
            )
            with requests_to(stripe) as calls:
                await beside(settings, site, pool, shop)
                await missed_nothing(site, product, shop, inbox, receiver)
                assert AS_COPY not in {host for host, _, _ in calls}, "it doesn't work beside it"
                await alone(settings, temporal_address, pool, shop)
                await missed_nothing(site, product, shop, inbox, receiver)
                methods = Counter(method for host, method, _ in calls if host == AS_COPY)
            unsent = await pool.fetchval("select count(*) from mails where state = 'queued'")
            assert unsent >= BEFORE
            assert not await pool.fetchval("select count(*) from mails where state <> 'queued'")
            assert not await pool.fetchval(
                "select count(*) from webhook_deliveries where state <> 'waiting'"
            )
        assert methods.keys() == {"GET"}
        [endpoint] = (await stripe.get("webhook_endpoints"))["data"]
        assert endpoint["url"] == f"{site.url}/webhooks/stripe"
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions while a copy ran: it read Stripe"
            f" {methods.total()} times, wrote nothing, and left {unsent} emails unsent."
        )


async def beside(settings: Settings, site: Latchkey, pool: Pool, shop: Shop) -> None:
    """Run the copy in the namespace of its original while more is sold: its worker stays out."""
    url = f"http://127.0.0.1:{settings.port}"
    async with (
        program("web", settings, site.namespace),
        program("worker", settings, site.namespace) as worker,
    ):
        await says_it_is_a_copy(url)
        await worker.says("its original works in the same Temporal namespace")
        for _ in range(AFTER):
            await shop.buy()
        await site.settled()
        kinds = await pool.fetch("select distinct kind from processes")
        assert [row["kind"] for row in kinds] == ["web"]


async def alone(settings: Settings, temporal_address: str, pool: Pool, shop: Shop) -> None:
    """Run the copy with a Temporal of its own until it has caught up: it reads what it missed."""
    namespace = (await new_namespace(temporal_address)).namespace
    async with program("worker", settings, namespace), program("web", settings, namespace):

        async def knows() -> bool:
            found = await pool.fetch("select id from subscriptions")
            return {row["id"] for row in found} == set(shop.subscriptions.values())

        await until(knows, "the copy has read what was bought since")
