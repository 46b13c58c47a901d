"""Where `latchkey scrub` refuses to work, and what it leaves behind."""

import secrets

import pytest

from latchkey import adoption, restoration, scrubbing
from latchkey.adoption import AdoptionError
from latchkey.settings import Settings
from latchkey.store import scrub, site_identity
from latchkey.store.pool import Pool, create_pool
from latchkey.store.site_identity import SiteRole
from tests.dumps import left_alone

pytestmark = pytest.mark.anyio

HOME, STAGING = "https://members.example.com", "https://staging.example.com"


async def test_the_site_itself_isnt_scrubbed(dsn: str, pool: Pool) -> None:
    await pool.close()
    settings = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    with pytest.raises(AdoptionError, match=f"the database of {HOME}"):
        await scrubbing.scrub_copy(settings, SiteRole.READ_ONLY)
    mistaken = settings.model_copy(update={"public_url": STAGING})
    with pytest.raises(AdoptionError, match=f"the database of {HOME}"):
        await scrubbing.scrub_copy(mistaken, SiteRole.READ_ONLY)


async def test_texts_that_look_like_codes_or_ids_are_removed(dsn: str, pool: Pool) -> None:
    written = ["amy", "anna_1990", "{column}", "2026-01-01 at noon", "Ottilie O'Hara", "\u202eevil"]
    kept = ["usd", "sub_1Q2w3e", "in_1", "2026-01-01T02:03:04+00:00", "paid", 7, None, True]
    price = "insert into prices (id, account_id, livemode, stripe_product, active, type, currency,"
    price += " created_at, ticket) values ('price_1', 'a', false, 'p', true, 'one_time', 'usd',"
    await pool.execute(f"{price} now(), 0)")
    await pool.execute(
        "insert into activities (fact, type, at, cause, data) values ('f', 't', now(), 'c', $1)",
        {"reason": written, "deeper": {"kept": [kept]}},
    )
    async with pool.acquire() as connection, connection.transaction():
        await scrub.scrub(connection)
        data = await connection.fetchval("select data from activities")
    assert data == {"reason": ["removed"] * len(written), "deeper": {"kept": [kept]}}


async def test_connections_of_all_roles_are_seen(dsn: str, pool: Pool) -> None:
    role = f"app_{secrets.token_hex(4)}"
    await pool.execute(f"create role {role} login")
    async with (
        await create_pool(dsn.replace("//postgres@", f"//{role}@"), max_size=1) as as_role,
        as_role.acquire() as connection,
    ):
        assert set(await scrub.others(connection)) == {"latchkey"}
        await pool.close()
        await left_alone(dsn, besides=1)
        assert await scrub.others(connection) == []


async def test_a_copy_in_use_isnt_scrubbed_and_a_scrubbed_one_is_never_the_site(
    dsn: str, pool: Pool
) -> None:
    original = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    await adoption.claim(pool, original)
    copied = original.model_copy(update={"public_url": STAGING})
    await restoration.silence(copied)
    with pytest.raises(AdoptionError, match="other programs are connected"):
        await scrubbing.scrub_copy(copied, SiteRole.READ_ONLY)
    with pytest.raises(AdoptionError, match="needs a sandbox"):
        await scrubbing.scrub_copy(copied, SiteRole.REHEARSAL)
    await pool.close()
    await left_alone(dsn)
    await scrubbing.scrub_copy(copied, SiteRole.READ_ONLY)
    await left_alone(dsn)
    await scrubbing.scrub_copy(copied, SiteRole.READ_ONLY)
    for settings in (copied, original):
        with pytest.raises(AdoptionError, match="made up"):
            await adoption.adopt(settings, SiteRole.ORIGINAL)
    await adoption.adopt(copied, SiteRole.READ_ONLY)
    async with await create_pool(dsn, max_size=1) as again, again.acquire() as connection:
        found = await site_identity.read(connection, STAGING)
        lines = await connection.fetch("select action from audit_log")
    assert (found.role, found.scrubbed) == (SiteRole.READ_ONLY, True)
    assert [line["action"] for line in lines] == ["site_scrubbed", "site_adopted"]
