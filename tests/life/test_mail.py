"""Emails are sent once, to a real SMTP server, or stay readable."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from latchkey.mail.letters import KINDS
from latchkey.mail.render import message, render
from latchkey.store import site_settings
from latchkey.store.feed import mails
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users import signin
from latchkey.store.users.account import OPTIONAL_MAILS
from tests.harness import (
    SECRETS,
    Latchkey,
    Postgres,
    Stripe,
    free_port,
    http_client,
    run_latchkey,
    until,
)

pytestmark = pytest.mark.anyio

NO_SIGN_IN = (
    "email_change", "email_changed", "claim", "factor_changed", "paid_address", "merge_request",
    "users_merged", "abandoned_checkout", "webhooks_off", "webhook_digest",
    "payment_reminder", "win_back",
)  # fmt: skip


class Inbox:
    """Collects what arrives. `refuse` is how often it answers with a temporary error first.
    Addresses that begin with `gone` are refused permanently."""

    def __init__(self, refuse: int = 0) -> None:
        self.mails: list[Message] = []
        self.refuse = refuse

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("gone"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

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


async def everything_sent(site: Latchkey) -> None:
    """Wait until there are emails, and each is noted as sent, suppressed or refused."""

    async def sent() -> bool:
        states = {row["state"] for row in await site.pool.fetch("select state from mails")}
        return bool(states) and not states & {"queued", "sending"}

    await until(sent, "every email is sent, suppressed or refused")


@pytest.mark.slow
async def test_a_buyer_gets_one_email_with_a_link(mailing: tuple[Latchkey, Inbox]) -> None:
    site, inbox = mailing
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product("Smooth\u202ename")
    await site.link(product, stripe_product)
    await site.stripe.buy("mail@post.example", price)

    await site.settled()
    await everything_sent(site)
    sent = await site.pool.fetchval("select count(*) from mails where state = 'sent'")
    assert (len(inbox.mails), sent) == (1, 1)
    mail = inbox.mails[0]
    assert "mail@post.example" in mail["To"]
    assert mail["Message-ID"]
    assert mail.is_multipart()
    body = mail.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert f"{site.url}/login/" in body


@pytest.mark.slow
async def test_a_temporary_refusal_is_retried_with_the_same_id(
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

    await everything_sent(site)
    assert len(inbox.mails) == 1
    state = await site.pool.fetchrow("select state, attempts from mails")
    assert state is not None
    assert (state["state"], state["attempts"]) == ("sent", 2)


async def outbox(site: Latchkey, email: str) -> list[Any]:
    """The emails to an address, oldest first."""
    return await site.pool.fetch(
        """
        select m.id, m.kind, m.state, m.attempts, m.error, m.data, m.pace from mails m
          join users u on u.id = m.user_id where u.email = $1 order by m.id
        """,
        email,
    )


@pytest.mark.slow
async def test_a_refused_address_is_not_retried_and_blocks_nothing(
    mailing: tuple[Latchkey, Inbox],
) -> None:
    site, inbox = mailing
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stripe.buy("gone@post.example", price)
    await site.stripe.buy("there@post.example", price)

    await site.settled()
    await everything_sent(site)
    assert len(inbox.mails) == 1
    lines = await site.lines(type="mail_sent")
    assert [line["cause"] for line in lines] == ["stripe"]
    refused = (await outbox(site, "gone@post.example"))[0]
    assert (refused["state"], refused["attempts"]) == ("failed", 1)
    assert "550" in refused["error"] or "no such mailbox" in refused["error"]


@pytest.mark.slow
async def test_headers_design_and_unsubscribing(mailing: tuple[Latchkey, Inbox]) -> None:
    site, inbox = mailing
    await site.pool.execute(
        "insert into site_settings (key, value) values ('site', $1)",
        {
            "name": "Seaside School",
            "sender_name": "Ada of Seaside",
            "mail_from": "hello@seaside.example",
            "reply_to": "help@seaside.example",
            "colour": "#ffee00",
            "logo_url": "https://seaside.example/logo.png",
        },
    )
    await site.pool.execute(
        """
        insert into mail_texts (variant, language, subject, body)
        values ('product_access.several', 'en', 'Aboard: {products}', '{products} are yours.')
        """
    )
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    for name in ("Knots", "Charts"):
        await site.link(await site.product(name), stripe_product)
    await site.stripe.buy("digest@post.example", price, name="Dora\r\nBcc: x@evil.example")

    await site.settled()
    await everything_sent(site)
    assert [row["kind"] for row in await outbox(site, "digest@post.example")] == ["product_access"]
    mail = inbox.mails[0]
    assert mail["Subject"] == "Aboard: Charts and Knots"
    assert mail["From"] == "Ada of Seaside <hello@seaside.example>"
    assert mail["Reply-To"] == "help@seaside.example"
    assert mail["Bcc"] is None
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text, html = (
        part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in mail.get_payload()
    )
    assert "\r\nCharts and Knots are yours.\r\n" in text
    assert "https://seaside.example/logo.png" in html
    assert "background:#ffee00;color:#000000" in html
    address = mail["List-Unsubscribe"].strip("<>")
    async with http_client() as program:
        answer = await program.post(address, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    await site.stripe.buy("digest@post.example", price)
    other = await site.product("Sails")
    second = await site.stripe.product()
    await site.link(other, second)
    await site.stripe.buy("digest@post.example", await site.stripe.price(second))
    await site.has(other, "digest@post.example")
    await site.settled()
    await everything_sent(site)
    later = (await outbox(site, "digest@post.example"))[1:]
    wanted = [row["kind"] for row in later if row["state"] != "suppressed"]
    assert wanted == ["second_subscription"], "an email about billing can't be turned off"
    assert {row["kind"] for row in later} == {"product_access", "second_subscription"}
    assert len(inbox.mails) == 2


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("together", [False, True])
async def test_restored_access_sends_no_second_email(
    shared: Latchkey, together: bool, given: bool
) -> None:
    """Whether the products were linked together or one after the other, and whether both come back
    or one was `given` by hand in the meantime."""
    email = f"back-{together}-{given}@post.example"
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    first, second = await shared.product("Knots"), await shared.product("Charts")
    await shared.link(first, stripe_product)
    if together:
        await shared.link(second, stripe_product)
    made = await shared.stripe.subscribe(email, price)
    await shared.has(first, email)
    if not together:
        await shared.link(second, stripe_product)
    await shared.has(second, email)
    sent = len(await outbox(shared, email))
    assert sent == (1 if together else 2)
    await shared.stripe.control(f"subscriptions/{made['id']}/pause")
    await shared.has(first, email, access=False)
    await shared.has(second, email, access=False)
    if given:
        gift = {"email": email, "mail": False}
        await shared.call("POST", f"/products/{second}/grants", 201, json=gift)
    await shared.stripe.post(f"subscriptions/{made['id']}/resume")
    await shared.has(first, email)
    await shared.has(second, email)
    await shared.settled()
    assert len(await outbox(shared, email)) == sent


async def test_members_get_emails_about_cancellations_and_failed_payments(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product("Sailing")
    await site.link(product, stripe_product)
    leaving = await site.stripe.buy("leaving@post.example", price)
    failing = await site.stripe.buy("failing@post.example", price)
    await site.has(product, "leaving@post.example")
    await site.has(product, "failing@post.example")
    for _ in range(2):
        await site.stripe.control(f"subscriptions/{leaving['subscription']}/portal_cancel")
    await site.settled()

    async def told(email: str, kind: str) -> Any:
        rows = [row for row in await outbox(site, email) if row["kind"] == kind]
        assert len(rows) < 2
        return rows[0] if rows else None

    mail = await until(lambda: told("leaving@post.example", "cancellation"), "a cancellation mail")
    async with site.pool.acquire() as connection:
        found = await mails.find(connection, mail["id"])
    assert found is not None
    rendered = render(found, public_url=site.url, secrets=SECRETS)
    until_day = (await site.access(product, "leaving@post.example"))["until"]
    words = datetime.fromisoformat(until_day)
    assert rendered.subject == f"Cancelled: you have access until {words.day} {words:%B %Y}"
    assert "Sailing" in rendered.text
    subscription = await site.stripe.get(f"subscriptions/{failing['subscription']}")
    await site.stripe.post(
        f"customers/{subscription['customer']}",
        invoice_settings={"default_payment_method": "pm_card_chargeCustomerFail"},
    )
    await site.stripe.post(
        f"subscriptions/{failing['subscription']}",
        default_payment_method="pm_card_chargeCustomerFail",
    )
    ends = subscription["items"]["data"][0]["current_period_end"]
    await site.stripe.control("clock/advance", seconds=ends - int(time.time()) + 2 * 3600)
    mail = await until(lambda: told("failing@post.example", "payment_problem"), "a payment mail")
    await site.settled()
    assert await told("leaving@post.example", "cancellation")


async def test_new_users_get_login_instructions_if_the_site_sends_them(site: Latchkey) -> None:
    product = await site.product()
    await site.call("POST", f"/products/{product}/grants", 201, json={"email": "a@new.example"})
    async with site.pool.acquire() as connection:
        await site_settings.change(connection, login_mail=True)
    for _ in range(2):
        await site.call("POST", f"/products/{product}/grants", 201, json={"email": "b@new.example"})
    kinds = [row["kind"] for row in await outbox(site, "a@new.example")]
    assert "login_instructions" not in kinds
    kinds = [row["kind"] for row in await outbox(site, "b@new.example")]
    assert kinds.count("login_instructions") == 1


async def test_spread_import_emails_go_out_after_the_others(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    for number in range(30):
        await site.stripe.subscribe(f"old{number}@spread.example", price)
    product = await site.product()
    await site.link(product, stripe_product, mail="spread")
    await site.stripe.buy("new@spread.example", price)
    await site.has(product, "new@spread.example")
    await site.settled()
    rows = await site.pool.fetch("select pace, data->'imported' as imported from mails")
    assert {(row["pace"], row["imported"]) for row in rows} >= {("spread", True), ("now", False)}
    assert all((row["pace"] == "spread") is row["imported"] for row in rows)
    await site.pool.execute(
        """
        update mails set pace = 'spread'
         where user_id in (select id from users where email like 'old%')
        """
    )
    rates = SiteSettings(mails_per_minute=7, spread_per_hour=48)
    async with site.pool.acquire() as connection:
        first = await mails.claim(connection, limit=20, site=rates)
        assert [mail.email for mail in first if mail.pace == "now"] == ["new@spread.example"]
        assert len(first) == 5
        assert await mails.claim(connection, limit=20, site=rates) == []
        await connection.execute(
            "update mails set claimed_at = claimed_at - interval '6 minutes'"
            " where claimed_at is not null"
        )
        assert len(await mails.claim(connection, limit=20, site=rates)) == 4


async def test_resending_gives_a_new_link_and_a_new_id(site: Latchkey) -> None:
    product = await site.product()
    await site.call("POST", f"/products/{product}/grants", 201, json={"email": "re@sent.example"})
    user_id = await site.pool.fetchval("select id from users where email = 're@sent.example'")
    async with site.pool.acquire() as connection:
        await signin.mail_link(connection, user_id)
        row = await connection.fetchval(
            "select id from mails where kind = 'sign_in' and user_id = $1", user_id
        )
        first = await mails.find(connection, row)
        taken = await mails.claim(connection, limit=9, site=SiteSettings())
        for mail in taken:
            await mails.mark_sent(connection, mail)
        assert await mails.resend(connection, row)
        again = await mails.find(connection, row)
        assert not await mails.resend(connection, row + 1000)
    assert first is not None
    assert again is not None
    assert (again.state, again.issue) == ("queued", 1)
    links = [render(mail, public_url=site.url, secrets=SECRETS).link for mail in (first, again)]
    assert links[0] != links[1]
    ids = {
        message(
            mail,
            render(mail, public_url=site.url, secrets=SECRETS),
            sender="L <l@l.example>",
            public_url=site.url,
        )["Message-ID"]
        for mail in (first, again)
    }
    assert len(ids) == 2
    stored = str([dict(row) for row in await site.pool.fetch("select * from mails")])
    assert "/login/" not in stored


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_every_kind_has_a_text_and_only_the_right_links(shared: Latchkey, kind: str) -> None:
    site = shared
    await site.product("Sample product")
    owner = await site.pool.fetchval("select id from users where role = 'owner'")
    async with site.pool.acquire() as connection:
        mail = await mails.sample(connection, kind, user_id=owner)
    assert mail is not None
    rendered = render(mail, public_url=site.url, secrets=SECRETS)
    assert rendered.subject
    assert ("/login/" in rendered.text) is (kind not in NO_SIGN_IN)
    assert (rendered.unsubscribe is not None) is (kind in OPTIONAL_MAILS)
    assert 'style="' in rendered.html
    assert 'style="' not in rendered.preview
