"""Who is who: references, customers, addresses, matches, merges."""

from typing import Any

import pytest

from latchkey import references, signin_links
from latchkey.vault import Vault
from tests.harness import SECRETS, Json, Latchkey, until
from tests.life.play import granted, linked, types
from tests.web.pages import visit

pytestmark = pytest.mark.anyio


async def user_id(site: Latchkey, email: str) -> int:
    found: int = await site.pool.fetchval("select id from users where email_key = $1", email)
    return found


async def match(site: Latchkey, kind: str, **wanted: object) -> Json:
    """Wait for an open match of a kind that holds these values."""

    async def found() -> Json | None:
        rows = (await site.call("GET", "/matches", params={"limit": 200}))["data"]
        fits = [
            row
            for row in rows
            if row["kind"] == kind and all(row[key] == value for key, value in wanted.items())
        ]
        return fits[0] if fits else None

    row: Json = await until(found, f"a match {kind} {wanted}")
    return row


async def agree(site: Latchkey, request: Json) -> None:
    """The owners of both mailboxes follow the links of a merge request."""
    for user in request["waits_for"]:
        async with visit(site) as visitor:
            token = signin_links.sign_merge(request["id"], user, secrets=SECRETS)
            await visitor.send(f"/merge/{token}", expect=200, answer="yes")


async def test_the_reference_takes_precedence_over_customer_and_address(shared: Latchkey) -> None:
    product, _, price = await linked(shared, every=None)
    me = await shared.call(
        "POST", f"/products/{product}/grants", 201, json={"email": "me@who.example"}
    )
    await shared.call("DELETE", f"/grants/{me['id']}")
    await shared.stripe.buy("other@who.example", price, mode="payment")
    await shared.has(product, "other@who.example")
    reference = references.sign(me["user_id"], product, vault=Vault(SECRETS))
    session = await shared.stripe.checkout(price, mode="payment", client_reference_id=reference)
    await shared.stripe.pay(session, "other@who.example")
    await shared.has(product, "me@who.example")
    doubt = await match(shared, "reference_and_address", source_id=session["id"])
    assert (doubt["user_email"], doubt["other_email"]) == ("me@who.example", "other@who.example")
    await shared.call("POST", f"/matches/{doubt['id']}/dismiss")
    await shared.call("POST", f"/matches/{doubt['id']}/accept", 409, json={})
    assert (await shared.access(product, "other@who.example"))["access"] is True


async def test_two_customers_of_one_person_become_one_user(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("twice@who.example", price)
    await shared.stripe.subscribe("Twice@Who.example", price)
    await granted(shared, product, "twice@who.example", 2)
    shown = await shared.call("GET", "/users", params={"search": "twice@who.example"})
    assert len(shown["data"]) == 1
    assert len(shown["data"][0]["customers"]) == 2


async def test_one_customer_with_two_addresses_is_imported_as_one_user(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product, every=None)
    customer = await shared.stripe.customer("old@who.example")
    for email in ("old@who.example", "new@who.example"):
        await shared.stripe.post(f"customers/{customer}", email=email)
        session = await shared.stripe.checkout(price, mode="payment", customer=customer)
        await shared.stripe.pay(session, email)
    product = await shared.product()
    await shared.link(product, stripe_product)
    rows = await shared.pool.fetch(
        "select id, email from users where email = any('{old@who.example,new@who.example}')"
    )
    assert len(rows) == 1, "nobody is made who bought nothing"
    await granted(shared, product, rows[0]["email"], 2)
    created = await shared.lines(type="user_created", user=rows[0]["id"])
    assert len(created) == 1


async def test_a_changed_address_moves_nobody_and_raises_a_match(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    one = await shared.stripe.subscribe("anna@who.example", price)
    await shared.stripe.subscribe("berta@who.example", price)
    await shared.has(product, "anna@who.example")
    await shared.has(product, "berta@who.example")
    await shared.stripe.post(f"customers/{one['customer']}", email="berta@who.example")
    doubt = await match(shared, "address_changed", customer_id=one["customer"])
    assert (doubt["user_email"], doubt["other_email"]) == ("anna@who.example", "berta@who.example")
    grants = (await shared.access(product, "anna@who.example"))["grants"]
    assert [grant["source_id"] for grant in grants] == [one["id"]]


async def test_an_address_with_a_tag_is_proposed_for_merging(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("tag@who.example", price)
    await shared.has(product, "tag@who.example")
    await shared.stripe.subscribe("tag+shop@who.example", price)
    await shared.has(product, "tag+shop@who.example")
    doubt = await match(shared, "similar_address", email="tag+shop@who.example")
    gone = doubt["other_id"]
    asked = await shared.call("POST", f"/matches/{doubt['id']}/accept", json={})
    assert (asked["state"], asked["request"]["other_user"]) == ("open", gone)
    await agree(shared, asked["request"])
    await granted(shared, product, "tag@who.example", 2)
    await granted(shared, product, "tag+shop@who.example", 2)
    by_id = await shared.call("GET", "/access", params={"product": product, "user": gone})
    assert len(by_id["grants"]) == 2, "the merged id answers for the survivor"


async def test_customers_with_one_address_and_two_names(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    first = await shared.stripe.subscribe("family@who.example", price)
    await shared.has(product, "family@who.example")
    customer = await shared.stripe.customer("family@who.example")
    await shared.stripe.post(f"customers/{customer}", name="Somebody Else")
    await shared.stripe.post("subscriptions", customer=customer, items=[{"price": price}])
    await granted(shared, product, "family@who.example", 2)
    doubt = await match(shared, "shared_address", customer_id=customer)
    assert doubt["merges"] is False
    await shared.call("POST", f"/matches/{doubt['id']}/accept", 409, json={})
    assert first["customer"] != customer


@pytest.mark.parametrize("way", ["by hand", "by Stripe"])
async def test_a_purchase_without_an_address_waits_for_one(shared: Latchkey, way: str) -> None:
    """It is stored and shown until someone assigns it, or the customer gets an address in
    Stripe."""
    product, _, price = await linked(shared)
    email = f"{way.replace(' ', '')}@who.example"
    made = await shared.stripe.subscribe(None, price)
    doubt = await match(shared, "no_address", source_id=made["id"])
    state = await shared.pool.fetchval("select state from subscriptions where id = $1", made["id"])
    assert "Nobody to give access to" in state
    if way == "by hand":
        await shared.call("POST", f"/matches/{doubt['id']}/accept", 409, json={})
        await shared.call("POST", f"/matches/{doubt['id']}/accept", json={"email": email})
        assert (await shared.access(product, email))["access"] is True
    else:
        await shared.stripe.post(f"customers/{made['customer']}", email=email)
    await shared.has(product, email)
    closed = await shared.pool.fetchval("select state from matches where id = $1", doubt["id"])
    assert closed == ("accepted" if way == "by hand" else "settled")
    assert await types(shared, product) == [
        "access_granted", "product_purchased", "subscription_started",
    ]  # fmt: skip
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.has(product, email, access=False)


async def test_a_merge_loses_nothing(shared: Latchkey) -> None:
    club, _, monthly = await linked(shared)
    book, _, once = await linked(shared, every=None)
    gift = await shared.product("Gift")
    kept = await shared.call(
        "POST", f"/products/{gift}/grants", 201, json={"email": "keep@merge.example"}
    )
    theirs = await shared.call(
        "POST",
        f"/products/{gift}/grants",
        201,
        json={"email": "gone@merge.example", "until": "2030-01-01T00:00:00Z"},
    )
    made = await shared.stripe.subscribe("gone@merge.example", monthly)
    await shared.stripe.buy("gone@merge.example", once, mode="payment")
    await shared.has(club, "gone@merge.example")
    await shared.has(book, "gone@merge.example")
    await shared.settled()
    into, gone = kept["user_id"], theirs["user_id"]
    before = len(await shared.lines(user=gone)) + len(await shared.lines(user=into))
    mails = await shared.pool.fetchval(
        "select count(*) from mails where user_id = any($1::bigint[])", [into, gone]
    )
    done = await shared.call("POST", f"/users/{into}/merge", json={"user": gone, "reason": "same"})
    assert done["moved"]["orders.user_id"] == 1
    for email in ("keep@merge.example", "gone@merge.example"):
        for product in (club, book, gift):
            found = await shared.access(product, email)
            assert (found["access"], found["until"]) == (True, None)
    assert len(await shared.lines(user=into)) == before + 1
    assert await shared.lines(user=gone) == await shared.lines(user=into)
    told = await shared.pool.fetch(
        "select coalesce(to_email, '') from mails where user_id = $1 and kind = 'users_merged'",
        into,
    )
    assert sorted(row[0] for row in told) == ["", "gone@merge.example"]
    assert mails + len(told) == await shared.pool.fetchval(
        "select count(*) from mails where user_id = $1", into
    )
    undo = await shared.pool.fetchrow("select * from user_merges where from_user = $1", gone)
    assert undo is not None
    assert undo["kept"]["user"]["email"] == "gone@merge.example"
    assert {"id": made["id"]} in undo["kept"]["moved"]["subscriptions.user_id"]
    session = await shared.stripe.checkout(
        once, mode="payment", client_reference_id=references.sign(gone, book, vault=Vault(SECRETS))
    )
    await shared.stripe.pay(session, "third@merge.example")
    await granted(shared, book, "keep@merge.example", 2)
    await shared.stripe.delete(f"subscriptions/{made['id']}")
    await shared.has(club, "keep@merge.example", access=False)
    await shared.stripe.subscribe("gone@merge.example", monthly)
    await shared.has(club, "keep@merge.example")
    assert await user_id(shared, "gone@merge.example") is None
    await shared.call(
        "POST", f"/users/{into}/merge", 409, json={"user": gone, "reason": "same person"}
    )
    await shared.call(
        "POST", f"/users/{into}/merge", 409, json={"user": into, "reason": "same person"}
    )
    shown = await shared.call("GET", f"/users/{into}/addresses")
    assert [row["email"] for row in shown["data"]] == ["gone@merge.example"]


async def test_admins_decide_in_the_queue_and_merge_by_address(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    made = await shared.stripe.subscribe(None, price)
    doubt = await match(shared, "no_address", source_id=made["id"])
    await shared.stripe.subscribe("main@page.example", price)
    await shared.has(product, "main@page.example")
    async with visit(shared) as visitor:
        await visitor.sign_in()
        assert made["id"] in (await visitor.get("/admin/merges")).text
        path = f"/admin/merges/{doubt['id']}/accept"
        field = f"email-{doubt['id']}"
        await visitor.send("/admin/merges", path, 422, **dict[str, Any]({field: "nonsense"}))
        await visitor.send("/admin/merges", path, **dict[str, Any]({field: "side@page.example"}))
        await shared.has(product, "side@page.example")
        main = await user_id(shared, "main@page.example")
        path = f"/admin/users/{main}/merge"
        await visitor.send(path, expect=409, email="nobody@page.example", do="look")
        looked = await visitor.send(
            path, expect=200, email="side@page.example", reason="Same name", do="look"
        )
        assert 'value="Same name"' in looked.text
        assert "Would move" in looked.text
        assert "address only typed" in looked.text
        await visitor.send(path, email="side@page.example", do="ask")
        [asked] = (await shared.call("GET", f"/users/{main}/merge-requests"))["data"]
        assert "Waiting for" in (await visitor.get(path)).text
    await agree(shared, asked)
    await granted(shared, product, "main@page.example", 2)
    await granted(shared, product, "side@page.example", 2)


async def test_staff_are_never_merged_away(shared: Latchkey) -> None:
    await shared.pool.execute(
        "insert into users (email, role) values ('boss@merge.example', 'admin')"
    )
    grant = await shared.call(
        "POST",
        f"/products/{await shared.product()}/grants",
        201,
        json={"email": "plain@merge.example"},
    )
    boss = await user_id(shared, "boss@merge.example")
    answer = await shared.call(
        "POST",
        f"/users/{grant['user_id']}/merge",
        409,
        json={"user": boss, "reason": "same person"},
    )
    assert "is on the site's team" in answer["detail"]
    await shared.call(
        "POST", f"/users/{boss}/merge", json={"user": grant["user_id"], "reason": "same person"}
    )


async def test_one_mailbox_is_one_person_however_stripe_has_it(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product()
    await shared.link(product, stripe_product)
    await shared.call(
        "POST",
        f"/products/{await shared.product()}/grants",
        201,
        json={"email": "Ana@münze.example"},
    )
    await shared.stripe.buy("ana@xn--mnze-0ra.example", price)
    await shared.has(product, "ana@münze.example")
    for written in ("ANA@MÜNZE.example.", "ana@XN--mnze-0ra.example", "ana＠münze．example"):
        answer = await shared.call("GET", "/access", params={"product": product, "email": written})
        assert answer["access"], written
    count = "select count(*) from users where email ilike 'ana@%nze%.example'"
    assert await shared.pool.fetchval(count) == 1
