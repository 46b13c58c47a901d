"""What doctor says of the machine, of Postgres, and of a Stripe key that admins entered."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from latchkey import doctor, doctor_checks, doctor_connections, doctor_machine
from latchkey.doctor_checks import Check
from latchkey.doctor_connections import Connections, judged
from latchkey.doctor_machine import LogArchive, judged_archive
from latchkey.settings import Settings
from latchkey.store.pool import Pool
from tests.harness import SECRET
from tests.store.test_go_live import arrive

pytestmark = pytest.mark.anyio

URL = "https://members.example.com"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def on(dsn: str, **given: object) -> Settings:
    return Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": URL, **given})


async def test_a_clock_behind_stripes_is_named(dsn: str, pool: Pool) -> None:
    [right] = await doctor_machine.of_clock(on(dsn))
    assert right.ok
    async with pool.acquire() as connection:
        await arrive(connection, "webhook", created=timedelta(minutes=-10))
    [wrong] = await doctor_machine.of_clock(on(dsn))
    assert (wrong.ok, wrong.found) == (False, "off by 600 s, compared with Stripe's")
    [sandbox] = await doctor_machine.of_clock(on(dsn, STRIPE_API_BASE="http://127.0.0.1:9"))
    assert sandbox.ok, "a sandbox's clock may be anywhere"


def test_a_disk_that_is_nearly_full_is_named(tmp_path: Path) -> None:
    settings = Settings.model_validate({"LATCHKEY_PICTURES": str(tmp_path)})
    assert doctor_machine.of_disks(settings, least=0) == []
    [check] = doctor_machine.of_disks(settings, least=2**62)
    assert not check.ok
    assert str(tmp_path) in check.found
    gone = Settings.model_validate({"LATCHKEY_PICTURES": str(tmp_path / "none")})
    assert str(tmp_path) not in str(doctor_machine.of_disks(gone, least=2**62))


@pytest.mark.parametrize(
    ("archive", "fine"),
    [
        (LogArchive(True, NOW, None), True),
        (LogArchive(True, NOW, NOW - timedelta(days=1)), True),
        (LogArchive(True, NOW, NOW + timedelta(minutes=1)), False),
        (LogArchive(True, None, NOW), False),
        (LogArchive(True, None, None), True),
    ],
    ids=["never failed", "succeeds again", "fails since", "never succeeded", "new"],
)
def test_an_archive_that_fails_is_named(archive: LogArchive, fine: bool) -> None:
    [check] = judged_archive(archive)
    assert check.ok is fine


async def test_a_server_that_archives_nothing_isnt_blamed(dsn: str) -> None:
    assert await doctor_machine.of_archive(on(dsn)) == []


async def stripe_checks(dsn: str) -> dict[str, Check]:
    found = await doctor._stripe(on(dsn))
    return {check.name: check for check in [*found, *await doctor_checks.of_permissions(on(dsn))]}


async def test_an_entered_key_and_its_endpoint_are_judged_by_what_was_last_found(
    dsn: str, pool: Pool
) -> None:
    assert {name: check.ok for name, check in (await stripe_checks(dsn)).items()} == {
        "Stripe": True
    }
    await pool.execute(
        """
        update stripe_connection set state = 'connected', connected_at = now(),
               endpoint_found = '{"status": "missing",
                                  "strays": [{"id": "we_old", "url": "https://old.example"}]}',
               findings = $1
        """,
        [{"area": "Invoices", "ok": False}, {"area": "Coupons", "ok": False, "optional": True}],
    )
    found = await stripe_checks(dsn)
    assert (found["Stripe"].ok, found["webhook"].ok) == (True, False)
    assert found["key permissions"].found == "missing: Invoices"
    assert found["other webhook"].found.startswith("we_old sends this account's events to https://")
    await pool.execute("update stripe_connection set state = 'refused', error = 'Invalid key'")
    found = await stripe_checks(dsn)
    assert (found["Stripe"].ok, found["Stripe"].found) == (False, "Invalid key")


async def test_a_missing_secret_is_named(dsn: str) -> None:
    [check] = await doctor._secrets(on(dsn))
    assert (check.ok, check.found) == (False, "LATCHKEY_SECRET is not set")
    given = on(dsn).model_copy(update={"secret": SecretStr(SECRET)})
    assert [check.ok for check in await doctor._secrets(given)] == [True]


@pytest.mark.parametrize(
    ("found", "fine"),
    [
        (Connections(1, 1, 0, 97), True),
        (Connections(1, 1, 21, 97), True),
        (Connections(1, 1, 22, 97), False),
        (Connections(3, 1, 0, 97), False),
        (Connections(3, 1, 0, 116), True),
    ],
    ids=["usual", "just enough", "others take too many", "too many processes", "raised"],
)
def test_connections_are_counted_with_those_of_a_replacement(
    found: Connections, fine: bool
) -> None:
    [check] = judged(found)
    assert check.ok is fine


async def test_a_role_that_may_open_few_connections_is_named(dsn: str, pool: Pool) -> None:
    await pool.execute(
        "insert into processes (id, kind, release) values ('a', 'web', '1'), ('b', 'web', '1')"
    )
    [enough] = await doctor_connections.of_connections(on(dsn))
    assert "2 web processes and 1 worker may open 60, 96 while they are replaced" in enough.found
    database = await pool.fetchval("select current_database()")
    await pool.execute(f"alter database {database} connection limit 95")
    [few] = await doctor_connections.of_connections(on(dsn))
    assert not few.ok
    assert few.found.endswith("95 are allowed")
    assert await doctor_connections.of_connections(on(f"{dsn}&statement_cache_size=0")) == []
