"""Features of products, and who is entitled to them."""

import pytest

from tests.harness import Stripe
from tests.sandbox.lives import refused

pytestmark = pytest.mark.anyio


async def entitled(stripe: Stripe, customer: str) -> list[str]:
    found = await stripe.get("entitlements/active_entitlements", customer=customer)
    return [row["lookup_key"] for row in found["data"]]


async def test_a_subscription_entitles_to_its_products_features(stripe: Stripe) -> None:
    product = await stripe.product()
    feature = await stripe.post("entitlements/features", name="Downloads", lookup_key="downloads")
    tied = await stripe.post(f"products/{product}/features", entitlement_feature=feature["id"])
    assert tied["entitlement_feature"]["lookup_key"] == "downloads"
    made = await stripe.subscribe("able@box.example", await stripe.price(product))
    customer = made["customer"]
    assert await entitled(stripe, customer) == ["downloads"]
    await stripe.delete(f"subscriptions/{made['id']}")
    assert await entitled(stripe, customer) == []
    rows = [
        row["data"]
        for row in stripe.box.shop.world.table("event").values()
        if row["type"] == "entitlements.active_entitlement_summary.updated"
    ]
    assert [len(row["object"]["entitlements"]["data"]) for row in rows] == [1, 0]
    assert rows[0]["object"]["customer"] == customer
    assert rows[1]["previous_attributes"]["entitlements"]["data"][0]["feature"] == feature["id"]


async def test_a_feature_that_comes_later_counts_from_the_next_change_on(stripe: Stripe) -> None:
    product = await stripe.product()
    made = await stripe.subscribe("able@box.example", await stripe.price(product))
    feature = await stripe.post("entitlements/features", name="Chat", lookup_key="chat")
    await stripe.post(f"products/{product}/features", entitlement_feature=feature["id"])
    assert await entitled(stripe, made["customer"]) == []
    await stripe.post(f"subscriptions/{made['id']}", metadata={"a": "b"})
    assert await entitled(stripe, made["customer"]) == ["chat"]


async def test_features_are_kept_apart_and_taken_off(stripe: Stripe) -> None:
    product = await stripe.product()
    made = await stripe.post("entitlements/features", name="Chat", lookup_key="chat")
    error = await refused(stripe, "entitlements/features", name="Other", lookup_key="chat")
    assert error["param"] == "lookup_key"
    tied = await stripe.post(f"products/{product}/features", entitlement_feature=made["id"])
    path = f"products/{product}/features"
    assert (await refused(stripe, path, entitlement_feature=made["id"]))["status"] == 400
    assert [row["id"] for row in (await stripe.get(path))["data"]] == [tied["id"]]
    await stripe.delete(f"{path}/{tied['id']}")
    assert (await stripe.get(path))["data"] == []
    await stripe.post(f"entitlements/features/{made['id']}", active=False)
    assert (await refused(stripe, path, entitlement_feature=made["id"]))["status"] == 400
    found = await stripe.get("entitlements/features", archived=True)
    assert [row["id"] for row in found["data"]] == [made["id"]]
