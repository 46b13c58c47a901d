"""Authenticator apps and recovery codes: set up, asked for, used once, lost, removed."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pyotp
import pytest

from latchkey import passwords, signin_links
from latchkey.rotation import rotate
from latchkey.store.users import erasure, factors, merging, passkeys
from latchkey.totp import step_of
from latchkey.vault import Purpose, Vault
from tests.harness import SECRET, SECRETS, Latchkey
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

PASSWORD = "purple anvils sing"
HERE = "/account/security"


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def person(site: Latchkey, email: str, role: str = "member") -> int:
    """A user with a password."""
    made = await user(site, email, role)
    hashed = await passwords.hash_password(PASSWORD)
    await site.pool.execute("update users set password_hash = $2 where id = $1", made, hashed)
    return made


async def set_up(visitor: Visitor) -> tuple[pyotp.TOTP, list[str]]:
    """Set up an app as its page says, a while ago: the app, and the recovery codes."""
    shown = (await visitor.send(HERE, f"{HERE}/app", 200)).text
    found = re.search(r'id="app-key">([A-Z2-7 ]+)<', shown)
    setup = re.search(r'name="setup" value="([^"]+)"', shown)
    assert found
    assert setup
    app = pyotp.TOTP(found[1].replace(" ", ""))
    done = await visitor.send(HERE, f"{HERE}/app", 200, setup=setup[1], code=app.now())
    await visitor.site.pool.execute("update authenticator_apps set last_step = last_step - 10")
    codes = re.search(r'<pre class="codes" id="codes">([^<]+)</pre>', done.text)
    assert codes
    return app, codes[1].split()


async def half(visitor: Visitor, email: str) -> str:
    """Give the password; where the next page is."""
    answer = await visitor.send("/login", email=email, password=PASSWORD, next="/account")
    return str(answer.headers["location"])


async def test_a_code_is_asked_for_after_the_password_and_works_once(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "ada@factors.example"
    await person(shared, email)
    await half(visitor, email)
    app, _ = await set_up(visitor)
    await visitor.send("/account", "/logout")
    assert await half(visitor, email) == "/login/code?next=/account"
    assert await visitor.goes("/account") == "/login?next=/account", "half signed in opens nothing"
    page = await visitor.get("/login/code?next=/account")
    assert "a•••@factors.example" in page.text
    assert email not in page.text
    code = app.now()
    refused = await visitor.send("/login/code", expect=401, code="a guess")
    assert "or was used before" in refused.text
    done = await visitor.send("/login/code", code=code, next="/account")
    assert done.headers["location"] == "/account"
    await visitor.get("/account")
    async with visit(shared) as thief:
        await half(thief, email)
        await thief.send("/login/code", expect=401, code=code)
        assert await thief.goes("/account") == "/login?next=/account"


async def test_an_emailed_link_asks_for_the_code_too(shared: Latchkey, visitor: Visitor) -> None:
    email = "link@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    app, _ = await set_up(visitor)
    epoch = await shared.pool.fetchval("select link_epoch from users where id = $1", member)
    async with visit(shared) as other:
        token = signin_links.sign(member, "factors:link", secrets=SECRETS, epoch=epoch)
        answer = await other.send(f"/login/{token}?next=/library")
        assert answer.headers["location"] == "/login/code?next=/library"
        assert await other.goes("/account") == "/login?next=/account"
        await other.send("/login/code", code=app.now())
        assert "with an emailed link" in (await other.get("/account/settings")).text


async def test_a_ticket_works_once_and_ends_with_what_ends_links(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "ticket@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    app, codes = await set_up(visitor)
    async with visit(shared) as other:
        await half(other, email)
        ticket = other.client.cookies["latchkey_halfway"]
        await other.send("/login/code", code=codes[0])
        other.client.cookies.clear()
        other.client.cookies["latchkey_halfway"] = ticket
        assert "Please sign in again" in (await other.get("/login/code", 400)).text
        other.client.cookies.clear()
        await half(other, email)
        await shared.pool.execute(
            "update users set link_epoch = link_epoch + 1 where id = $1", member
        )
        assert "has changed" in (await other.get("/login/code", 400)).text
        other.client.cookies.clear()
        other.client.cookies["latchkey_session"] = ticket
        assert await other.goes("/account") == "/login?next=/account", "a ticket isn't a session"
        other.client.cookies.clear()
        other.client.cookies["latchkey_halfway"] = f"{ticket}x"
        await other.get("/login/code", 400)
    async with visit(shared) as nobody:
        assert "Start with" in (await nobody.get("/login/code", 400)).text
    assert app


async def test_a_recovery_code_works_once_and_is_reported(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "recover@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    _, codes = await set_up(visitor)
    assert len(codes) == 10
    stored = await shared.pool.fetch(
        "select code_hash::text as hash from recovery_codes where user_id = $1", member
    )
    assert not any(code in row["hash"] for row in stored for code in codes)
    async with visit(shared) as other:
        await half(other, email)
        await other.send("/login/code", code=codes[3].upper())
        assert "9 unused codes" in (await other.get(HERE)).text
        await other.send(HERE, "/logout")
        await half(other, email)
        await other.send("/login/code", expect=401, code=codes[3])
        await other.send("/login/code", code=codes[4])
        renewed = await other.send(HERE, f"{HERE}/codes", 200)
        assert codes[5] not in renewed.text
        await other.send(HERE, "/logout")
        await half(other, email)
        await other.send("/login/code", expect=401, code=codes[5])
    mailed = await shared.pool.fetch(
        "select data->>'change' as change from mails where user_id = $1 and kind = $2 order by id",
        member,
        "factor_changed",
    )
    assert [row["change"] for row in mailed] == [
        "app_added",
        "code_used",
        "code_used",
        "codes_renewed",
    ]
    assert len(await shared.lines(type="factor_changed", user=member)) == 4


async def test_wrong_codes_are_counted_by_account(shared: Latchkey, visitor: Visitor) -> None:
    email = "guess@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    _, codes = await set_up(visitor)
    async with visit(shared) as thief:
        await half(thief, email)
        for n in range(10):
            await thief.send("/login/code", expect=401, code=f"guess {n}")
    async with visit(shared) as another:
        await half(another, email)
        refused = await another.send("/login/code", expect=429, code=codes[0])
        assert "Wait 15 minutes" in refused.text
        await another.send("/login/code", expect=429, code=codes[0])
        assert await another.goes("/account") == "/login?next=/account"
    warned = await shared.pool.fetchval(
        """
        select count(*) from mails
         where user_id = $1 and data->>'change' = 'codes_refused'
        """,
        member,
    )
    assert warned == 1, "whose password somebody knows is told once"


async def test_setting_up_needs_a_fresh_sign_in_and_a_right_code(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "setup@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    async with visit(shared) as elsewhere:
        await half(elsewhere, email)
        shown = (await visitor.send(HERE, f"{HERE}/app", 200)).text
        setup = re.search(r'name="setup" value="([^"]+)"', shown)
        assert setup
        again = await visitor.send(HERE, f"{HERE}/app", 422, setup=setup[1], code="000000x")
        assert "Enter the newest one" in again.text
        await visitor.send(HERE, f"{HERE}/app", 422, setup="forged", code="123456")
        assert not (await owned(shared, member)).any, "only a right code counts"
        await set_up(visitor)
        assert await elsewhere.goes("/account") == "/login?next=/account", "others ended"
        assert (await visitor.get(HERE)).text.count("10 unused codes") == 1
    await shared.pool.execute(
        "update sessions set authenticated_at = now() - interval '16 minutes' where user_id = $1",
        member,
    )
    for path in (f"{HERE}/app", f"{HERE}/app/remove", f"{HERE}/codes", f"{HERE}/passkeys/1/remove"):
        answer = await visitor.send(HERE, path)
        assert answer.headers["location"].startswith("/login/again?next=/account/security")
    assert (await owned(shared, member)).app


async def test_confirming_and_removing_ask_for_the_factor(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "remove@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    _, codes = await set_up(visitor)
    await shared.pool.execute(
        "update sessions set authenticated_at = now() - interval '16 minutes' where user_id = $1",
        member,
    )
    page = (await visitor.get(f"/login/again?next={HERE}")).text
    assert "recovery code" in page
    assert "Use your password" not in page
    answer = await visitor.send("/login/again", password=PASSWORD, next=HERE)
    assert answer.headers["location"].startswith("/login/code"), "the password isn't enough"
    again = await visitor.send(HERE, f"{HERE}/app/remove")
    assert again.headers["location"].startswith("/login/again")
    done = await visitor.send("/login/code", code=codes[0], next=HERE)
    assert done.headers["location"] == HERE
    await visitor.send(HERE, f"{HERE}/app/remove")
    left = await owned(shared, member)
    assert not left.any
    assert left.codes == 0, "codes go with the last factor"
    await visitor.send("/account", "/logout")
    assert await half(visitor, email) == "/account"


@pytest.mark.parametrize(
    ("role", "led_to"),
    [("member", "/account"), ("support", "/login/code?next=/account")],
)
async def test_a_passkey_is_asked_for_after_the_password_of_staff_alone(
    shared: Latchkey, visitor: Visitor, role: str, led_to: str
) -> None:
    email = f"{role}@passkey.example"
    one = await person(shared, email, role)
    async with shared.pool.acquire() as connection, connection.transaction():
        await passkeys.add(
            connection,
            one,
            name="Phone",
            credential_id=role.encode(),
            public_key=b"key",
            sign_count=0,
        )
    assert await half(visitor, email) == led_to
    if role == "member":
        return
    assert await visitor.goes("/account") == "/login?next=/account"
    shown = (await visitor.get(led_to)).text
    assert "Sign in with a passkey" in shown
    assert 'name="code"' not in shown, "there is neither an app nor a recovery code"
    await visitor.send(led_to, "/login/code", 401, code="123456")


async def test_the_secret_is_sealed_and_rotates(shared: Latchkey, visitor: Visitor) -> None:
    email = "sealed@factors.example"
    member = await person(shared, email)
    await half(visitor, email)
    app, _ = await set_up(visitor)
    sealed = await secret_of(shared, member)
    assert app.secret.encode() not in sealed
    later = "another secret for the tests of latchkey"
    try:
        await rotate(shared.settings.require_database(), (later, SECRET))
        assert Vault((later,)).open(await secret_of(shared, member), Purpose.APP_SECRET)
    finally:
        await rotate(shared.settings.require_database(), (SECRET, later))
    opened = Vault((SECRET,)).open(await secret_of(shared, member), Purpose.APP_SECRET)
    assert step_of(opened, app.now()) is not None


async def test_erasing_deletes_factors_and_merging_keeps_only_the_survivors(
    shared: Latchkey, visitor: Visitor
) -> None:
    erased, into, other = [
        await person(shared, f"{name}@factors.example") for name in ("erased", "into", "other")
    ]
    for one in (erased, into, other):
        async with visit(shared) as someone:
            await someone.sign_in_as(one, f"factors:{one}")
            await set_up(someone)
    kept = await secret_of(shared, into)
    async with shared.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, erased, actor=into)
        await merging.merge(connection, into=into, other=other, reason=None, actor=into)
    left = await shared.pool.fetch(
        "select user_id from authenticator_apps where user_id = any($1::bigint[])",
        [erased, into, other],
    )
    assert [row["user_id"] for row in left] == [into]
    assert await secret_of(shared, into) == kept
    assert (await owned(shared, into)).codes == 10
    assert (await owned(shared, erased)).codes == 0


async def owned(site: Latchkey, user_id: int) -> factors.Factors:
    async with site.pool.acquire() as connection:
        return await factors.of_user(connection, user_id)


async def secret_of(site: Latchkey, user_id: int) -> bytes:
    async with site.pool.acquire() as connection:
        found = await factors.sealed_secret(connection, user_id)
    assert found is not None
    return found


async def test_a_passkey_is_renamed_by_its_owner_alone(shared: Latchkey, visitor: Visitor) -> None:
    owner = await person(shared, "names@factors.example")
    await person(shared, "stranger@factors.example")
    key = await shared.pool.fetchval(
        """
        insert into passkeys (user_id, name, credential_id, public_key, sign_count)
        values ($1, 'Phone', 'renamed', 'key', 0) returning id
        """,
        owner,
    )
    path, field = f"{HERE}/passkeys/{key}/rename", f"name-{key}"
    async with visit(shared) as stranger:
        await half(stranger, "stranger@factors.example")
        await stranger.send(HERE, path, 404, **dict[str, Any]({field: "Mine"}))
    await half(visitor, "names@factors.example")
    for name in ("", "x" * 61, "two\nlines"):
        refused = await visitor.send(HERE, path, 422, **dict[str, Any]({field: name}))
        assert f'id="{field}-error"' in refused.text
    assert "Phone" in (await visitor.get(HERE)).text
    await visitor.send(HERE, path, **dict[str, Any]({field: "Old phone"}))
    assert "Old phone" in (await visitor.get(HERE)).text
