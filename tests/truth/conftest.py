"""Signed-in admins for these tests."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from temporalio.client import ScheduleOverlapPolicy

from tests.harness import ADMIN, PASSWORD, Latchkey, http_client, until


async def token(client: httpx.AsyncClient, path: str) -> str:
    """The token of the forms on a page."""
    text = (await client.get(path)).text
    found = re.search(r'name="csrf_token" value="([^"]+)"', text)
    assert found, f"{path} has no form: {text[:300]}"
    return found[1]


async def signed_in(site: Latchkey) -> httpx.AsyncClient:
    client = http_client(base_url=site.url)
    fields = {
        "email": ADMIN,
        "password": PASSWORD,
        "csrf_token": await token(client, "/login"),
    }
    answer = await client.post("/login", data=fields)
    assert answer.status_code == 303, answer.text
    return client


async def look_now(site: Latchkey) -> None:
    """Start a catch-up run, even while another one is under way.

    The server names a schedule's runs by the second: two in one second would be one."""
    handle = site.temporal.get_schedule_handle("catch-up")
    recent = (await handle.describe()).info.recent_actions
    last = max((action.started_at for action in recent), default=None)

    async def another_second() -> bool:
        return last is None or datetime.now(UTC) >= last + timedelta(seconds=1)

    await until(another_second, "another second")
    await handle.trigger(overlap=ScheduleOverlapPolicy.ALLOW_ALL)


@pytest.fixture
async def admin(site: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    """The admin of the test's own site."""
    client = await signed_in(site)
    yield client
    await client.aclose()


@pytest.fixture
async def shared_admin(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    client = await signed_in(shared)
    yield client
    await client.aclose()
