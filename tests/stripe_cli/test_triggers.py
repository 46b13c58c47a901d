"""Stripe's own command line fires its triggers at the sandbox while the app listens."""

import asyncio
import os
import re
from functools import partial
from pathlib import Path

import pytest

from latchkey.rules.routing import HANDLED_EVENTS
from tests.harness import KEY, Latchkey, Stripe, until
from tests.npm.install import find_cli

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

EMAIL = "{}@cli.example"


async def cli(tmp_path: Path, *arguments: str) -> tuple[int, str]:
    """Run the command line with a home of its own."""
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
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, output.decode()


async def trigger(stripe: Stripe, tmp_path: Path, event: str, *arguments: str) -> str:
    target = ("--api-base", stripe.url, "--api-key", KEY)
    status, output = await cli(tmp_path, "trigger", event, *arguments, *target)
    assert status == 0, f"{event}: {output}"
    assert "Trigger succeeded" in output, f"{event}: {output}"
    return output


async def test_every_trigger_of_an_event_we_handle_works(stripe: Stripe, tmp_path: Path) -> None:
    _, text = await cli(tmp_path, "trigger", "--help")
    offered = set(re.findall(r"^\s+([a-z_]+(?:\.[a-z_]+)+)$", text, re.MULTILINE))
    ours = sorted(offered & set(HANDLED_EVENTS))
    assert len(ours) >= 20
    await stripe.control("settings", delayed_seconds=0.1)
    for event in ours:
        await trigger(stripe, tmp_path, event)
        await until(partial(_emitted, stripe, event), f"the trigger of {event} leads to it")


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
