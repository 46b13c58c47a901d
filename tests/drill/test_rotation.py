"""Every secret is rotated by the documented steps while people buy: no event is lost, none is
refused, and whoever is signed in stays so for as long as their secret is in the list."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from latchkey.vault import Purpose, Vault
from tests.drill.programs import command
from tests.drill.test_drill import Shop, as_paid
from tests.harness import (
    SECRET,
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    http_client,
    run_latchkey,
    until,
)
from tests.life.play import linked
from tests.receiver import add_endpoint, receiving
from tests.web.pages import Visitor

pytestmark = pytest.mark.anyio

MEANWHILE = 4
"""How many people buy during each step."""

OTHER = "another secret for the tests of latchkey"
FIRST_KEY, SECOND_KEY = "sk_test_first", "sk_test_second"


async def restart(site: Latchkey, shop: Shop, **changed: str) -> None:
    """Restart web and worker with other settings while people buy."""
    buying = asyncio.create_task(buy_some(shop))
    await site.stop_worker()
    await site.stop_web()
    update = {name: SecretStr(value) for name, value in changed.items()}
    site.settings = site.settings.model_copy(update=update)
    await site.start_web()
    await site.start_worker()
    await buying


async def buy_some(shop: Shop) -> None:
    for _ in range(MEANWHILE):
        await shop.buy()


async def test_a_registered_endpoints_secret_is_rolled_while_people_buy(
    postgres: Postgres, temporal_address: str, stripe: Stripe, capsys: pytest.CaptureFixture[str]
) -> None:
    async with run_latchkey(await postgres.create(), temporal_address, stripe) as site:
        product, _, price = await linked(site)
        shop = Shop(stripe, price)
        [before] = (await stripe.get("webhook_endpoints"))["data"]
        vault = Vault(site.settings.require_secrets())

        async def accepted() -> list[str]:
            sealed = await site.pool.fetchval("select secrets_encrypted from stripe_connection")
            return vault.open(sealed, Purpose.WEBHOOK_SECRETS).split(",")

        [old] = await accepted()
        rolling = asyncio.create_task(
            command(site.settings, "roll-webhook-secret", "--overlap", "1")
        )
        while not rolling.done():
            await buy_some(shop)
            await site.settled()
        said = await rolling
        await buy_some(shop)
        await site.settled()
        await as_paid(site, product, shop)
        [after] = (await stripe.get("webhook_endpoints"))["data"]
        assert after["id"] in said
        assert after["id"] != before["id"]
        assert after["enabled_events"] == before["enabled_events"]
        [new] = await accepted()
        assert new != old
        sold = await site.pool.fetch(
            "select source, count(*) from events where target_kind = 'subscription' group by source"
        )
        assert [row["source"] for row in sold] == ["webhook"]
        assert await site.pool.fetchval("select coalesce(sum(count), 0) from webhook_refusals") == 0
        lines = await site.pool.fetch(
            "select after from audit_log where action = 'secrets_rotated'"
        )
        assert [line["after"] for line in lines] == [{"endpoint": after["id"]}]
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions while the secret of a registered endpoint"
            f" was rolled: no event was refused, all {sold[0]['count']} came by webhook."
        )


async def is_signed_in(visitor: Visitor) -> bool:
    return (await visitor.client.get("/account")).status_code == httpx.codes.OK


async def test_secrets_rotate_while_people_buy(
    postgres: Postgres, temporal_address: str, stripe: Stripe, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/stripe"
    endpoint = await stripe.post("webhook_endpoints", url=url, enabled_events=["*"])
    given = {"LATCHKEY_PORT": str(port), "STRIPE_SECRET_KEY": FIRST_KEY}
    given["STRIPE_WEBHOOK_SECRET"] = endpoint["secret"]
    async with (
        receiving() as receiver,
        run_latchkey(await postgres.create(), temporal_address, stripe, **given) as site,
        http_client(base_url=site.url) as client,
    ):
        product, _, price = await linked(site)
        await add_endpoint(site, receiver.url)
        shop, visitor = Shop(stripe, price), Visitor(site, client)
        await visitor.sign_in()
        await buy_some(shop)

        await restart(site, shop, secret=f"{OTHER},{SECRET}")
        rotating = asyncio.create_task(command(site.settings, "rotate"))
        await buy_some(shop)
        assert "0 unreadable" in await rotating
        assert await is_signed_in(visitor)
        await restart(site, shop, secret=OTHER)
        assert not await is_signed_in(visitor), "sessions end with their secret"
        await visitor.sign_in()

        await restart(site, shop, stripe_secret_key=SECOND_KEY)
        await stripe.control("keys", key=FIRST_KEY, revoked=True)
        await buy_some(shop)

        here = f"webhook_endpoints/{endpoint['id']}"
        secrets = (await stripe.control(here, roll=True))["secrets"]
        await buy_some(shop)
        await restart(site, shop, stripe_webhook_secret=",".join(secrets))
        await stripe.control(here, end_roll=True)
        await restart(site, shop, stripe_webhook_secret=secrets[0])

        last = await shop.buy()
        await site.settled()
        await as_paid(site, product, shop)
        assert await is_signed_in(visitor), "sessions don't depend on Stripe's secrets"
        assert await site.pool.fetchval(
            "select count(*) from events where source = 'webhook' and target_id = $1",
            shop.subscriptions[last],
        ), "webhooks are accepted under the new secret"
        assert await site.pool.fetchval("select coalesce(sum(count), 0) from webhook_refusals") == 0
        assert not await site.pool.fetchval("select count(*) from events where state = 'failed'")

        async def told() -> bool:
            waiting = await site.pool.fetchval(
                "select (select count(*) from webhook_facts)"
                " + (select count(*) from webhook_deliveries where state <> 'delivered')"
            )
            return bool(waiting == 0)

        await until(told, "the receiver has everything")
        granted = {
            request.headers["webhook-id"]
            for request in receiver.received
            if request.json["type"] == "access.granted"
        }
        assert len(granted) == len(shop.subscriptions)
        found = await site.pool.fetchval("select count(*) from events where source = 'catch_up'")
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{len(shop.subscriptions)} subscriptions while three secrets were rotated in five"
            f" restarts: no event was refused, {found} came by catch-up."
        )
