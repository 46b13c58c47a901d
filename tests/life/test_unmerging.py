"""Undoing a merge: each user gets what they would have without it, and runs continue."""

import asyncio
import time
from typing import Any

import pytest

from latchkey import references
from latchkey.store.purchases import order_mirror
from latchkey.vault import Vault
from tests.harness import PATIENCE, SECRETS, Json, Latchkey, shortly, until
from tests.life.play import granted, linked, until_is
from tests.life.test_identity import user_id
from tests.store.test_concurrency import blocked
from tests.web.pages import visit

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def given(site: Latchkey, product: str, email: str, **more: object) -> Json:
    body = {"email": email, "mail": False, **more}
    return await site.call("POST", f"/products/{product}/grants", 201, json=body)


async def test_undoing_restores_what_each_would_have_without_the_merge(shared: Latchkey) -> None:
    club, _, monthly = await linked(shared)
    book, _, once = await linked(shared, every=None)
    gift = await shared.product("Gift")
    mine = await given(shared, gift, "keeps@undo.example", until="2031-01-01T00:00:00Z")
    theirs = await given(shared, gift, "left@undo.example", until="2030-01-01T00:00:00Z")
    own = await shared.stripe.subscribe("keeps@undo.example", monthly)
    made = await shared.stripe.subscribe("left@undo.example", monthly)
    await shared.stripe.buy("left@undo.example", once, mode="payment")
    await granted(shared, club, "keeps@undo.example", 1)
    await granted(shared, club, "left@undo.example", 1)
    await shared.has(book, "left@undo.example")
    await shared.settled()
    into, other = mine["user_id"], theirs["user_id"]
    lines = {user: await shared.lines(user=user) for user in (into, other)}

    await shared.call("POST", f"/users/{into}/merge", json={"user": other, "reason": "mistaken"})
    [past] = (await shared.call("GET", f"/users/{into}/merges"))["data"]
    assert (past["from_user"], past["email"], past["reason"], past["obstacle"]) == (
        other, "left@undo.example", "mistaken", None,
    )  # fmt: skip
    await shared.stripe.post(f"subscriptions/{made['id']}", cancel_at_period_end=True)
    since = await shared.stripe.post(
        "subscriptions", customer=made["customer"], items=[{"price": monthly}]
    )
    guest = await shared.stripe.buy("Left@Undo.example", once, mode="payment")
    signed = await shared.stripe.checkout(
        once, mode="payment", client_reference_id=references.sign(into, book, vault=Vault(SECRETS))
    )
    await shared.stripe.pay(signed, "elsewhere@undo.example")
    await granted(shared, club, "keeps@undo.example", 3)
    await granted(shared, book, "keeps@undo.example", 3)
    await shared.settled()

    done = await shared.call("POST", f"/users/{other}/unmerge")
    assert (done["user_id"], done["from_user"]) == (into, other)
    assert await user_id(shared, "left@undo.example") == other

    def sources(grants: list[Json]) -> set[str]:
        return {grant["source_id"] for grant in grants}

    assert sources(await granted(shared, club, "keeps@undo.example", 1)) == {own["id"]}
    assert sources(await granted(shared, club, "left@undo.example", 2)) == {made["id"], since["id"]}
    assert sources(await granted(shared, book, "keeps@undo.example", 1)) == {signed["id"]}
    assert guest["id"] in sources(await granted(shared, book, "left@undo.example", 2))
    for email, year in (("keeps@undo.example", 2031), ("left@undo.example", 2030)):
        assert (await shared.access(gift, email))["until"].startswith(f"{year}-01-01")
    for user, before in lines.items():
        known = {line["id"] for line in before}
        after = await shared.lines(user=user)
        assert known <= {line["id"] for line in after}
        ours = {own["id"], signed["id"], None, ""} if user == into else None
        assert all(ours is None or line["source_id"] in ours for line in after)
    told = await shared.lines(type="merge_undone", user=into)
    assert [line["data"]["from_user"] for line in told] == [other]
    assert [c["id"] for c in (await shared.call("GET", f"/users/{other}"))["customers"]] == [
        made["customer"]
    ]

    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.stripe.delete(f"subscriptions/{since['id']}")
    await shared.has(club, "left@undo.example", access=False)
    assert (await shared.access(club, "keeps@undo.example"))["access"] is True
    back = await shared.stripe.subscribe("left@undo.example", monthly)
    assert sources(await granted(shared, club, "left@undo.example", 1)) == {back["id"]}

    await shared.call("POST", f"/users/{other}/unmerge", 404)
    await shared.call("POST", f"/users/{into}/merge", json={"user": other, "reason": "same person"})
    await granted(shared, club, "keeps@undo.example", 2)
    assert len(await shared.lines(type="users_merged", user=into)) == 2, "each merge has its line"


async def test_older_purchases_imported_since_go_back(shared: Latchkey) -> None:
    """They are older than the merge. So is what their customer bought for the survivor, which
    stays with the survivor."""
    stripe, gift = shared.stripe, await shared.product("Gift")
    into = (await given(shared, gift, "stays@undo.example"))["user_id"]
    other = (await given(shared, gift, "older@undo.example"))["user_id"]
    known, _, price = await linked(shared, every=None)
    customer = await stripe.customer("older@undo.example")
    own = await stripe.checkout(price, mode="payment", customer=customer)
    await stripe.pay(own, "older@undo.example")
    await shared.has(known, "older@undo.example")
    reference = references.sign(into, known, vault=Vault(SECRETS))
    signed = await stripe.checkout(
        price, mode="payment", customer=customer, client_reference_id=reference
    )
    await stripe.pay(signed, "older@undo.example")
    await shared.has(known, "stays@undo.example")
    unlinked, monthly = await priced(shared, every="month")
    made = await stripe.post("subscriptions", customer=customer, items=[{"price": monthly}])
    also_unlinked, once = await priced(shared, every=None)
    guest = await stripe.buy("older@undo.example", once, mode="payment")
    await shared.settled()
    await stripe.past()
    await shared.call("POST", f"/users/{into}/merge", json={"user": other, "reason": "same person"})
    bought = {}
    for stripe_product, source in ((unlinked, made), (also_unlinked, guest)):
        product = await shared.product()
        await shared.link(product, stripe_product)
        await granted(shared, product, "stays@undo.example", 1)
        bought[product] = source["id"]

    await shared.call("POST", f"/users/{other}/unmerge")
    for product, source_id in {known: own["id"], **bought}.items():
        [grant] = await granted(shared, product, "older@undo.example", 1)
        assert grant["source_id"] == source_id
    for product in bought:
        assert (await shared.access(product, "stays@undo.example"))["access"] is False
    [grant] = await granted(shared, known, "stays@undo.example", 1)
    assert grant["source_id"] == signed["id"]


async def test_rows_from_another_merge_go_back_with_that_merge(shared: Latchkey) -> None:
    """Bought by the one, signed in, with the address of the other; then both became a third."""
    gift, (book, _, once) = await shared.product("Gift"), await linked(shared, every=None)
    into, one, two = [
        (await given(shared, gift, f"{name}@both.example"))["user_id"]
        for name in ("third", "one", "two")
    ]
    signed = await shared.stripe.checkout(
        once, mode="payment", client_reference_id=references.sign(two, book, vault=Vault(SECRETS))
    )
    await shared.stripe.pay(signed, "one@both.example")
    await granted(shared, book, "two@both.example", 1)
    await shared.settled()
    for other in (one, two):
        await shared.call(
            "POST", f"/users/{into}/merge", json={"user": other, "reason": "same person"}
        )
    await shared.call("POST", f"/users/{one}/unmerge")
    assert (await shared.access(book, "one@both.example"))["access"] is False
    assert (await shared.access(book, "third@both.example"))["access"] is True
    await shared.call("POST", f"/users/{two}/unmerge")
    assert (await shared.access(book, "two@both.example"))["access"] is True


async def priced(site: Latchkey, *, every: str | None) -> tuple[str, str]:
    """A Stripe product that isn't linked, and a price of it."""
    stripe_product = await site.stripe.product()
    return stripe_product, await site.stripe.price(stripe_product, every=every)


async def test_a_purchase_applied_during_the_undo_goes_back_too(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, _, once = await linked(site, every=None)
    gift = await site.product("Gift")
    into = (await given(site, gift, "survives@undo.example"))["user_id"]
    other = (await given(site, gift, "guest@undo.example"))["user_id"]
    await site.settled()
    await site.call("POST", f"/users/{into}/merge", json={"user": other, "reason": "same person"})
    reached, free, make = asyncio.Event(), asyncio.Event(), order_mirror.make

    async def held(*args: Any, **given: Any) -> None:
        reached.set()
        await free.wait()
        await make(*args, **given)

    monkeypatch.setattr(order_mirror, "make", held)
    await site.stripe.buy("guest@undo.example", once, mode="payment")
    await asyncio.wait_for(reached.wait(), PATIENCE)
    undone = asyncio.create_task(site.call("POST", f"/users/{other}/unmerge"))

    async def waits_or_is_done() -> bool:
        return undone.done() or await blocked(site.pool)

    await until(waits_or_is_done, "the undo waits for the purchase, or doesn't")
    free.set()
    await undone
    await site.has(book, "guest@undo.example")
    assert (await site.access(book, "survives@undo.example"))["access"] is False


async def test_a_running_timer_ends_the_right_users_access_after_an_undo(
    shared: Latchkey,
) -> None:
    club, _, monthly = await linked(shared)
    made = await shared.stripe.subscribe("rings@undo.example", monthly)
    await shared.has(club, "rings@undo.example")
    keeps = await given(shared, await shared.product(), "silent@undo.example")
    other = await user_id(shared, "rings@undo.example")
    await shared.settled()
    await shared.call(
        "POST", f"/users/{keeps['user_id']}/merge", json={"user": other, "reason": "same person"}
    )
    soon = int(time.time()) + shortly()
    await shared.stripe.post(f"subscriptions/{made['id']}", cancel_at=soon)
    await until_is(shared, club, "silent@undo.example", soon)
    await shared.call("POST", f"/users/{other}/unmerge")

    async def told() -> list[Json]:
        return await shared.lines(type="access_ended", product=club)

    ended = await until(told, "the end is in the feed")
    assert [line["user"] for line in ended] == [other]
    assert (await shared.access(club, "rings@undo.example"))["access"] is False


async def test_admins_undo_a_merge_from_the_page_and_its_activity_line(shared: Latchkey) -> None:
    gift = await shared.product()
    into = (await given(shared, gift, "page@undo.example"))["user_id"]
    other = (await given(shared, gift, "line@undo.example"))["user_id"]
    async with visit(shared) as visitor:
        await visitor.sign_in()
        merge = f"/admin/users/{into}/merge/now"
        await visitor.send(merge, email="line@undo.example", reason="same person")
        assert f"/admin/users/{other}/unmerge" in (await visitor.get(f"/admin/users/{into}")).text
        [line] = await shared.lines(type="users_merged", user=into)
        shown = await visitor.get(f"/admin/activity/{line['id']}")
        assert f"/admin/users/{other}/unmerge" in shown.text
        asked = await visitor.get(f"/admin/users/{other}/unmerge")
        assert "line@undo.example" in asked.text
        answer = await visitor.send(f"/admin/users/{other}/unmerge")
        assert answer.headers["location"] == f"/admin/users/{other}?done=unmerged"
        assert "line@undo.example" in (await visitor.get(f"/admin/users/{other}")).text
        shown = await visitor.get(f"/admin/activity/{line['id']}")
        assert "unmerge" not in shown.text, "it was taken back"
        await visitor.get(f"/admin/users/{other}/unmerge", 404)
    for email in ("page@undo.example", "line@undo.example"):
        assert len((await shared.access(gift, email))["grants"]) == 1


async def test_ambiguous_undos_are_refused_with_the_reason(shared: Latchkey) -> None:
    gift = await shared.product()
    one, two, three = [
        (await given(shared, gift, f"{name}@chain.example"))["user_id"]
        for name in ("one", "two", "three")
    ]
    await shared.call("POST", f"/users/{two}/merge", json={"user": one, "reason": "same person"})
    await shared.call("POST", f"/users/{three}/merge", json={"user": two, "reason": "same person"})
    refused = await shared.call("POST", f"/users/{one}/unmerge", 409)
    assert "undo that merge first" in refused["detail"]
    await shared.call("POST", f"/users/{two}/unmerge")
    await shared.call("POST", f"/users/{one}/unmerge")
    for name in ("one", "two", "three"):
        assert len((await shared.access(gift, f"{name}@chain.example"))["grants"]) == 1
    await shared.call("POST", f"/users/{two}/merge", json={"user": one, "reason": "same person"})
    await shared.pool.execute(
        "update user_addresses set user_id = $1 where email_key = 'one@chain.example'", three
    )
    refused = await shared.call("POST", f"/users/{one}/unmerge", 409)
    assert "Someone else has since proven" in refused["detail"]
    [past] = (await shared.call("GET", f"/users/{two}/merges"))["data"]
    assert past["obstacle"] == refused["detail"]
    assert await user_id(shared, "one@chain.example") is None


async def test_access_ended_by_an_admin_since_stays_ended(shared: Latchkey) -> None:
    gift = await shared.product()
    longer = await given(shared, gift, "long@ended.example")
    shorter = await given(shared, gift, "short@ended.example", until="2030-01-01T00:00:00Z")
    into = longer["user_id"]
    await shared.call(
        "POST", f"/users/{into}/merge", json={"user": shorter["user_id"], "reason": "same person"}
    )
    await shared.call("DELETE", f"/grants/{longer['id']}")
    await shared.call("POST", f"/users/{shorter['user_id']}/unmerge")
    for email in ("long@ended.example", "short@ended.example"):
        assert (await shared.access(gift, email))["access"] is False
