"""npm's openid-client, which checks everything that the standards ask a client to check."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Latchkey
from tests.integrations.conftest import PASSWORD, Member
from tests.integrations.install import NODE
from tests.web.pages import visit
from tests.web.relying import BACK, FIELDS, register

pytestmark = pytest.mark.anyio

SCRIPT = Path(__file__).with_name("openid_client.mjs")


async def test_openid_client_signs_in_refreshes_and_signs_out(
    shared: Latchkey, member: Member
) -> None:
    site = await register(
        shared, replace(FIELDS, name="Node's site", post_logout_redirect_uris=(BACK,))
    )
    script = shutil.copy(SCRIPT, NODE / SCRIPT.name)
    process = await asyncio.create_subprocess_exec(
        "node",
        script,
        shared.url,
        site.id,
        str(site.secret),
        BACK,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE), visit(shared) as visitor:
        await visitor.sign_in(member.email, PASSWORD)
        address = json.loads(await process.stdout.readline())
        back = await visitor.goes(address.removeprefix(shared.url))
        process.stdin.write(f"{back}\n".encode())
        await process.stdin.drain()
        told = json.loads(await process.stdout.readline())
        assert await process.wait() == 0
        logout = await visitor.goes(told["logout"].removeprefix(shared.url))
    assert logout == f"{BACK}?state=bye"
    claims = told["claims"]
    assert (claims["sub"], claims["email"]) == (str(member.id), member.email)
    assert claims["groups"] == [member.slug]
    assert claims["access"][0]["until"] == member.until.isoformat()
    assert claims["amr"] == ["pwd"]
    assert told["userinfo"]["groups"] == [member.slug]
    assert told["introspected"]["active"] is True
    assert told["renewed"] == str(member.id)
    assert told["after"] == {"active": False}
    assert told["refused"]["replay"] == "invalid_grant"
    assert set(told["refused"]) == {"state", "issuer", "replay"}
