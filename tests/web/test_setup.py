"""Setting up a site that has no owner: once, by its link, and by nobody else."""

import asyncio
import base64
import json
import re
import time
from typing import Any

import pytest
import structlog

from latchkey import first_owner, signin_links
from latchkey.settings import Settings
from latchkey.store.pool import Pool
from tests.harness import (
    ADMIN,
    PASSWORD,
    SECRETS,
    Latchkey,
    Stripe,
    free_port,
    prepare_latchkey,
    run_latchkey,
)
from tests.web.pages import visit

pytestmark = pytest.mark.anyio

SITE = "https://members.example.com"
NOBODY: dict[str, Any] = {"LATCHKEY_ADMIN_EMAIL": None, "LATCHKEY_ADMIN_PASSWORD": None}
GIVEN = {
    "name": "The <b>Club",
    "email": "Lovelace@Club.example",
    "password": "seven wet otters",
    "again": "seven wet otters",
}


def test_a_link_is_for_one_address_and_a_day() -> None:
    token = signin_links.sign_setup(SITE, secrets=SECRETS)
    assert signin_links.is_setup(token, SITE, secrets=SECRETS)
    assert signin_links.is_setup(token, SITE, secrets=("another " * 4, *SECRETS))
    assert not signin_links.is_setup(token, "https://other.example.com", secrets=SECRETS)
    assert not signin_links.is_setup(token, SITE, secrets=("another " * 4,))
    assert not signin_links.is_setup(token[:-1], SITE, secrets=SECRETS)
    old = signin_links.sign_setup(SITE, secrets=SECRETS, issued_at=time.time() - 86_401)
    assert not signin_links.is_setup(old, SITE, secrets=SECRETS)
    other = signin_links.sign(1, "nonce", secrets=SECRETS)
    assert not signin_links.is_setup(other, SITE, secrets=SECRETS)


async def test_a_start_logs_the_link_until_there_is_an_owner(
    pool: Pool, settings_of_nobody: Settings
) -> None:
    with structlog.testing.capture_logs() as logged:
        await first_owner.ensure(pool, settings_of_nobody)
    [line] = [entry for entry in logged if "no owner" in entry["event"]]
    token = line["link"].removeprefix(f"{SITE}/setup/")
    assert signin_links.is_setup(token, SITE, secrets=SECRETS)
    named = {"admin_email": ADMIN, "admin_password": settings_of_nobody.secret}
    async with pool.acquire() as connection:
        owned = settings_of_nobody.model_copy(update=named)
        assert await first_owner.setup_link(connection, owned) is None
        await connection.execute("insert into users (email, role) values ('o@x.example', 'owner')")
    with structlog.testing.capture_logs() as logged:
        await first_owner.ensure(pool, settings_of_nobody)
    assert logged == []


@pytest.fixture
def settings_of_nobody() -> Settings:
    return Settings.model_validate(
        {"LATCHKEY_SECRET": SECRETS[0], "LATCHKEY_PUBLIC_URL": SITE, **NOBODY}
    )


async def refused(site: Latchkey) -> None:
    """Everything but the link and a strong password leaves the site without an owner."""
    token = signin_links.sign_setup(site.url, secrets=SECRETS)
    old = signin_links.sign_setup(site.url, secrets=SECRETS, issued_at=time.time() - 86_401)
    form = f"/setup/{token}"
    async with visit(site) as stranger:
        for wrong in ("nonsense", old, signin_links.sign_setup(SITE, secrets=SECRETS)):
            assert "isn't valid" in (await stranger.get(f"/setup/{wrong}", 410)).text
            await stranger.send(form, f"/setup/{wrong}", expect=410, **GIVEN)
            await stranger.send(form, f"/setup/{wrong}/passkey", expect=410, **GIVEN)
        assert "passkey instead" not in (await stranger.get(f"{form}?with=passkey")).text
        await stranger.send(form, f"{form}/passkey", expect=410, **GIVEN)
        bare = await stranger.client.post(form, data=GIVEN)
        assert bare.status_code == 403, "a form of another site"
        for field, value in (
            ("name", " "),
            ("email", "ada"),
            ("password", "short"),
            ("password", "lovelace is lovely"),
            ("again", "seven dry otters"),
        ):
            answer = await stranger.send(form, expect=422, **GIVEN | {field: value})
            assert f'id="{field}-error"' in answer.text, (field, value)
            kept = GIVEN["email"] if field != "email" else "ada"
            assert f'value="{kept}"' in answer.text
            assert "otters" not in answer.text
        member = "insert into users (email) values ('member@club.example')"
        await site.pool.execute(member)
        taken = await stranger.send(form, expect=422, **GIVEN | {"email": "MEMBER@club.example"})
        assert "A member has this address already" in taken.text
    assert await site.pool.fetchval("select count(*) from users where role = 'owner'") == 0


@pytest.mark.slow
async def test_only_a_passkey_that_was_asked_for_makes_an_owner(
    dsn: str, temporal_address: str, stripe: Stripe
) -> None:
    port = free_port()
    url = f"http://localhost:{port}"
    given = NOBODY | {"LATCHKEY_PORT": port, "LATCHKEY_PUBLIC_URL": url}
    async with prepare_latchkey(dsn, temporal_address, stripe, **given) as site:
        await site.start_web()
        form = f"/setup/{signin_links.sign_setup(url, secrets=SECRETS)}"
        try:
            async with visit(site) as visitor:
                asked = await visitor.send(form, f"{form}/passkey", expect=200, **GIVEN)
                options = asked.json()
                assert options["user"]["name"] == "Lovelace@club.example"
                unfit = GIVEN | {"email": "ada"}
                await visitor.send(form, f"{form}/passkey", expect=422, **unfit)
                for answer in ("{}", "[]", "x" * 30_000, invented(options["challenge"])):
                    refused = await visitor.send(
                        f"{form}?with=passkey", expect=422, **GIVEN | {"credential": answer}
                    )
                    assert "The passkey wasn&#39;t accepted" in refused.text
                    assert f'value="{GIVEN["email"]}"' in refused.text
                empty = await visitor.send(f"{form}?with=passkey", expect=422, **GIVEN)
                assert "Your browser sent no passkey" in empty.text
            assert await site.pool.fetchval("select count(*) from users") == 0
        finally:
            await site.stop_web()


def invented(challenge: str) -> str:
    """An answer to a challenge, from no device."""
    data = {"type": "webauthn.create", "challenge": challenge, "origin": "http://localhost"}
    told = base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")
    response = {"clientDataJSON": told, "attestationObject": "o2M"}
    return json.dumps({"id": "eA", "rawId": "eA", "type": "public-key", "response": response})


@pytest.mark.slow
async def test_a_site_is_set_up_once_by_whoever_is_first(
    dsn: str, temporal_address: str, stripe: Stripe
) -> None:
    async with run_latchkey(dsn, temporal_address, stripe, **NOBODY) as site:
        await refused(site)
        form = f"/setup/{signin_links.sign_setup(site.url, secrets=SECRETS)}"
        async with visit(site) as ada, visit(site) as eve:
            posts = []
            for visitor, email in ((ada, "ada@club.example"), (eve, "eve@club.example")):
                shown = await visitor.get(form)
                csrf = re.search(r'name="csrf_token" value="([0-9a-f]+)"', shown.text)
                assert csrf
                data = GIVEN | {"email": email, "csrf_token": csrf[1]}
                posts.append(visitor.client.post(form, data=data))
            answers = await asyncio.gather(*posts)
            assert sorted(answer.status_code for answer in answers) == [303, 410]
            owners = await site.pool.fetch("select email from users where role = 'owner'")
            assert len(owners) == 1
            winner, loser = (ada, eve) if answers[0].status_code == 303 else (eve, ada)
            welcome = (await winner.get("/admin?done=set-up")).text
            assert "Your site is set up" in welcome
            assert "The &lt;b&gt;Club" in welcome
            assert "This site is set up" in (await loser.get(form, 410)).text
            await loser.send("/login", form, expect=410, **GIVEN)
            assert (await loser.client.get("/admin")).status_code == 303
            await loser.send("/login", email=owners[0]["email"], password=GIVEN["password"])
            lines = await site.pool.fetch(
                "select after::text from audit_log where action = 'role_changed'"
            )
            assert len(lines) == 1
            assert PASSWORD not in str(lines)
