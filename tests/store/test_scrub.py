"""Where `latchkey scrub` refuses to work, and what it leaves behind."""

import pytest

from latchkey import adoption, scrubbing
from latchkey.adoption import AdoptionError
from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.pool import Pool, create_pool
from latchkey.store.site_identity import SiteRole

pytestmark = pytest.mark.anyio

HOME, STAGING = "https://members.example.com", "https://staging.example.com"


async def test_the_site_itself_isnt_scrubbed(dsn: str, pool: Pool) -> None:
    await pool.close()
    settings = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    with pytest.raises(AdoptionError, match="this is the site"):
        await scrubbing.scrub_copy(settings, SiteRole.READ_ONLY)


async def test_a_copy_in_use_isnt_scrubbed_and_a_scrubbed_one_is_never_the_site(
    dsn: str, pool: Pool
) -> None:
    original = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    await adoption.claim(pool, original)
    copied = original.model_copy(update={"public_url": STAGING})
    with pytest.raises(AdoptionError, match="other programs are connected"):
        await scrubbing.scrub_copy(copied, SiteRole.READ_ONLY)
    with pytest.raises(AdoptionError, match="needs a sandbox"):
        await scrubbing.scrub_copy(copied, SiteRole.REHEARSAL)
    await pool.close()
    await scrubbing.scrub_copy(copied, SiteRole.READ_ONLY)
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
