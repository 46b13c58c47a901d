"""After a change of account or mode, everything from the previous one is left alone."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey import contracts
from latchkey.contracts import Nudge
from tests.harness import Json, Latchkey, shortly, until
from tests.truth.test_invariants import counted
from tests.truth.test_loud import failed, metric
from tests.truth.test_reconciliation import compared, deaf, shown

pytestmark = pytest.mark.anyio


async def bought(site: Latchkey, *, ends_in: float | None = None) -> tuple[str, dict[str, str]]:
    """A product, and what people bought of it: subscriptions, and an order whose money is on its
    way. One subscription ends within `ends_in` seconds, or earlier than this returns."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    once = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    sold: dict[str, str] = {}
    for name in ("stays", "ends"):
        session = await site.stripe.buy(f"{name}@before.example", price)
        sold[name] = session["subscription"]
        await site.stripe.post(f"customers/{session['customer']}", name=name)
        await site.has(product, f"{name}@before.example")
    slow = await site.stripe.buy("slow@before.example", once, mode="payment", card="sepa_debit")
    sold["slow"] = slow["id"]
    soon = int((datetime.now(UTC) + timedelta(seconds=ends_in or shortly())).timestamp())
    await site.stripe.post(f"subscriptions/{sold['ends']}", cancel_at=soon)
    await site.quiet()
    await deaf(site)
    return product, sold


ANOTHER_ACCOUNT, ANOTHER_MODE = "account_id = 'acct_before'", "livemode = not livemode"


async def reconnected(site: Latchkey, change: str = ANOTHER_ACCOUNT) -> None:
    """Make everything look as if it came from a previously connected account or mode."""
    for table in ("links", "subscriptions", "orders", "grants", "customers"):
        await site.pool.execute(f"update {table} set {change}")


def run_of(key: str) -> str:
    return f"{'purchase' if key.startswith('cs_') else 'subscription'}/{key}"


async def requests(site: Latchkey) -> list[Json]:
    found: list[Json] = (await site.stripe.client.get("/_sandbox/requests")).json()["data"]
    return found


@pytest.mark.slow
async def test_its_runs_read_nothing_and_a_known_end_takes_effect(site: Latchkey) -> None:
    begun = datetime.now(UTC)
    product, sold = await bought(site, ends_in=30)
    await reconnected(site)
    site.stripe.box.shop.world.forget("subscription", sold["stays"])
    event = await site.pool.fetchval(
        "select id from events where target_id = $1 limit 1", sold["stays"]
    )
    await site.stripe.client.delete("/_sandbox/requests")
    await site.call("POST", f"/events/{event}/resend", 202)
    renamed = await site.pool.fetchrow(
        "select id, object_id from events where type = 'customer.updated' limit 1"
    )
    assert renamed is not None
    site.stripe.box.shop.world.forget("customer", renamed["object_id"])
    await site.call("POST", f"/events/{renamed['id']}/resend", 202)
    assert "acct_before in test mode" in (await failed(site, renamed["id"]))["error"]
    assert await site.pool.fetchval("select bool_or(deleted) from customers") is False
    slow = site.temporal.get_workflow_handle(run_of(sold["slow"]))
    await slow.signal(contracts.NUDGE, Nudge())
    await counted(site, "LatchkeyState = 'another account' and ExecutionStatus = 'Running'", 3)

    assert not set(sold.values()) & {one["path"].split("/")[-1] for one in await requests(site)}
    assert "acct_before in test mode" in (await failed(site, event))["error"]
    stays = site.temporal.get_workflow_handle(run_of(sold["stays"]))
    said = (await stays.query("__temporal_workflow_metadata")).current_details
    assert "acct_before in test mode" in said
    tomorrow = {moment + timedelta(days=1) for moment in (begun, datetime.now(UTC))}
    assert any(f"{day:%Y-%m-%d}" in said for day in tomorrow)
    await site.has(product, "ends@before.example", access=False)
    ended = await site.lines(type="access_ended", product=product)
    assert [(line["email"], line["cause"]) for line in ended] == [("ends@before.example", "timer")]
    assert (await site.access(product, "stays@before.example"))["access"] is True


@pytest.mark.parametrize("change", [ANOTHER_ACCOUNT, ANOTHER_MODE])
async def test_its_rows_are_foreign_and_its_deadlines_never_overdue(
    site: Latchkey, change: str
) -> None:
    """Its products aren't part of the plan, and its rows aren't checked by the invariants."""
    product, sold = await bought(site)

    async def over() -> bool:
        return bool(await site.lines(type="access_ended", product=product))

    await until(over, "the end of one is noted")
    await site.quiet()
    await reconnected(site, change)
    await site.stripe.client.delete("/_sandbox/requests")
    await site.temporal.get_workflow_handle(run_of(sold["slow"])).terminate()
    hour_ago = "now() - interval '1 hour'"
    await site.pool.execute(
        f"update subscriptions set wake_at = {hour_ago}, lifecycle_at = {hour_ago},"
        " ended_at = null, status = 'active', scheduled_end = null"
    )
    await site.pool.execute(f"update orders set read_at = {hour_ago}")
    await site.pool.execute(
        f"update grants set until = {hour_ago} where source_id = $1", sold["stays"]
    )
    await site.pool.execute("delete from grants where source_id = $1", sold["ends"])
    await counted(site, "ExecutionStatus = 'Terminated'", 1)

    found = await compared(site)
    assert shown(found) == {("other_account", "foreign", "stays@before.example")}
    assert "/v1/prices" not in {one["path"] for one in await requests(site)}
    assert await metric(site, "latchkey_deadlines_overdue") == 0
