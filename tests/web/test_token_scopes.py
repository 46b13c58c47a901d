"""API tokens: what each scope allows, until when, and that a token does no more than its maker."""

import re
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from latchkey.rules.vocabulary import TokenScope
from latchkey.store.users import api_tokens
from tests.harness import Latchkey, http_client, until
from tests.web.pages import user, visit
from web.api import tokens
from web.api.registry import ENDPOINTS

pytestmark = pytest.mark.anyio

WIDE = {
    "PUT /products/{id}/link",
    "DELETE /products/{id}/link",
    "PUT /policy",
    "PUT /products/{id}/policy",
    "POST /matches/{id}/accept",
    "POST /users/{id}/merge",
    "POST /users/{id}/unmerge",
    "POST /member-imports/{id}/undo",
    "GET /audit",
}
PREVIEWS = {
    "POST /products/{id}/link/preview",
    "POST /policy/preview",
    "POST /products/{id}/policy/preview",
}


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A valid token is looked up at every call, not every two seconds."""
    monkeypatch.setattr(tokens, "_REMEMBER_SECONDS", 0.0)


def test_each_call_needs_the_scope_that_its_kind_calls_for() -> None:
    """A new call gets its scope from its method; what differs is listed here, and why it should."""
    for declared in ENDPOINTS:
        if declared.name in WIDE:
            expected = TokenScope.EVERYTHING
        elif declared.path in ("/access", "/access-tokens"):
            expected = TokenScope.ACCESS
        elif declared.method == "GET" or declared.name in PREVIEWS:
            expected = TokenScope.READ
        else:
            expected = TokenScope.WRITE
        assert declared.scope is expected, declared.name
    assert {one.name for one in ENDPOINTS} >= WIDE | PREVIEWS


async def token(
    site: Latchkey,
    scope: TokenScope,
    *,
    maker: int | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token, by default of an owner."""
    async with site.pool.acquire() as connection:
        actor = maker or await connection.fetchval("select id from users where role = 'owner'")
        return await api_tokens.create(
            connection,
            name=f"test {secrets.token_hex(4)}",
            scope=scope,
            actor=actor,
            expires_at=expires_at,
        )


@asynccontextmanager
async def client(site: Latchkey, bearer: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with http_client(
        base_url=f"{site.url}/api/v1",
        headers=headers,
    ) as made:
        yield made


@pytest.mark.parametrize("scope", TokenScope)
async def test_every_call_is_open_to_its_scope_and_wider_ones(
    shared: Latchkey, scope: TokenScope
) -> None:
    made = await token(shared, scope)
    assert not await shared.pool.fetchval(
        "select exists (select from api_tokens where token_hash = $1)", made.encode()
    ), "only the hash is kept"
    async with client(shared, made) as api:
        for declared in ENDPOINTS:
            address = re.sub(r"\{\w+\}", "999999", declared.path)
            answer = await api.request(declared.method, address, params={"colour": "none"})
            if scope.covers(declared.scope):
                assert answer.status_code == 422, (declared.name, answer.text)
                continue
            assert answer.status_code == 403, (declared.name, answer.text)
            problem = answer.json()
            assert (problem["code"], problem["scope"]) == ("insufficient_scope", declared.scope)
            assert answer.headers["www-authenticate"] == (
                f'Bearer error="insufficient_scope", scope="{declared.scope}"'
            )


async def test_a_refused_call_is_in_the_audit_log(shared: Latchkey) -> None:
    made = await token(shared, TokenScope.ACCESS)
    async with client(shared, made) as api:
        assert (await api.get("/users")).status_code == 403

    async def recorded() -> bool:
        found: bool = await shared.pool.fetchval(
            """
            select exists (select from audit_log l join api_tokens t on t.id = l.actor_id
                            where t.token_hash = $1 and l.action = 'scope_denied'
                              and l.target_id = 'GET /users')
            """,
            api_tokens.digest(made),
        )
        return found

    await until(recorded, "the refusal is recorded")


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [("owner", 200, 201), ("admin", 200, 201), ("support", 200, 403), ("member", 401, 401)],
)
async def test_a_token_does_no_more_than_its_maker(
    shared: Latchkey, forgetful: None, role: str, reads: int, writes: int
) -> None:
    maker = await user(shared, f"maker-{role}@tokens.example", "admin")
    made = await token(shared, TokenScope.EVERYTHING, maker=maker)
    async with client(shared, made) as api:
        assert (await api.get("/products")).status_code == 200
        await user(shared, f"maker-{role}@tokens.example", role)
        assert (await api.get("/products")).status_code == reads
        assert (await api.post("/products", json={"name": "By token"})).status_code == writes
        await shared.pool.execute("update users set role = 'member' where id = $1", maker)
        await shared.pool.execute("update users set erased_at = now() where id = $1", maker)
        assert (await api.get("/products")).status_code == 401


async def test_a_token_ends_and_is_revoked(shared: Latchkey, forgetful: None) -> None:
    ended = await token(
        shared, TokenScope.READ, expires_at=datetime.now(UTC) - timedelta(seconds=1)
    )
    open_ = await token(shared, TokenScope.READ, expires_at=datetime.now(UTC) + timedelta(days=1))
    async with client(shared, ended) as api:
        assert (await api.get("/products")).status_code == 401
    async with client(shared, open_) as api:
        assert (await api.get("/products")).status_code == 200
        async with shared.pool.acquire() as connection:
            (row, *_) = await api_tokens.listed(connection)
            assert row.works
            assert row.last_used_at is not None
            assert await api_tokens.revoke(connection, row.id)
        assert (await api.get("/products")).status_code == 401


async def test_a_token_is_not_remembered_past_its_end(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_REMEMBER_SECONDS", 3600.0)
    made = await token(shared, TokenScope.READ, expires_at=datetime.now(UTC) + timedelta(minutes=5))
    async with client(shared, made) as api:
        assert (await api.get("/products")).status_code == 200
    _, until_then = tokens._known[api_tokens.digest(made)]
    assert until_then <= time.monotonic() + 300


async def test_tokens_from_before_may_do_everything_and_the_page_advises_against_it(
    shared: Latchkey,
) -> None:
    old = f"lk_{secrets.token_hex(16)}"
    await shared.pool.execute(
        """
        insert into api_tokens (name, token_hash, created_by)
        select 'from before', $1, id from users where role = 'owner' limit 1
        """,
        api_tokens.digest(old),
    )
    async with client(shared, old) as api:
        assert (await api.get("/audit")).status_code == 200
    async with shared.pool.acquire() as connection:
        assert any(token.unlimited for token in await api_tokens.listed(connection))
    async with visit(shared) as owner:
        await owner.sign_in()
        assert "Replace them with tokens" in (await owner.get("/admin/tokens")).text


async def test_the_page_makes_tokens_with_scope_and_end(shared: Latchkey) -> None:
    name = f"made {secrets.token_hex(4)}"
    async with visit(shared) as owner:
        await owner.sign_in()
        for wrong in ({"scope": "all"}, {"ends": "tomorrow"}):
            await owner.send("/admin/tokens", expect=422, name=name, **wrong)
        shown = await owner.send("/admin/tokens", expect=200, name=name, scope="access", ends="30")
    made = re.search(r"lk_[\w-]+", shown.text)
    assert made
    (row,) = await shared.pool.fetch("select * from api_tokens where name = $1", name)
    assert row["scope"] == "access"
    assert timedelta(days=29) < row["expires_at"] - datetime.now(UTC) <= timedelta(days=30)
    (line,) = await shared.pool.fetch(
        "select * from audit_log where action = 'token_created' and target_id = $1", str(row["id"])
    )
    assert line["after"]["scope"] == "access"
    assert made[0] not in str(dict(line))
    async with client(shared, made[0]) as api:
        assert (await api.get("/access", params={"product": "x"})).status_code == 422
        assert (await api.get("/products")).status_code == 403


async def test_the_description_names_the_scope_of_each_call(shared: Latchkey) -> None:
    async with http_client() as plain:
        document = (await plain.get(f"{shared.url}/api/v1/openapi.json")).json()
    for declared in ENDPOINTS:
        operation = document["paths"][f"/api/v1{declared.path}"][declared.method.lower()]
        assert operation["security"] == [{"token": [declared.scope]}]
        assert f"`{declared.scope}`" in operation["description"]
