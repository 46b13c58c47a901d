"""Interactions of links, carts and imports: cases found by the random lives."""

import pytest
from temporalio.client import Client

from latchkey import dispatch
from latchkey.store.products.links import LinkJob
from latchkey.stripe_api import StripeApi
from tests.harness import Json, Latchkey, until

pytestmark = pytest.mark.anyio


async def test_two_orders_imported_together_send_one_email(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    once = await shared.stripe.price(stripe_product, every=None)
    for _ in range(3):
        await shared.stripe.buy("twice@crossing.example", once, mode="payment")
    await shared.settled()
    product = await shared.product()
    await shared.link(product, stripe_product)
    assert len((await shared.access(product, "twice@crossing.example"))["grants"]) == 3
    mails = await shared.pool.fetchval("select count(*) from mails where product_id = $1", product)
    assert mails == 1


async def test_a_one_off_line_counts_beside_an_unlinked_subscription(
    shared: Latchkey,
) -> None:
    book = await shared.stripe.product("Book")
    book_price = await shared.stripe.price(book, every=None)
    product = await shared.product("Book")
    await shared.link(product, book)
    unlinked = await shared.stripe.price(await shared.stripe.product("Not linked"))
    await shared.stripe.buy("beside@crossing.example", unlinked, book_price)
    await shared.has(product, "beside@crossing.example")


async def test_an_active_link_counts_beside_a_removed_one(shared: Latchkey) -> None:
    """Whatever the order of the Stripe products' ids."""
    first, second = sorted([await shared.stripe.product(), await shared.stripe.product()])
    for removed, standing in ((first, second), (second, first)):
        product = await shared.product()
        await shared.link(product, removed)
        await shared.call("DELETE", f"/products/{product}/link", params={"members": "keep"})
        await shared.link(product, standing)
        prices = [await shared.stripe.price(removed), await shared.stripe.price(standing)]
        customer = await shared.stripe.customer(f"{product}@crossing.example")
        await shared.stripe.post(
            "subscriptions", customer=customer, items=[{"price": price} for price in prices]
        )
        await shared.has(product, f"{product}@crossing.example")


async def test_another_links_import_does_not_mark_a_purchase_as_imported(
    site: Latchkey,
) -> None:
    old = await site.stripe.product("Old")
    made = await site.stripe.subscribe("moves@crossing.example", await site.stripe.price(old))
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    first, second = await site.product("First"), await site.product("Second")
    await site.link(first, stripe_product)
    await site.settled()
    await site.stripe.control("faults", drop=1)
    await site.stripe.post(f"subscriptions/{made['id']}", items=[{"price": price}])
    await site.stripe.control("clock/advance", seconds=3600)
    await site.link(second, stripe_product)
    await site.has(first, "moves@crossing.example")
    assert len(await site.lines(type="product_purchased", product=first)) == 1
    assert await site.lines(type="imported", product=first) == []
    assert len(await site.lines(type="imported", product=second)) == 1


async def test_an_overtaken_reading_leaves_no_unprocessed_event(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    session = await site.stripe.buy("overtaken@crossing.example", price, mode="payment")
    await site.has(product, "overtaken@crossing.example")
    await site.settled()
    read, times = StripeApi.checkout_session, []

    async def overtaken(api: StripeApi, session_id: str) -> Json:
        found = await read(api, session_id)
        times.append(session_id)
        if len(times) == 1:
            await site.pool.execute("update orders set ticket = nextval('reading_tickets')")
        return found

    monkeypatch.setattr(StripeApi, "checkout_session", overtaken)
    (event,) = await site.pool.fetch("select id from events where target_id = $1", session["id"])
    await site.call("POST", f"/events/{event['id']}/resend", 202)
    await site.settled()

    async def again() -> bool:
        return len(times) == 2

    await until(again, "it is read again, for its deadline")


async def test_a_link_removed_during_dispatch_is_signalled_as_removed(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe_product = await site.stripe.product()
    product = await site.product()
    await site.know(stripe_product)
    tell = dispatch.tell_link

    async def slowly(client: Client, job: LinkJob) -> None:
        await tell(client, job)
        if not job.removed:
            await site.call("DELETE", f"/products/{product}/link")

    monkeypatch.setattr(dispatch, "tell_link", slowly)
    await site.call(
        "PUT", f"/products/{product}/link", 202, json={"stripe_product": stripe_product}
    )

    async def over() -> bool:
        runs = [run async for run in site.temporal.list_workflows("WorkflowType = 'ProductLink'")]
        return [run.status.name for run in runs if run.status] == ["COMPLETED"]

    await until(over, "the link's run ends")
