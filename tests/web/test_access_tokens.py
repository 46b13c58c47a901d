"""Signed access tokens: for whom, for what, how long, and that a server can verify them alone."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from latchkey import jose
from latchkey.store import site_identity
from latchkey.store.oauth import clients
from latchkey.store.site_identity import SiteRole
from tests.digest import digest
from tests.harness import Json, Latchkey, http_client

pytestmark = pytest.mark.anyio

VIDEO = "https://video.example"


async def given(site: Latchkey, email: str, until: datetime | None = None) -> str:
    product = await site.product()
    body = {"email": email, "until": until.isoformat() if until else None}
    await site.call("POST", f"/products/{product}/grants", 201, json=body)
    return product


async def verified(site: Latchkey, token: str) -> Any:
    """What a server reads that knows nothing but the site's address."""
    async with http_client(base_url=site.url) as client:
        answer = await client.get("/oauth/jwks")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    return jwt.decode(token, KeySet.import_key_set(answer.json()), algorithms=["RS256"])


async def test_who_has_access_gets_a_token_that_a_server_verifies_alone(shared: Latchkey) -> None:
    product = await given(shared, "watches@tokens.example")
    body = {"product": product, "email": "watches@tokens.example", "audience": VIDEO}
    made = await shared.call("POST", "/access-tokens", 201, json=body)
    token = await verified(shared, made["token"])
    assert token.header["typ"] == "at+jwt"
    claims = token.claims
    user = await shared.pool.fetchval(
        "select id from users where email = $1", "watches@tokens.example"
    )
    assert (claims["iss"], claims["aud"], claims["sub"]) == (shared.url, VIDEO, str(user))
    assert claims["product_id"] == product
    assert 0 < claims["exp"] - time.time() <= 300
    assert claims["exp"] - claims["iat"] == 300
    assert datetime.fromisoformat(made["expires_at"]).timestamp() == claims["exp"]


async def test_a_token_never_outlives_the_access(shared: Latchkey) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=100)
    product = await given(shared, "ends@tokens.example", ends)
    body = {"product": product, "email": "ends@tokens.example", "audience": VIDEO}
    made = await shared.call("POST", "/access-tokens", 201, json=body)
    assert (await verified(shared, made["token"])).claims["exp"] == int(ends.timestamp())
    await shared.pool.execute(
        "update grants set until = now() + interval '1 year' where product_id = $1", product
    )


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"email": "nobody@tokens.example"}, 403, "no_access"),
        ({"product": "none"}, 404, "not_found"),
        ({"audience": ""}, 422, "invalid"),
        ({"audience": "two words"}, 422, "invalid"),
        ({"audience": None}, 422, "invalid"),
        ({"audience": f"{clients.PREFIX}0123456789abcdef01234567"}, 422, "invalid"),
        ({"user": 1}, 422, "invalid"),
        ({"life": 3600}, 422, "invalid"),
    ],
)
async def test_others_get_none_and_nothing_changes(
    shared: Latchkey, change: Json, status: int, code: str
) -> None:
    product = await given(shared, "asks@tokens.example")
    before = await digest(shared)
    body = {"product": product, "email": "asks@tokens.example", "audience": VIDEO, **change}
    problem = await shared.call("POST", "/access-tokens", status, json=body)
    assert problem["code"] == code
    assert await digest(shared) == before


async def test_a_copy_of_a_site_signs_none(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await given(shared, "copied@tokens.example")

    async def copied(*_: object) -> site_identity.SiteIdentity:
        return site_identity.SiteIdentity("https://members.example", SiteRole.COPY)

    monkeypatch.setattr(site_identity, "read", copied)
    body = {"product": product, "email": "copied@tokens.example", "audience": VIDEO}
    problem = await shared.call("POST", "/access-tokens", 409, json=body)
    assert problem["code"] == "copy"


def test_an_access_token_does_not_pass_for_an_id_token() -> None:
    made = jose.generate()
    token = jose.SigningKey(made.id, made.private).sign({"sub": "1"}, kind="at+jwt")
    with pytest.raises(jose.TokenRefusedError):
        jose.read(token, [made.public])
