"""Nothing tells known addresses from unknown ones, and nobody reaches what is somebody else's."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from latchkey import passwords, signin_links
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.communities import communities
from latchkey.store.users import claims
from tests.digest import digest
from tests.harness import SECRETS, Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.relying import register
from web import pages
from web.pages.member import signin

pytestmark = pytest.mark.anyio

ASKED = {
    "/login": ("/login", {"password": "not the password"}),
    "/login/link": ("/login", {"next": "/library"}),
    "/login/recover": ("/login/recover", {}),
    "/account/claims": ("/account/claims", {}),
}
"""Each form that takes an address, with its page and its other fields."""


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


def shown(answer: httpx.Response, email: str) -> tuple[object, ...]:
    """What a response says, without what differs between any two."""
    body = (
        re.sub(r'name="csrf_token" value="\w+"', "", answer.text)
        .replace(f"asks.{email}", "…")
        .replace(email, "…")
    )
    dull = ("date", "set-cookie", "content-length", "content-security-policy", "x-request-id")
    headers = {name: value for name, value in answer.headers.items() if name not in dull}
    return answer.status_code, headers, body


async def asked(site: Latchkey, path: str, email: str) -> httpx.Response:
    """The answer to an address, as somebody else or nobody gives it."""
    page, fields = ASKED[path]
    async with visit(site) as visitor:
        if path.startswith("/account"):
            await visitor.sign_in_as(await user(site, f"asks.{email}"), f"enum {email}")
        text = (await visitor.get(page)).text
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', text)
        assert found, page
        return await visitor.client.post(
            path, data={"csrf_token": found[1], "email": email, **fields}
        )


@pytest.mark.parametrize("path", ASKED)
async def test_known_and_unknown_addresses_get_the_same_answer(shared: Latchkey, path: str) -> None:
    name = path.replace("/", "")
    known, staff = f"known{name}@enum.example", f"staff{name}@enum.example"
    hashed = await passwords.hash_password("the right password")
    for email, role in ((known, "member"), (staff, "admin")):
        await user(shared, email, role)
        await shared.pool.execute(
            "update users set password_hash = $2 where email = $1", email, hashed
        )
    bare = f"nopassword{name}@enum.example"
    await user(shared, bare)
    unknown = f"nobody{name}@enum.example"
    first = shown(await asked(shared, path, unknown), unknown)
    for email in (known, staff, bare):
        assert shown(await asked(shared, path, email), email) == first, email


async def test_an_unknown_address_costs_one_password_check_too(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bool] = []
    verify = passwords._verify

    def counting(password_hash: str | None, password: str) -> bool:
        checked.append(password_hash is not None)
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", counting)
    await user(shared, "hashed@enum.example")
    await shared.pool.execute(
        "update users set password_hash = $1 where email = 'hashed@enum.example'",
        await passwords.hash_password("the right password"),
    )
    for email in ("hashed@enum.example", "unhashed@enum.example"):
        assert (await asked(shared, "/login", email)).status_code == 401
    assert checked == [True, False]


@pytest.mark.parametrize("path", ["/login/link", "/login/recover"])
async def test_an_address_is_looked_up_after_the_answer(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """So how long it takes says nothing about whether it is known."""
    may_look, looked = asyncio.Event(), asyncio.Event()
    mail = signin._mail

    async def waiting(*given: object) -> None:
        await may_look.wait()
        await mail(*given)  # type: ignore[arg-type]
        looked.set()

    monkeypatch.setattr(signin, "_mail", waiting)
    email = f"late{path.replace('/', '')}@enum.example"
    member = await user(shared, email)
    assert (await asked(shared, path, email)).status_code == 303
    mails = "select count(*) from mails where user_id = $1"
    assert await shared.pool.fetchval(mails, member) == 0
    may_look.set()
    await looked.wait()
    assert await shared.pool.fetchval(mails, member) == 1


async def test_every_claim_sends_one_email_whoever_has_the_address(shared: Latchkey) -> None:
    await user(shared, "held@enum.example")
    for email in ("held@enum.example", "free@enum.example"):
        await asked(shared, "/account/claims", email)
        sent = "select count(*) from mails where to_email = $1 and kind = 'claim'"
        assert await shared.pool.fetchval(sent, email) == 1


async def test_no_members_route_reaches_what_is_anothers(
    shared: Latchkey, visitor: Visitor
) -> None:
    """Every one with a parameter, with ids and links of somebody else's."""
    owner, thief = (
        await user(shared, "owner@idor.example"),
        await user(shared, "thief@idor.example"),
    )
    async with visit(shared) as other:
        await other.sign_in_as(owner, "idor owner")
        forum = await register(shared)
        await forum.sign_in(other)
    session = await shared.pool.fetchval("select id from sessions where user_id = $1", owner)
    async with shared.pool.acquire() as connection, connection.transaction():
        claim = await claims.ask(connection, owner, "more@idor.example")
        change = await connection.fetchval(
            "insert into email_changes (user_id, email) values ($1, 'new@idor.example')"
            " returning id",
            owner,
        )
        passkey = await connection.fetchval(
            """
            insert into passkeys (user_id, credential_id, public_key, sign_count, name)
            values ($1, 'idor', 'key', 0, 'Key') returning id
            """,
            owner,
        )
        server = await communities.create(
            connection,
            kind=WebhookFormat.DISCORD_ROLES,
            name="Owners",
            space_id="1",
            bot_id="2",
            token=b"",
            actor=owner,
        )
        account = await connection.fetchval(
            """
            insert into community_accounts (endpoint_id, user_id, external_id)
            values ($1, $2, '3') returning id
            """,
            server,
            owner,
        )
    tries = {
        "/account/claims/{token}": (signin_links.sign_claim(claim, secrets=SECRETS), 400),
        "/account/email/{token}": (signin_links.sign_change(change, secrets=SECRETS), 400),
        "/account/sessions/{id}/end": (str(session), 404),
        "/account/sites/{id}/disconnect": (forum.id, 404),
        "/account/communities/{id}/connect": (str(account), 404),
        "/account/communities/{account}/disconnect": (str(account), 404),
        "/account/security/passkeys/{id}/remove": (str(passkey), 404),
        "/account/security/passkeys/{id}/rename": (str(passkey), 404),
    }
    routes = {
        route.path
        for route in pages.routes()
        if route.path.startswith("/account") and "{" in route.path
    }
    assert routes == tries.keys()
    await visitor.sign_in_as(thief, "idor thief")
    before = await digest(shared, without={"tries", "sessions"})
    for path, (value, status) in tries.items():
        address = re.sub(r"\{\w+\}", value, path)
        fields: dict[str, Any] = {f"name-{passkey}": "Mine"}
        await visitor.send("/account/settings", address, status, **fields)
        assert await digest(shared, without={"tries", "sessions"}) == before, path
    await shared.pool.execute("delete from webhook_endpoints where id = $1", server)
