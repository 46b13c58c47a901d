"""The drill: a site is backed up while people buy, lost with its Postgres and its Temporal, and
restored into empty ones. Everything that anybody paid for is open, and nobody hears twice."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from latchkey import lost_runs
from latchkey.contracts import (
    GRANT_ENDINGS_WORKFLOW_ID,
    product_link_workflow_id,
    purchase_workflow_id,
    subscription_workflow_id,
)
from latchkey.store.checks import expected_runs
from tests.drill.programs import command
from tests.harness import (
    Json,
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    run_latchkey,
    shortly,
    until,
)
from tests.life.play import linked
from tests.life.test_mail import Inbox, everything_sent

pytestmark = pytest.mark.anyio

BEFORE, BEYOND, ENOUGH, WHILE_AWAY = 12, 6, 30, 5


class Shop:
    """Buyers of one product, each with one subscription, and what they should have."""

    def __init__(self, stripe: Stripe, price: str) -> None:
        self.stripe, self.price = stripe, price
        self.subscriptions: dict[str, str] = {}
        self.ended: set[str] = set()
        self.until: dict[str, int] = {}

    async def buy(self) -> str:
        email = f"buyer{len(self.subscriptions)}@drill.example"
        made = await self.stripe.buy(email, self.price)
        self.subscriptions[email] = made["subscription"]
        return email

    async def cancel(self, email: str) -> None:
        await self.stripe.delete(f"subscriptions/{self.subscriptions[email]}")
        self.ended.add(email)

    async def end_at(self, email: str, moment: int) -> None:
        await self.stripe.post(f"subscriptions/{self.subscriptions[email]}", cancel_at=moment)
        self.until[email] = moment

    async def keep_buying(self, stop: asyncio.Event) -> None:
        """Buy until told to stop, or until there is enough on a slow machine."""
        while not stop.is_set() and len(self.subscriptions) < ENOUGH:
            await self.buy()

    async def has_sold(self, count: int) -> None:
        async def sold() -> bool:
            return len(self.subscriptions) >= count

        await until(sold, f"{count} purchases")


@contextlib.asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Inbox, str]]:
    inbox, port = Inbox(), free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield inbox, f"smtp://127.0.0.1:{port}"
    finally:
        server.stop()


async def as_paid(site: Latchkey, product: str, shop: Shop) -> None:
    """Wait until everybody has what they paid for, until when they paid for it, and nobody else."""

    async def right() -> bool:
        rows = await site.pool.fetch(
            "select u.email, g.until from live_grants g join users u on u.id = g.user_id"
            " where g.product_id = $1 and g.source = 'subscription'",
            product,
        )
        found = {row["email"]: row["until"] for row in rows}
        now = time.time()
        over = shop.ended | {email for email, moment in shop.until.items() if moment <= now}
        if found.keys() != shop.subscriptions.keys() - over:
            return False
        known = shop.until.keys() & found.keys()
        ends = {email: end and int(end.timestamp()) for email, end in found.items()}
        return all(ends[email] == shop.until[email] for email in known)

    await until(right, "everybody has what they paid for")


async def running(site: Latchkey) -> set[str]:
    every = "ExecutionStatus = 'Running'"
    return {run.id async for run in site.temporal.list_workflows(every)}


async def everything_runs(site: Latchkey) -> int:
    """Wait until every run that should be there is; how many there should be."""

    async def all_run() -> int:
        async with site.pool.acquire() as connection:
            expected = await expected_runs.read(connection)
        wanted = {subscription_workflow_id(key) for key in expected.subscriptions}
        wanted |= {purchase_workflow_id(key) for key in expected.purchases}
        wanted |= {product_link_workflow_id(key) for key in expected.links.values()}
        wanted.add(GRANT_ENDINGS_WORKFLOW_ID)
        return len(wanted) if wanted <= await running(site) else 0

    found: int = await until(all_run, "every run that should be there is")
    return found


async def differences(site: Latchkey) -> list[Json]:
    """What a comparison of everything with Stripe finds."""
    made = await site.call("POST", "/reconciliations", 202, json={"dry_run": True})

    async def done() -> Json | None:
        found = await site.call("GET", f"/reconciliations/{made['id']}")
        assert found["state"] != "failed", found["error"]
        return found if found["state"] == "done" else None

    found: list[Json] = (await until(done, "the comparison is done"))["differences"]
    return found


async def test_a_lost_site_comes_back(
    postgres: Postgres,
    temporal_address: str,
    empty_postgres: Postgres,
    empty_temporal: str,
    stripe: Stripe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port, file = free_port(), tmp_path / "site.tar"
    await stripe.control("settings", delayed_seconds=86_400)
    async with mail_server() as (inbox, smtp):
        given = {"LATCHKEY_PORT": str(port), "SMTP_URL": smtp}
        original = await postgres.create()
        async with run_latchkey(original, temporal_address, stripe, **given) as site:
            product, stripe_product, price = await linked(site)
            once = await stripe.price(stripe_product, every=None)
            shop = Shop(stripe, price)
            early = [await shop.buy() for _ in range(BEFORE)]
            debit = await stripe.buy("debit@drill.example", once, mode="payment", card="sepa_debit")
            gift = {
                "email": "guest@drill.example",
                "until": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
            }
            await site.call("POST", f"/products/{product}/grants", 201, json=gift)
            await site.settled()

            stop = asyncio.Event()
            buying = asyncio.create_task(shop.keep_buying(stop))
            await shop.has_sold(BEFORE + BEYOND)
            began = time.monotonic()
            await command(site.settings, "backup", str(file))
            backup_took = time.monotonic() - began
            stop.set()
            await buying
            for _ in range(BEYOND):
                await shop.buy()

            await shop.cancel(early[0])
            await shop.end_at(early[1], int(time.time()) + 10 * 86_400)
            await site.settled()
            await as_paid(site, product, shop)
            await everything_sent(site)
            assert {mail["To"] for mail in inbox.mails} >= shop.subscriptions.keys()
            settings = site.settings
        await postgres.drop(original)

        await stripe.control("faults", drop=1)
        for _ in range(WHILE_AWAY):
            await shop.buy()
        await shop.cancel(early[2])
        await stripe.delivered()
        await stripe.control("faults", drop=0)

        heard = len(inbox.mails)
        fresh = await empty_postgres.create_empty()
        settings = settings.model_copy(update={"database_url": SecretStr(fresh)})
        began = time.monotonic()
        await command(settings, "restore", str(file))
        restore_took = time.monotonic() - began
        monkeypatch.setenv("TEMPORAL_ADDRESS", empty_temporal)
        began = time.monotonic()
        async with run_latchkey(fresh, empty_temporal, stripe, **given) as site:
            await as_paid(site, product, shop)
            right_after = time.monotonic() - began
            runs = await everything_runs(site)
            missed = await site.pool.fetchval(
                "select count(distinct target_id) from events"
                " where source = 'catch_up' and target_id = any($1::text[])",
                list(shop.subscriptions.values()),
            )
            assert missed >= WHILE_AWAY
            soon = int(time.time()) + shortly()
            await shop.end_at(early[3], soon)
            await stripe.control(f"checkout/{debit['id']}/settle", outcome="succeeded")
            await site.has(product, "debit@drill.example")
            assert (await site.access(product, gift["email"]))["access"]
            await as_paid(site, product, shop)

            async with httpx.AsyncClient(base_url=site.url) as visitor:
                assert "restored from a backup" in (await visitor.get("/login")).text
            assert len(inbox.mails) == heard, "it is silent"
            assert "This is the site now" in await command(settings, "adopt", "--yes")
            last = await shop.buy()
            await as_paid(site, product, shop)

            async def told() -> bool:
                return any(mail["To"] == last for mail in inbox.mails)

            await until(told, "the site sends emails again")
            await site.settled()
            await everything_sent(site)
            twice = {
                key: n
                for key, n in Counter((m["To"], m["Subject"]) for m in inbox.mails).items()
                if n > 1
            }
            assert twice == {}

            async def over() -> bool:
                ended = await site.pool.fetchval(
                    "select g.until from grants g join users u on u.id = g.user_id"
                    " where u.email = $1 and g.ended_at is not null",
                    early[3],
                )
                return bool(ended and int(ended.timestamp()) == soon)

            await until(over, "the end that was set after the restore comes")
            assert await differences(site) == []
            buyers = len(shop.subscriptions)
            users = await site.pool.fetchval(
                "select count(*) from users where email like '%@drill.example'"
            )
            assert users == buyers + 2
            await everything_runs(site)
            assert await lost_runs.mend(site.pool, site.temporal) == 0
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{buyers} subscriptions, {missed} of them by catch-up; {runs} runs started again."
            f"\nbackup {backup_took:.1f} s under purchases, restore {restore_took:.1f} s,"
            f" everything open {right_after:.1f} s after the start; {len(inbox.mails)} emails,"
            " none twice."
        )
