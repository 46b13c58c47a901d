"""A database that wakes under another address doesn't act for its original."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.base import ActivityDeps
from activities.connection import ConnectionActivities
from latchkey import address_proof, adoption, dispatch, namespace_guard
from latchkey.adoption import AdoptionError
from latchkey.dispatch import TemporalUnavailableError
from latchkey.doctor_checks import of_identity
from latchkey.keyring import Keyring
from latchkey.mail import outbox
from latchkey.namespace_guard import NamespaceGuard
from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteIdentity, SiteRole
from latchkey.vault import Vault
from tests.harness import (
    KEY,
    PATIENCE,
    SECRET,
    SECRETS,
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    http_client,
    run_latchkey,
    until,
)
from tests.life.play import linked
from tests.life.test_mail import Inbox
from tests.web.pages import user, visit

pytestmark = pytest.mark.anyio

HOME = "https://members.example.com"


@pytest.fixture
async def copied(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, Inbox]]:
    """A site with a mail server, whose database turns out to be another one's."""
    inbox, port = Inbox(), free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    options = {"SMTP_URL": f"smtp://127.0.0.1:{port}"}
    try:
        async with run_latchkey(
            await postgres.create(), temporal_address, stripe, **options
        ) as site:
            yield site, inbox
    finally:
        server.stop()


async def become_copy(site: Latchkey) -> None:
    async with site.pool.acquire() as connection, connection.transaction():
        await site_identity.choose(connection, HOME, SiteRole.ORIGINAL)

    async def shown() -> bool:
        async with httpx.AsyncClient(base_url=site.url) as visitor:
            return f"This is a copy of {HOME}" in (await visitor.get("/login")).text

    await until(shown, "every page says that this is a copy")
    [check] = await of_identity(site.settings)
    assert not check.ok
    assert HOME in check.found


async def moved(site: Latchkey, address: str) -> None:
    """Register the endpoint as a worker does whose public URL has changed."""
    keyring = Keyring(
        site.pool,
        Vault(SECRETS),
        key=KEY,
        secrets=[],
        api_base=site.settings.stripe_api_base,
        address=site.url,
    )
    deps = ActivityDeps(site.pool, keyring, SECRETS)
    activities = ConnectionActivities(deps, public_url=address, register=True)
    await ActivityEnvironment().run(activities.register_endpoint)
    await keyring.close()


async def mails(site: Latchkey, email: str) -> list[str]:
    rows = await site.pool.fetch(
        "select m.state from mails m join users u on u.id = m.user_id where u.email = $1", email
    )
    return [row["state"] for row in rows]


async def test_a_copy_reads_but_neither_mails_nor_writes_until_it_is_adopted(
    copied: tuple[Latchkey, Inbox],
) -> None:
    site, inbox = copied
    product, _, price = await linked(site)
    await become_copy(site)
    [endpoint] = (await site.stripe.get("webhook_endpoints"))["data"]
    await site.stripe.post(f"webhook_endpoints/{endpoint['id']}", enabled_events=["invoice.paid"])
    await dispatch.check_connection(site.temporal)
    state = await site.pool.fetchrow("select endpoint_state, endpoint_error from stripe_connection")
    assert state is not None
    assert state["endpoint_state"] == "failed"
    assert "this site is a copy" in state["endpoint_error"]
    [same] = (await site.stripe.get("webhook_endpoints"))["data"]
    assert same["enabled_events"] == ["invoice.paid"], "it is its original's"
    await site.stripe.post(f"webhook_endpoints/{endpoint['id']}", enabled_events=["*"])
    await site.stripe.buy("copied@copy.example", price)
    await site.has(product, "copied@copy.example")
    await site.settled()
    await outbox.send_due(site.pool, site.settings)
    assert await mails(site, "copied@copy.example") == ["queued"]
    assert inbox.mails == []
    async with visit(site) as visitor:
        buyer = await user(site, "copied@copy.example")
        await site.pool.execute("update users set proven_at = now() where id = $1", buyer)
        await site.pool.execute("update customers set billing_user = user_id")
        await visitor.sign_in_as(buyer, "copied")
        billed = await visitor.send("/account", "/account/billing", 503)
        assert "This is a copy of the site" in billed.text

    said = await adoption.adopt(site.settings, SiteRole.ORIGINAL)
    assert said == f"This is the site now, at {site.url}. 1 email that waited won't be sent."
    assert await of_identity(site.settings) == []
    await site.stripe.buy("later@copy.example", price)
    await site.has(product, "later@copy.example")

    async def sent() -> bool:
        return await mails(site, "later@copy.example") == ["sent"]

    await until(sent, "the site sends emails again")
    assert [mail["To"] for mail in inbox.mails] == ["later@copy.example"]
    await dispatch.check_connection(site.temporal)
    assert await site.pool.fetchval("select endpoint_state from stripe_connection") == "registered"
    await moved(site, "http://127.0.0.1:9")
    urls = [one["url"] for one in (await site.stripe.get("webhook_endpoints"))["data"]]
    assert urls == ["http://127.0.0.1:9/webhooks/stripe"], "the earlier address gets no more events"
    lines = await site.pool.fetch("select action from audit_log where action = 'site_adopted'")
    assert len(lines) == 1


async def test_a_site_that_was_only_local_moves_to_its_public_address(dsn: str, pool: Pool) -> None:
    def settings(url: str) -> Settings:
        return Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": url})

    async def role(url: str) -> SiteRole:
        await adoption.claim(pool, settings(url))
        async with pool.acquire() as connection:
            return (await site_identity.read(connection, url)).role

    assert await role("http://127.0.0.1:8000") is SiteRole.ORIGINAL
    assert await role("http://127.0.0.1:9000") is SiteRole.ORIGINAL
    async with pool.acquire() as connection:
        beside = await site_identity.read(connection, "http://localhost:8000")
    assert beside.role is SiteRole.ORIGINAL, "nobody else reaches a local address"
    assert await role(HOME) is SiteRole.ORIGINAL
    assert await role("https://staging.example.com") is SiteRole.COPY
    assert await role("http://127.0.0.1:8000") is SiteRole.COPY
    assert await role(HOME) is SiteRole.ORIGINAL


async def test_what_a_copy_can_become(dsn: str, pool: Pool) -> None:
    staging = Settings.model_validate(
        {"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": "https://staging.example.com"}
    )
    with pytest.raises(AdoptionError, match="needs a sandbox"):
        await adoption.adopt(staging, SiteRole.REHEARSAL)
    await adoption.adopt(staging, SiteRole.READ_ONLY)
    async with pool.acquire() as connection:
        found = await site_identity.read(connection, staging.public_url)
    assert (found.sends_email, found.writes_to_stripe) == (False, False)
    rehearsing = staging.model_copy(update={"stripe_api_base": "http://127.0.0.1:12111"})
    assert "rehearsal" in await adoption.adopt(rehearsing, SiteRole.REHEARSAL)
    async with pool.acquire() as connection:
        found = await site_identity.read(connection, staging.public_url)
    assert (found.sends_email, found.writes_to_stripe) == (False, True)


async def test_a_database_that_was_dumped_and_restored_elsewhere_is_a_copy(
    dsn: str, pool: Pool
) -> None:
    settings = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    original = await adoption.claim(pool, settings)
    assert await adoption.claim(pool, settings) == original, "a restart changes nothing"
    await pool.execute("insert into processes (id, kind, release) values ('web-1', 'web', '1')")
    await came_from_elsewhere(pool)
    async with pool.acquire() as connection:
        found = await site_identity.read(connection, HOME)
    assert found.role is SiteRole.COPY, "from the first moment on"
    assert not found.acts_for_home
    copied = await adoption.claim(pool, settings)
    assert (copied.home, copied.role) == (HOME, SiteRole.COPY)
    assert copied.instance not in (None, original.instance)
    assert await adoption.claim(pool, settings) == copied
    assert not await pool.fetchval("select count(*) from processes"), "those are its original's"
    await adoption.adopt(settings, SiteRole.ORIGINAL)
    adopted = await adoption.claim(pool, settings)
    assert (adopted.role, adopted.instance) == (SiteRole.ORIGINAL, copied.instance)


@pytest.mark.parametrize("answer", [None, "unknown/{number}"])
async def test_a_server_that_doesnt_say_which_one_it_is_makes_no_copy(
    dsn: str, pool: Pool, answer: str | None
) -> None:
    settings = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    original = await adoption.claim(pool, settings)
    said = await pool.fetchval("select this_database()")
    silent = answer and answer.format(number=said.partition("/")[2])
    await pool.execute("alter function this_database rename to asked_database")
    await pool.execute(
        f"""
        create function this_database() returns text language sql stable
        as $$ select {f"'{silent}'" if silent else "null"} $$
        """
    )
    assert await adoption.claim(pool, settings) == original
    await pool.execute("drop function this_database")
    await pool.execute("alter function asked_database rename to this_database")
    assert await adoption.claim(pool, settings) == original
    await pool.execute(
        """
        update site_settings set value = value || '{"database": "unknown/1"}' where key = 'identity'
        """
    )
    assert (await adoption.claim(pool, settings)).role is SiteRole.COPY, "its number says so"


async def test_a_copy_on_the_same_machine_is_a_copy_until_it_goes_live(
    dsn: str, pool: Pool
) -> None:
    def settings(url: str) -> Settings:
        return Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": url})

    here = "http://127.0.0.1:8000"
    await adoption.claim(pool, settings(here))
    await came_from_elsewhere(pool)
    assert (await adoption.claim(pool, settings(HOME))).role is SiteRole.ORIGINAL
    await adoption.adopt(settings(here), SiteRole.ORIGINAL)
    await came_from_elsewhere(pool)
    assert (await adoption.claim(pool, settings(here))).role is SiteRole.COPY
    assert (await adoption.claim(pool, settings(HOME))).role is SiteRole.COPY


async def test_what_runs_beside_the_site_at_its_address_becomes_a_copy(
    shared: Latchkey, dsn: str, pool: Pool
) -> None:
    """As the clone of a whole machine does: nothing in its database tells it apart."""
    assert not await adoption.is_beside_another(shared.pool, shared.settings)
    beside = shared.settings.model_copy(update={"database_url": SecretStr(dsn)})
    assert (await adoption.claim(pool, beside)).role is SiteRole.ORIGINAL
    strange = beside.model_copy(update={"secret": SecretStr("another secret that is long enough")})
    assert not await adoption.is_beside_another(pool, strange), "somebody else's site says nothing"
    closed = beside.model_copy(update={"public_url": f"http://127.0.0.1:{free_port()}"})
    assert not await adoption.is_beside_another(pool, closed), "neither does one that doesn't run"
    assert await adoption.is_beside_another(pool, beside)
    [check] = await of_identity(beside)
    assert "where another database answers" in check.found
    assert not await adoption.is_beside_another(pool, beside), "it is known"
    with pytest.raises(AdoptionError, match="the original still answers"):
        await adoption.adopt(beside, SiteRole.ORIGINAL)
    await adoption.adopt(closed, SiteRole.ORIGINAL)
    for database in (pool, shared.pool):
        assert not await database.fetchval("select count(*) from address_proofs")


async def test_proofs_are_answered_for_anybody_but_odd_ones_arent(shared: Latchkey) -> None:
    async with http_client(base_url=shared.url) as visitor:
        answer = await visitor.get(address_proof.PATH, params={"proof": "unknown"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json().keys() == {"signature", "forwarded"}
        for odd in ("", "x" * 65, "\u00fc", "\0"):
            refused = await visitor.get(address_proof.PATH, params={"proof": odd})
            assert refused.status_code == 404, odd


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


class Impostor:
    """What may answer at a site's address: each takes that address, the target and the proof."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def _denied(self, url: str, proof: str) -> bytes:
        """The answer of a site whose database doesn't have the proof."""
        async with self._pool.acquire() as connection:
            await site_identity.forget_proof(connection, proof)
        signature = await address_proof.answer(self._pool, Vault(SECRETS), url, proof)
        return orjson.dumps({"signature": signature})

    async def other_database(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + await self._denied(url, proof)

    async def replayed(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + await self._denied(url, "an earlier one")

    async def copy_elsewhere(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + await self._denied("https://staging.example.com", proof)

    async def redirect(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        if target.startswith("/there"):
            yield OK + await self._denied(url, proof)
        else:
            yield f"HTTP/1.1 302 Found\r\nLocation: /there?proof={proof}\r\n\r\n".encode()

    async def huge(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + b" " * 4_000_000 + await self._denied(url, proof)

    async def nested(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + b"[" * 100_000

    async def odd(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK + b'{"signature": ["1", null]}'

    async def trickling(self, url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield OK
        for _ in range(100):
            await asyncio.sleep(0.05)
            yield b" "
        yield await self._denied(url, proof)


async def test_only_a_site_with_the_same_address_and_secret_displaces_one(
    dsn: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = Impostor(pool)

    async def found(answers: Answers) -> bool | None:
        async with answering(answers) as url:
            settings = {"LATCHKEY_PUBLIC_URL": url, "LATCHKEY_SECRET": SECRET}
            return await address_proof.leads_here(pool, Settings.model_validate(settings))

    assert await found(impostor.other_database) is False
    for answers in (impostor.replayed, impostor.copy_elsewhere, impostor.redirect):
        assert await found(answers) is None, answers.__name__
    for answers in (impostor.huge, impostor.nested, impostor.odd):
        assert await found(answers) is None, answers.__name__
    monkeypatch.setattr(address_proof, "PATIENCE_SECONDS", 0.5)
    assert await found(impostor.trickling) is None, "in time, though each part comes soon"


Answers = Callable[[str, str, str], AsyncIterator[bytes]]


@asynccontextmanager
async def answering(answers: Answers) -> AsyncIterator[str]:
    """A server, at its own address, which is given that address, the target and the proof."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        [proof] = parse_qs(urlsplit(target).query)["proof"]
        try:
            async for part in answers(address, target, proof):
                if writer.is_closing():
                    break
                writer.write(part)
                await writer.drain()
        except ConnectionError:
            """Whoever asked has heard enough."""
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield address
    finally:
        server.close()


async def test_a_copy_starts_nothing_in_the_namespace_of_its_original(
    shared: Latchkey,
    temporal_address: str,
    dsn: str,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = Settings.model_validate({"DATABASE_URL": dsn, "LATCHKEY_PUBLIC_URL": HOME})
    guard = NamespaceGuard(pool, HOME)
    client = await Client.connect(
        temporal_address, namespace=shared.namespace, interceptors=[guard]
    )
    guard.watch(client)
    original = await adoption.claim(pool, settings)
    assert not await namespace_guard.is_taken(client, original), "the site itself never waits"
    await came_from_elsewhere(pool)
    copied = await adoption.claim(pool, settings)
    assert await namespace_guard.is_taken(client, copied)
    with pytest.raises(TemporalUnavailableError):
        await dispatch.check_connection(client, join=True)
    with pytest.raises(RPCError, match="original of this copy"):
        await client.get_schedule_handle("catch-up").trigger()
    looked = asyncio.Event()

    async def looking(client: Client, identity: SiteIdentity) -> bool:
        taken = await is_taken(client, identity)
        looked.set()
        return taken

    is_taken = namespace_guard.is_taken
    monkeypatch.setattr(namespace_guard, "is_taken", looking)
    free = namespace_guard.await_free(client, pool, HOME, asyncio.Event())
    waiting = asyncio.create_task(free)
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait(
            [waiting, asyncio.create_task(looked.wait())], return_when=asyncio.FIRST_COMPLETED
        )
    assert not waiting.done(), "a worker of the copy would have started"
    async with pool.acquire() as connection, connection.transaction():
        await site_identity.choose(connection, HOME, SiteRole.ORIGINAL)
    async with asyncio.timeout(PATIENCE):
        await waiting


async def came_from_elsewhere(pool: Pool) -> None:
    """Have a database be a copy that a dump made of another one."""
    await pool.execute(
        'update site_settings set value = value || \'{"database": "1/1"}\' where key = $1',
        site_identity.KEY,
    )
