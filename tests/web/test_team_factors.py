"""A site that requires a second factor of its team or of members; removing those of others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.harness import Json, Latchkey
from tests.truth.test_operating import said
from tests.web.pages import Visitor, user, visit
from tests.web.test_second_factors import HERE, half, owned, person, set_up

pytestmark = pytest.mark.anyio

RULE = "/admin/settings/team/second-factor"


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@asynccontextmanager
async def required(visitor: Visitor, of: str = "required") -> AsyncIterator[None]:
    """The rule in effect, set and taken back by an owner with a second factor."""
    chosen: Json = {of: "yes"}
    await visitor.send(RULE, **chosen)
    try:
        yield
    finally:
        await visitor.send(RULE)


async def test_only_an_owner_who_has_one_can_require_it(shared: Latchkey, visitor: Visitor) -> None:
    await person(shared, "owner@team.example", "owner")
    await person(shared, "admin@team.example", "admin")
    async with visit(shared) as admin:
        await half(admin, "admin@team.example")
        await set_up(admin)
        refused = await admin.send(HERE, RULE, 403, required="yes")
        assert "Only an owner" in refused.text
    await half(visitor, "owner@team.example")
    refused = await visitor.send(RULE, expect=422, required="yes")
    assert "have a second factor yourself" in refused.text
    assert not (await shared.call("GET", "/team"))["second_factor_required"]
    await set_up(visitor)
    async with required(visitor):
        assert (await shared.call("GET", "/team"))["second_factor_required"]


async def test_who_lacks_one_is_led_to_set_it_up_and_then_let_in(
    shared: Latchkey, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person(shared, "requiring@team.example", "owner")
    helper = await person(shared, "helper@team.example", "support")
    await half(visitor, "requiring@team.example")
    app, _ = await set_up(visitor)
    async with visit(shared) as late, required(visitor):
        await half(late, "helper@team.example")
        for path in ("/admin", "/admin/users", f"/admin/users/{helper}"):
            assert await late.goes(path) == HERE
        refused = await late.send(HERE, f"/admin/users/{helper}/notes", text="a note")
        assert refused.headers["location"] == HERE, "forms are held back, too"
        assert "requires a second factor" in (await late.get(HERE)).text
        await late.get("/library")
        listed = {one["email"]: one for one in (await shared.call("GET", "/team"))["data"]}
        assert listed["helper@team.example"]["lacks_second_factor"]
        assert listed["requiring@team.example"]["authenticator_app"]
        _, text = await said(shared, monkeypatch)
        line = next(line for line in text.splitlines() if "second factors:" in line)
        assert "bad" in line
        assert "helper@team.example" in line
        assert "requiring@team.example" not in line
        await set_up(late)
        await late.get("/admin")
        last = await late.send(HERE, f"{HERE}/app/remove", 422)
        assert "this is your last one" in last.text
        assert (await owned(shared, helper)).app
        await visitor.send("/account", "/logout")
        await half(visitor, "requiring@team.example")
        await visitor.send("/login/code", code=app.now())
        await visitor.get("/admin")


async def test_a_session_from_before_the_role_has_to_show_the_factor(
    shared: Latchkey, visitor: Visitor
) -> None:
    await person(shared, "strict@team.example", "owner")
    await half(visitor, "strict@team.example")
    await set_up(visitor)
    member = await user(shared, "promoted@team.example")
    async with visit(shared) as promoted, required(visitor):
        await promoted.sign_in_as(member, "promoted")
        await set_up(promoted)
        await shared.pool.execute(
            "update sessions set second_factor = null where user_id = $1", member
        )
        await shared.pool.execute("update users set role = 'admin' where id = $1", member)
        assert await promoted.goes("/admin/users") == "/login/again?next=/admin/users"


async def test_a_site_can_require_one_of_members(shared: Latchkey, visitor: Visitor) -> None:
    await person(shared, "rules@members.example", "owner")
    await person(shared, "reads@members.example")
    await half(visitor, "rules@members.example")
    await set_up(visitor)
    product = await shared.call("GET", f"/products/{await shared.product('Guarded')}")
    refused = await visitor.send(HERE, RULE, members="no")
    assert refused.headers["location"] == f"{RULE}?done=saved"
    async with visit(shared) as member, required(visitor, "members"):
        await half(member, "reads@members.example")
        for path in ("/library", f"/products/{product['slug']}", "/account", "/account/settings"):
            assert await member.goes(path) == HERE
        held = await member.send(HERE, "/account/mails")
        assert held.headers["location"] == HERE, "forms are held back, too"
        assert "your library opens" in (await member.get(HERE)).text
        app, _ = await set_up(member)
        await member.get("/library")
        last = await member.send(HERE, f"{HERE}/app/remove", 422)
        assert "this is your last one" in last.text
        await member.send("/account", "/logout")
        assert await half(member, "reads@members.example") == "/login/code?next=/account"
        await member.send("/login/code", code=app.now())
        await member.get("/library")
        await shared.pool.execute("update sessions set second_factor = null")
        assert await member.goes("/account") == "/login/again?next=/account"
    lines = await shared.lines(type="factor_changed")
    changes = [line["data"]["change"] for line in lines]
    assert "not_required_of_members" in changes
    assert "required_of_members" in changes


async def test_where_one_is_required_a_members_passkey_is_asked_for(
    shared: Latchkey, visitor: Visitor
) -> None:
    await person(shared, "asks@members.example", "owner")
    holder = await person(shared, "holds@members.example")
    await shared.pool.execute(
        """
        insert into passkeys (user_id, name, credential_id, public_key, sign_count)
        values ($1, 'Phone', 'holds', 'key', 0)
        """,
        holder,
    )
    await half(visitor, "asks@members.example")
    await set_up(visitor)
    async with visit(shared) as member:
        assert await half(member, "holds@members.example") == "/account"
        async with required(visitor, "members"):
            assert await member.goes("/library") == "/login/again?next=/library"
            assert "Continue with a passkey" in (await member.get("/login/again")).text
        await member.send("/account", "/logout")
    async with visit(shared) as member, required(visitor, "members"):
        assert await half(member, "holds@members.example") == "/login/code?next=/account"
        await visitor.see_as(holder)
        await visitor.get("/library")
        await visitor.send("/library", "/acting/stop")


async def test_an_owner_removes_the_factors_of_who_lost_them(
    shared: Latchkey, visitor: Visitor
) -> None:
    owner = await person(shared, "helping@team.example", "owner")
    lost = await person(shared, "lost@team.example")
    await person(shared, "other-admin@team.example", "admin")
    path = f"/admin/users/{lost}/factors"
    async with visit(shared) as member, visit(shared) as admin:
        await half(member, "lost@team.example")
        await set_up(member)
        await half(admin, "other-admin@team.example")
        assert "Only an owner can remove them" in (await admin.get(path)).text
        await admin.send(path, expect=403)
        assert (await owned(shared, lost)).app
        await half(visitor, "helping@team.example")
        assert "10 unused recovery codes" in (await visitor.get(path)).text
        await visitor.send(path)
        assert not (await owned(shared, lost)).any
        assert await member.goes("/account") == "/login?next=/account"
        assert await half(member, "lost@team.example") == "/account"
    line = (await shared.lines(type="factor_changed", user=lost))[0]
    assert line["data"]["change"] == "all_removed"
    removed_by = await shared.pool.fetchval(
        "select actor_id from activities where user_id = $1 and data->>'change' = 'all_removed'",
        lost,
    )
    assert removed_by == owner
    mailed = await shared.pool.fetchval(
        "select data->>'change' from mails where user_id = $1 order by id desc limit 1", lost
    )
    assert mailed == "all_removed"
