"""A release is ramped up through Temporal's Worker Deployments, made current, and taken back, while
people buy: nothing is lost, and runs that began under one release go on under the other."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from latchkey import contracts, doctor_versions
from latchkey.contracts import subscription_workflow_id
from latchkey.doctor_checks import Check
from latchkey.embedded import temporal_binary
from tests.drill.programs import Program, program
from tests.drill.test_drill import Shop, as_paid, mail_server
from tests.drill.test_rolling import WELCOME
from tests.harness import Latchkey, Postgres, Stripe, prepare_latchkey, shortly, until
from tests.life.play import linked
from tests.life.test_mail import everything_sent

pytestmark = pytest.mark.anyio

OLD, NEW = "7.0.0", "7.1.0"
MOST = 30
"""Buyers until one of each version is found: with half of the runs each, thirty of one kind never
happen."""


class Releases:
    """Workers of a site as releases of these names, and what its operator tells Temporal."""

    def __init__(self, site: Latchkey, address: str, folder: Path) -> None:
        self.site, self.address, self.folder = site, address, folder

    @contextlib.asynccontextmanager
    async def working(self, release: str) -> AsyncIterator[Program]:
        """A worker that Temporal knows as a version that could be made current. It runs where the
        release's name is found first."""
        about = self.folder / release / f"latchkey-{release}.dist-info"
        about.mkdir(parents=True, exist_ok=True)
        (about / "METADATA").write_text(f"Name: latchkey\nVersion: {release}\n")
        settings = self.site.settings.model_copy(update={"worker_versioning": "on"})
        async with program("worker", settings, self.site.namespace, about.parent) as made:
            await made.says("worker ready")
            yield made

    async def make_current(self, release: str) -> None:
        await self._tell("set-current-version", "--build-id", release)

    async def ramp(self, release: str, percentage: int) -> None:
        share = ("--percentage", str(percentage))
        await self._tell("set-ramping-version", "--build-id", release, *share)

    async def of(self, shop: Shop, *emails: str) -> Counter[str]:
        """How many of these people's runs each release took last."""
        found: Counter[str] = Counter()
        for email in emails:
            run = self.site.temporal.get_workflow_handle(
                subscription_workflow_id(shop.subscriptions[email])
            )
            info = (await run.describe()).raw_description.workflow_execution_info
            found[info.versioning_info.deployment_version.build_id] += 1
        return found

    async def _tell(self, *arguments: str) -> None:
        """Give a command as soon as it is taken: Temporal has to know the version's workers."""
        command = (temporal_binary(), "worker", "deployment", *arguments, "--yes")
        site = ("--address", self.address, "--namespace", self.site.namespace)
        said = b""

        async def taken() -> bool:
            nonlocal said
            process = await asyncio.create_subprocess_exec(
                *(*command, "--deployment-name", contracts.WORKER_DEPLOYMENT, *site),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            return process.returncode == 0

        try:
            await until(taken, " ".join(command))
        except AssertionError as error:
            raise AssertionError(f"{error}: {said.decode()}") from None


async def test_a_release_is_ramped_up_and_taken_back_while_people_buy(
    postgres: Postgres,
    temporal_address: str,
    stripe: Stripe,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    async with (
        mail_server() as (inbox, smtp),
        prepare_latchkey(await postgres.create(), temporal_address, stripe, SMTP_URL=smtp) as site,
        AsyncExitStack() as processes,
    ):
        releases = Releases(site, temporal_address, tmp_path)

        async def start(release: str) -> AsyncExitStack:
            stack = await processes.enter_async_context(AsyncExitStack())
            await stack.enter_async_context(releases.working(release))
            return stack

        async def bought() -> str:
            """Somebody buys and has what they paid for."""
            email = await shop.buy()
            await site.has(product, email)
            return email

        async def told() -> Check:
            """What doctor says of the workers."""
            found = await doctor_versions.read(site.temporal)
            [check] = doctor_versions.judged(found, installed=NEW)
            return check

        old = await start(OLD)
        await releases.make_current(OLD)
        await site.start_web()
        processes.push_async_callback(site.stop_web)
        await site.connected()
        product, _, price = await linked(site)
        shop = Shop(stripe, price)
        first = [await bought() for _ in range(4)]

        buying = asyncio.create_task(bought())
        new = await start(NEW)
        first += [await buying, await bought()]
        assert await releases.of(shop, *first) == {OLD: len(first)}, "a release waits for its share"
        assert f"{OLD} is current, and workers of {OLD} and {NEW} run" == (await told()).found

        await releases.ramp(NEW, 50)
        second = [await bought()]
        while len(await releases.of(shop, *second)) < len((OLD, NEW)):
            assert len(second) < MOST, "both releases take runs"
            second.append(await bought())
        assert (await told()).ok, "the new release has its share"

        buying = asyncio.create_task(bought())
        await releases.make_current(NEW)
        await buying
        await old.aclose()
        await shop.cancel(first[0])
        await shop.end_at(first[1], int(time.time()) + shortly())
        third = [await bought() for _ in range(2)]
        await site.settled()
        await ends_came(site, shop)
        await as_paid(site, product, shop)
        assert await releases.of(shop, *first[:2], *third) == {NEW: 2 + len(third)}

        old = await start(OLD)
        buying = asyncio.create_task(bought())
        await releases.make_current(OLD)
        await buying
        await new.aclose()
        await shop.cancel(third[0])
        last = await bought()
        await site.settled()
        await as_paid(site, product, shop)
        await everything_sent(site)
        await ends_came(site, shop)
        assert await releases.of(shop, third[0], last) == {OLD: 2}
        invited = Counter(mail["To"] for mail in inbox.mails if mail["Subject"] == WELCOME)
        assert invited == dict.fromkeys(shop.subscriptions, 1)
        rows = await site.pool.fetch("select state, count(*) from events group by state")
        assert {row["state"] for row in rows} <= {"handled", "ignored"}
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions in {time.monotonic() - began:.0f} s while a"
            f" release was ramped up and taken back; {len(second)} until it had one at half."
        )


async def ends_came(site: Latchkey, shop: Shop) -> None:
    """Wait until access has ended for whom it should, and for nobody else."""

    async def right() -> bool:
        rows = await site.pool.fetch(
            "select u.email from grants g join users u on u.id = g.user_id"
            " where g.source = 'subscription' and g.ended_at is not null"
        )
        return {row["email"] for row in rows} == shop.ended | shop.until.keys()

    await until(right, "every end has come")
