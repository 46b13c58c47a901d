"""Buying while something is away: buyers read what to do, admins what is wrong, nobody pays twice,
and the next try works."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from temporalio.client import Client

from tests.harness import KEY, Latchkey, free_port
from tests.life.test_bad_input import AREAS
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import for_sale, opened
from web import checkouts

pytestmark = pytest.mark.anyio

UNCHARGED = "you haven&#39;t been charged. Please try again in a few minutes."
ONLY_READS = {**dict.fromkeys(AREAS, "write"), "checkout": "read"}


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@contextmanager
def impatient(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Buyers wait a moment instead of many seconds."""
    with patch.context() as changed:
        changed.setattr(checkouts, "SECONDS", 0.3)
        yield


@asynccontextmanager
async def faults(site: Latchkey, **given: Any) -> AsyncIterator[None]:
    await site.stripe.control("faults", **given)
    try:
        yield
    finally:
        await site.stripe.control("faults", reset=True)


def sessions(site: Latchkey, product: str) -> list[str]:
    """The checkout sessions that Stripe made for a product."""
    rows = site.stripe.box.shop.world.table("checkout.session").values()
    return [row["id"] for row in rows if row["metadata"].get("latchkey_product") == product]


async def says_try_again(visitor: Visitor, slug: str) -> None:
    page = (await visitor.get(f"/buy/{slug}", 503)).text
    assert UNCHARGED in page
    assert f'href="/buy/{slug}?back=1"' in page
    assert "<button" in (await visitor.get(f"/buy/{slug}?back=1")).text


async def health(site: Latchkey) -> str:
    site.forget_alarms()
    async with visit(site) as admin:
        await admin.sign_in()
        return (await admin.get("/admin/health")).text


@pytest.mark.parametrize(
    ("denied", "granted", "reason"),
    [
        ({"permissions": ONLY_READS}, {"permissions": None}, "rak_checkout_session_write"),
        ({"revoked": True}, {"revoked": False}, "Expired API Key"),
    ],
    ids=["403", "401"],
)
async def test_a_key_that_may_not_sell(
    shared: Latchkey,
    visitor: Visitor,
    denied: dict[str, Any],
    granted: dict[str, Any],
    reason: str,
) -> None:
    name = f"Denied {next(iter(denied))}"
    product, slug, _, _ = await for_sale(shared, name, payment_link=False)
    email = f"{next(iter(denied))}@away.example"
    await visitor.sign_in_as(await user(shared, email), email)
    await shared.settled()
    try:
        await shared.stripe.control("keys", key=KEY, **denied)
        await says_try_again(visitor, slug)
        problem = await shared.call("POST", "/checkout-sessions", 502, json={"product": product})
        assert "Checkout Sessions: write" in problem["detail"]
        assert sessions(shared, product) == []
        told = await health(shared)
        assert "Stripe last refused to open the checkout: " in told
        assert f"{name}</a></dt>" in told
        assert reason in told
    finally:
        await shared.stripe.control("keys", key=KEY, **granted)
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    assert sessions(shared, product) == [session["id"]]
    assert name not in await health(shared)


async def test_stripe_answers_with_errors(shared: Latchkey, visitor: Visitor) -> None:
    product, slug, _, _ = await for_sale(shared, "Errors at Stripe", payment_link=False)
    await visitor.sign_in_as(await user(shared, "errors@away.example"), "errors")
    await shared.settled()
    async with faults(shared, api_500_before=1):
        _, problem = await asyncio.gather(
            says_try_again(visitor, slug),
            shared.call("POST", "/checkout-sessions", 503, json={"product": product}),
        )
        assert (problem["code"], "try again" in problem["detail"]) == ("unavailable", True)
        assert sessions(shared, product) == []
    first = await visitor.goes(f"/buy/{slug}")
    assert await visitor.goes(f"/buy/{slug}") == first
    assert len(sessions(shared, product)) == 1


async def test_stripe_answers_late(
    shared: Latchkey, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever tries again is led to the session that the first click opened."""
    product, slug, _, _ = await for_sale(shared, "Slow Stripe", payment_link=False)
    email = "late@away.example"
    buyer = await user(shared, email)
    await visitor.sign_in_as(buyer, "late")
    await shared.settled()
    async with faults(shared, api_latency_seconds=1):
        with impatient(monkeypatch):
            await says_try_again(visitor, slug)
            body = {"product": product, "user": buyer}
            problem = await shared.call("POST", "/checkout-sessions", 503, json=body)
            assert problem["code"] == "unavailable"
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    assert sessions(shared, product) == [session["id"]], "one for the page and the API"
    await shared.stripe.pay(session, email)
    await shared.has(product, email)
    assert await visitor.goes(f"/buy/{slug}") == f"/products/{slug}?done=owned"


async def test_temporal_is_away(
    shared: Latchkey, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, slug, _, _ = await for_sale(shared, "Without Temporal", payment_link=False)
    await visitor.sign_in_as(await user(shared, "temporal@away.example"), "temporal")
    assert shared._app is not None
    with monkeypatch.context() as patch:
        nowhere = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
        patch.setattr(shared._app.state.site, "temporal", nowhere)
        await says_try_again(visitor, slug)
        problem = await shared.call("POST", "/checkout-sessions", 503, json={"product": product})
        assert "Temporal" in problem["detail"]
        assert "unreachable" in await health(shared)
        assert sessions(shared, product) == []
    session = await opened(shared, await visitor.goes(f"/buy/{slug}"))
    assert sessions(shared, product) == [session["id"]]
