"""Signing keys in the database: made once, sealed, replaced in time, and never shared by sites."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from latchkey import jose
from latchkey.rules.signing import AHEAD, KEPT, SIGNS
from latchkey.signing import SigningKeys
from latchkey.store import site_identity
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteRole
from latchkey.vault import Vault

pytestmark = pytest.mark.anyio

VAULT = Vault(("a secret for the tests of keys",))


def keys_of(pool: Pool, vault: Vault = VAULT) -> SigningKeys:
    """The keys as a process reads them that has just started."""
    return SigningKeys(pool, vault)


async def age(pool: Pool, by: timedelta) -> None:
    await pool.execute("update signing_keys set signs_from = signs_from - $1::interval", by)


async def ids(pool: Pool) -> list[str]:
    return [key["kid"] for key in await keys_of(pool).published()]


async def test_processes_that_start_together_make_one_key(pool: Pool) -> None:
    found = await asyncio.gather(*(keys_of(pool).published() for _ in range(4)))
    assert len(found[0]) == 1
    assert all(keys == found[0] for keys in found)
    public = found[0][0]
    assert set(public) == {"kty", "n", "e", "use", "alg", "kid"}, "nothing private"
    row = await pool.fetchrow("select * from signing_keys")
    assert row is not None
    assert b'"d"' not in row["private_jwk"]
    assert "d" not in row["public_jwk"]


async def test_a_key_is_replaced_without_a_gap(pool: Pool) -> None:
    token = await keys_of(pool).sign({"sub": "1"})
    first = await ids(pool)
    await age(pool, SIGNS - AHEAD)
    both = await ids(pool)
    assert both[:1] == first
    assert len(both) == 2, "the next one is published a week before it signs"
    still = await keys_of(pool).sign({"sub": "1"})
    assert jose.read(still, (await keys_of(pool).published())[:1]) == {"sub": "1"}
    await age(pool, AHEAD)
    later = await keys_of(pool).sign({"sub": "2"})
    published = await keys_of(pool).published()
    assert jose.read(later, published[1:]) == {"sub": "2"}
    assert await keys_of(pool).read(token) == {"sub": "1"}, "the old one still verifies"
    await age(pool, KEPT)
    assert await ids(pool) == both[1:]
    with pytest.raises(jose.TokenRefusedError):
        await keys_of(pool).read(token)


async def test_a_key_that_no_secret_opens_is_replaced(pool: Pool) -> None:
    await keys_of(pool).sign({})
    other = keys_of(pool, Vault(("another secret, since that one is lost",)))
    token = await other.sign({"sub": "1"})
    assert len(await other.published()) == 2
    assert await other.read(token) == {"sub": "1"}


async def test_a_copy_that_becomes_a_site_of_its_own_gets_other_keys(pool: Pool) -> None:
    before = await ids(pool)
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.settle(connection, "https://members.example")
        await site_identity.choose(connection, "https://try.example", SiteRole.REHEARSAL)
    assert not {*before} & {*await ids(pool)}


@pytest.mark.parametrize(
    "token",
    ["", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"],
)
async def test_what_our_keys_did_not_sign_is_refused(pool: Pool, token: str) -> None:
    with pytest.raises(jose.TokenRefusedError):
        await keys_of(pool).read(token)


async def test_a_token_of_another_kind_or_with_other_claims_is_refused(pool: Pool) -> None:
    keys = keys_of(pool)
    token = await keys.sign({"sub": "1"}, kind="at+jwt")
    with pytest.raises(jose.TokenRefusedError):
        await keys.read(token)
    head, _, signature = token.split(".")
    forged = jose.generate()
    other = jose.SigningKey(forged.id, forged.private).sign({"sub": "2"}, kind="at+jwt")
    with pytest.raises(jose.TokenRefusedError):
        await keys.read(f"{head}.{other.split('.')[1]}.{signature}", kind="at+jwt")
    with pytest.raises(jose.TokenRefusedError):
        await keys.read(other, kind="at+jwt")
    assert orjson.dumps(await keys.published())
