"""Histories hold no personal data, runs can be found and read, and recorded ones replay."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.harness import Latchkey, http_client, shortly, until
from tests.receiver import add_endpoint, answering, receiving
from tests.workflows.recording import record
from worker import WORKFLOWS, workflow_runner

pytestmark = pytest.mark.anyio

ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
NAME, HOST = "Zaphod Beeblebrox", "heartofgold.example"


async def lived(site: Latchkey) -> tuple[str, str]:
    """A site where every kind of workflow has run for one conspicuous person."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    once = await site.stripe.price(stripe_product, every=None)
    site.stripe.chosen_ids.append(f"cus_zaphod@{HOST}")
    customer = quote(await site.stripe.customer(f"zaphod@{HOST}"), safe="")
    await site.stripe.post(f"customers/{customer}", name=NAME)
    await site.stripe.post("subscriptions", customer=unquote(customer), items=[{"price": price}])
    product = await site.product()
    await site.call("GET", "/stripe/products", params={"refresh": "true"})
    await site.call(
        "POST", f"/products/{product}/link/preview", json={"stripe_product": stripe_product}
    )
    await site.link(product, stripe_product)
    session = await site.stripe.buy(f"zaphod.two@{HOST}", price, name=NAME)
    await site.stripe.buy(f"zaphod.three@{HOST}", once, mode="payment", name=NAME)
    await site.has(product, f"zaphod.three@{HOST}")
    await site.has(product, f"zaphod.two@{HOST}")
    await site.call("PUT", f"/products/{product}/checkout", json={"enabled": True, "price": price})
    for email in (f"zaphod.two@{HOST}", f"zaphod@{HOST}"):
        await site.call("POST", "/portal-sessions", 201, json={"email": email})
    async with http_client(base_url=site.url) as buyer:
        await buyer.get("/checkout/success", params={"session": session["id"]})
    await site.stripe.post(f"customers/{customer}", email=f"renamed@{HOST}")
    await site.stripe.post(f"products/{stripe_product}", name="Renamed")
    await site.stripe.delete(f"subscriptions/{session['subscription']}")
    await site.has(product, f"zaphod.two@{HOST}", access=False)
    await _without_stripe(site, product)
    await site.settled()
    made = await site.call("POST", "/reconciliations", 202, json={"dry_run": True})

    async def compared() -> bool:
        found = await site.call("GET", f"/reconciliations/{made['id']}")
        return bool(found["state"] == "done")

    await until(compared, "the comparison is done")
    return product, str(session["subscription"])


async def _without_stripe(site: Latchkey, product: str) -> None:
    """What happens to access without an event: another policy, an end set by hand."""
    change = (await site.call("PUT", "/policy", json={"unpaid": True}))["change"]
    soon = datetime.now(UTC) + timedelta(seconds=shortly())
    gift = {"email": f"zaphod.four@{HOST}", "until": soon.isoformat(), "reason": "Zaphod asked"}
    await site.call("POST", f"/products/{product}/grants", 201, json=gift)

    async def over() -> bool:
        applied = await site.call("GET", f"/policy/changes/{change['id']}")
        ended = await site.lines(type="access_ended", product=product, cause="timer")
        return applied["state"] == "done" and bool(ended)

    await until(over, "the policy is applied, the gift has ended")


KINDS = {
    "CatchUp",
    "Catalog",
    "Checkout",
    "Connection",
    "Errand",
    "GrantEndings",
    "LinkPreview",
    "PolicyChange",
    "ProductLink",
    "Purchase",
    "Reconciliation",
    "StripeObject",
    "Subscription",
    "WebhookEndpoint",
}
"""The types of workflows that run in such a life."""


async def _all_listed(site: Latchkey) -> None:
    """Wait until Temporal lists a run of each type. Its list lags behind the runs."""

    async def listed() -> bool:
        found = {run.workflow_type async for run in site.temporal.list_workflows()}
        assert found <= KINDS
        return found == KINDS

    await until(listed, "a run of each type is listed")


async def histories(site: Latchkey) -> AsyncIterator[WorkflowHistory]:
    async for run in site.temporal.list_workflows():
        handle = site.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        yield await handle.fetch_history()


async def test_histories_hold_no_personal_data_and_replay(site: Latchkey) -> None:
    async with receiving(answering("500 Oops", "200 OK")) as receiver:
        endpoint = await add_endpoint(site, receiver.url)
        product, subscription = await lived(site)
        await receiver.got(3)
    assert HOST in receiver.received[-1].body
    assert await site.pool.fetchval(
        "select count(*) from webhook_deliveries where endpoint_id = $1", endpoint
    )
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=workflow_runner())
    await _all_listed(site)
    async for history in histories(site):
        plain = decoded(history.to_json())
        for word in ("zaphod", "beeblebrox", "heartofgold", "/p/session/"):
            assert word not in plain.lower(), f"{history.workflow_id} names somebody: {word}"
        assert not ADDRESS.findall(plain), f"{history.workflow_id} holds an address"
        if len(history.events) == 1:
            continue  # It sleeps until its deadline, and the SDK would wait for it for ever.
        await replayer.replay_workflow(history)
        record(history, re.sub(r"-\d{4}-.*", "", history.workflow_id.split("/")[0]))
    await _readable(site, product, subscription)


async def _readable(site: Latchkey, product: str, subscription: str) -> None:
    """A run can be found by product, customer and subscription, and describes its state."""
    link = f"product-link/{product}"
    assert await _listed(site, f"StripeSubscription = '{subscription}'") == {
        f"subscription/{subscription}"
    }
    assert link in await _listed(site, f"LatchkeyProduct = '{product}'")
    description = await site.temporal.get_workflow_handle(link).describe()
    assert product in (await description.static_summary() or "")
    assert await _listed(site, "LatchkeyState = 'listening'") == {link}


async def _listed(site: Latchkey, query: str) -> set[str]:
    """The ids of the runs that a query finds, once it finds any."""

    async def found() -> set[str]:
        return {run.id async for run in site.temporal.list_workflows(query)}

    ids: set[str] = await until(found, query)
    return ids


def decoded(text: str) -> str:
    """A history with its payloads as text."""
    import base64

    found: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            data = node.get("data")
            if "metadata" in node and isinstance(data, str):
                found.append(base64.b64decode(data).decode(errors="replace"))
            for key, value in node.items():
                if key != "identity":
                    walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
        elif isinstance(node, str):
            found.append(node)

    tree = json.loads(text)
    walk(tree)
    return "\n".join(line for line in found if not line.startswith(("temporal.", "type.")))
