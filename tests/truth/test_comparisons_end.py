"""Comparisons end: one that can't continue fails with a reason, and the next one starts."""

from datetime import timedelta

import httpx
import pytest
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.errors import discreet
from latchkey import keyring
from latchkey.store.pool import Connection
from latchkey.store.purchases import second_subscriptions
from tests.harness import KEY, Json, Latchkey, until
from tests.truth.conftest import token
from tests.truth.test_operating import said
from tests.truth.test_reconciliation import compared, deaf, done, populated
from workflows import reconciliation

pytestmark = pytest.mark.anyio


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let comparisons give up soon if the key is refused."""
    monkeypatch.setattr(errors, "KEY_TROUBLE", timedelta(milliseconds=20))
    monkeypatch.setattr(reconciliation.PATIENT, "maximum_attempts", 3)


async def ended(site: Latchkey, cause: str, *, count: int = 1) -> Json:
    """The newest comparison, once `count` of this cause exist and none is running."""

    async def done() -> Json | None:
        data = (await site.call("GET", "/reconciliations"))["data"]
        mine = [one for one in data if one["cause"] == cause]
        over = len(mine) == count and all(one["state"] in ("done", "failed") for one in mine)
        return mine[0] if over else None

    found: Json = await until(done, f"the comparison {cause} is over")
    return found


async def alarms(site: Latchkey, admin: httpx.AsyncClient, text: str) -> None:
    async def shown() -> bool:
        return text in (await admin.get("/admin/products")).text

    await until(shown, f"every admin page says: {text}")


async def test_a_comparison_that_stripe_refuses_fails_and_says_what_to_do(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    await populated(site)
    allowed = {area: "write" for area in ("products", "prices", "subscriptions", "invoices")}
    await site.stripe.control("keys", key=KEY, permissions={**allowed, "account": "read"})
    nightly = site.temporal.get_schedule_handle("reconciliation")
    await nightly.trigger()
    failed = await ended(site, "schedule")
    assert failed["state"] == "failed"
    assert "Check the key and its permissions" in failed["error"]
    await alarms(site, admin, "The last comparison with Stripe failed: ")
    healthy, text = await said(site, monkeypatch)
    assert not healthy
    assert "comparison: the last one failed: " in text

    await site.stripe.control("keys", key=KEY, permissions=None)
    await nightly.trigger()
    assert (await ended(site, "schedule", count=2))["state"] == "done"
    assert "comparison: none failed" in (await said(site, monkeypatch))[1]


async def test_without_a_connection_a_comparison_says_so(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "FRESH_SECONDS", 0)
    await populated(site)
    await site.pool.execute("update stripe_connection set state = 'disconnected'")
    await site.temporal.get_schedule_handle("reconciliation").trigger()
    asked = await site.call("POST", "/reconciliations", 202, json={"dry_run": True})
    for cause in ("schedule", "api"):
        found = await ended(site, cause)
        assert found["state"] == "failed"
        assert found["error"].startswith("Stripe isn't connected")
    run = site.temporal.get_workflow_handle(f"reconciliation/{asked['id']}")
    assert await run.result() == "failed"
    assert "The last comparison" not in (await admin.get("/admin/products")).text
    await site.pool.execute(
        "update stripe_connection set state = 'connected', connected_at = now()"
    )
    assert "comparison: none failed" in (await said(site, monkeypatch))[1], "since it is connected"


async def test_a_comparison_whose_run_is_gone_counts_as_failed(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = await compared(site)
    for cause in ("api", "schedule"):
        await site.pool.execute(
            """
            insert into reconciliations (id, repair, cause, state, created_at, dispatched_at)
            values ($1, false, $2, 'running', now() - interval '2 days', now() - interval '2 days')
            """,
            f"rec_{cause}",
            cause,
        )
    await site.pool.execute(
        "update reconciliations set compared_at = now() - interval '37 hours' where id = $1",
        lost["id"],
    )
    await site.pool.execute("update stripe_connection set connected_at = now() - interval '3 days'")
    await site.pool.execute(
        """
        insert into differences (reconciliation_id, kind, class, reason, source, source_id, state)
        values ('rec_api', 'access_missing', 'safe', 'Bought', 'subscription', 'sub_1', 'chosen')
        """
    )
    await alarms(site, admin, "The last full comparison with Stripe was more than 36 hours ago")
    assert "comparison: none has succeeded since" in (await said(site, monkeypatch))[1]
    await compared(site)
    for cause in ("api", "schedule"):
        found = await site.call("GET", f"/reconciliations/rec_{cause}")
        assert (found["state"], found["error"]) == (
            "failed",
            "Its workflow no longer exists: start a new comparison",
        )
    assert await site.pool.fetchval("select state from differences") == "open"
    assert "comparison: none failed" in (await said(site, monkeypatch))[1]


async def test_what_a_failed_repair_did_not_reach_can_be_repaired_again(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    product, _, sessions = await populated(site)
    await deaf(site)
    await site.stripe.delete(f"subscriptions/{sessions['leaves']['subscription']}")
    found = await compared(site)
    await site.stripe.control("keys", key=KEY, revoked=True)
    await site.call("POST", f"/reconciliations/{found['id']}/repair", 202, json={})
    failed = await ended(site, "api")
    assert (failed["state"], failed["counts"]["safe"]) == ("failed", 1)

    await site.stripe.control("keys", key=KEY, revoked=False)
    address = f"/admin/drift/{found['id']}"
    assert "Repair all safe ones (1)" in (await admin.get(address)).text
    form = {"csrf_token": await token(admin, address), "what": "safe"}
    await admin.post(f"{address}/repair", data=form)
    await done(site, found["id"])
    await site.has(product, "leaves@drift.example", access=False)


async def test_only_the_type_of_an_unexpected_error_is_reported() -> None:
    with pytest.raises(ApplicationError) as told:
        async with discreet():
            raise ValueError("somebody@private.example")
    assert told.value.message == "unexpected ValueError: see the worker's log"


async def test_a_comparison_ends_whatever_is_wrong_with_second_subscriptions(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0

    async def fails(connection: Connection, **_: object) -> None:
        nonlocal looked
        looked += 1
        await connection.execute("select 1 / 0")

    monkeypatch.setattr(second_subscriptions, "notice_all", fails)
    product = await shared.product("Compared")
    await compared(shared, product=product)
    assert looked
