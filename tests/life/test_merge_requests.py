"""An account changes hands only by what was proved: its owner agrees, by a link to its mailbox."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from latchkey import signin_links
from latchkey.rules.vocabulary import TokenScope
from latchkey.store.users import api_tokens, merge_requests
from tests.digest import digest
from tests.harness import ADMIN, SECRETS, Json, Latchkey, until
from tests.life.play import linked
from tests.life.test_identity import match
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def proven(site: Latchkey, email: str) -> int:
    """A user whose mailbox was proven."""
    found = await user(site, email)
    await site.pool.execute("update users set proven_at = now() where id = $1", found)
    return found


async def asked(site: Latchkey, one: int, other: int) -> Json:
    return await site.call("POST", f"/users/{one}/merge-requests", 201, json={"user": other})


def path(request: Json, user_id: int) -> str:
    return f"/merge/{signin_links.sign_merge(request['id'], user_id, secrets=SECRETS)}"


async def state(site: Latchkey, request: Json) -> str:
    rows = await site.call("GET", f"/users/{request['into_user']}/merge-requests")
    return next(str(row["state"]) for row in rows["data"] if row["id"] == request["id"])


async def test_a_planted_match_costs_the_victim_nothing(shared: Latchkey, visitor: Visitor) -> None:
    """Somebody pays with the victim's address while signed in; the admin accepts the match."""
    product, _, price = await linked(shared)
    victim = await proven(shared, "victim@plant.example")
    made = await shared.stripe.subscribe("victim@plant.example", price)
    await shared.has(product, "victim@plant.example")
    thief = await proven(shared, "thief+x@plant.example")
    await shared.pool.execute(
        """
        insert into matches (key, kind, user_id, other_id, email)
        values ('planted', 'reference_and_address', $1, $2, 'victim@plant.example')
        """,
        thief,
        victim,
    )
    doubt = await match(shared, "reference_and_address", user_id=thief)
    assert (doubt["user_proven"], doubt["other_proven"], doubt["request"]) == (True, True, None)
    await visitor.sign_in()
    shown = (await visitor.get("/admin/merges")).text
    assert "mailbox confirmed" in shown
    assert "1 subscription" in shown
    await visitor.send("/admin/merges", f"/admin/merges/{doubt['id']}/accept")
    request = (await match(shared, "reference_and_address", user_id=thief))["request"]
    assert (request["into_user"], request["other_user"]) == (thief, victim)
    assert request["waits_for"] == [victim]
    mails = await shared.pool.fetch(
        "select user_id, to_email from mails where key like 'merge_request:' || $1 || ':%'",
        str(request["id"]),
    )
    assert [(row["user_id"], row["to_email"]) for row in mails] == [(victim, None)]
    assert not (await shared.access(product, "thief+x@plant.example"))["access"]
    async with visit(shared) as thieves:
        await thieves.get(path(request, thief), 400)
        await thieves.get("/merge/forged", 400)
    async with visit(shared) as owner:
        page = (await owner.get(path(request, victim))).text
        assert "t•••@plant.example" in page
        assert "1 subscription" in page
        await owner.send(path(request, victim), expect=200, answer="no")
        await owner.get(path(request, victim), 400)
        assert "latchkey_session" not in owner.client.cookies
    assert await state(shared, request) == "declined"
    assert "Declined" in (await visitor.get("/admin/merges")).text
    grants = (await shared.access(product, "victim@plant.example"))["grants"]
    assert [grant["source_id"] for grant in grants] == [made["id"]]
    await visitor.send("/admin/merges", f"/admin/merges/{doubt['id']}/dismiss")


async def test_the_proven_mailbox_stays(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    typed = await user(shared, "typed@stays.example")
    owner = await proven(shared, "proven@stays.example")
    session = await shared.stripe.buy("typed@stays.example", price)
    await shared.has(product, "typed@stays.example")
    request = await asked(shared, typed, owner)
    assert (request["into_user"], request["waits_for"]) == (owner, [typed])
    async with visit(shared) as other:
        await other.send(path(request, typed), expect=200, answer="yes")
        await other.get(path(request, typed), 400)
    assert await state(shared, request) == "merged"
    await shared.has(product, "proven@stays.example")
    billing = "select billing_user from customers where id = $1"
    assert await shared.pool.fetchval(billing, session["customer"]) == owner
    [line] = await shared.lines(type="users_merged", user=owner)
    assert line["cause"] == "customer"
    staff = await user(shared, "staff@stays.example", role="support")
    request = await asked(shared, owner, staff)
    assert (request["into_user"], request["other_user"]) == (staff, owner), "the team stays"


async def test_of_two_typed_addresses_both_agree(shared: Latchkey) -> None:
    one, other = await user(shared, "one@typed.example"), await user(shared, "two@typed.example")
    request = await asked(shared, one, other)
    assert set(request["waits_for"]) == {one, other}
    async with visit(shared) as first:
        answer = await first.send(path(request, other), expect=200, answer="yes")
        assert "still has to agree" in answer.text
        assert await state(shared, request) == "open"
        await first.send(path(request, one), expect=200, answer="yes")
    assert await state(shared, request) == "merged"


async def test_a_no_that_comes_during_a_yes_is_too_late(shared: Latchkey) -> None:
    one = await proven(shared, "stays@race.example")
    other = await proven(shared, "goes@race.example")
    request = await asked(shared, one, other)
    async with shared.pool.acquire() as agreeing, shared.pool.acquire() as declining:
        backend = await declining.fetchval("select pg_backend_pid()")
        async with agreeing.transaction():
            await merge_requests.agree(agreeing, request["id"], user_id=other)

            async def decline() -> None:
                async with declining.transaction():
                    await merge_requests.decline(declining, request["id"], user_id=other)

            no = asyncio.ensure_future(decline())

            async def waits() -> bool:
                blocking = "select pg_blocking_pids($1) <> '{}'"
                return bool(await shared.pool.fetchval(blocking, backend))

            await until(waits, "the no waits for the yes")
        with pytest.raises(merge_requests.RequestRefusedError):
            await no
    assert await state(shared, request) == "merged"


@pytest.mark.parametrize("why", ["old", "address", "other address", "asked again", "merged"])
async def test_links_end(shared: Latchkey, why: str) -> None:
    name = why.replace(" ", "")
    one = await proven(shared, f"stays.{name}@ends.example")
    other = await proven(shared, f"goes.{name}@ends.example")
    request = await asked(shared, one, other)
    if why == "old":
        await shared.pool.execute(
            "update merge_requests set created_at = now() - interval '49 hours' where id = $1",
            request["id"],
        )
    elif "address" in why:
        await shared.pool.execute(
            "update users set email = $2 where id = $1",
            one if why == "address" else other,
            f"changed.{name}@ends.example",
        )
    elif why == "asked again":
        await asked(shared, other, one)
    else:
        third = await user(shared, "third@ends.example")
        again = {"user": third, "reason": "same person"}
        await shared.call("POST", f"/users/{one}/merge", json=again)
    async with visit(shared) as visitor:
        assert "no longer valid" in (await visitor.get(path(request, other), 400)).text
    assert await state(shared, request) == ("replaced" if why == "asked again" else "expired")


async def test_asking_is_limited_and_refuses_who_cannot_be_merged(shared: Latchkey) -> None:
    one, other = await user(shared, "often1@ask.example"), await user(shared, "often2@ask.example")
    boss = await shared.pool.fetchval("select id from users where email = $1", ADMIN)
    admin = await user(shared, "admin@ask.example", role="admin")
    before = await digest(shared, without=["tries"])
    for a, b in ((one, one), (boss, admin), (one, 2**40)):
        await shared.call("POST", f"/users/{a}/merge-requests", 409, json={"user": b})
    await shared.call("POST", "/users/0/merge-requests", 404, json={"user": one})
    assert await digest(shared, without=["tries"]) == before
    for _ in range(5):
        await asked(shared, one, other)
    refused = await shared.call("POST", f"/users/{other}/merge-requests", 409, json={"user": one})
    assert "tomorrow" in refused["detail"]


async def test_only_owners_merge_without_asking(shared: Latchkey, visitor: Visitor) -> None:
    product, _, price = await linked(shared)
    one, other = await user(shared, "keeps@now.example"), await user(shared, "lost@now.example")
    session = await shared.stripe.buy("lost@now.example", price)
    await shared.has(product, "lost@now.example")
    admin = await user(shared, "admin@now.example", role="admin")
    await visitor.sign_in_as(admin, "now1")
    await visitor.get(f"/admin/users/{one}/merge/now", 403)
    assert "merge/now" not in (await visitor.get(f"/admin/users/{one}/merge")).text
    given: Json = {"email": "lost@now.example", "reason": "They called"}
    await visitor.send(f"/admin/users/{one}/merge", f"/admin/users/{one}/merge/now", 403, **given)
    body = {"user": other, "reason": "They called"}
    token = await _token_of(shared, admin)
    answer = await shared.api.post(
        f"/users/{one}/merge", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "owner_only")
    await shared.call("POST", f"/users/{one}/merge", 422, json={"user": other})
    async with visit(shared) as owner:
        await owner.sign_in()
        now = f"/admin/users/{one}/merge/now"
        await owner.send(now, expect=409, email="lost@now.example")
        await owner.send(now, **given)
    await shared.has(product, "keeps@now.example")
    [past] = (await shared.call("GET", f"/users/{one}/merges"))["data"]
    assert (past["reason"], past["merged_by"]) == ("They called", ADMIN)
    told = await shared.pool.fetch(
        "select to_email from mails where user_id = $1 and kind = 'users_merged'", one
    )
    assert {row["to_email"] for row in told} == {None, "lost@now.example"}
    async with visit(shared) as member:
        await member.sign_in_as(one, "now2")
        await member.send(
            "/account/settings",
            "/account/billing",
            expect=404,
            subscription=session["subscription"],
        )
        await member.send("/account/settings", "/account/billing", expect=404)
        assert "Manage billing" not in (await member.get("/account")).text
    await shared.call("POST", "/portal-sessions", 409, json={"email": "keeps@now.example"})


async def _token_of(site: Latchkey, maker: int) -> str:
    async with site.pool.acquire() as connection:
        return await api_tokens.create(
            connection, name="theirs", actor=maker, scope=TokenScope.EVERYTHING
        )


async def test_an_account_with_a_second_factor_agrees_in_its_own_session(
    shared: Latchkey, visitor: Visitor
) -> None:
    stays = await proven(shared, "stays@factors.example")
    goes = await proven(shared, "goes@factors.example")
    request = await asked(shared, stays, goes)
    link = path(request, request["other_user"])
    await shared.pool.execute(
        "insert into authenticator_apps (user_id, secret, last_step) values ($1, 'x', 0)",
        request["other_user"],
    )
    refused = await visitor.send(link, expect=403, answer="yes")
    assert "asks for a second factor" in refused.text
    async with visit(shared) as admin:
        await admin.sign_in()
        await admin.see_as(request["other_user"])
        await admin.send(link, expect=403, answer="yes")
    assert await state(shared, request) == "open"
    await shared.pool.execute(
        "delete from authenticator_apps where user_id = $1", request["other_user"]
    )
    async with visit(shared) as owner:
        await owner.sign_in_as(request["other_user"], "agrees")
        await shared.pool.execute(
            "insert into authenticator_apps (user_id, secret, last_step) values ($1, 'x', 0)",
            request["other_user"],
        )
        await owner.send(link, expect=200, answer="yes")
    assert await state(shared, request) == "merged"
