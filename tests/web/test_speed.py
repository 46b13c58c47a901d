"""How fast purchases open, for the team and for programs."""

import pytest

from tests.harness import Latchkey
from tests.life.play import linked
from tests.web.pages import user, visit

pytestmark = pytest.mark.anyio


async def test_the_team_sees_how_fast_purchases_opened(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.buy("quick@speed.example", price)
    await shared.has(product, "quick@speed.example")
    await shared.pool.execute(
        "update activities set recorded_at = recorded_at + interval '900 days'"
        " where product_id = $1 and type = 'product_purchased'",
        product,
    )
    supporter = await user(shared, "support@speed.example", "support")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(supporter, "speed")
        shown = (await visitor.get("/admin/speed")).text
        assert "Error budget" in shown
        assert "quick@speed.example" in shown, "it is among the slowest"
        assert "2 years" in shown
    told = await shared.call("GET", "/speed")
    whole = told["windows"][-1]
    assert (told["goal"], told["within_seconds"], whole["days"]) == (99.0, 1.0, 28)
    assert sum(day["purchases"] for day in told["days"]) == whole["purchases"]
    assert whole["in_time"] < whole["purchases"]
    late = next(one for one in told["slowest"] if one["product"] == product)
    assert late["seconds"] > 900 * 24 * 3600
    assert late["event"].startswith("evt_")


async def test_members_do_not_see_it(shared: Latchkey) -> None:
    member = await user(shared, "member@speed.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "speed")
        await visitor.get("/admin/speed", 403)
