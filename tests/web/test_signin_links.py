"""Links that sign a person in: how long they live, what ends them, what their page says."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import pytest

from latchkey import passwords, signin_links
from latchkey.store.users import erasure, merging, unmerging, users
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

HOUR = 3600
LONG = "purple anvils sing"


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


def link(user_id: int, nonce: str, *, age: float = 0, **options: object) -> str:
    token = signin_links.sign(
        user_id,
        f"links:{nonce}",
        secrets=SECRETS,
        issued_at=time.time() - age,
        **options,  # type: ignore[arg-type]
    )
    return f"/login/{token}"


@pytest.mark.parametrize("changed", ["email", "password_hash", "role"])
async def test_a_change_of_the_account_ends_older_links(
    shared: Latchkey, visitor: Visitor, changed: str
) -> None:
    member = await user(shared, f"{changed}@links.example")
    before = link(member, f"{changed} before")
    await visitor.get(before)
    value = {"email": "other@links.example", "password_hash": "a hash", "role": "support"}[changed]
    await shared.pool.execute(f"update users set {changed} = $2 where id = $1", member, value)
    assert "the account has changed" in (await visitor.get(before, 400)).text
    await visitor.send(link(member, f"{changed} after", epoch=1))


async def test_erasure_merge_and_its_undo_end_older_links(
    shared: Latchkey, visitor: Visitor
) -> None:
    erased = await user(shared, "erased@links.example")
    into, other = [await user(shared, f"{name}@links.example") for name in ("into", "from")]
    links = [link(one, f"{one}") for one in (erased, into, other)]
    for one in links:
        await visitor.get(one)
    async with shared.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, erased, actor=into)
    async with shared.pool.acquire() as connection, connection.transaction():
        await merging.merge(connection, into=into, other=other, reason=None, actor=into)
    for one in links:
        assert "Ask for a new one" in (await visitor.get(one, 400)).text
    async with shared.pool.acquire() as connection, connection.transaction():
        await unmerging.undo(connection, from_user=other, actor=into)
    assert "Ask for a new one" in (await visitor.get(links[2], 400)).text


async def test_links_live_as_long_as_their_kind(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "lives@links.example")
    old = await visitor.get(link(member, "old", age=HOUR), 400)
    assert "older than 10 minutes" in old.text
    gone = await visitor.get(link(member, "gone", age=49 * HOUR, kind="access"), 400)
    assert "older than 48 hours" in gone.text
    await visitor.send(link(member, "access", age=47 * HOUR, kind="access"))


async def test_a_stale_link_asks_for_the_password_too(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "stale@links.example")
    async with shared.pool.acquire() as connection:
        await users.set_password(connection, member, await passwords.hash_password(LONG))
    fresh = link(member, "young", kind="access", epoch=1)
    assert 'name="password"' not in (await visitor.get(fresh)).text
    stale = link(member, "stale", age=HOUR, kind="access", epoch=1)
    assert 'name="password"' in (await visitor.get(stale)).text
    wrong = await visitor.send(stale, expect=401, password="a guess")
    assert "isn&#39;t the password" in wrong.text
    await visitor.send(stale, password=LONG)
    await visitor.get("/account/settings")


async def test_links_of_the_release_before_work_until_the_account_changes(
    shared: Latchkey, visitor: Visitor
) -> None:
    member = await user(shared, "before@links.example")
    expires = int(time.time()) + 48 * HOUR
    serializer = signin_links._serializer(SECRETS)
    links = [f"/login/{serializer.dumps([member, f'links:before {n}', expires])}" for n in (1, 2)]
    await visitor.send(links[0])
    await shared.pool.execute("update users set role = 'support' where id = $1", member)
    async with visit(shared) as later:
        await later.get(links[1], 400)


async def test_the_page_of_a_link_says_whom_it_signs_in_and_ends_the_old_session(
    shared: Latchkey, visitor: Visitor
) -> None:
    ada, bob = [await user(shared, f"{name}@links.example") for name in ("ada", "bob")]
    opened = await visitor.get(link(bob, "b1"))
    assert "b•••@links.example" in opened.text
    assert "bob@links.example" not in opened.text
    await visitor.sign_in_as(ada, "links:a1")
    old = visitor.client.cookies["latchkey_session"]
    shown = (await visitor.get(link(bob, "b1"))).text
    assert "signed in as" in shown
    assert "ada@links.example" in shown
    await visitor.send(link(bob, "b1"))
    async with visit(shared) as thief:
        thief.client.cookies["latchkey_session"] = old
        assert await thief.goes("/account") == "/login?next=/account"


async def test_a_used_link_leads_on_only_for_whom_it_signed_in(
    shared: Latchkey, visitor: Visitor
) -> None:
    member, other = [await user(shared, f"{name}@links.example") for name in ("again", "else")]
    path = f"{link(member, 'again')}?next=/account"
    await visitor.send(path)
    assert await visitor.goes(path) == "/account"
    async with visit(shared) as somebody:
        await somebody.sign_in_as(other, "links:else")
        await somebody.get(path, 400)


@pytest.mark.parametrize("how", ["link", "password"])
async def test_a_change_of_the_account_wins_over_a_sign_in_under_way(
    shared: Latchkey, visitor: Visitor, how: str
) -> None:
    email = f"race-{how}@links.example"
    member = await user(shared, email)
    hashed = await passwords.hash_password(LONG)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", member, hashed)
    async with shared.pool.acquire() as other, other.transaction():
        await users.set_password(other, member, "another hash")
        holder = await other.fetchval("select pg_backend_pid()")
        if how == "link":
            sending = visitor.send(link(member, "race", epoch=1), expect=400)
        else:
            sending = visitor.send("/login", expect=409, email=email, password=LONG)
        signing_in = asyncio.create_task(sending)

        async def waits() -> bool:
            blocked = """
                select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))
                """
            return signing_in.done() or bool(await shared.pool.fetchval(blocked, holder))

        await until(waits, "the sign-in meets the lock of the change")
    await signing_in
    sessions = "select count(*) from sessions where user_id = $1"
    assert await shared.pool.fetchval(sessions, member) == 0


async def test_a_link_used_twice_at_once_signs_in_once(shared: Latchkey) -> None:
    member = await user(shared, "twice@links.example")
    path = link(member, "twice")
    async with visit(shared) as one, visit(shared) as two:
        tokens = [
            re.search(r'name="csrf_token" value="(\w+)"', (await each.get(path)).text)
            for each in (one, two)
        ]
        answers = await asyncio.gather(
            *(
                each.client.post(path, data={"csrf_token": token[1]})
                for each, token in zip((one, two), tokens, strict=True)
                if token
            )
        )
    assert sorted(answer.status_code for answer in answers) == [303, 400]
