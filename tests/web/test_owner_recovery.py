"""`latchkey owner`, run as a command: what it says, whom it lets in, and what it ends."""

import asyncio
import os
import subprocess
import sys
import time

import pytest

from latchkey import passwords, signin_links
from latchkey.recovery import recover
from tests.digest import digest
from tests.harness import SECRET, SECRETS, Latchkey
from tests.web.pages import user, visit
from tests.web.test_sessions import signed_in

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LONG = "purple anvils sing"


async def owner(
    site: Latchkey, *arguments: str, typed: str = "", public_url: str | None = None
) -> tuple[int, str]:
    """Run the command: its exit status and output."""
    environment = os.environ | {
        "DATABASE_URL": site.settings.require_database(),
        "LATCHKEY_SECRET": SECRET,
        "LATCHKEY_PUBLIC_URL": public_url or site.url,
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "latchkey.cli", "owner", *arguments],
        env=environment,
        input=typed,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


async def test_an_owner_who_lost_everything_gets_in_and_nobody_else(shared: Latchkey) -> None:
    email = "lost@recovery.example"
    person = await user(shared, email, "support")
    hashed = await passwords.hash_password(LONG)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", person, hashed)
    async with visit(shared) as thief, visit(shared) as lost:
        await thief.sign_in(email, LONG)
        await shared.pool.execute(
            "insert into recovery_codes (user_id, code_hash) values ($1, 'a code')", person
        )
        mailed = signin_links.sign(person, "mailed before", secrets=SECRETS, epoch=1)
        status, output = await owner(shared, email.upper(), "--yes")
        assert status == 0, output
        assert f"{email} (support) becomes an owner" in output
        link = output.splitlines()[-1].removeprefix(shared.url)
        assert not await signed_in(thief)
        await thief.send("/login", expect=401, email=email, password=LONG)
        await thief.get(f"/login/{mailed}", 400)
        began = await lost.send(link)
        assert began.headers["location"] == "/account/settings#password"
        await lost.send("/account/settings", "/account/password", password=f"{LONG} loudly")
        await lost.get("/admin/settings/team")
        await thief.get(link, 400)
    codes = "select count(*) from recovery_codes where user_id = $1"
    assert await shared.pool.fetchval(codes, person) == 0
    [line] = await shared.lines(type="owner_recovered", user=person)
    assert line["data"] == {"before": "support", "after": "owner"}
    assert await shared.pool.fetchval("select role from users where id = $1", person) == "owner"


async def test_an_unknown_address_gets_an_account_that_owns_the_site(shared: Latchkey) -> None:
    status, output = await owner(shared, "new@recovery.example", typed="y\n")
    assert status == 0, output
    assert "There is no account for new@recovery.example" in output
    async with visit(shared) as visitor:
        await visitor.send(output.splitlines()[-1].removeprefix(shared.url))
        await visitor.get("/admin/settings/team")


@pytest.mark.parametrize(
    ("email", "typed", "said"),
    [
        ("kept@recovery.example", "n\n", "Aborted"),
        ("kept@recovery.example", "", "Abort"),
        ("two@a.test,three@b.test", "y\n", "must be a valid email address"),
    ],
)
async def test_without_a_yes_or_an_address_nothing_changes(
    shared: Latchkey, email: str, typed: str, said: str
) -> None:
    await user(shared, "kept@recovery.example")
    before = await digest(shared)
    status, output = await owner(shared, email, typed=typed)
    assert status == 1
    assert said in output
    assert "Traceback" not in output
    assert await digest(shared) == before


async def test_its_link_lives_for_15_minutes(shared: Latchkey) -> None:
    person = await user(shared, "late@recovery.example", "owner")
    token = signin_links.sign(
        person, "late", secrets=SECRETS, kind="owner", issued_at=time.time() - 901
    )
    async with visit(shared) as visitor:
        assert "older than 15 minutes" in (await visitor.get(f"/login/{token}", 400)).text


async def test_another_link_ends_the_one_before(shared: Latchkey) -> None:
    """Also where neither role nor password change."""
    first, second = [await recover(shared.settings, "again@recovery.example") for _ in range(2)]
    async with visit(shared) as visitor:
        await visitor.get(first.link.removeprefix(shared.url), 400)
        await visitor.get(second.link.removeprefix(shared.url))
    await user(shared, "again@recovery.example")
