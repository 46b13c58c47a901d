"""Invariants that no list shows: payments without access, lost or stuck runs."""

from tests.harness import Latchkey, until
from tests.life.play import linked
from tests.life.test_gotchas_purchases import invoiced
from tests.truth.test_reconciliation import compared, deaf, done, pytestmark

__all__ = ["pytestmark"]


async def running(site: Latchkey, workflow_id: str) -> bool:
    described = await site.temporal.get_workflow_handle(workflow_id).describe()
    return bool(described.status.name == "RUNNING")  # type: ignore[union-attr]


async def counted(site: Latchkey, query: str, count: int) -> None:
    async def listed() -> bool:
        return bool((await site.temporal.count_workflows(query)).count == count)

    await until(listed, f"{count} of {query}")


async def test_objects_missing_from_the_lists_are_checked_by_set(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    once = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    bill = await invoiced(site, "bill@holds.example", once)
    await site.stripe.post(f"invoices/{bill['id']}/pay")
    stuck = await site.stripe.subscribe("stuck@holds.example", price)
    slow = await site.stripe.buy("slow@holds.example", once, mode="payment", card="sepa_debit")
    for name in ("bill", "stuck"):
        await site.has(product, f"{name}@holds.example")
    await site.quiet()
    await deaf(site)

    await site.pool.execute("delete from grants where source_id = $1", bill["id"])
    purchase, link = f"purchase/{slow['id']}", f"product-link/{product}"
    for workflow_id in (purchase, link):
        await site.temporal.get_workflow_handle(workflow_id).terminate()
    await site.pool.execute("update orders set read_at = now() - interval '1 hour'")
    await site.pool.execute("update links set dispatched_at = now() - interval '1 hour'")
    site.stripe.box.shop.world.forget("subscription", stuck["id"])
    event = await site.pool.fetchval(
        "select id from events where target_id = $1 limit 1", stuck["id"]
    )
    await site.call("POST", f"/events/{event}/resend", 202)
    await counted(site, "ExecutionStatus = 'Terminated'", 2)
    await counted(site, "LatchkeyState = 'failed' and ExecutionStatus = 'Running'", 1)

    found = await compared(site)
    assert {(d["kind"], d["class"], d["workflow_id"]) for d in found["differences"]} == {
        ("paid_without_access", "safe", f"purchase/{bill['id']}"),
        ("workflow_missing", "safe", purchase),
        ("workflow_missing", "safe", link),
        ("workflow_stuck", "person", f"subscription/{stuck['id']}"),
        ("gone_from_stripe", "person", None),
    }
    why = next(d["reason"] for d in found["differences"] if d["kind"] == "workflow_stuck")
    assert why.startswith("The run can't continue: "), "with the reason of its event"
    assert (await compared(site, product=await site.product()))["counts"]["safe"] == 0

    await site.call("POST", f"/reconciliations/{found['id']}/repair", 202, json={})
    repaired = await done(site, found["id"])
    assert {(d["kind"], d["state"]) for d in repaired["differences"]} == {
        ("paid_without_access", "repaired"),
        ("workflow_missing", "repaired"),
        ("workflow_stuck", "open"),
        ("gone_from_stripe", "open"),
    }
    assert (await site.access(product, "bill@holds.example"))["access"] is True
    bought = await site.lines(type="product_purchased", product=product)
    assert [line["source_id"] for line in bought].count(bill["id"]) == 1

    async def there() -> bool:
        return await running(site, purchase) and await running(site, link)

    await until(there, "the runs are there again")
    again = await compared(site)
    assert {d["class"] for d in again["differences"]} == {"person"}


async def test_an_item_with_quantity_zero_is_not_paid_for(site: Latchkey) -> None:
    """Another item of the subscription is: what was never given is not missing. Nor is the workflow
    of a subscription of which nothing linked is left."""
    bought, _, price = await linked(site)
    unbought, _, none_of_it = await linked(site)
    items = [{"price": price}, {"price": none_of_it, "quantity": 0}]
    customer = await site.stripe.customer("some@holds.example")
    made = await site.stripe.post("subscriptions", customer=customer, items=items)
    await site.has(bought, "some@holds.example")
    await site.quiet()
    assert (await compared(site))["differences"] == []
    assert (await site.access(unbought, "some@holds.example"))["access"] is False
    held = {"id": made["items"]["data"][0]["id"], "quantity": 0}
    await site.stripe.post(f"subscriptions/{made['id']}", items=[held])
    await site.has(bought, "some@holds.example", access=False)
    run = site.temporal.get_workflow_handle(f"subscription/{made['id']}")
    await run.result()
    hour_ago = "now() - interval '1 hour'"
    await site.pool.execute(
        f"update subscriptions set lifecycle_at = {hour_ago}, read_at = {hour_ago}"
    )
    assert (await compared(site))["differences"] == []
