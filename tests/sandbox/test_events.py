"""Events: listed, kept for 30 days, thin, announced, and with undocumented values."""

import asyncio

import pytest
import stripe as sdk

from tests.harness import KEY, Json, Stripe
from tests.sandbox.lives import begin, refused

pytestmark = pytest.mark.anyio
DAY = 86400


async def listed(stripe: Stripe, **params: object) -> list[Json]:
    found: list[Json] = (await stripe.get("events", limit=100, **params))["data"]
    return found


async def test_lists_by_type_and_after_a_known_event(stripe: Stripe) -> None:
    life = await begin(stripe)
    everything = await listed(stripe)
    known = everything[-3]["id"]
    newer = await stripe.get("events", limit=2, ending_before=known)
    assert [row["id"] for row in newer["data"]] == [row["id"] for row in everything[-5:-3]]
    assert newer["has_more"] is True
    wild = await listed(stripe, type="customer.*")
    assert {row["type"].split(".")[0] for row in wild} == {"customer"}
    assert len(wild) > len(await listed(stripe, type="customer.subscription.*")) > 0
    two = await listed(stripe, **{"types[0]": "invoice.paid", "types[1]": "customer.created"})
    assert {row["type"] for row in two} == {"invoice.paid", "customer.created"}
    both = await stripe.client.get("/v1/events?type=a.b&types[]=invoice.paid")
    assert both.status_code == 400
    assert await listed(stripe, **{"created[gt]": everything[0]["created"] + 10}) == []
    assert life.id


async def test_they_are_kept_for_30_days(stripe: Stripe) -> None:
    await begin(stripe)
    old = (await listed(stripe))[0]["id"]
    await stripe.control("clock/advance", seconds=29 * DAY)
    assert old in [row["id"] for row in await listed(stripe)]
    await stripe.control("clock/advance", seconds=2 * DAY)
    assert old not in [row["id"] for row in await listed(stripe)]
    assert (await stripe.client.get(f"/v1/events/{old}")).status_code == 404


async def test_a_renewal_is_announced(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.control("clock/advance", seconds=20 * DAY)
    assert await listed(stripe, type="invoice.upcoming") == []
    await stripe.control("clock/advance", seconds=5 * DAY)
    sent = await listed(stripe, type="invoice.upcoming")
    assert len(sent) == 1
    shown = sent[0]["data"]["object"]
    assert "id" not in shown
    assert shown["total"] == 1500
    assert shown["parent"]["subscription_details"]["subscription"] == life.id


async def test_listed_events_may_be_of_an_older_version(stripe: Stripe) -> None:
    await begin(stripe)
    await stripe.control("settings", events_version="2020-08-27")
    assert {row["api_version"] for row in await listed(stripe)} == {"2020-08-27"}


async def test_thin_events_are_read_with_stripes_own_sdk(stripe: Stripe) -> None:
    life = await begin(stripe)
    await life.update(metadata={"a": "1"})
    client = sdk.StripeClient(KEY, base_addresses={"api": stripe.url})

    def read() -> tuple[list[str], str, str]:
        page = client.v2.core.events.list({"limit": 3, "object_id": life.id})
        types = [event.type for event in page.data]
        one = client.v2.core.events.retrieve(page.data[0].id)
        return types, str(one.snapshot_event), one.related_object.url  # type: ignore[attr-defined]

    types, snapshot, url = await asyncio.to_thread(read)
    assert types == ["v1.customer.subscription.updated", "v1.customer.subscription.created"]
    assert (await stripe.get(f"events/{snapshot}"))["type"] == "customer.subscription.updated"
    assert url == f"/v1/subscriptions/{life.id}"
    assert (await stripe.client.get("/v2/core/events/evt_test_no")).status_code == 404
    async_page = await stripe.client.get("/v2/core/events?limit=2")
    following = async_page.json()["next_page_url"]
    second = (await stripe.client.get(following)).json()["data"]
    assert not {row["id"] for row in second} & {row["id"] for row in async_page.json()["data"]}


async def test_event_destinations(stripe: Stripe) -> None:
    client = sdk.StripeClient(KEY, base_addresses={"api": stripe.url})

    def story() -> tuple[str, str, list[str]]:
        made = client.v2.core.event_destinations.create(
            {
                "name": "thin ones",
                "type": "webhook_endpoint",
                "event_payload": "thin",
                "enabled_events": ["v1.customer.created"],
                "webhook_endpoint": {"url": "http://127.0.0.1:9/hook"},
                "include": ["webhook_endpoint.signing_secret"],
            }
        )
        assert made.webhook_endpoint is not None
        secret = str(made.webhook_endpoint.signing_secret)
        off = client.v2.core.event_destinations.disable(made.id)
        on = client.v2.core.event_destinations.enable(made.id)
        return secret, made.id, [off.status, on.status]

    secret, name, states = await asyncio.to_thread(story)
    assert secret.startswith("whsec_")
    assert states == ["disabled", "enabled"]
    await stripe.post("customers", email="thin@box.example")
    sent = (await stripe.client.get("/_sandbox/deliveries")).json()["data"]
    assert [(row["endpoint"], row["type"]) for row in sent] == [(name, "customer.created")]


async def test_undocumented_values(stripe: Stripe) -> None:
    life = await begin(stripe)
    await stripe.control(
        f"objects/{life.id}",
        set={"status": "hibernating"},
        event="customer.subscription.updated",
    )
    assert (await life.now())["status"] == "hibernating"
    sent = await listed(stripe, type="customer.subscription.updated")
    assert sent[0]["data"]["object"]["status"] == "hibernating"
    assert sent[0]["data"]["previous_attributes"] == {"status": "active"}
    answer = await stripe.client.post("/_sandbox/objects/sub_none", json={"set": {}})
    assert answer.status_code == 404
    answer = await stripe.client.post(f"/_sandbox/objects/{life.id}", json={"set": {"id": "x"}})
    assert answer.status_code == 400


async def test_the_control_api_documents_itself_and_explains_mistakes(stripe: Stripe) -> None:
    known = (await stripe.client.get("/_sandbox/")).json()["data"]
    assert all(row["does"] for row in known)
    assert "POST /_sandbox/clock/advance" in [row["call"] for row in known]
    for path, given, word in (
        ("settings", {"dunning_ends": "never"}, "cancel"),
        ("settings", {"colour": 1}, "dunning_ends"),
        ("faults", {"gremlins": 1}, "gremlins"),
        ("clock/advance", {}, "subscription"),
        ("clock/advance", {"seconds": "soon"}, "soon"),
    ):
        answer = await stripe.client.post(f"/_sandbox/{path}", json=given)
        assert answer.status_code == 400
        assert word in answer.json()["error"]["message"], path
    counts = (await stripe.client.get("/_sandbox/objects")).json()["counts"]
    assert counts == {}
    assert (await refused(stripe, "customers/cus_no"))["code"] == "resource_missing"
