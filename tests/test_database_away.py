"""Whatever says that Postgres is away is told apart from what a question is to blame for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.resilient import PATIENCE, keeps_running
from latchkey import doctor
from latchkey.contracts import SyncInput, SyncResult
from latchkey.rules.routing import TargetKind
from latchkey.store.pool import Pool
from latchkey.store.stripe.context import Account
from tests.harness import Json, Latchkey, http_client, until
from tests.web.test_webhooks import signed
from web import health, pages
from web.batching import Batches
from web.oauth.calls import call
from web.webhooks import WebhookEndpoint

pytestmark = pytest.mark.anyio

AWAY = [
    OSError("connection refused"),
    TimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError("cut while a statement was prepared"),
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    asyncpg.DiskFullError("could not extend file: No space left on device"),
    asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
    asyncpg.IdleInTransactionSessionTimeoutError("terminating connection due to a timeout"),
    asyncpg.PostgresIOError("could not read block 1 in file"),
    asyncpg.InvalidPasswordError("password authentication failed"),
    asyncpg.InvalidCatalogNameError("there is no such database"),
]
ASKED_WRONGLY = [
    asyncpg.DataError("invalid input for query argument $1"),
    asyncpg.UniqueViolationError("duplicate key value"),
    asyncpg.UndefinedColumnError("there is no such column"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]


STATES = {
    "25006": asyncpg.ReadOnlySQLTransactionError,
    "53100": asyncpg.DiskFullError,
    "53300": asyncpg.TooManyConnectionsError,
    "57P01": asyncpg.AdminShutdownError,
    "57P03": asyncpg.CannotConnectNowError,
    "58030": asyncpg.PostgresIOError,
}
"""What Postgres may say of an insert while it is in trouble."""
IN_TROUBLE = """
create function in_trouble() returns trigger language plpgsql as
$$ begin raise exception 'in trouble' using errcode = '{}'; end $$;
create trigger in_trouble before insert on events for each row execute function in_trouble();
"""
WRITES = "default_transaction_read_only"
KEY = "whsec_of_this_test"


def named(error: Exception) -> str:
    return type(error).__name__


@pytest.mark.parametrize("error", AWAY, ids=named)
async def test_whoever_asks_learns_that_it_is_away(error: Exception) -> None:
    asked: list[list[int]] = []

    async def answer(numbers: Sequence[int]) -> list[int]:
        asked.append(list(numbers))
        raise error

    batches = Batches(answer, under_way=1)
    found = await asked_together(batches, 3)
    assert (found, asked) == ([error] * 3, [[0, 1, 2]])
    assert (await called(error)).status_code == 503
    assert handler_of(error) is handler_of(OSError())


@pytest.mark.parametrize("error", ASKED_WRONGLY, ids=named)
async def test_a_wrong_question_is_its_own_fault(error: Exception) -> None:
    async def answer(numbers: Sequence[int]) -> list[int]:
        if 1 in numbers:
            raise error
        return list(numbers)

    assert await asked_together(Batches(answer, under_way=1), 3) == [0, error, 2]
    assert (await called(error)).status_code == 500
    assert handler_of(error) is not handler_of(OSError())


async def asked_together(batches: Batches[int, int], count: int) -> list[int | BaseException]:
    return await asyncio.gather(*map(batches.ask, range(count)), return_exceptions=True)


async def called(error: Exception) -> Response:
    """What a client's call is answered that fails with this."""

    async def handle(request: Request) -> Response:
        raise error

    return await call(handle)(Request({"type": "http", "path": "/oauth/token", "headers": []}))


def handler_of(error: Exception) -> object:
    """What shows the page about an error."""
    handlers = pages.exception_handlers()
    return next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)


@pytest.mark.parametrize("error", AWAY, ids=named)
async def test_a_run_waits_for_it(error: Exception) -> None:
    """However often it has tried: its events don't fail."""

    async def account() -> None:
        raise error

    async def sync(job: Any, given: SyncInput) -> SyncResult:
        raise AssertionError("nothing is read")

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=PATIENCE + 1)
    deps = SimpleNamespace(deps=SimpleNamespace(keyring=SimpleNamespace(account=account)))
    steadily = keeps_running(TargetKind.SUBSCRIPTION)(sync)
    with pytest.raises(ApplicationError) as raised:
        await environment.run(steadily, deps, SyncInput("sub_1", datetime.now(UTC)))
    assert (raised.value.type, raised.value.non_retryable) == (named(error), False)


@pytest.mark.parametrize("state", STATES)
async def test_stripe_is_asked_to_send_again_what_isnt_stored(pool: Pool, state: str) -> None:
    class Keys:
        async def secrets(self) -> list[str]:
            return [KEY]

        async def account(self) -> Account:
            return Account("acct_1", livemode=False)

    keys: Any = Keys()
    app = WebhookEndpoint(pool, keys, lambda pause: None)
    event: Json = {"id": "evt_1", "object": "event", "type": "customer.updated", "livemode": False}
    event |= {"created": 1795556851, "data": {"object": {"id": "cus_1", "object": "customer"}}}
    body = orjson.dumps(event)
    await pool.execute(IN_TROUBLE.format(state))
    with pytest.raises(STATES[state]):
        await pool.execute("insert into events default values")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://site")
    async with client:
        refused = await client.post("/webhooks/stripe", content=body, headers=signed(body, KEY))
        assert (refused.status_code, refused.json()["code"]) == (503, "not_stored")
        await pool.execute("drop trigger in_trouble on events")
        taken = await client.post("/webhooks/stripe", content=body, headers=signed(body, KEY))
    assert taken.status_code == 200
    assert await pool.fetchval("select array_agg(id) from events") == ["evt_1"]


async def test_a_site_without_writes_answers_access_and_goes_on_once_they_are_back(
    site: Latchkey,
) -> None:
    """As a standby does that took over before it was promoted, or a provider when a disk is full.
    Neither web nor worker is started again."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.buy("before@away.example", price)
    await site.has(product, "before@away.example")
    await site.quiet()
    dsn = site.settings.require_database()
    admin = await asyncpg.connect(dsn, server_settings={WRITES: "off"})
    name = await admin.fetchval("select current_database()")
    await admin.execute(f"alter database {name} set {WRITES} = on")
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = $1 and pid <> pg_backend_pid()",
        name,
    )

    await site.stripe.buy("meanwhile@away.example", price)
    await site.stripe.delivered()
    refused = await deliveries(site, 503)
    assert refused
    assert (await site.access(product, "before@away.example"))["access"] is True
    await site.call("POST", "/products", 503, json={"name": "Not now"})
    async with http_client(base_url=site.url) as visitor:
        ready = await visitor.get("/readyz")
        assert (ready.status_code, ready.json()["postgres"]) == (200, health.READ_ONLY)
        assert (await visitor.get("/readyz?full=1")).status_code == 503
    found = await doctor._database(site.settings)
    assert (found.ok, "takes no writes" in found.found) == (False, True)

    await admin.execute(f"alter database {name} reset {WRITES}")
    await admin.close()

    async def made() -> bool:
        return (await site.api.post("/products", json={"name": "Now"})).status_code == 201

    await until(made, "no connection is left that takes no writes")
    for delivery in refused:
        await site.stripe.control(f"deliveries/{delivery}/resend")
    await site.has(product, "meanwhile@away.example")
    await site.settled()
    assert await site.pool.fetchval("select count(*) from events where state = 'failed'") == 0


async def deliveries(site: Latchkey, status: int) -> list[str]:
    """The webhooks that were last answered like this."""
    sent = (await site.stripe.client.get("/_sandbox/deliveries")).json()["data"]
    return [row["id"] for row in sent if row["status"] == status]
