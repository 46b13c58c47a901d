"""Failures are reported with their reason and don't block the rest."""

from typing import Any

import httpx
import orjson
import pytest

from latchkey import keyring
from latchkey.rules.routing import HANDLED_EVENTS
from tests.harness import KEY, Json, Latchkey, http_client, until
from tests.truth.conftest import look_now, token
from tests.truth.test_catch_up import look
from tests.web.test_webhooks import event, post, secret, send, signed
from tests.workflows.recording import record

pytestmark = pytest.mark.anyio


async def failed(site: Latchkey, event_id: str) -> Json:
    async def loud() -> Json | None:
        found = await site.call("GET", f"/events/{event_id}")
        return found if found["state"] == "failed" else None

    found: Json = await until(loud, f"{event_id} failed")
    return found


async def poisoned(site: Latchkey) -> str:
    """An event about a subscription that doesn't exist in Stripe."""
    given = event(
        site,
        type="customer.subscription.updated",
        data={"object": {"id": "sub_invented", "object": "subscription", "status": "active"}},
    )
    assert (await send(site, given)).status_code == 200
    return str(given["id"])


async def metric(site: Latchkey, name: str) -> float:
    async with http_client() as client:
        text = (await client.get(f"{site.url}/metrics")).text
    line = next(line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


async def test_a_failed_event_is_shown_everywhere_and_can_be_ignored(
    site: Latchkey, admin: httpx.AsyncClient
) -> None:
    event_id = await poisoned(site)
    found = await failed(site, event_id)
    assert "resource_missing" in found["error"]
    assert found["body"], "what Stripe sent is kept"
    assert await metric(site, "latchkey_events_failed") == 1

    async def shown() -> bool:
        return "1 event failed" in (await admin.get("/admin/products")).text

    await until(shown, "every admin page says so")
    page = (await admin.get("/admin/inbox?state=failed")).text
    assert "resource_missing" in page
    refused = await site.api.post(f"/events/{event_id}/ignore", json={"reason": ""})
    assert refused.status_code == 422
    form = {"csrf_token": await token(admin, f"/admin/inbox/{event_id}"), "reason": ""}
    assert (await admin.post(f"/admin/inbox/{event_id}/ignore", data=form)).status_code == 422
    form["reason"] = "Test data from a former account"
    assert (await admin.post(f"/admin/inbox/{event_id}/ignore", data=form)).status_code == 303
    ignored = await site.call("GET", f"/events/{event_id}")
    assert (ignored["state"], ignored["ignored_reason"]) == ("ignored", form["reason"])
    assert await metric(site, "latchkey_events_failed") == 0
    await site.call("POST", f"/events/{event_id}/resend", 202)
    await failed(site, event_id)
    again = await site.call("POST", f"/events/{event_id}/ignore", json={"reason": "Known"})
    assert again["state"] == "ignored"


async def test_a_handled_event_cant_be_ignored(shared: Latchkey) -> None:
    await shared.stripe.product()
    await shared.settled()
    handled = (await shared.call("GET", "/events", params={"state": "handled"}))["data"][0]["id"]
    refused = await shared.call(
        "POST", f"/events/{handled}/ignore", 409, json={"reason": "No reason"}
    )
    assert refused["code"] == "not_failed"
    await shared.call("POST", "/events/evt_none/ignore", 404, json={"reason": "No event"})


async def test_a_poison_event_does_not_block_others(site: Latchkey) -> None:
    """Objects that don't exist in Stripe, ids that Temporal refuses, and a buyer among them."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    bad = [
        await site.pool.fetchval(
            """
            insert into events (id, account_id, livemode, type, object_id, thin, created_at,
                                target_kind, target_id)
            values ('evt_endless' || $1::text, 'acct', false, 'customer.subscription.updated', '',
                    false, now(), 'subscription', repeat('x', 1200) || $1::text)
            returning id
            """,
            str(number),
        )
        for number in range(10)
    ]
    for number in range(20):
        given: dict[str, Any] = {"id": f"sub_poison{number}", "object": "subscription"}
        source = event(site, type="customer.subscription.updated", data={"object": given})
        assert (await send(site, source)).status_code == 200
        bad.append(source["id"])
    await site.stripe.buy("among@poison.example", price)
    await site.has(product, "among@poison.example")
    for event_id in bad:
        assert (await failed(site, event_id))["error"]


async def test_a_blocked_run_says_why_and_resumes_by_itself(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    made = await site.stripe.subscribe("stuck@loud.example", price)
    await site.has(product, "stuck@loud.example")
    await site.quiet()
    run = site.temporal.get_workflow_handle(f"subscription/{made['id']}")
    signing = await secret(site)
    await site.stripe.control("keys", key=KEY, revoked=True)
    changed = event(
        site,
        type="customer.subscription.updated",
        data={"object": {"id": made["id"], "object": "subscription"}},
    )
    body = orjson.dumps(changed)
    assert (await post(site, body, signed(body, signing))).status_code == 200

    async def told() -> bool:
        query = f"WorkflowId = 'subscription/{made['id']}' and LatchkeyState = 'waiting for Stripe'"
        return bool((await site.temporal.count_workflows(query)).count)

    await until(told, "the run's state says that it waits")
    details = await run.query("__temporal_workflow_metadata")
    assert "Check the key" in details.current_details
    assert (await site.access(product, "stuck@loud.example"))["access"] is True
    await site.stripe.control("keys", key=KEY, revoked=False)
    await site.call("POST", f"/events/{changed['id']}/resend", 202)

    async def handled() -> bool:
        return bool((await site.call("GET", f"/events/{changed['id']}"))["state"] == "handled")

    await until(handled, "the event is handled")


async def test_refused_webhooks_are_counted_durably(
    site: Latchkey, admin: httpx.AsyncClient
) -> None:
    body = b'{"object":"event"}'
    for _ in range(3):
        answer = await post(site, body, signed(body, "whsec_wrong"))
        assert answer.status_code == 400

    async def counted() -> bool:
        return bool(
            await site.pool.fetchval(
                "select sum(count) = 3 from webhook_refusals where code = 'bad_signature'"
            )
        )

    await until(counted, "three bad signatures are counted")
    assert "Bad signature: 3" in (await admin.get("/admin/health")).text


async def test_the_endpoint_is_checked_and_repaired_with_one_click(
    site: Latchkey, admin: httpx.AsyncClient
) -> None:
    endpoint = (await site.stripe.get("webhook_endpoints"))["data"][0]["id"]
    await site.stripe.post(
        f"webhook_endpoints/{endpoint}", enabled_events=["invoice.paid"], disabled=True
    )
    await look(site)
    await site.pool.execute("update catch_up set looked_at = now() - interval '2 hours'")
    await look(site)
    page = (await admin.get("/admin/health")).text
    assert "Stripe shows the endpoint as disabled" in page
    assert "It doesn&#39;t send" in page
    form = {"csrf_token": await token(admin, "/admin/health")}
    assert (await admin.post("/admin/health/repair", data=form)).status_code == 303
    mended = (await site.stripe.get("webhook_endpoints"))["data"]
    assert [(e["status"], sorted(e["enabled_events"])) for e in mended] == [
        ("enabled", sorted(HANDLED_EVENTS))
    ]
    assert "OK" in (await admin.get("/admin/health")).text
    assert await metric(site, "latchkey_webhook_endpoint_ok") == 1
    left = "https://left.example/webhooks/stripe"
    for url in (left, mended[0]["url"]):
        await site.stripe.post("webhook_endpoints", url=url, enabled_events=["invoice.paid"])
    assert (await admin.post("/admin/health/repair", data=form)).status_code == 303
    page = (await admin.get("/admin/health")).text
    assert f"<code>{left}</code>" in page
    assert "2 endpoints send to this site, but signing secrets are known for only 1" in page
    assert await metric(site, "latchkey_webhook_endpoint_ok") == 0


async def grown_old(site: Latchkey) -> None:
    """The first three events are older than the retention period of bodies. The look at the
    worker's start is over, so that it doesn't count as a later one."""
    for _ in range(5):
        await site.stripe.product()
    await site.settled()

    async def looked() -> bool:
        over = "WorkflowType = 'CatchUp' and ExecutionStatus = 'Completed'"
        return [run.id async for run in site.temporal.list_workflows(over)] != []

    await until(looked, "the look at the start is over")
    await site.pool.execute(
        "update events set received_at = now() - interval '91 days' where seq <= 3"
    )
    await site.pool.execute("update catch_up set looked_at = now() - interval '2 hours'")


async def forgotten(site: Latchkey) -> None:
    async def gone() -> bool:
        return bool(await site.pool.fetchval("select count(*) from events where body is null") == 3)

    await until(gone, "three bodies are deleted")


async def test_old_event_bodies_are_deleted_and_their_rows_kept(site: Latchkey) -> None:
    await grown_old(site)
    count = await site.pool.fetchval("select count(*) from events")
    await look_now(site)
    await forgotten(site)
    assert await site.pool.fetchval("select count(*) from events") == count
    oldest = (await site.call("GET", "/events", params={"limit": 200}))["data"][-1]["id"]
    assert (await site.call("GET", f"/events/{oldest}"))["body"] is None


@pytest.mark.parametrize("why", ["disconnected", "refused"])
async def test_old_event_bodies_are_deleted_even_if_stripes_list_cant_be_read(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(keyring, "FRESH_SECONDS", 0)
    await grown_old(site)
    if why == "disconnected":
        await site.pool.execute("update stripe_connection set state = 'disconnected'")
    else:
        await site.stripe.control("keys", key=KEY, revoked=True)
    await look_now(site)
    await forgotten(site)


@pytest.mark.slow
async def test_a_blocked_import_says_why_and_resumes(site: Latchkey) -> None:
    made = await site.stripe.control("bulk", count=150)
    product = await site.product()
    await site.know(made["product"])
    await site.stripe.control("faults", api_500_before=1)
    body = {"stripe_product": made["product"]}
    await site.call("PUT", f"/products/{product}/link", 202, json=body)
    run = site.temporal.get_workflow_handle(f"product-link/{product}")

    async def told() -> bool:
        error = await site.pool.fetchval("select error from links where product_id = $1", product)
        return bool(error and "Stripe answered 500" in error)

    await until(told, "the link says what it waits for")
    details = await run.query("__temporal_workflow_metadata")
    assert "Waiting: Stripe answered 500" in details.current_details
    assert (await site.call("GET", f"/products/{product}/link"))["state"] == "importing"
    await site.stripe.control("faults", api_500_before=0)
    link_id = await site.pool.fetchval("select id from links where product_id = $1", product)
    await run.signal("nudge", link_id)
    found = await site.listening(product)
    assert found["progress"]["subscriptions"] == 150
    error = await site.pool.fetchval("select error from links where product_id = $1", product)
    assert error is None
    record(await run.fetch_history(), "product-link-waited")
