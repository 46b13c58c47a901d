"""The relay between the inbox and Temporal: nothing ends it, and what it carries arrives."""

import pytest
import temporalio.api.operatorservice.v1 as operator

from latchkey import temporal
from latchkey.store import wakeups
from tests.harness import Json, Latchkey, until
from tests.life.play import linked
from web.relay import WAKEUPS

pytestmark = pytest.mark.anyio


async def replace_temporal(site: Latchkey) -> None:
    """Take our search attributes from the namespace, which is then like one just made."""
    await site.quiet()
    await site.temporal.operator_service.remove_search_attributes(
        operator.RemoveSearchAttributesRequest(
            namespace=site.namespace,
            search_attributes=[key.name for key in temporal.SEARCH_ATTRIBUTES],
        )
    )


async def test_a_namespace_without_our_search_attributes_gets_them(site: Latchkey) -> None:
    product, _, price = await linked(site)
    await replace_temporal(site)
    made = await site.stripe.subscribe("first@relay.example", price)
    await site.has(product, "first@relay.example")
    await site.settled()
    failed = await site.call("GET", "/events", params={"state": "failed"})
    assert failed["data"] == []
    await site.temporal.get_workflow_handle(f"subscription/{made['id']}").describe()


async def test_a_link_made_while_they_lack_is_told(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    product = await site.product()
    await site.know(stripe_product)
    await replace_temporal(site)
    await site.link(product, stripe_product)


async def test_wakeups_that_cant_be_told_hold_up_nothing(site: Latchkey) -> None:
    """Such as those that the web process of a newer release wrote."""
    async with site.pool.acquire() as connection:
        kinds = [str(number) for number in range(WAKEUPS + 1)]
        await wakeups.add(connection, "of_another_release", kinds)
        await wakeups.add(connection, wakeups.ENDINGS, [""])

    async def told() -> bool:
        left = "select count(*) from wakeups where kind = $1"
        return bool(await site.pool.fetchval(left, wakeups.ENDINGS) == 0)

    await until(told, "the known wakeup is told")
    left = await site.pool.fetchval("select count(*) from wakeups")
    assert left == WAKEUPS + 1, "what can't be told is kept"
    product, _, _ = await linked(site)
    found: Json = await site.call("GET", f"/products/{product}/link")
    assert found["state"] == "listening"
