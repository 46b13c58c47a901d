"""What is logged during whole stories: it can be followed by ids, and holds no personal data and no
secrets."""

import io
from collections.abc import Iterator
from typing import Any

import asyncpg
import orjson
import pytest

from activities import past_due
from latchkey.store.checks import health
from tests.harness import KEY, PASSWORD, SECRET, TOKEN, Json, Latchkey, until
from tests.life.play import linked
from tests.log_lines import json_log, lines_of
from tests.web.pages import Visitor, visit
from tests.web.test_webhooks import event, post, secret, signed

pytestmark = pytest.mark.anyio

NAME, HOST = "Slartibartfast", "magrathea.example"
ADDRESS = f"fjord.{NAME.lower()}@{HOST}"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    with json_log() as log:
        yield log


def breaking(*_: Any, **__: Any) -> Any:
    """Fails as Postgres does, whose errors quote the row."""
    error = asyncpg.UniqueViolationError(f"{ADDRESS} is there, {KEY} isn't")
    error.detail = f"Key (email)=({ADDRESS}) already exists, see postgres://me:{PASSWORD}@db"
    raise error


async def line(written: io.StringIO, name: str) -> Json:
    async def found() -> Json | None:
        return next((one for one in lines_of(written) if one["event"] == name), None)

    logged: Json = await until(found, f"“{name}” is logged")
    return logged


async def test_stories_are_told_by_ids_without_addresses_and_secrets(
    shared: Latchkey, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    product, _, price = await linked(shared)
    session = await shared.stripe.buy(ADDRESS, price, name=NAME)
    await shared.has(product, ADDRESS)
    async with visit(shared) as visitor:
        await visitor.send("/login", expect=401, email=ADDRESS, password=f"not {PASSWORD}")
        await visitor.sign_in()
        await page_fails(visitor, written, monkeypatch)
        cookies = list(visitor.client.cookies.values())
    await webhook_is_refused(shared, written)
    subscription = str(session["subscription"])
    await activity_fails(shared, subscription, written, monkeypatch)
    secrets = [KEY, TOKEN, SECRET, PASSWORD, await secret(shared), *cookies]
    text = written.getvalue()
    for private in (NAME, NAME.lower(), HOST, *secrets):
        assert private not in text, f"{private} in {text}"
    assert "[address]" in text, "the errors that quote the address are logged"


async def page_fails(
    visitor: Visitor, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(health, "report", breaking)
        answer = await visitor.get("/admin/health", 500)
    name = answer.headers["x-request-id"]
    assert name in answer.text, "people can say which request failed"
    logged = await line(written, "page failed")
    assert logged["request_id"] == name
    assert "UniqueViolationError" in logged["exception"]


async def webhook_is_refused(site: Latchkey, written: io.StringIO) -> None:
    body = orjson.dumps(event(site, data={"object": {"id": ADDRESS, "email": ADDRESS}}))
    answer = await post(site, body, signed(body, "whsec_somebody_elses"))
    logged = await line(written, "webhook refused")
    assert logged["request_id"] == answer.headers["x-request-id"]


async def activity_fails(
    site: Latchkey, subscription: str, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(past_due, "dated", breaking)
        await site.stripe.post(f"subscriptions/{subscription}", metadata={"seen": "yes"})
        logged = await line(written, "object not applied")
    await site.settled()
    assert logged["object"] == subscription
    assert logged["workflow"] == f"subscription/{subscription}"
    assert {"run", "activity", "attempt"} <= logged.keys()
    target = await site.pool.fetchval(
        "select target_id from events where id = $1", logged["events"][0]
    )
    assert target == subscription
