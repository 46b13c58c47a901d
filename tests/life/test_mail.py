"""Mails go out once, to a real SMTP server, or stay readable."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.harness import Latchkey, Postgres, Stripe, free_port, run_latchkey, until

pytestmark = pytest.mark.anyio


class Inbox:
    """What arrived; `refuse` answers that often with a temporary error first."""

    def __init__(self, refuse: int = 0) -> None:
        self.mails: list[Message] = []
        self.refuse = refuse

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuse:
            self.refuse -= 1
            return "451 try again"
        self.mails.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
async def mailing(
    postgres: Postgres, temporal_address: str, stripe: Stripe
) -> AsyncIterator[tuple[Latchkey, Inbox]]:
    inbox = Inbox()
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        async with run_latchkey(
            await postgres.create(), temporal_address, stripe, SMTP_URL=f"smtp://127.0.0.1:{port}"
        ) as site:
            yield site, inbox
    finally:
        server.stop()


async def test_a_buyer_gets_one_mail_with_a_link(mailing: tuple[Latchkey, Inbox]) -> None:
    site, inbox = mailing
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product("Smooth\u202ename")
    await site.link(product, stripe_product)
    await site.stripe.buy("mail@post.example", price)

    async def arrived() -> bool:
        return len(inbox.mails) > 0

    await until(arrived, "the mail arrives")
    await site.settled()
    sent = await site.pool.fetchval("select count(*) from mails where state = 'sent'")
    assert (len(inbox.mails), sent) == (1, 1)
    mail = inbox.mails[0]
    assert "mail@post.example" in mail["To"]
    assert mail["Message-ID"]
    assert mail.is_multipart()
    body = mail.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert f"{site.url}/login/" in body


async def test_a_temporary_refusal_is_tried_again_with_the_same_id(
    mailing: tuple[Latchkey, Inbox],
) -> None:
    site, inbox = mailing
    inbox.refuse = 1
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.buy("again@post.example", price)

    async def failed() -> bool:
        return bool(await site.pool.fetchval("select count(*) from mails where error is not null"))

    await until(failed, "the refusal is noted")
    await site.pool.execute("update mails set due_at = now()")

    async def arrived() -> bool:
        return len(inbox.mails) == 1

    await until(arrived, "the second try")
    state = await site.pool.fetchrow("select state, attempts from mails")
    assert state is not None
    assert (state["state"], state["attempts"]) == ("sent", 2)
