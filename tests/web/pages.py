"""A minimal browser: keeps cookies and submits forms as they appear on a page."""

import html
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from latchkey import signin_links
from tests.harness import ADMIN, PASSWORD, SECRETS, Latchkey, http_client

_links = itertools.count()


class Visitor:
    """One browser session."""

    def __init__(self, site: Latchkey, client: httpx.AsyncClient) -> None:
        self.site = site
        self.client = client

    async def get(self, path: str, status: int = 200, **options: Any) -> httpx.Response:
        answer = await self.client.get(path, **options)
        assert answer.status_code == status, f"GET {path}: {answer.status_code} {answer.text}"
        return answer

    async def goes(self, path: str) -> str:
        """Where a page redirects to."""
        return (await self.get(path, 303)).headers["location"]

    async def send(
        self, page: str, path: str | None = None, expect: int = 303, **fields: Any
    ) -> httpx.Response:
        """Submit a form on `page` to `path`, by default the page itself."""
        shown = (await self.client.get(page)).text
        found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', shown)
        assert found, f"{page} holds no form"
        answer = await self.client.post(path or page, data={"csrf_token": found[1], **fields})
        assert answer.status_code == expect, f"{path or page}: {answer.status_code} {answer.text}"
        return answer

    async def sign_in(self, email: str = ADMIN, password: str = PASSWORD) -> None:
        await self.send("/login", email=email, password=password)

    async def see_as(self, user_id: int, expect: int = 303) -> httpx.Response:
        """See the site as a member, by the form on their page."""
        path = f"/admin/users/{user_id}/sign-in-as"
        return await self.send(path, expect=expect, handover=await self.handover(user_id))

    async def handover(self, user_id: int) -> str:
        """The fields of the impersonation form."""
        shown = await self.get(f"/admin/users/{user_id}/sign-in-as")
        found = re.search(r'name="handover" value="([^"]+)"', shown.text)
        assert found, "the form holds a handover"
        return found[1]

    async def sign_in_as(self, user_id: int, purpose: str) -> None:
        """Sign in as anybody, by a link that no other test used."""
        nonce = f"{purpose}:{next(_links)}"
        epoch = await self.site.pool.fetchval("select link_epoch from users where id = $1", user_id)
        await self.send(f"/login/{signin_links.sign(user_id, nonce, secrets=SECRETS, epoch=epoch)}")


def left_for(answer: httpx.Response) -> str:
    """Where a page leads on to by itself, after a form was posted."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert found, answer.text
    return html.unescape(found[1])


@asynccontextmanager
async def visit(site: Latchkey) -> AsyncIterator[Visitor]:
    async with http_client(base_url=site.url) as client:
        yield Visitor(site, client)


async def user(site: Latchkey, email: str, role: str = "member") -> int:
    """A user with nothing."""
    found: int = await site.pool.fetchval(
        """
        insert into users (email, role) values ($1, $2)
        on conflict (email_key) do update set role = excluded.role returning id
        """,
        email,
        role,
    )
    return found
