"""Health checks and metrics: what everybody sees, and what needs a token."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.harness import Latchkey, http_client
from web import health
from web.site import Site

pytestmark = pytest.mark.anyio

METRICS_TOKEN = "a token for the metrics"
DETAILS = {"postgres": "ok", "temporal": "ok", "loops": "ok", "stripe": "connected"}


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=shared.url) as client:
        yield client


@pytest.fixture
def public(shared: Latchkey, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Site]:
    """Makes the site one that the internet reaches, with or without a token."""
    assert shared._app is not None
    site: Site = shared._app.state.site

    def make(token: str | None) -> Site:
        update: dict[str, Any] = {"public_url": "https://members.example.com"}
        update["metrics_token"] = SecretStr(token) if token else None
        monkeypatch.setattr(site, "settings", site.settings.model_copy(update=update))
        return site

    return make


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_everything_is_open_on_a_local_site(visitor: httpx.AsyncClient) -> None:
    assert (await visitor.get("/healthz")).status_code == 200
    assert (await visitor.get("/readyz")).json() == {"ready": True, **DETAILS}
    assert (await visitor.get("/readyz?full=1")).status_code == 200
    assert "latchkey_webhooks_total" in (await visitor.get("/metrics")).text


@pytest.mark.parametrize("token", [None, METRICS_TOKEN])
async def test_the_public_learns_only_whether_the_site_is_ready(
    public: Callable[[str | None], Site], visitor: httpx.AsyncClient, token: str | None
) -> None:
    public(token)
    assert (await visitor.get("/healthz")).json() == {"alive": True}
    for headers in ({}, bearing("not the token at all"), {"Authorization": METRICS_TOKEN}):
        ready = await visitor.get("/readyz", headers=headers)
        assert (ready.status_code, ready.json()) == (200, {"ready": True})
        for path in ("/metrics", "/readyz?full=1"):
            refused = await visitor.get(path, headers=headers)
            assert refused.status_code == 401
            assert "LATCHKEY_METRICS_TOKEN" in refused.text
            assert "latchkey_" not in refused.text


async def test_the_token_shows_everything(
    public: Callable[[str | None], Site], visitor: httpx.AsyncClient
) -> None:
    public(METRICS_TOKEN)
    headers = bearing(METRICS_TOKEN)
    assert "latchkey_webhooks_total" in (await visitor.get("/metrics", headers=headers)).text
    assert (await visitor.get("/readyz", headers=headers)).json() == {"ready": True, **DETAILS}


async def test_a_site_without_temporal_is_ready_but_not_fully(
    public: Callable[[str | None], Site],
    visitor: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A balancer that took it away would take access and webhooks away, which don't need it."""
    public(METRICS_TOKEN)

    async def away(site: Site) -> str:
        return "unreachable: RPCError"

    monkeypatch.setattr(health, "temporal", away)
    assert (await visitor.get("/readyz")).status_code == 200
    headers = bearing(METRICS_TOKEN)
    ready = await visitor.get("/readyz", headers=headers)
    assert (ready.status_code, ready.json()["temporal"]) == (200, "unreachable: RPCError")
    full = await visitor.get("/readyz?full=1", headers=headers)
    assert (full.status_code, full.json()["ready"]) == (503, False)


async def test_a_site_without_its_database_is_not_ready(
    public: Callable[[str | None], Site],
    visitor: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public(None)

    async def behind(site: Site) -> str:
        return "not migrated: 0099_later.sql"

    monkeypatch.setattr(health, "postgres", behind)
    ready = await visitor.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"ready": False})
