"""Who cancelled a subscription, through webhook, workflow, feed and pages."""

import httpx
import pytest

from tests.harness import Json, Latchkey, until
from tests.life.play import linked

pytestmark = pytest.mark.anyio


async def test_who_cancelled_is_known_from_the_request_that_an_event_names(
    shared: Latchkey, shared_admin: httpx.AsyncClient
) -> None:
    """A click in the portal, or in its stand-in of the rehearsal, makes no API request. Nobody says
    why they cancel."""
    product, _, price = await linked(shared)
    said = {
        "portal": ("customer", "portal", "in the billing portal"),
        "panel": ("customer", "portal", "in the billing portal"),
        "api": ("stripe", "stripe", "In Stripe"),
    }
    made = {name: await shared.stripe.subscribe(f"{name}@who.example", price) for name in said}
    for name in said:
        await shared.has(product, f"{name}@who.example")
    await shared.stripe.control(f"subscriptions/{made['portal']['id']}/portal_cancel")
    panel = {"id": made["panel"]["id"], "do": "period_end"}
    answer = await shared.stripe.client.post("/control/subscription", data=panel)
    assert answer.status_code == 303
    await shared.stripe.post(f"subscriptions/{made['api']['id']}", cancel_at_period_end=True)

    async def told() -> list[Json] | None:
        lines = await shared.lines(product=product, type="subscription_cancelled")
        return lines if len(lines) == 3 else None

    lines: list[Json] = await until(told, "all three are cancelled")
    for line in lines:
        cause, place, words = said[line["email"].split("@")[0]]
        assert (line["cause"], line["data"]["place"]) == (cause, place), line["email"]
        assert words in (await shared_admin.get(f"/admin/activity/{line['id']}")).text
    members = (await shared_admin.get(f"/admin/products/{product}/members")).text
    assert members.count("cancelled in the billing portal") == 2
    assert members.count("cancelled in Stripe") == 1
