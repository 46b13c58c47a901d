"""Every trigger of Stripe's own command line that is about billing succeeds and emits its event."""

import re
from functools import partial
from pathlib import Path

import pytest

from tests.harness import Stripe, until
from tests.stripe_cli.test_triggers import cli, trigger

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NOT_BILLING = (
    *("account.", "identity.", "issuing_", "reporting.", "topup.", "transfer."),
    *("v1.billing.meter.",),
)
"""Connected accounts, issued cards, reports and meters, which the sandbox doesn't play."""
SCENARIOS = {
    "subscription.payment_failed": "invoice.payment_failed",
    "subscription.payment_succeeded": "invoice.payment_succeeded",
}
"""Triggers that are named after what happens, and the event that comes of it."""
OTHERWISE = {"subscription_schedule.aborted": "subscription_schedule.canceled"}
"""Its fixture cancels a schedule, but by Stripe's reference only a subscription that isn't paid for
aborts one; `tests/sandbox` plays that."""


def offered(text: str) -> list[str]:
    """The triggers that the command line's help lists."""
    return re.findall(r"^\s+([a-z_0-9]+(?:\.[a-z_]+)+)$", text, re.MULTILINE)


def about_billing(names: list[str]) -> list[str]:
    """Those that the sandbox plays."""
    return [name for name in names if not name.startswith(NOT_BILLING)]


async def test_every_trigger_of_billing_emits_its_event(stripe: Stripe, tmp_path: Path) -> None:
    """The fixtures of two schedules have nobody pay for weeks, and expect the subscription to go
    on. One waits for `subscription_schedule.expiring` nine days before the end, though by Stripe's
    reference it comes seven days before."""
    await stripe.control("settings", delayed_seconds=0.1, dunning_ends="past_due", expiring_days=9)
    _, text = await cli(tmp_path, "trigger", "--help")
    billing = about_billing(offered(text))
    assert (len(offered(text)), len(billing)) == (123, 99)
    for event in billing:
        known = len(stripe.box.shop.world.table("event"))
        await trigger(stripe, tmp_path, event)
        wanted = (SCENARIOS | OTHERWISE).get(event, event)
        await until(partial(_emitted, stripe, wanted, known), f"the trigger of {event} leads to it")


async def _emitted(stripe: Stripe, event: str, known: int) -> bool:
    rows = list(stripe.box.shop.world.table("event").values())
    return any(row["type"] == event for row in rows[known:])
