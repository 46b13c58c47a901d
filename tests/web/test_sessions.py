"""Sessions: what ends them, what renews them, and who can end them."""

import html
import re
from collections.abc import AsyncIterator

import pytest

from latchkey import passwords
from latchkey.store.users import sessions
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

LONG = "purple anvils sing"
SIGNED_OUT = "/login?next=/account/settings"
ROLES = ("admin", "owner")


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def age(site: Latchkey, user_id: int, **columns: str) -> None:
    """Set times of a user's sessions back by intervals, such as `last_seen_at="1 hour"`."""
    for column, interval in columns.items():
        await site.pool.execute(
            f"update sessions set {column} = now() - $2::text::interval where user_id = $1",
            user_id,
            interval,
        )


async def signed_in(visitor: Visitor) -> bool:
    return (await visitor.client.get("/account/settings")).status_code == 200


@pytest.mark.parametrize(
    ("role", "column", "before", "after"),
    [
        ("member", "last_seen_at", "29 days", "30 days 1 minute"),
        ("member", "authenticated_at", "89 days", "90 days 1 minute"),
        ("support", "last_seen_at", "11 hours", "12 hours 1 minute"),
        ("owner", "authenticated_at", "6 days 23 hours", "7 days 1 minute"),
    ],
)
async def test_sessions_end_when_idle_and_after_their_life(
    shared: Latchkey, visitor: Visitor, role: str, column: str, before: str, after: str
) -> None:
    member = await user(shared, f"{role}-{column}@sessions.example", role)
    await visitor.sign_in_as(member, f"sessions: {role} {column}")
    await age(shared, member, **{column: before})
    assert await signed_in(visitor)
    await age(shared, member, **{column: after})
    assert await visitor.goes("/account/settings") == SIGNED_OUT
    assert not await signed_in(visitor), "a request after its end doesn't revive a session"


async def test_a_session_ends_sooner_once_its_user_joins_the_team(
    shared: Latchkey, visitor: Visitor
) -> None:
    member = await user(shared, "joins@sessions.example")
    await visitor.sign_in_as(member, "sessions: joins")
    await age(shared, member, last_seen_at="13 hours")
    await shared.pool.execute("update users set role = 'admin' where id = $1", member)
    assert not await signed_in(visitor)


async def test_use_is_noted_every_five_minutes(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "noted@sessions.example")
    await visitor.sign_in_as(member, "sessions: noted")
    noted = "select now() - last_seen_at < interval '1 minute' from sessions where user_id = $1"
    await age(shared, member, last_seen_at="4 minutes")
    await visitor.get("/account/settings")
    assert not await shared.pool.fetchval(noted, member)
    await age(shared, member, last_seen_at="6 minutes")
    await visitor.get("/account/settings")
    assert await shared.pool.fetchval(noted, member)


async def test_expired_sessions_are_deleted_once_idle(shared: Latchkey, visitor: Visitor) -> None:
    """What is stored about an idle session goes with the next sign-in of anybody."""
    idle = await user(shared, "idle@sessions.example")
    await visitor.sign_in_as(idle, "sessions: idle")
    ends = "select round(extract(epoch from expires_at - now()) / 86400) from sessions"
    assert await shared.pool.fetchval(f"{ends} where user_id = $1", idle) == 30
    await age(shared, idle, last_seen_at="10 days", authenticated_at="80 days")
    assert await signed_in(visitor)
    assert await shared.pool.fetchval(f"{ends} where user_id = $1", idle) == 10
    await age(shared, idle, expires_at="1 second")
    async with visit(shared) as another:
        other = await user(shared, "another@sessions.example")
        await another.sign_in_as(other, "sessions: another")
    left = "select count(*) from sessions where user_id = $1"
    assert await shared.pool.fetchval(left, idle) == 0


async def test_signing_in_again_renews_the_session_under_another_token(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "again@sessions.example"
    member = await user(shared, email)
    hashed = await passwords.hash_password(LONG)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", member, hashed)
    await visitor.sign_in_as(member, "sessions: renewed")
    old = visitor.client.cookies["latchkey_session"]
    kept = "select id, created_at from sessions where user_id = $1"
    before = await shared.pool.fetchrow(kept, member)
    await age(shared, member, authenticated_at="1 day")
    page = "/login/again?next=/account/settings"
    await visitor.send(page, "/login/again", 401, password="a guess", next="/account/settings")
    back = await visitor.send(page, "/login/again", password=LONG, next="/account/settings")
    assert back.headers["location"] == "/account/settings"
    assert await signed_in(visitor)
    assert await shared.pool.fetchrow(kept, member) == before, "it is still the same session"
    async with visit(shared) as thief:
        thief.client.cookies["latchkey_session"] = old
        assert not await signed_in(thief)


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_signing_in_again_leads_to_this_site_only(
    shared: Latchkey, visitor: Visitor, target: str
) -> None:
    email = "elsewhere@sessions.example"
    member = await user(shared, email)
    hashed = await passwords.hash_password(LONG)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", member, hashed)
    await visitor.sign_in(email, LONG)
    page = (await visitor.get(f"/login/again?next={target}")).text
    led = set(re.findall(r'name="next" value="([^"]*)"', page))
    assert led == {"", f"/login/again?next={html.escape(target)}"}, "the latter by the languages"
    assert not re.search(r'(href|action)="[^"]*evil', page)
    back = await visitor.send("/login/again", password=LONG, next=target)
    assert back.headers["location"] == "/library"


async def test_a_link_for_somebody_else_does_not_renew_the_session(
    shared: Latchkey, visitor: Visitor
) -> None:
    ada, bob = [await user(shared, f"{name}@sessions.example") for name in ("ada", "bob")]
    await visitor.sign_in_as(ada, "sessions: ada's")
    await visitor.sign_in_as(bob, "sessions: bob's")
    left = await shared.pool.fetch(
        "select user_id from sessions where user_id = any($1)", [ada, bob]
    )
    assert [row["user_id"] for row in left] == [bob]


async def test_one_more_session_than_the_most_ends_the_least_used(shared: Latchkey) -> None:
    member = await user(shared, "many@sessions.example")
    async with visit(shared) as first, visit(shared) as second:
        await first.sign_in_as(member, "sessions: first of many")
        await second.sign_in_as(member, "sessions: second of many")
        await age(shared, member, last_seen_at="1 minute")
        await shared.pool.execute(
            """
            insert into sessions (token_hash, user_id, expires_at)
            select sha256(n::text::bytea), $1, now() + interval '1 day'
              from generate_series(3, $2) as n
            """,
            member,
            sessions.MOST,
        )
        async with visit(shared) as one_more:
            await one_more.sign_in_as(member, "sessions: one too many")
        count = "select count(*) from sessions where user_id = $1"
        assert await shared.pool.fetchval(count, member) == sessions.MOST
        assert not await signed_in(first)
        assert await signed_in(second)


async def test_admins_see_and_end_a_users_sessions(shared: Latchkey, visitor: Visitor) -> None:
    admin, boss = [await user(shared, f"{role}@sessions.example", role) for role in ROLES]
    member = await user(shared, "ended@sessions.example")
    await visitor.sign_in_as(admin, "sessions: ending admin")
    page = f"/admin/users/{member}"
    assert "Where they are signed in" not in (await visitor.get(page)).text
    async with visit(shared) as one, visit(shared) as two, visit(shared) as owner:
        one.client.headers["user-agent"] = "Mozilla/5.0 (iPhone) Safari/1"
        await one.sign_in_as(member, "sessions: ended-1")
        await two.sign_in_as(member, "sessions: ended-2")
        await owner.sign_in_as(boss, "sessions: ended-3")
        shown = (await visitor.get(page)).text
        assert "Safari on iPhone" in shown
        assert "127.0.0.1, since" in shown
        number = await shared.pool.fetchval(
            "select min(id) from sessions where user_id = $1", member
        )
        await visitor.send(page, f"{page}/sessions/{number}/end")
        assert [await signed_in(one), await signed_in(two)] == [False, True]
        await visitor.send(page, f"{page}/sessions/{number}/end", 404)
        await visitor.send(page, f"{page}/sessions/x/end", 404)
        assert await signed_in(two)
        await visitor.send(page, f"{page}/sessions/end")
        assert not await signed_in(two)
        refused = await visitor.send(page, f"/admin/users/{boss}/sessions/end", 403)
        assert "Only an owner of the site" in refused.text
        assert await signed_in(owner)
        await owner.send("/admin/tokens", f"/admin/users/{admin}/sessions/end")
        assert not await signed_in(visitor)
    lines = await shared.lines(type="signed_out_by_team", user=member)
    assert [line["data"] for line in lines] == [{"sessions": 1}] * 2
