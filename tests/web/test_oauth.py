"""Signing in to other sites: codes, tokens, refreshing, and what must not work."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from latchkey import passwords
from latchkey.store.oauth import clients
from tests.digest import digest
from tests.harness import Json, Latchkey, http_client
from tests.web.pages import Visitor, left_for, user, visit
from tests.web.relying import BACK, EVERYTHING, FIELDS, RelyingParty, answered, register

pytestmark = pytest.mark.anyio

ALL = " ".join(EVERYTHING)


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


@pytest.fixture
async def forum(shared: Latchkey) -> RelyingParty:
    return await register(shared)


async def member(site: Latchkey, visitor: Visitor, name: str) -> int:
    """Somebody who is signed in."""
    made = await user(site, f"{name}@oauth.example")
    await visitor.sign_in_as(made, f"oauth: {name}")
    return made


async def give(site: Latchkey, product: str, name: str, until: datetime | None = None) -> None:
    body = {"email": f"{name}@oauth.example", "until": until.isoformat() if until else None}
    await site.call("POST", f"/products/{product}/grants", 201, json=body)


async def ended(site: Latchkey, user_id: int) -> list[bool]:
    rows = await site.pool.fetch(
        "select ended_at is not null as ended from oauth_authorizations where user_id = $1"
        " order by id",
        user_id,
    )
    return [row["ended"] for row in rows]


def own(claims: Json) -> Json:
    """The claims without products of other tests, which are open to every member."""
    access = [entry for entry in claims.get("access", []) if entry["product"].endswith("-oauth")]
    groups = [slug for slug in claims["groups"] if slug.endswith("-oauth")]
    return claims | {"groups": groups} | ({"access": access} if "access" in claims else {})


async def test_somebody_who_is_signed_in_is_let_in_at_once(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "ada")
    product = await shared.product("Sailing", slug="sailing-oauth")
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    await give(shared, product, "ada", until)
    answer = answered(await visitor.goes(forum.request()))
    assert (answer["state"], answer["iss"]) == ("state-1", shared.url)
    tokens = (await forum.exchange(answer["code"])).json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    assert tokens["scope"] == "openid email access"
    assert "refresh_token" not in tokens, "only with offline_access"
    claims = await forum.claims(tokens["id_token"])
    entry = {"product": "sailing-oauth", "id": product, "until": until.isoformat()}
    assert claims["iss"] == shared.url
    assert (claims["sub"], claims["aud"], claims["nonce"]) == (str(ada), forum.id, "nonce-1")
    assert (claims["acr"], claims["amr"]) == ("aal1", ["email"])
    assert claims["auth_time"] <= claims["iat"] < claims["exp"]
    known = {"email": "ada@oauth.example", "email_verified": True}
    known |= {"access": [entry], "groups": ["sailing-oauth"]}
    assert {name: own(claims)[name] for name in known} == known
    userinfo = await forum.userinfo(tokens["access_token"])
    assert own(userinfo.json()) == {"sub": str(ada), **known}
    assert userinfo.headers["cache-control"] == "no-store"
    introspected = (await forum.post("/oauth/introspect", token=tokens["access_token"])).json()
    assert introspected["active"] is True
    assert own(introspected)["groups"] == ["sailing-oauth"]
    assert (introspected["client_id"], introspected["sub"]) == (forum.id, str(ada))


async def test_what_is_said_is_true_at_that_second(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "now")
    product = await shared.product(slug="now-oauth")
    tokens = await forum.sign_in(visitor)

    async def groups() -> list[str]:
        said: list[str] = own((await forum.userinfo(tokens["access_token"])).json())["groups"]
        return said

    assert await groups() == []
    await give(shared, product, "now")
    assert await groups() == ["now-oauth"]
    await shared.pool.execute("update grants set until = now() where product_id = $1", product)
    assert await groups() == []


async def test_a_visitor_signs_in_and_comes_back(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    eve = await user(shared, "eve@oauth.example")
    hashed = await passwords.hash_password("purple anvils sing")
    await shared.pool.execute("update users set password_hash = $2 where id = $1", eve, hashed)
    waiting = await visitor.goes(forum.request(login_hint="eve@oauth.example"))
    assert waiting.startswith("/oauth/authorize/")
    login = await visitor.goes(waiting)
    assert login.startswith("/login?next=%2Foauth%2Fauthorize%2F")
    assert 'value="eve@oauth.example"' in (await visitor.get(login)).text
    done = await visitor.send(
        login,
        "/login",
        expect=200,
        email="eve@oauth.example",
        password="purple anvils sing",
        next=waiting,
    )
    assert left_for(done) == waiting, "browsers don't let a form's answer lead to another site"
    answer = answered(await visitor.goes(waiting))
    claims = await forum.claims((await forum.exchange(answer["code"])).json()["id_token"])
    assert (claims["sub"], claims["amr"]) == (str(eve), ["pwd"])
    await visitor.get(waiting, 404)


WRONG_REQUESTS: list[tuple[dict[str, str | None], str]] = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"scope": "email"}, "invalid_scope"),
    ({"scope": None}, "invalid_scope"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "dance"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"request": "eyJ"}, "request_not_supported"),
    ({"request_uri": "https://forum.example/r"}, "request_uri_not_supported"),
    ({"id_token_hint": "eyJ.e30.x"}, "invalid_request"),
    ({"state": "x" * 2001}, "invalid_request"),
    ({"prompt": "none", "max_age": "0"}, "login_required"),
    ({"prompt": "none", "login_hint": "bob@oauth.example"}, "login_required"),
]


async def test_a_wrong_request_is_answered_to_the_client_and_changes_nothing(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "wrong")
    before = await digest(shared)
    for changes, error in WRONG_REQUESTS:
        answer = answered(await visitor.goes(forum.request(**changes)))
        assert answer["error"] == error, changes
        assert answer["error_description"]
        assert answer["iss"] == shared.url
        assert answer.get("state") == changes.get("state", "state-1")
    assert await digest(shared) == before


UNPROVEN: list[dict[str, str | None]] = [
    {"client_id": "client_nobody"},
    {"client_id": None},
    {"redirect_uri": None},
    {"redirect_uri": "https://forum.example/callback/"},
    {"redirect_uri": "https://forum.example/callback?x=1"},
    {"redirect_uri": "https://forum.example.evil.example/callback"},
    {"redirect_uri": "http://forum.example/callback"},
    {"redirect_uri": "HTTPS://forum.example/callback"},
    {"redirect_uri": "https://forum.example/callback#x"},
    {"redirect_uri": "javascript:alert(1)"},
]


async def test_nothing_goes_to_an_address_that_is_not_proven(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "unproven")
    before = await digest(shared)
    for changes in UNPROVEN:
        answer = await visitor.get(forum.request(**changes), 400)
        assert "Nobody was signed in" in answer.text, changes
        assert "location" not in answer.headers
    assert await digest(shared) == before


async def test_a_parameter_that_is_given_twice_is_refused(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "twice")
    asked = forum.request()
    answer = answered(await visitor.goes(f"{asked}&nonce=another"))
    assert answer["error"] == "invalid_request"
    await visitor.get(f"{asked}&redirect_uri=https://evil.example/", 400)


async def test_a_posted_request_is_led_to_the_same_page(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "posted")
    path, _, query = forum.request().partition("?")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await visitor.client.post(path, content=query, headers=headers)
    assert answer.status_code == 303
    assert "code" in answered(await visitor.goes(answer.headers["location"]))


async def test_the_answer_is_posted_on_request(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "form")
    shown = await visitor.get(forum.request(response_mode="form_post"))
    assert f'action="{BACK}"' in shown.text
    assert 'name="code"' in shown.text
    assert "form-action https://forum.example;" in shown.headers["content-security-policy"]
    assert shown.headers["referrer-policy"] == "no-referrer"


WRONG_EXCHANGES: list[tuple[dict[str, str | None], str]] = [
    ({"code": "a-guess"}, "invalid_grant"),
    ({"code": None}, "invalid_request"),
    ({"redirect_uri": "https://forum.example/other"}, "invalid_grant"),
    ({"redirect_uri": None}, "invalid_grant"),
    ({"code_verifier": "x" * 43}, "invalid_grant"),
    ({"code_verifier": None}, "invalid_grant"),
    ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": None}, "invalid_request"),
]


async def test_a_wrong_exchange_changes_nothing(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "exchange")
    code = answered(await visitor.goes(forum.request()))["code"]
    before = await digest(shared, without={"oauth_client_secrets"})
    for changes, error in WRONG_EXCHANGES:
        answer = await forum.exchange(code, **changes)
        assert (answer.status_code, answer.json()["error"]) == (400, error), changes
        assert answer.headers["cache-control"] == "no-store"
    assert await digest(shared, without={"oauth_client_secrets"}) == before
    assert (await forum.exchange(code)).status_code == 200, "the code is still good"


async def test_another_client_cannot_use_a_code(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "other-client")
    code = answered(await visitor.goes(forum.request()))["code"]
    thief = await register(shared, replace(FIELDS, name="Thief"))
    thief.verifier = forum.verifier
    assert (await thief.exchange(code)).json()["error"] == "invalid_grant"
    assert (await forum.exchange(code)).status_code == 200


async def test_a_code_expires_after_a_minute(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "expired")
    code = answered(await visitor.goes(forum.request()))["code"]
    await shared.pool.execute(
        """
        update oauth_authorizations set code_expires_at = code_expires_at - interval '60 seconds'
         where user_id = $1
        """,
        ada,
    )
    assert (await forum.exchange(code)).json()["error"] == "invalid_grant"


async def test_a_code_that_is_used_twice_ends_what_it_gave(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "reused")
    code = answered(await visitor.goes(forum.request(scope=ALL)))["code"]
    tokens = (await forum.exchange(code)).json()
    assert await forum.active(tokens["access_token"])
    again = await forum.exchange(code)
    assert again.json()["error"] == "invalid_grant"
    assert not await forum.active(tokens["access_token"])
    assert (await forum.userinfo(tokens["access_token"])).status_code == 401
    assert (await forum.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    [line] = await shared.lines(type="token_replayed", user=ada)
    assert line["data"] == {"client": "The forum", "what": "code"}


async def test_refresh_tokens_follow_one_another(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "refresh")
    first = await forum.sign_in(visitor, scope=ALL)
    second = (await forum.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await forum.claims(second["id_token"]))["sub"]
    narrow = await forum.refresh(second["refresh_token"], scope="openid email")
    assert narrow.json()["scope"] == "openid email"
    assert "access" not in (await forum.userinfo(narrow.json()["access_token"])).json()
    wide = await forum.refresh(narrow.json()["refresh_token"], scope="openid admin")
    assert wide.json()["error"] == "invalid_scope"
    last = await forum.refresh(narrow.json()["refresh_token"])
    assert last.json()["scope"] == ALL, "the family keeps what was granted"


async def test_a_refresh_token_that_is_replayed_ends_the_family(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "replay")
    first = await forum.sign_in(visitor, scope=ALL)
    second = (await forum.refresh(first["refresh_token"])).json()
    stolen = await forum.refresh(first["refresh_token"])
    assert stolen.json()["error"] == "invalid_grant"
    assert (await forum.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await forum.active(second["access_token"])
    [line] = await shared.lines(type="token_replayed", user=ada)
    assert line["data"]["what"] == "refresh token"


async def test_an_old_or_foreign_refresh_token_is_refused(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "old-refresh")
    tokens = await forum.sign_in(visitor, scope=ALL)
    thief = await register(shared, replace(FIELDS, name="Thief"))
    assert (await thief.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await forum.refresh(tokens["access_token"])).json()["error"] == "invalid_grant"
    assert (await forum.refresh("a guess")).json()["error"] == "invalid_grant"
    await shared.pool.execute(
        """
        update oauth_tokens t set expires_at = now() from oauth_authorizations a
         where a.id = t.authorization_id and a.user_id = $1 and t.kind = 'refresh'
        """,
        ada,
    )
    assert (await forum.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert await ended(shared, ada) == [False], "a refused one changes nothing"


@pytest.mark.parametrize("basic", [True, False])
async def test_a_client_proves_who_it_is(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty, basic: bool
) -> None:
    await member(shared, visitor, f"proves-{basic}")
    tokens = await forum.sign_in(visitor)
    right = await forum.post("/oauth/introspect", basic=basic, token=tokens["access_token"])
    assert right.json()["active"]
    forum.secret = "lks_wrong"
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        answer = await forum.post(path, basic=basic, token="x", grant_type="refresh_token")
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers.get("www-authenticate", "").startswith("Basic" if basic else "")
    forum.secret = None
    for path in ("/oauth/token", "/oauth/introspect", "/oauth/revoke"):
        answer = await forum.post(path, token="x", grant_type="refresh_token")
        assert answer.json()["error"] == "invalid_client"


async def test_two_secrets_work_for_a_while(shared: Latchkey, forum: RelyingParty) -> None:
    async def works(secret: str | None) -> bool:
        forum.secret = secret
        return (await forum.post("/oauth/introspect", token="x")).status_code == 200

    old = forum.secret
    async with shared.pool.acquire() as connection, connection.transaction():
        new = await clients.renew_secret(connection, forum.id)
    assert await works(old)
    assert await works(new)
    await shared.pool.execute(
        "update oauth_client_secrets set expires_at = now() where expires_at is not null"
        " and client_id = $1",
        forum.id,
    )
    assert not await works(old)
    assert await works(new)
    stored = await shared.pool.fetchval(
        "select count(*) from oauth_client_secrets where secret_hash = $1", (new or "").encode()
    )
    assert stored == 0, "only hashes are stored"


UNREADABLE_FORMS: list[tuple[bytes, str | None]] = [
    (b"grant_type=refresh_token&grant_type=refresh_token", None),
    (b'{"grant_type": "refresh_token"}', "application/json"),
    (b"grant_type=%FF", None),
    (b"grant_type=\xff", None),
    (b"grant_type=%00", None),
    (b"&".join(b"a%d=1" % n for n in range(60)), None),
]


async def test_a_form_that_cannot_be_read_is_refused(shared: Latchkey) -> None:
    async with http_client(base_url=shared.url) as client:
        for content, kind in UNREADABLE_FORMS:
            headers = {"content-type": kind or "application/x-www-form-urlencoded"}
            answer = await client.post("/oauth/token", content=content, headers=headers)
            found = (answer.status_code, answer.json()["error"])
            assert found == (400, "invalid_request"), content
        wrong_way = await client.get("/oauth/token")
    assert (wrong_way.status_code, wrong_way.headers["allow"]) == (405, "POST")


async def test_public_clients_have_pkce_in_place_of_a_secret(
    shared: Latchkey, visitor: Visitor
) -> None:
    await member(shared, visitor, "public")
    local = "http://127.0.0.1/back"
    fields = replace(FIELDS, confidential=False, redirect_uris=(BACK, local))
    app = await register(shared, fields)
    tokens = await app.sign_in(visitor, scope=ALL)
    assert (await app.refresh(tokens["refresh_token"])).status_code == 200
    assert (await app.post("/oauth/introspect", token="x")).status_code == 401
    there = await visitor.goes(app.request(redirect_uri="http://127.0.0.1:43127/back"))
    assert there.startswith("http://127.0.0.1:43127/back?code=")
    await visitor.get(app.request(redirect_uri="http://127.0.0.1:43127/other"), 400)


async def test_a_client_may_be_let_off_pkce_but_not_half(
    shared: Latchkey, visitor: Visitor
) -> None:
    await member(shared, visitor, "no-pkce")
    old = await register(shared, replace(FIELDS, pkce=False))
    without: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    code = answered(await visitor.goes(old.request(**without)))["code"]
    assert (await old.exchange(code)).json()["error"] == "invalid_grant", "a verifier for nothing"
    assert (await old.exchange(code, code_verifier=None)).status_code == 200


async def test_third_parties_ask_once_and_members_take_it_back(
    shared: Latchkey, visitor: Visitor
) -> None:
    ada = await member(shared, visitor, "third")
    other = await register(shared, replace(FIELDS, name="Elsewhere", first_party=False))
    refused = answered(await visitor.goes(other.request(prompt="none")))
    assert refused["error"] == "consent_required"
    waiting = await visitor.goes(other.request())
    shown = await visitor.get(waiting)
    assert "See your email address" in shown.text
    denied = await visitor.send(waiting, expect=200, answer="deny")
    assert answered(left_for(denied))["error"] == "access_denied"
    waiting = await visitor.goes(other.request())
    agreed = answered(left_for(await visitor.send(waiting, expect=200, answer="allow")))
    tokens = (await other.exchange(agreed["code"])).json()
    assert "code" in answered(await visitor.goes(other.request(prompt="none"))), "remembered"
    wider = answered(await visitor.goes(other.request(prompt="none", scope=ALL)))
    assert wider["error"] == "consent_required"
    again = await visitor.goes(other.request(prompt="consent"))
    assert "Elsewhere" in (await visitor.get(again)).text
    assert "Elsewhere" in (await visitor.get("/account/sites")).text
    await visitor.send("/account/sites", f"/account/sites/{other.id}/disconnect")
    assert not await other.active(tokens["access_token"])
    assert all(await ended(shared, ada))
    asks = answered(await visitor.goes(other.request(prompt="none")))
    assert asks["error"] == "consent_required"
    await visitor.send("/account/settings", f"/account/sites/{other.id}/disconnect", expect=404)


async def test_the_user_may_be_asked_to_sign_in_again(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    ada = await member(shared, visitor, "again")
    hashed = await passwords.hash_password("purple anvils sing")
    await shared.pool.execute("update users set password_hash = $2 where id = $1", ada, hashed)
    await visitor.sign_in_as(ada, "oauth: again, after the password")
    waiting = await visitor.goes(forum.request(prompt="login"))
    login = await visitor.goes(waiting)
    assert login.startswith("/login/again?next=")
    assert await visitor.goes(waiting) == login, "not without signing in"
    done = await visitor.send(
        login, "/login/again", expect=200, password="purple anvils sing", next=waiting
    )
    assert "code" in answered(await visitor.goes(left_for(done)))
    await shared.pool.execute(
        "update sessions set authenticated_at = now() - interval '1 hour' where user_id = $1", ada
    )
    assert "code" in answered(await visitor.goes(forum.request(max_age="3700")))
    late = answered(await visitor.goes(forum.request(max_age="3000", prompt="none")))
    assert late["error"] == "login_required"


async def test_the_user_may_be_asked_which_account(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "which")
    for changes in ({"prompt": "select_account"}, {"login_hint": "somebody@oauth.example"}):
        waiting = await visitor.goes(forum.request(**changes))
        assert "which@oauth.example" in (await visitor.get(waiting)).text
        chosen = await visitor.send(waiting, f"{waiting}/account", expect=200)
        assert "code" in answered(await visitor.goes(left_for(chosen)))
    waiting = await visitor.goes(forum.request(prompt="select_account"))
    out = await visitor.send(waiting, f"{waiting}/sign-out")
    assert out.headers["location"].startswith("/login?next=")
    assert (await visitor.goes(waiting)).startswith("/login?next="), "signed out"


async def test_an_id_token_hint_names_who_is_meant(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "hinted")
    token = (await forum.sign_in(visitor))["id_token"]
    assert "code" in answered(await visitor.goes(forum.request(id_token_hint=token, prompt="none")))
    other = await register(shared)
    mixed = answered(await visitor.goes(other.request(id_token_hint=token)))
    assert mixed["error"] == "invalid_request", "a token for another client"
    async with visit(shared) as somebody:
        await member(shared, somebody, "not-hinted")
        asked = forum.request(id_token_hint=token, prompt="none")
        assert answered(await somebody.goes(asked))["error"] == "login_required"


async def test_an_admin_who_views_the_site_as_a_member_is_not_them_elsewhere(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    seen = await user(shared, "seen@oauth.example")
    await visitor.sign_in()
    await visitor.see_as(seen)
    await visitor.get(forum.request(), 403)
    silent = answered(await visitor.goes(forum.request(prompt="none")))
    assert silent["error"] == "login_required"
    assert await ended(shared, seen) == []


async def test_a_client_for_a_product_leads_to_its_buy_page_and_back(
    shared: Latchkey, visitor: Visitor
) -> None:
    await member(shared, visitor, "buys")
    product = await shared.product("Course", slug="course-oauth")
    club = await register(shared, replace(FIELDS, product_required=True, product_id=product))
    silent = answered(await visitor.goes(club.request(prompt="none")))
    assert silent["error"] == "access_denied"
    waiting = await visitor.goes(club.request(scope=ALL))
    assert await visitor.goes(waiting) == "/buy/course-oauth"
    await give(shared, product, "buys")
    code = answered(await visitor.goes(waiting))["code"]
    tokens = (await club.exchange(code)).json()
    assert await club.active(tokens["access_token"])
    await shared.pool.execute("update grants set until = now() where product_id = $1", product)
    assert not await club.active(tokens["access_token"]), "let out at the second"
    assert (await club.userinfo(tokens["access_token"])).status_code == 401
    assert (await club.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    await shared.pool.execute("update grants set until = null where product_id = $1", product)
    assert (await club.refresh(tokens["refresh_token"])).status_code == 200, "and in again"
    await shared.call("DELETE", f"/products/{product}", 204)
    waiting = await visitor.goes(club.request())
    assert "no longer has" in (await visitor.get(waiting, 403)).text


async def test_the_sign_in_page_of_a_client_for_a_product_says_where_to_get_it(
    shared: Latchkey, visitor: Visitor
) -> None:
    product = await shared.product("Club", slug="club-oauth")
    club = await register(shared, replace(FIELDS, product_required=True, product_id=product))
    waiting = await visitor.goes(club.request())
    shown = await visitor.get(await visitor.goes(waiting))
    assert f'href="{waiting}/buy"' in shown.text
    wrong = await visitor.send("/login", expect=401, email="a@b.example", password="x")
    assert "/buy" not in wrong.text
    wrong = await visitor.send(
        "/login", expect=401, email="a@b.example", password="x", next=waiting
    )
    assert f'href="{waiting}/buy"' in wrong.text, "it is still there"
    assert await visitor.goes(f"{waiting}/buy") == "/buy/club-oauth"
    anybodys = await register(shared, FIELDS)
    waiting = await visitor.goes(anybodys.request())
    assert "Get access" not in (await visitor.get(await visitor.goes(waiting))).text
    await visitor.get(f"{waiting}/buy", 404)


async def test_a_request_that_names_a_product_leads_to_its_buy_page_and_back(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    product = await shared.product("Part", slug="part-oauth")
    waiting = await visitor.goes(forum.request(product="part-oauth"))
    assert await visitor.goes(waiting) == "/buy/part-oauth", "who is new has no account to sign in"
    silent = answered(await visitor.goes(forum.request(product="part-oauth", prompt="none")))
    assert silent["error"] == "login_required"
    await member(shared, visitor, "part")
    silent = answered(await visitor.goes(forum.request(product="part-oauth", prompt="none")))
    assert silent["error"] == "access_denied"
    assert await visitor.goes(waiting) == "/buy/part-oauth"
    await give(shared, product, "part")
    assert "code" in answered(await visitor.goes(waiting))
    assert "code" in answered(await visitor.goes(forum.request(product="part-oauth")))
    unknown = answered(await visitor.goes(forum.request(product="//evil.example")))
    assert unknown["error"] == "invalid_request"


async def test_tokens_are_revoked_alone_or_with_their_family(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "revoke")
    tokens = await forum.sign_in(visitor, scope=ALL)
    thief = await register(shared)
    assert (await thief.post("/oauth/revoke", token=tokens["refresh_token"])).status_code == 200
    assert await forum.active(tokens["refresh_token"]), "another client's stay"
    assert not await thief.active(tokens["access_token"]), "nor do others learn of them"
    await forum.post("/oauth/revoke", token=tokens["access_token"])
    assert not await forum.active(tokens["access_token"])
    renewed = (await forum.refresh(tokens["refresh_token"])).json()
    done = await forum.post(
        "/oauth/revoke", token=renewed["refresh_token"], token_type_hint="access_token"
    )
    assert done.status_code == 200
    assert not await forum.active(renewed["access_token"])
    assert (await forum.post("/oauth/revoke", token="a guess")).status_code == 200
    assert (await forum.post("/oauth/revoke")).json()["error"] == "invalid_request"


async def test_scopes_that_admins_take_away_are_gone_at_once(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "narrowed")
    tokens = await forum.sign_in(visitor, scope=ALL)
    async with shared.pool.acquire() as connection:
        client = await clients.find(connection, forum.id)
        assert client is not None
        await clients.change(connection, client, replace(FIELDS, scopes=("openid", "access")))
    assert set((await forum.userinfo(tokens["access_token"])).json()) == {"sub", "access", "groups"}
    assert (await forum.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"


async def test_a_bearer_token_can_be_posted_and_must_be_there(
    shared: Latchkey, visitor: Visitor, forum: RelyingParty
) -> None:
    await member(shared, visitor, "bearer")
    tokens = await forum.sign_in(visitor, scope=ALL)
    async with http_client(base_url=shared.url) as client:
        posted = await client.post("/oauth/userinfo", data={"access_token": tokens["access_token"]})
        missing = await client.get("/oauth/userinfo")
    assert posted.json()["email"] == "bearer@oauth.example"
    assert (missing.status_code, missing.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in ("a guess", tokens["refresh_token"], tokens["id_token"]):
        answer = await forum.userinfo(wrong)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")


async def test_the_provider_describes_itself(shared: Latchkey) -> None:
    async with http_client(base_url=shared.url) as client:
        answer = await client.get("/.well-known/openid-configuration")
        same = await client.get("/.well-known/oauth-authorization-server")
    found: Json = answer.json()
    assert found == same.json()
    assert found["issuer"] == shared.url
    assert answer.headers["access-control-allow-origin"] == "*"
    async with http_client() as client:
        for name, address in found.items():
            if name.endswith(("_endpoint", "_uri")) and isinstance(address, str):
                assert (await client.get(address)).status_code != 404, name
