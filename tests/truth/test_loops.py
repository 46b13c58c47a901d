"""Background loops survive any exception, and a stuck one is reported everywhere."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from aiosmtpd.controller import Controller
from temporalio.client import Client

import worker
from latchkey import dispatch, supervision
from latchkey.keyring import Keyring
from latchkey.mail.render import message
from latchkey.store.checks import processes
from latchkey.store.feed import mails
from latchkey.store.pool import Pool
from latchkey.store.products import links
from latchkey.store.stripe import inbox
from latchkey.vault import Purpose, Vault
from tests.harness import KEY, SECRETS, Latchkey, Postgres, Stripe, free_port, run_latchkey, until
from tests.life.test_mail import Inbox
from tests.truth.test_operating import said

pytestmark = pytest.mark.anyio


class OddError(Exception):
    """An unexpected error."""


def throws(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, times: int = 2
) -> Callable[[], int]:
    """Have a function fail the first few times; answers how often it still will."""
    real: Callable[..., Awaitable[Any]] = getattr(module, name)
    left = times

    async def thrown(*args: Any, **options: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise OddError("a fault")
        return await real(*args, **options)

    monkeypatch.setattr(module, name, thrown)
    return lambda: left


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "FIRST_PAUSE", 0.01)


@pytest.fixture
async def mailing(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, Inbox]]:
    received, port = Inbox(), free_port()
    server = Controller(received, hostname="127.0.0.1", port=port)
    server.start()
    try:
        async with run_latchkey(
            await postgres.create(), temporal_address, stripe, SMTP_URL=f"smtp://127.0.0.1:{port}"
        ) as site:
            yield site, received
    finally:
        server.stop()


async def test_a_purchase_gets_through_whatever_is_thrown_into_the_loops(
    mailing: tuple[Latchkey, Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    site, received = mailing
    left = [
        throws(monkeypatch, inbox, "claim"),
        throws(monkeypatch, links, "waiting_jobs"),
        throws(monkeypatch, dispatch, "nudge", times=1),
        throws(monkeypatch, mails, "claim"),
        throws(monkeypatch, processes, "report"),
    ]
    monkeypatch.setattr(inbox, "LEASE", timedelta(seconds=1))
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.buy("thrown@loops.example", price)
    await site.has(product, "thrown@loops.example")

    async def thrown() -> bool:
        return not any(remaining() for remaining in left) and len(received.mails) == 1

    monkeypatch.setattr(processes, "REPORT_SECONDS", 0.01)
    await restart_presence(site)
    await until(thrown, "every loop failed, went on, and the email arrived")


async def restart_presence(site: Latchkey) -> None:
    """A new web process reports itself at the pace that is set now."""
    await site.stop_web()
    await site.start_web()


async def test_a_start_that_fails_is_tried_again(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.stop_worker()
    left = throws(monkeypatch, worker, "_check_connection")
    await site.start_worker()

    async def tried() -> bool:
        return left() == 0

    await until(tried, "the start is tried again")


async def test_a_start_checks_a_key_that_was_entered(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new release may handle more event types than the one that registered the endpoint."""
    checked = []

    async def check(client: object, *, join: bool) -> None:
        assert join, "another worker may have begun it"
        checked.append(client)

    monkeypatch.setattr(dispatch, "check_connection", check)
    vault = Vault(SECRETS)
    keyring = Keyring(pool, vault, key=None, secrets=[], api_base=None, address="http://127.0.0.1")
    client = cast(Client, object())
    await worker._check_connection(client, keyring)
    assert checked == []
    sealed = vault.seal(KEY, Purpose.STRIPE_KEY)
    await pool.execute("update stripe_connection set key_encrypted = $1", sealed)
    await keyring.reload()
    await worker._check_connection(client, keyring)
    assert checked == [client]


async def test_one_email_that_cannot_be_written_fails_alone(
    mailing: tuple[Latchkey, Inbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Python's email package raises, the others are sent."""
    site, received = mailing

    def odd(mail: Any, *args: Any, **options: Any) -> Any:
        if mail.email == "odd@loops.example":
            raise AttributeError("'Group' object has no attribute 'local_part'")
        return message(mail, *args, **options)

    monkeypatch.setattr("latchkey.mail.outbox.message", odd)
    product = await site.product()
    for name in ("odd", "fine"):
        grant = {"email": f"{name}@loops.example"}
        await site.call("POST", f"/products/{product}/grants", 201, json=grant)

    async def arrived() -> bool:
        return [mail["To"] for mail in received.mails] == ["fine@loops.example"]

    await until(arrived, "the other email arrives")
    kept = await site.pool.fetch(
        "select m.state, m.error from mails m join users u on u.id = m.user_id"
        " where u.email = 'odd@loops.example'"
    )
    assert [tuple(row) for row in kept] == [("failed", "it can't be written (AttributeError)")]


async def test_a_stuck_loop_turns_readiness_health_and_doctor_red(
    site: Latchkey, admin: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert site._app is not None
    loop = site._app.state.site.supervisor.loops["relay of events"]
    assert (await admin.get("/readyz")).json()["loops"] == "ok"
    loop.patience = timedelta(seconds=-1)
    assert (await admin.get("/readyz")).status_code == 200, "it still serves"
    ready = await admin.get("/readyz?full=1")
    assert ready.status_code == 503
    assert ready.json()["loops"] == "stuck: relay of events: no progress"
    assert 'latchkey_loop_stuck{loop="relay of events"} 1.0' in (await admin.get("/metrics")).text

    await site.pool.execute(
        "update processes set stuck = '{relay of events}', seen_at = now() + interval '1 minute'"
        " where kind = 'web'"
    )

    async def shown() -> bool:
        text = (await admin.get("/admin/health")).text
        return "relay of events: stuck" in text and "A background loop makes no progress" in text

    await until(shown, "Health says so")
    healthy, text = await said(site, monkeypatch)
    assert not healthy
    assert "background loops: no progress: web: relay of events" in text
