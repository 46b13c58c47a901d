"""A protected site as its visitors and its web server see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import httpx

from latchkey.rules.forward_auth import WithoutAccess
from latchkey.store.forward_auth import sites
from tests.harness import Latchkey, http_client
from tests.web.pages import Visitor

VERIFY = "/auth/verify"


@dataclass
class ProtectedVisitor:
    """A browser at a protected site, whose web server passes the site's address on. `visitor` is
    the same browser at Latchkey. Cookies are kept here, since those of https aren't sent over the
    http of the tests."""

    visitor: Visitor
    origin: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def passed_on(
        self, path: str, status: int, headers: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """A request of the site that its web server passes on."""
        return await self._send(path, status, self._forwarded(path) | dict(headers or {}))

    async def asks(
        self,
        status: int,
        target: str = "/week/1",
        *,
        product: str | None = None,
        nginx: bool = False,
        headers: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        """What the site's web server asks before it answers a request."""
        if nginx:
            given = {"X-Original-URL": self.origin + target, "X-Original-Method": "GET"}
        else:
            given = self._forwarded(target)
        path = f"{VERIFY}?product={product}" if product else VERIFY
        return await self._send(path, status, given | dict(headers or {}))

    async def comes_to(self, target: str = "/week/1", product: str | None = None) -> str:
        """Open a page of the site without its cookie; where at Latchkey that leads."""
        asked = await self.asks(302, target, product=product)
        entering = await self.passed_on(self.path(asked), 302)
        leads = entering.headers["location"]
        assert leads.startswith(self.visitor.site.url), leads
        return str(leads.removeprefix(self.visitor.site.url))

    async def goes_back(self, entry: str) -> httpx.Response:
        """From an entry at Latchkey to the site, with the ticket."""
        ticket = await self.visitor.get(entry, 303)
        return await self.passed_on(self.path(ticket), 303)

    async def enters(self, target: str = "/week/1", product: str | None = None) -> None:
        """Open a page of the site, and be let in."""
        back = await self.goes_back(await self.comes_to(target, product))
        assert back.headers["location"] == self.origin + target
        await self.asks(200, target, product=product)

    def path(self, answer: httpx.Response) -> str:
        """Where an answer leads, which is at the site."""
        address = str(answer.headers["location"])
        assert address.startswith(f"{self.origin}/"), address
        return address.removeprefix(self.origin)

    def _forwarded(self, target: str) -> dict[str, str]:
        scheme, _, host = self.origin.partition("://")
        return {
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Host": host,
            "X-Forwarded-Uri": target,
            "X-Forwarded-Method": "GET",
        }

    async def _send(self, path: str, status: int, headers: dict[str, Any]) -> httpx.Response:
        kept = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        async with http_client(base_url=self.visitor.site.url) as client:
            answer = await client.get(path, headers=kept | headers)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer


async def protect(
    site: Latchkey,
    origin: str,
    *products: str,
    without_access: WithoutAccess = WithoutAccess.BUY,
) -> int:
    async with site.pool.acquire() as connection, connection.transaction():
        return await sites.create(
            connection, origin=origin, without_access=without_access, product_ids=products
        )
