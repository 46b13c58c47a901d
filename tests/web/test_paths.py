"""Slashes too many, foreign hosts, and the headers of errors."""

import orjson
import pytest

from tests.harness import Latchkey, http_client
from tests.web.test_webhooks import event, secret, signed

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/webhooks/stripe/", "//webhooks/stripe", "/webhooks//stripe//"])
async def test_webhooks_arrive_at_addresses_with_slashes_too_many(
    shared: Latchkey, path: str
) -> None:
    sent = event(shared)
    body = orjson.dumps(sent)
    async with http_client() as client:
        answer = await client.post(
            f"{shared.url}{path}", content=body, headers=signed(body, await secret(shared))
        )
    assert answer.status_code == 200
    assert await shared.pool.fetchval("select true from events where id = $1", sent["id"])


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/login/", "/login"),
        ("/login/?next=/library", "/login?next=/library"),
        ("//evil.example/", "/evil.example"),
        ("//evil.example", "/evil.example"),
    ],
)
async def test_redirects_name_no_host(shared: Latchkey, path: str, leads_to: str) -> None:
    async with http_client() as client:
        answer = await client.get(f"{shared.url}{path}", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (308, leads_to)
