"""Stripe's command line fires its triggers at the sandbox while the app listens."""

import asyncio
import os
import re
from functools import partial
from pathlib import Path

import pytest

from latchkey.rules.routing import HANDLED_EVENTS
from tests.harness import KEY, PATIENCE, Latchkey, Stripe, until
from tests.npm.install import find_cli

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EMAIL = "{}@cli.example"


async def cli(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    """Run the command line with its own home directory."""
    program = find_cli()
    assert program, "no Stripe CLI: run `python -m tests.npm.install`"
    environment = os.environ | {"HOME": str(tmp_path), "STRIPE_CLI_TELEMETRY_OPTOUT": "1"}
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    return process.returncode or 0, output.decode()


async def trigger(stripe: Stripe, tmp_path: Path, event: str, *arguments: str) -> str:
    target = ("--api-base", stripe.url, "--api-key", KEY)
    status, output = await cli(tmp_path, "trigger", event, *arguments, *target)
    assert status == 0, f"{event}: {output}"
    assert "Trigger succeeded" in output, f"{event}: {output}"
    return output


WITHOUT_TRIGGER = {
    "charge.dispute.funds_withdrawn",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "payment_method.automatically_updated",
    "price.deleted",
    "refund.failed",
    "refund.updated",
}
"""Events we handle but the command line can't trigger; `tests/sandbox` plays them."""


async def test_every_trigger_of_an_event_we_handle_works(site: Latchkey, tmp_path: Path) -> None:
    """Latchkey listens and handles every event; afterwards its data matches a fresh reading of the
    sandbox."""
    stripe = site.stripe
    _, text = await cli(tmp_path, "trigger", "--help")
    offered = set(re.findall(r"^\s+([a-z_]+(?:\.[a-z_]+)+)$", text, re.MULTILINE))
    assert set(HANDLED_EVENTS) - offered == WITHOUT_TRIGGER
    await site.link(await site.product("Any"), await stripe.product("Any"))
    await stripe.control("settings", delayed_seconds=0.1)
    for event in sorted(offered & set(HANDLED_EVENTS)):
        await trigger(stripe, tmp_path, event)
        await until(partial(_emitted, stripe, event), f"the trigger of {event} leads to it")
    await site.settled()
    wrong = await site.pool.fetch("select type, state, error from events where state = 'failed'")
    assert wrong == []
    got = {row["type"] for row in await site.pool.fetch("select distinct type from events")}
    assert offered & set(HANDLED_EVENTS) <= got
    known = await _known(site)
    assert len(known) > 10
    assert known == await _fresh(site)


async def _known(site: Latchkey) -> dict[str, object]:
    """What Latchkey knows of products, prices and customers."""
    found: dict[str, object] = {
        row["id"]: row["active"] for row in await site.pool.fetch("select id, active from prices")
    }
    for row in await site.pool.fetch("select id, active, deleted from stripe_products"):
        found[row["id"]] = None if row["deleted"] else row["active"]
    for row in await site.pool.fetch("select id, email, deleted from customers"):
        found[row["id"]] = None if row["deleted"] else row["email"]
    return found


async def _fresh(site: Latchkey) -> dict[str, object]:
    """What the sandbox says about the same objects, read one by one."""
    found: dict[str, object] = {}
    for name in await _known(site):
        kind, field = {
            "prod": ("products", "active"),
            "price": ("prices", "active"),
            "cus": ("customers", "email"),
        }[name.split("_")[0]]
        answer = await site.stripe.client.get(f"/v1/{kind}/{name}")
        gone = answer.status_code == 404 or answer.json().get("deleted")
        found[name] = None if gone else answer.json()[field]
    return found


async def _emitted(stripe: Stripe, event: str) -> bool:
    return any(row["type"] == event for row in stripe.box.shop.world.table("event").values())


async def test_the_app_ends_up_with_what_the_sandbox_holds(site: Latchkey, tmp_path: Path) -> None:
    stripe = site.stripe
    stripe_product = await stripe.product("Triggered")
    product = await site.product("Triggered")
    await site.link(product, stripe_product)
    linked = ("--skip", "product", "--override", f"price:product={stripe_product}")
    for event in (
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.paid",
        "invoice.payment_failed",
        "charge.refunded",
    ):
        address = EMAIL.format(event)
        extra = ("--add", f"customer:email={address}") if event != "charge.refunded" else ()
        ours = linked if event.startswith("customer") else ()
        await trigger(stripe, tmp_path, event, *ours, *extra)
    session_address = EMAIL.format("session")
    await trigger(
        stripe,
        tmp_path,
        "checkout.session.completed",
        *linked,
        "--add",
        f"checkout_session:customer_email={session_address}",
    )
    await site.settled()

    expected: dict[str, bool] = {}
    for row in stripe.box.shop.world.table("subscription").values():
        if row["items"]["data"][0]["price"]["product"] == stripe_product:
            customer = stripe.box.shop.world.table("customer")[row["customer"]]
            expected[customer["email"]] = row["status"] in ("active", "trialing")
    for row in stripe.box.shop.world.table("checkout.session").values():
        expected[row["customer_details"]["email"]] = row["payment_status"] == "paid"
    assert expected == {
        EMAIL.format("customer.subscription.created"): True,
        EMAIL.format("customer.subscription.updated"): True,
        EMAIL.format("customer.subscription.deleted"): False,
        session_address: True,
    }
    for email, access in expected.items():
        assert (await site.access(product, email))["access"] is access, email
    failed = await site.pool.fetch("select type, error from events where state = 'failed'")
    assert failed == []
