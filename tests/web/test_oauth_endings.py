"""What ends a sign-in elsewhere, and how other sites hear of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import logout_notices
from latchkey.outgoing_addresses import networks
from latchkey.outgoing_http import OutgoingHttp
from latchkey.signing import SigningKeys
from latchkey.store import site_identity
from latchkey.store.oauth import authorizations
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteRole
from latchkey.store.users import erasure, merging, sessions, team, users
from latchkey.vault import Vault
from tests.harness import SECRETS, Json, Latchkey, free_port, until
from tests.web.pages import Visitor, left_for, user, visit
from tests.web.relying import EVERYTHING, FIELDS, RelyingParty, answered, register

pytestmark = pytest.mark.anyio

ALL = " ".join(EVERYTHING)
BYE = "https://forum.example/bye"


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@dataclass
class Listener:
    """A site that hears of logouts. It answers with `status`."""

    address: str
    status: int = 200
    heard: list[str] = field(default_factory=list)

    async def hear(self, request: Request) -> Response:
        form = await request.form()
        self.heard.append(str(form["logout_token"]))
        return Response(status_code=self.status)


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    port = free_port()
    listener = Listener(f"http://127.0.0.1:{port}/logout")
    app = Starlette(routes=[Route("/logout", listener.hear, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the other site listens")
    yield listener
    server.should_exit = True
    await serving


@dataclass
class Deliverer:
    """Delivers notices as the worker does, when the test says so. The worker of the shared site
    takes none of them, since they are leased before."""

    pool: Pool
    site: Latchkey
    http: OutgoingHttp

    async def send(self) -> None:
        signing = SigningKeys(self.pool, Vault(SECRETS))
        await logout_notices.send_due(self.pool, self.site.settings, signing, self.http)


async def member(site: Latchkey, visitor: Visitor, name: str) -> int:
    made = await user(site, f"{name}@endings.example")
    await visitor.sign_in_as(made, f"endings: {name}")
    return made


async def notices(site: Latchkey, client: RelyingParty) -> list[Json]:
    rows = await site.pool.fetch(
        "select subject, sid::text, due_at, attempts, error from oauth_logouts"
        " where client_id = $1 order by id",
        client.id,
    )
    return [dict(row) for row in rows]


@pytest.fixture
async def forum(shared: Latchkey) -> RelyingParty:
    """Its notices lead nowhere: the shared site's worker may try meanwhile."""
    fields = replace(FIELDS, backchannel_logout_uri="https://forum.invalid/logout")
    return await register(shared, fields)


End = Callable[[Latchkey, Visitor, int], Coroutine[None, None, None]]


async def _sign_out(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    await visitor.send("/account/settings", "/logout")


async def _change_password(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    await visitor.send("/account/settings", "/account/password", password="purple anvils sing")


async def _end_by_team(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    async with site.pool.acquire() as connection, connection.transaction():
        await sessions.end_all(connection, user_id)


async def _change_role(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    async with site.pool.acquire() as connection, connection.transaction():
        owner = await connection.fetchval("select id from users where role = 'owner' limit 1")
        actor = await users.by_id(connection, owner)
        assert actor is not None
        await team.change(connection, user_id, "support", actor=actor)


async def _erase(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    async with site.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, user_id, actor=1)


async def _merge(site: Latchkey, visitor: Visitor, user_id: int) -> None:
    into = await user(site, f"into-{user_id}@endings.example")
    async with site.pool.acquire() as connection, connection.transaction():
        await merging.merge(connection, into=into, other=user_id, reason=None, actor=None)


@pytest.mark.parametrize(
    "end", [_sign_out, _change_password, _end_by_team, _change_role, _erase, _merge]
)
async def test_what_ends_a_session_here_ends_it_elsewhere(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty, end: End
) -> None:
    ada = await member(shared, visitor, end.__name__)
    tokens = await forum.sign_in(visitor, scope=ALL)
    sid = (await forum.claims(tokens["id_token"]))["sid"]
    await end(shared, visitor, ada)
    assert not await forum.active(tokens["access_token"])
    assert (await forum.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    [notice] = await notices(shared, forum)
    assert (notice["subject"], notice["sid"]) == (str(ada), sid)


async def test_a_code_dies_with_its_session(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "code-dies")
    code = answered(await visitor.goes(forum.request()))["code"]
    await visitor.send("/account/settings", "/logout")
    assert (await forum.exchange(code)).json()["error"] == "invalid_grant"
    assert await notices(shared, forum) == [], "the site never learned of the session"


async def test_a_session_that_expires_leaves_refresh_tokens_until_the_password_changes(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "expires")
    tokens = await forum.sign_in(visitor, scope=ALL)
    await shared.pool.execute(
        "update sessions set expires_at = now() - interval '1 second' where user_id = $1", ada
    )
    await shared.pool.execute("delete from sessions where user_id = $1", ada)
    renewed = (await forum.refresh(tokens["refresh_token"])).json()
    assert await notices(shared, forum) == []
    async with shared.pool.acquire() as connection, connection.transaction():
        await users.set_password(connection, ada, "another hash")
    assert (await forum.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"
    assert len(await notices(shared, forum)) == 1


async def test_signing_in_again_keeps_the_session_elsewhere(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "renews")
    first = await forum.claims((await forum.sign_in(visitor))["id_token"])
    await visitor.sign_in_as(ada, "endings: renews again")
    second = await forum.claims((await forum.sign_in(visitor))["id_token"])
    assert first["sid"] == second["sid"]
    assert await notices(shared, forum) == []


async def test_erasing_leaves_nothing_of_other_sites(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "leaves-nothing")
    await forum.sign_in(visitor, scope=ALL, prompt=None)
    await _erase(shared, visitor, ada)
    for table in ("oauth_authorizations", "oauth_consents"):
        left = f"select count(*) from {table} where user_id = $1"
        assert await shared.pool.fetchval(left, ada) == 0


async def test_the_client_signs_its_user_out_here(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "rp-logout")
    token = (await forum.sign_in(visitor))["id_token"]
    wish = {"id_token_hint": token, "post_logout_redirect_uri": BYE, "state": "s 1"}
    out = await visitor.get(f"/oauth/logout?{urlencode(wish)}", 303)
    assert out.headers["location"] == f"{BYE}?state=s+1"
    assert (await visitor.client.get("/account")).status_code == 303, "signed out"
    again = await visitor.goes(f"/oauth/logout?{urlencode(wish)}")
    assert again == f"{BYE}?state=s+1", "and led on if nobody is signed in"


async def test_without_proof_of_this_session_the_user_is_asked(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    async with visit(shared) as somebody:
        await member(shared, somebody, "proof-other")
        others = (await forum.sign_in(somebody))["id_token"]
    await member(shared, visitor, "proof")
    for wish in (
        {"client_id": forum.id, "post_logout_redirect_uri": BYE},
        {"id_token_hint": others, "post_logout_redirect_uri": BYE},
        {"id_token_hint": "forged", "client_id": forum.id, "post_logout_redirect_uri": BYE},
    ):
        asks = await visitor.goes(f"/oauth/logout?{urlencode(wish)}")
        assert asks.startswith("/oauth/logout/confirm?")
        assert "Sign out here, too?" in (await visitor.get(asks)).text
    await visitor.get("/account")
    assert left_for(await visitor.send(asks, expect=200)) == BYE
    assert (await visitor.client.get("/account")).status_code == 303


async def test_nobody_is_signed_out_or_led_on_by_a_wrong_request(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "wrong-logout")
    token = (await forum.sign_in(visitor))["id_token"]
    other = await register(shared)
    for wish in (
        {"post_logout_redirect_uri": BYE},
        {"post_logout_redirect_uri": BYE, "client_id": "client_nobody"},
        {"post_logout_redirect_uri": f"{BYE}/", "id_token_hint": token},
        {"post_logout_redirect_uri": "https://evil.example/", "id_token_hint": token},
        {"id_token_hint": token, "client_id": other.id},
    ):
        assert (
            "still signed in" in (await visitor.get(f"/oauth/logout?{urlencode(wish)}", 400)).text
        )
    twice = f"/oauth/logout?client_id={forum.id}&client_id={forum.id}"
    await visitor.get(twice, 400)
    await visitor.get("/account")


async def test_notices_are_signed_and_retried(shared: Latchkey, pool: Pool) -> None:
    """On a database of its own, so that no worker delivers them first."""
    http = OutgoingHttp(own=(), allowed=networks(["127.0.0.1"]))
    async with listening() as listener:
        deliver = Deliverer(pool, shared, http)
        await pool.execute(
            """
            insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                                       post_logout_redirect_uris, backchannel_logout_uri, scopes,
                                       product_required)
            values ('client_1', 'One', true, true, true, '{}', '{}', $1, '{}', false)
            """,
            listener.address,
        )
        sid = await pool.fetchval(
            "insert into oauth_logouts (client_id, subject, sid)"
            " values ('client_1', '7', gen_random_uuid()) returning sid::text"
        )
        listener.status = 500
        await deliver.send()
        row = await pool.fetchrow("select * from oauth_logouts where due_at > now()")
        assert row is not None
        assert (row["attempts"], row["error"]) == (1, "it answered with status 500")
        await deliver.send()
        assert len(listener.heard) == 1, "not before it is due again"
        listener.status = 204
        await pool.execute("update oauth_logouts set due_at = now()")
        await deliver.send()
        assert await pool.fetchval("select count(*) from oauth_logouts") == 0
        signing = SigningKeys(pool, Vault(SECRETS))
        claims = await signing.read(listener.heard[-1], kind="logout+jwt")
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert (claims["iss"], claims["aud"]) == (shared.url, "client_1")
    assert (claims["sub"], claims["sid"]) == ("7", sid)
    assert claims["exp"] - claims["iat"] == 120
    assert "nonce" not in claims
    await http.aclose()


async def test_a_notice_is_given_up_at_last_and_never_leads_inside(
    shared: Latchkey, pool: Pool
) -> None:
    http = OutgoingHttp(own=())
    deliver = Deliverer(pool, shared, http)
    await pool.execute(
        """
        insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                                   post_logout_redirect_uris, backchannel_logout_uri, scopes,
                                   product_required)
        values ('client_1', 'One', true, true, true, '{}', '{}', 'https://127.0.0.1:9/x', '{}',
                false)
        """
    )
    await pool.execute(
        "insert into oauth_logouts (client_id, subject, sid, attempts)"
        " values ('client_1', '7', gen_random_uuid(), $1)",
        len(logout_notices.PAUSES),
    )
    await deliver.send()
    row = await pool.fetchrow("select due_at, error from oauth_logouts")
    assert row is not None
    assert row["due_at"] is None
    assert "isn't an address on the internet" in row["error"]
    await http.aclose()


async def test_a_copy_of_a_site_tells_nobody_and_forgets_what_was_to_be_told(
    shared: Latchkey, pool: Pool
) -> None:
    http = OutgoingHttp(own=(), allowed=networks(["127.0.0.1"]))
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.choose(connection, "https://members.example", SiteRole.ORIGINAL)
    async with listening() as listener:
        await pool.execute(
            """
            insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                                       post_logout_redirect_uris, backchannel_logout_uri, scopes,
                                       product_required)
            values ('client_1', 'One', true, true, true, '{}', '{}', $1, '{}', false)
            """,
            listener.address,
        )
        await pool.execute(
            "insert into oauth_logouts (client_id, subject, sid)"
            " values ('client_1', '7', gen_random_uuid())"
        )
        await Deliverer(pool, shared, http).send()
        assert listener.heard == []
    assert await pool.fetchval("select count(*) from oauth_logouts") == 1
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.choose(connection, shared.url, SiteRole.ORIGINAL)
    assert await pool.fetchval("select count(*) from oauth_logouts") == 0
    await http.aclose()


async def test_a_copy_signs_nobody_in(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    await member(shared, visitor, "copied")
    tokens = await forum.sign_in(visitor)
    app = shared._app
    assert app is not None
    copied = site_identity.SiteIdentity("https://members.example", SiteRole.COPY)

    async def unchanged(*_: object) -> None:
        return None

    monkeypatch.setattr(app.state.site, "refresh_look", unchanged)
    monkeypatch.setattr(app.state.site, "identity", copied)
    assert "copy of the site" in (await visitor.get(forum.request(), 400)).text
    for answer in (
        await forum.userinfo(tokens["access_token"]),
        await forum.refresh("any"),
        await forum.post("/oauth/introspect", token="any"),
    ):
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")


async def test_what_is_over_is_swept(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    gone = await member(shared, visitor, "swept")
    await forum.sign_in(visitor)
    await visitor.goes(forum.request())
    await visitor.send("/account/settings", "/logout")
    kept = await member(shared, visitor, "kept")
    await forum.sign_in(visitor, scope=ALL)
    ids = [gone, kept]
    left = "select count(*) from oauth_authorizations where user_id = $1"
    await shared.pool.execute(
        "update oauth_authorizations set check_at = now() where user_id = any($1)", ids
    )
    await shared.pool.execute(
        """
        update oauth_tokens t set expires_at = now() from oauth_authorizations a
         where a.id = t.authorization_id and a.user_id = $1
        """,
        gone,
    )

    async def swept() -> bool:
        await visitor.goes(forum.request())
        return bool(await shared.pool.fetchval(left, gone) == 0)

    await until(swept, "what has ended is deleted with further sign-ins")
    assert await shared.pool.fetchval(left, kept) >= 1
    assert authorizations.SWEEP >= 2
