"""Why someone has access or not, who had it when, and how the pages show it."""

from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from latchkey.store.access.history import Span, stretches
from tests.harness import Json, Latchkey

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def span(number: int, begin: int, end: int | None, product: str = "prd_1") -> Span:
    return Span(
        number, 1, "a@b.example", None, product, product, "subscription", f"sub_{number}",
        NOON + timedelta(days=begin), NOON + timedelta(days=end) if end is not None else None,
        None, None, "stripe", None,
    )  # fmt: skip


def test_overlapping_grants_are_one_stretch_and_gaps_are_seen() -> None:
    found = stretches(
        [
            span(1, 0, 5),
            span(2, 3, 10),
            span(3, 10, 12),
            span(4, 20, None),
            span(5, 30, 31),
            span(6, 1, 2, "prd_2"),
            span(7, 4, 4),
        ]
    )
    shown = [
        (s.product_id, (s.since - NOON).days, (s.ended - NOON).days if s.ended else None, s.grants)
        for s in found
    ]
    assert shown == [
        ("prd_1", 20, None, (4, 5)),
        ("prd_2", 1, 2, (6,)),
        ("prd_1", 0, 12, (1, 2, 7, 3)),
    ]


def test_access_that_ended_as_it_began_was_access() -> None:
    """Whoever had a grant isn't said never to have had access."""
    [found] = stretches([span(1, 4, 4)])
    assert (found.since, found.ended, found.grants) == (found.ended, found.since, (1,))


async def why(site: Latchkey, product: str, email: str) -> Json:
    return await site.call("GET", "/why", params={"product": product, "email": email})


async def linked(site: Latchkey) -> tuple[str, str, str]:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product("Night school")
    await site.link(product, stripe_product)
    return product, price, stripe_product


async def test_the_chain_leads_from_the_grant_to_everything_behind_it(
    shared: Latchkey, shared_admin: httpx.AsyncClient
) -> None:
    product, price, _ = await linked(shared)
    session = await shared.stripe.buy("chain@why.example", price)
    await shared.has(product, "chain@why.example")
    await shared.settled()
    subscription = session["subscription"]
    found = await why(shared, product, "chain@why.example")
    assert found["access"] is True
    assert found["explanation"] == "Access with no end date"
    (step,) = found["chain"]
    assert step["explanation"].startswith("Lasts while it is paid; the next payment is due on")
    assert step["grant"]["state"] == "live"
    assert step["stripe_object"]["id"] == subscription
    assert step["stripe_object"]["status"] == "active"
    assert step["stripe_url"] == f"https://dashboard.stripe.com/test/subscriptions/{subscription}"
    assert step["workflow_id"] == f"subscription/{subscription}"
    assert {event["type"] for event in step["events"]} >= {
        "customer.subscription.created",
        "checkout.session.completed",
    }
    assert {line["type"] for line in step["activities"]} >= {"access_granted", "product_purchased"}
    assert [mail["kind"] for mail in step["mails"]] == ["product_access"]
    user = found["user"]
    text = (await shared_admin.get(f"/admin/users/{user}/why/{product}")).text
    for part in (subscription, "the next payment is due on", "customer.subscription.created"):
        assert part in text
    await shared.stripe.post(f"subscriptions/{subscription}", pause_collection={"behavior": "void"})
    await shared.settled()
    paused = await why(shared, product, "chain@why.example")
    assert paused["chain"][0]["explanation"] == "Lasts although billing is paused"
    await shared.stripe.post(f"subscriptions/{subscription}", cancel_at_period_end=True)
    await shared.settled()
    cancelled = await why(shared, product, "chain@why.example")
    assert cancelled["until"] is not None
    assert "the subscription is set to cancel then" in cancelled["chain"][0]["explanation"]
    await shared.stripe.delete(f"subscriptions/{subscription}")
    await shared.has(product, "chain@why.example", access=False)
    ended = await why(shared, product, "chain@why.example")
    assert ended["explanation"].startswith("No access: ended on ")
    assert ended["chain"][0]["grant"]["state"] == "ended"


async def test_no_access_has_its_reason_too(
    shared: Latchkey, shared_admin: httpx.AsyncClient
) -> None:
    product, price, _ = await linked(shared)
    nobody = await why(shared, product, "nobody@why.example")
    assert nobody["explanation"] == "No access: there is no user with this email address"
    other = await shared.product("Other")
    await shared.call("POST", f"/products/{other}/grants", 201, json={"email": "no@why.example"})
    unlinked = await shared.product("Unlinked")
    found = await why(shared, product, "no@why.example")
    assert found["explanation"].startswith("No access: no purchase is known")
    assert found["chain"] == []
    assert "t linked" in (await why(shared, unlinked, "no@why.example"))["explanation"]
    by_hand = await why(shared, other, "no@why.example")
    assert by_hand["chain"][0]["explanation"] == "No end date: it lasts until somebody ends it"
    page = await shared_admin.get(f"/admin/users/{found['user']}/why/{product}")
    assert "no purchase is known" in page.text
    made = await shared.stripe.subscribe("unpaid@why.example", price)
    await shared.has(product, "unpaid@why.example")
    await shared.settled()
    await shared.pool.execute("delete from grants where source_id = $1", made["id"])
    without = await why(shared, product, "unpaid@why.example")
    assert made["id"] in without["explanation"]
    assert without["chain"][0]["grant"] is None
    await shared.call("GET", "/why", 404, params={"product": "none", "email": "a@b.example"})


async def test_a_long_chain_takes_as_many_queries_as_a_short_one(shared: Latchkey) -> None:
    product, price, _ = await linked(shared)
    counts = []
    from latchkey.store.access import why as store

    for times in (1, 4):
        for _ in range(times):
            await shared.stripe.buy("long@why.example", price)
        await shared.has(product, "long@why.example")
        await shared.settled()
        user = (await why(shared, product, "long@why.example"))["user"]
        queries = 0

        def count(record: object) -> None:
            nonlocal queries
            queries += 1

        async with shared.pool.acquire() as connection:
            raw: asyncpg.Connection[asyncpg.Record] = connection._con  # type: ignore[attr-defined]
            await store.chain(connection, user_id=user, product_id=product)  # learns its types
            with raw.query_logger(count):
                chain = await store.chain(connection, user_id=user, product_id=product)
        counts.append((len(chain.links), queries))
    assert [links for links, _ in counts] == [1, 5]
    assert counts[0][1] == counts[1][1]


async def test_who_had_access_on_a_day_and_when_a_user_had_it(
    shared: Latchkey, shared_admin: httpx.AsyncClient
) -> None:
    product, price, _ = await linked(shared)
    for name in ("early", "late", "always"):
        await shared.stripe.buy(f"{name}@day.example", price)
        await shared.has(product, f"{name}@day.example")
    await shared.settled()
    moments = {
        "early": ("2026-01-01T10:00Z", "2026-02-01T09:00Z"),
        "late": ("2026-02-01T10:00Z", "2026-03-01T00:00Z"),
        "always": ("2025-06-01T00:00Z", None),
    }
    for name, (since, ended) in moments.items():
        await shared.pool.execute(
            """
            update grants g set since = $2, ended_at = $3 from users u
             where u.id = g.user_id and u.email = $1
            """,
            f"{name}@day.example",
            datetime.fromisoformat(since),
            datetime.fromisoformat(ended) if ended else None,
        )

    async def on(day: str) -> list[str]:
        found = await shared.call("GET", f"/products/{product}/access", params={"on": day})
        return sorted(entry["email"].split("@")[0] for entry in found["data"])

    assert await on("2025-12-31") == ["always"]
    assert await on("2026-01-01") == ["always", "early"]
    assert await on("2026-02-01") == ["always", "early", "late"]
    assert await on("2026-02-28") == ["always", "late"]
    assert await on("2026-03-01") == ["always"]
    first = await shared.call(
        "GET", f"/products/{product}/access", params={"on": "2026-02-01", "limit": 2}
    )
    rest = await shared.call(
        "GET",
        f"/products/{product}/access",
        params={"on": "2026-02-01", "limit": 2, "after": first["next"]},
    )
    assert (len(first["data"]), len(rest["data"]), rest["next"]) == (2, 1, None)
    page = await shared_admin.get(f"/admin/products/{product}/access?on=2026-02-01")
    assert all(f"{name}@day.example" in page.text for name in moments)
    assert (await shared_admin.get(f"/admin/products/{product}/access?on=soon")).status_code == 422
    table = await shared_admin.get(f"/admin/products/{product}/access.csv?on=2026-02-28")
    assert len(table.text.strip().splitlines()) == 3
    user = first["data"][0]["user"]
    spans = await shared.call("GET", f"/users/{user}/access", params={"product": product})
    assert len(spans["data"]) == 1
    over_time = await shared_admin.get(f"/admin/users/{user}/access")
    assert "Night school" in over_time.text
    assert (await shared_admin.get(f"/admin/users/{user}/access.csv")).text.count("\n") == 2


@pytest.mark.parametrize("day", ["9999-12-31", "10000-01-01", "soon"])
async def test_an_invalid_day_is_refused_with_a_reason(
    shared: Latchkey, shared_admin: httpx.AsyncClient, day: str
) -> None:
    """The last representable day has no following day."""
    product = await shared.product()
    refused = await shared.call("GET", f"/products/{product}/access", 422, params={"on": day})
    assert "on: " in refused["detail"]
    reason = "Choose a date before" if day == "9999-12-31" else "Use a format like"
    for path, status in [
        (f"/admin/products/{product}/access?on={day}", 422),
        (f"/admin/products/{product}/access.csv?on={day}", 404),
        (f"/admin/activity?to={day}", 422),
        (f"/admin/activity?from={day}", 422),
        (f"/admin/activity.csv?to={day}", 404),
    ]:
        answer = await shared_admin.get(path)
        assert answer.status_code == status, path
        assert reason in answer.text, path
