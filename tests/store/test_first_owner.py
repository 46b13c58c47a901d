"""The owner that the settings name is made once, on a site that has none."""

import pytest
from structlog.testing import CapturingLogger

from latchkey import doctor_security, first_owner
from latchkey.settings import Settings, SettingsError
from latchkey.store.pool import Pool
from latchkey.store.users import team

pytestmark = pytest.mark.anyio

FIRST = "first@owner.example"


async def start(pool: Pool, email: str = FIRST, password_hash: str = "chosen at first") -> bool:
    async with pool.acquire() as connection, connection.transaction():
        return await team.make_first_owner(connection, email, password_hash)


async def roles(pool: Pool) -> dict[str, str]:
    return {row["email"]: row["role"] for row in await pool.fetch("select email, role from users")}


async def test_the_first_start_makes_the_owner_with_a_line_in_the_feed(pool: Pool) -> None:
    assert await start(pool)
    assert await roles(pool) == {FIRST: "owner"}
    assert await pool.fetchval("select count(*) from activities where type = 'role_changed'") == 1


async def test_an_owner_whose_role_was_taken_stays_without_it(pool: Pool) -> None:
    await start(pool)
    await pool.execute("insert into users (email, role) values ('second@owner.example', 'owner')")
    await pool.execute("update users set role = 'member' where email = $1", FIRST)
    assert not await start(pool)
    assert (await roles(pool))[FIRST] == "member"


async def test_an_owner_who_changed_address_gets_no_second_self(pool: Pool) -> None:
    await start(pool)
    await pool.execute("update users set email = 'other@owner.example', password_hash = 'changed'")
    assert not await start(pool)
    assert await roles(pool) == {"other@owner.example": "owner"}
    assert await pool.fetchval("select password_hash from users") == "changed"


async def test_settings_never_raise_a_role(pool: Pool) -> None:
    await pool.execute("insert into users (email) values ($1)", FIRST.upper())
    assert not await start(pool)
    assert await roles(pool) == {FIRST.upper(): "member"}
    assert await pool.fetchval("select password_hash from users") is None


def weak(dsn: str, password: str = "password1234") -> Settings:
    return Settings.model_validate(
        {"database_url": dsn, "admin_email": "boss@owner.example", "admin_password": password}
    )


@pytest.mark.parametrize("password", ["eleven char", "password1234", "the boss says hello"])
async def test_a_weak_password_stops_the_start_of_a_site_without_an_owner(
    dsn: str, pool: Pool, password: str
) -> None:
    settings = weak(dsn, password)
    with pytest.raises(SettingsError, match=r"LATCHKEY_ADMIN_PASSWORD: .*everal words"):
        await first_owner.check(settings)
    with pytest.raises(SettingsError):
        await first_owner.ensure(pool, settings)
    assert await roles(pool) == {}
    [found] = await doctor_security.of_first_owner(settings)
    assert "everal words" in found.found


async def test_a_weak_password_that_is_not_needed_is_only_reported(
    dsn: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(first_owner, "log", log)
    await start(pool)
    await first_owner.check(weak(dsn))
    await first_owner.ensure(pool, weak(dsn))
    assert ["LATCHKEY_ADMIN_PASSWORD is weak" in call.args[0] for call in log.calls] == [True]
    assert await roles(pool) == {FIRST: "owner"}
    [found] = await doctor_security.of_first_owner(weak(dsn))
    assert (found.ok, found.found) == (False, "LATCHKEY_ADMIN_PASSWORD is weak")
    assert await doctor_security.of_first_owner(weak(dsn, "purple anvils sing")) == []


async def test_a_strong_password_is_the_first_owners(dsn: str, pool: Pool) -> None:
    settings = weak(dsn, "purple anvils sing")
    await first_owner.check(settings)
    await first_owner.ensure(pool, settings)
    assert await roles(pool) == {"boss@owner.example": "owner"}
