"""The access policy: read, previewed, saved, and applied to everyone in the background."""

import re

import httpx
import pytest

from latchkey.store.stripe import wakeups
from tests.harness import ADMIN, PASSWORD, Json, Latchkey, http_client, until

pytestmark = pytest.mark.anyio


async def linked(site: Latchkey, *, every: str | None = "month") -> tuple[str, str]:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=every)
    product = await site.product()
    await site.link(product, stripe_product)
    return product, price


async def applied(site: Latchkey, path: str, cells: Json) -> Json:
    """Save a policy, wait until it has been applied to everyone, and return the change."""
    change = (await site.call("PUT", path, json=cells))["change"]
    assert change is not None, "the policy differs"

    async def done() -> Json | None:
        found = await site.call("GET", f"/policy/changes/{change['id']}")
        return found if found["state"] == "done" else None

    found: Json = await until(done, "the change is applied to everybody")
    return found


async def paused(site: Latchkey, email: str, price: str) -> Json:
    made = await site.stripe.subscribe(email, price)
    await site.stripe.post(f"subscriptions/{made['id']}/pause")
    return made


async def test_the_site_policy_is_read_and_replaced(site: Latchkey) -> None:
    before = await site.call("GET", "/policy")
    assert before == {
        "trialing": True, "past_due_days": 14, "unpaid": False, "paused": False,
        "incomplete": False, "collection_paused": True, "full_refund": False,
        "partial_refund": True, "dispute_opened": True, "dispute_lost": False, "change": None,
    }  # fmt: skip
    saved = await site.call("PUT", "/policy", json={"past_due_days": None, "paused": True})
    assert saved["past_due_days"] is None
    assert saved["paused"] is True
    assert await site.call("PUT", "/policy", json={"paused": True, "past_due_days": None})
    changes = await site.pool.fetchval("select count(*) from policy_changes")
    assert changes == 1, "saving the same policy again isn't a change"
    again = await site.call("PUT", "/policy", json={"past_due_days": 3})
    assert (again["past_due_days"], again["paused"]) == (3, False)
    product = await site.product()
    own = await site.call("PUT", f"/products/{product}/policy", json={"unpaid": True})
    assert own["overrides"] == {"unpaid": True}
    assert (own["unpaid"], own["past_due_days"]) == (True, 3), (
        "one cell is its own, others the site's"
    )


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        ({"weather": True}, "weather"),
        ({"paused": "yes"}, "paused"),
        ({"paused": None}, "paused"),
        ({"past_due_days": -1}, "past_due_days"),
        ({"past_due_days": 1.5}, "past_due_days"),
        ({"past_due_days": True}, "past_due_days"),
        ({"past_due_days": 4000}, "past_due_days"),
    ],
)
async def test_invalid_policies_are_refused_and_change_nothing(
    shared: Latchkey, cells: Json, named: str
) -> None:
    before = await shared.call("GET", "/policy")
    product = await shared.product()
    for path in ("/policy", f"/products/{product}/policy"):
        for method, address in (("PUT", path), ("POST", f"{path}/preview")):
            answer = await shared.api.request(method, address, json=cells)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert named in answer.json()["detail"]
    assert await shared.call("GET", "/policy") == before
    await shared.call("PUT", "/products/nothing/policy", 404, json={})


async def test_a_product_override_applies_to_earlier_pauses(shared: Latchkey) -> None:
    product, price = await linked(shared)
    other, other_price = await linked(shared)
    for email in ("one@policy.example", "two@policy.example"):
        await paused(shared, email, price)
    await paused(shared, "one@policy.example", other_price)
    await shared.has(product, "one@policy.example", access=False)
    await shared.settled()
    path = f"/products/{product}/policy"
    preview = await shared.call("POST", f"{path}/preview", json={"paused": True})
    assert (preview["gains"], preview["loses"]) == (2, 0)
    assert {row["email"] for row in preview["data"]} == {"one@policy.example", "two@policy.example"}
    assert all(row["outcome"] == "gains" for row in preview["data"])
    assert (await shared.access(product, "one@policy.example"))["access"] is False
    mails = await shared.pool.fetchval("select count(*) from mails where product_id = $1", product)
    change = await applied(shared, path, {"paused": True})
    assert (change["granted"], change["ended"]) == (2, 0)
    assert (await shared.access(product, "one@policy.example"))["access"] is True
    assert (await shared.access(other, "one@policy.example"))["access"] is False
    granted = await shared.lines(product=product, cause="policy", type="access_granted")
    assert len(granted) == 2
    assert all(line["source_id"] and line["workflow_id"] for line in granted)
    assert mails == await shared.pool.fetchval(
        "select count(*) from mails where product_id = $1", product
    ), "nobody is mailed about a change of policy"
    change = await applied(shared, path, {})
    assert (change["granted"], change["ended"]) == (0, 2)
    ended = await shared.lines(product=product, cause="policy", type="access_ended")
    assert [line["data"]["reason"] for line in ended] == ["excluded_by_policy"] * 2
    await shared.call("POST", f"/products/{product}/policy/preview", json={})


async def test_a_buyer_without_access_gains_it_and_becomes_a_user(shared: Latchkey) -> None:
    """Mirrored without an account: an incomplete subscription counts once the policy says so."""
    product, price = await linked(shared)
    await shared.stripe.subscribe(
        "open@policy.example", price, payment_behavior="default_incomplete"
    )
    await shared.settled()
    known = "select count(*) from users where email_key = 'open@policy.example'"
    assert await shared.pool.fetchval(known) == 0
    path = f"/products/{product}/policy"
    preview = await shared.call("POST", f"{path}/preview", json={"incomplete": True})
    assert [(r["user_id"], r["email"]) for r in preview["data"]] == [(None, "open@policy.example")]
    await applied(shared, path, {"incomplete": True})
    assert (await shared.access(product, "open@policy.example"))["access"] is True
    assert await shared.lines(product=product, type="product_purchased") == []


async def test_losing_one_of_two_reasons_is_not_a_loss(shared: Latchkey) -> None:
    product, price = await linked(shared)
    await shared.stripe.subscribe("trial@policy.example", price, trial_period_days=7)
    await shared.stripe.subscribe("both@policy.example", price, trial_period_days=7)
    await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "both@policy.example"}
    )
    await shared.has(product, "trial@policy.example")
    await shared.has(product, "both@policy.example")
    await shared.settled()
    path = f"/products/{product}/policy"
    preview = await shared.call("POST", f"{path}/preview", json={"trialing": False})
    assert [(r["email"], r["outcome"]) for r in preview["data"]] == [
        ("trial@policy.example", "loses")
    ]
    change = await applied(shared, path, {"trialing": False})
    assert change["ended"] == 2
    assert (await shared.access(product, "trial@policy.example"))["access"] is False
    assert (await shared.access(product, "both@policy.example"))["access"] is True


async def test_refunds_and_a_shorter_grace(site: Latchkey) -> None:
    product, once = await linked(site, every=None)
    session = await site.stripe.buy("refund@policy.example", once, mode="payment")
    await site.has(product, "refund@policy.example")
    intent = await site.stripe.get(f"payment_intents/{session['payment_intent']}")
    await site.stripe.post("refunds", charge=intent["latest_charge"], amount=100)
    await site.settled()
    preview = await site.call("POST", "/policy/preview", json={"partial_refund": False})
    assert (preview["checked"], preview["loses"]) == (1, 1)
    await applied(site, "/policy", {"partial_refund": False})
    assert (await site.access(product, "refund@policy.example"))["access"] is False
    await applied(site, "/policy", {})
    assert (await site.access(product, "refund@policy.example"))["access"] is True
    club, price = await linked(site)
    made = await site.stripe.subscribe("late@policy.example", price)
    await site.has(club, "late@policy.example")
    broken = "pm_card_chargeCustomerFail"
    await site.stripe.post(
        f"customers/{made['customer']}",
        payment_method=broken,
        invoice_settings={"default_payment_method": broken},
    )
    await site.stripe.control("clock/advance", seconds=31 * 86400 + 7200)

    async def in_grace() -> bool:
        return (await site.access(club, "late@policy.example"))["until"] is not None

    await until(in_grace, "in grace")
    await site.settled()
    preview = await site.call("POST", "/policy/preview", json={"past_due_days": 30})
    assert [(r["email"], r["outcome"]) for r in preview["data"]] == [
        ("late@policy.example", "moves")
    ]
    before = (await site.access(club, "late@policy.example"))["until"]
    await applied(site, "/policy", {"past_due_days": 30})
    assert (await site.access(club, "late@policy.example"))["until"] > before
    await _run_waits_until(site, made["id"], "grace")
    await applied(site, "/policy", {"past_due_days": 0})
    ended = await site.lines(product=club, type="access_ended")
    assert [(line["cause"], line["data"]["reason"]) for line in ended] == [
        ("policy", "past_due_grace_over")
    ]


async def _run_waits_until(site: Latchkey, subscription: str, word: str) -> None:
    """The subscription's own run knows of the moved deadline."""

    async def told() -> bool:
        left = await site.pool.fetchval(
            "select count(*) from wakeups where kind = $1", wakeups.LOOK_AGAIN
        )
        handle = site.temporal.get_workflow_handle(f"subscription/{subscription}")
        wake = await site.pool.fetchval(
            "select wake_at from subscriptions where id = $1", subscription
        )
        metadata = await handle.query("__temporal_workflow_metadata")
        text = str(metadata)
        return left == 0 and f"{wake:%Y-%m-%d %H:%M:%S}" in text and word in text

    await until(told, "the run waits for the new deadline")


async def test_a_change_continues_after_the_worker_dies(site: Latchkey) -> None:
    product, price = await linked(site)
    customers = [f"many{number}@policy.example" for number in range(6)]
    for email in customers:
        await paused(site, email, price)
    await site.settled()
    await site.stop_worker()
    change = (await site.call("PUT", "/policy", json={"paused": True}))["change"]
    assert change["state"] == "waiting"
    await site.start_worker()

    async def done() -> bool:
        found = await site.call("GET", f"/policy/changes/{change['id']}")
        return bool(found["state"] == "done")

    await until(done, "the change is applied after the worker is back")
    for email in customers:
        assert (await site.access(product, email))["access"] is True


async def test_a_change_does_not_affect_grants_of_another_mode(site: Latchkey) -> None:
    """Bought under a live key before a test key was connected: access already granted stays."""
    club, monthly = await linked(site)
    book, once = await linked(site, every=None)
    await site.stripe.subscribe("mode@policy.example", monthly, trial_period_days=7)
    session = await site.stripe.buy("mode@policy.example", once, mode="payment")
    for product in (club, book):
        await site.has(product, "mode@policy.example")
    intent = await site.stripe.get(f"payment_intents/{session['payment_intent']}")
    await site.stripe.post("refunds", charge=intent["latest_charge"], amount=100)
    await site.settled()
    await site.stop_worker()
    for table in ("links", "subscriptions", "orders", "customers", "grants"):
        await site.pool.execute(f"update {table} set livemode = true")
    await site.start_worker()
    cells = {"trialing": False, "partial_refund": False}
    preview = await site.call("POST", "/policy/preview", json=cells)
    change = await applied(site, "/policy", cells)
    for product in (club, book):
        assert (await site.access(product, "mode@policy.example"))["access"] is True
    assert (change["checked"], change["ended"]) == (0, 0)
    assert (preview["checked"], preview["loses"]) == (0, 0)


async def test_the_admin_sees_who_is_affected_before_saving(site: Latchkey) -> None:
    product, price = await linked(site)
    await paused(site, "page@policy.example", price)
    await site.settled()
    async with http_client(base_url=site.url, follow_redirects=True) as browser:
        await _sign_in(browser)
        shown = await browser.get("/admin/policy")
        assert "Past due" in shown.text
        fields = _fields(shown.text) | {"paused": "yes"}
        previewed = await browser.post("/admin/policy", data=fields | {"do": "preview"})
        assert "1 person gains access" in previewed.text
        assert "page@policy.example" in previewed.text
        assert (await site.access(product, "page@policy.example"))["access"] is False
        saved = await browser.post("/admin/policy", data=fields | {"do": "save"})
        assert "Policy saved" in saved.text
        await site.has(product, "page@policy.example")
        own = await browser.get(f"/admin/products/{product}/policy")
        assert "Same as site (access)" in own.text
        fields = _fields(own.text) | {"paused": "no", "past_due": "days", "past_due_days": "no"}
        refused = await browser.post(f"/admin/products/{product}/policy", data=fields)
        assert refused.status_code == 422
        assert "whole number" in refused.text
        fields |= {"past_due": "inherit", "do": "save"}
        await browser.post(f"/admin/products/{product}/policy", data=fields)
        await site.has(product, "page@policy.example", access=False)


async def _sign_in(browser: httpx.AsyncClient) -> None:
    fields = _fields((await browser.get("/login")).text)
    answer = await browser.post("/login", data=fields | {"email": ADMIN, "password": PASSWORD})
    assert answer.status_code == 200, answer.text


def _fields(html: str) -> dict[str, str]:
    """What a page's inputs hold, as a browser would send it."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", html):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if given.get("type") == "radio" and " checked" not in tag:
            continue
        if "name" in given:
            found[given["name"]] = given.get("value", "")
    return found
