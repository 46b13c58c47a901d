"""Checkouts that expired unpaid: whom an email about them is sent to, and what its link leads to.

An email goes out only where the site sends them, the buyer agreed, and there is still something to
buy: at most one per person and product within `AT_MOST_EVERY`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.addresses import email_key
from latchkey.rules.reading import ExpiredSession
from latchkey.store import site_settings
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.products import checkout
from latchkey.store.products.checkout_attempts import SoldAttempt

KIND = "abandoned_checkout"
AT_MOST_EVERY = timedelta(days=7)
LATEST = timedelta(days=3)
"""An email about a checkout that expired longer ago would come out of the blue."""

KEPT = timedelta(days=40)
CONSENT_COUNTRY = "US"
"""Where an account has to be for Stripe to ask its buyers for consent to emails."""


@dataclass(frozen=True)
class AbandonedCheckout:
    """A checkout that its buyer got an email about. `url` is Stripe's, sealed; it works until
    `open_until`."""

    id: int
    user_id: int
    product_id: str
    price_id: str
    url: bytes
    open_until: datetime


@dataclass(frozen=True)
class Recovery:
    """Whether sessions that expire can be opened again, and whether Stripe asks their buyers for
    consent to an email."""

    recoverable: bool = False
    consent: bool = False


async def recovery(connection: Connection) -> Recovery:
    """What sessions made now ask Stripe for."""
    row = await connection.fetchrow(
        """
        select coalesce((s.value -> 'abandoned_mail')::boolean, false) as wanted, c.country
          from stripe_connection c left join site_settings s on s.key = $1
        """,
        site_settings.KEY,
    )
    assert row is not None, "the connection has its row"
    wanted: bool = row["wanted"]
    return Recovery(wanted, wanted and row["country"] == CONSENT_COUNTRY)


async def are_wanted(connection: Connection) -> bool:
    """Whether the site sends emails about abandoned checkouts."""
    return (await site_settings.read(connection)).abandoned_mail


async def remind(
    connection: Connection, attempt: SoldAttempt, session: ExpiredSession, *, url: bytes
) -> str:
    """Queue the email about an expired session, if there is to be one; returns why not, or that it
    is queued, as a sentence. `url` is the session's, sealed. The caller opens the transaction."""
    if session.open_until is None:
        return "It can't be opened again"
    if session.expired_at < datetime.now(UTC) - LATEST:
        return "It expired too long ago"
    user_id, address = await _reached(connection, attempt, session)
    if user_id is None:
        return "Nobody known here began it"
    await connection.execute("select from users where id = $1 for update", user_id)
    if not await _agreed(connection, user_id, session):
        return "Its buyer didn't agree to an email"
    if obstacle := await _obstacle(connection, user_id, attempt.product_id, attempt.price_id):
        return obstacle
    abandoned = await connection.fetchval(
        """
        insert into abandoned_checkouts (session_id, user_id, product_id, price_id, url, open_until)
        select $1, $2, $3, $4, $5, $6
         where not exists (select from abandoned_checkouts
                            where user_id = $2 and product_id = $3
                              and created_at > now() - $7::interval)
        on conflict (session_id) do nothing returning id
        """,
        session.id,
        user_id,
        attempt.product_id,
        attempt.price_id,
        url,
        session.open_until,
        AT_MOST_EVERY,
    )
    if abandoned is None:
        return "Its buyer has had an email about this product"
    data = {"abandoned": abandoned, "ends": session.open_until.isoformat()}
    mail = Mail(
        key=f"{KIND}:{abandoned}",
        kind=KIND,
        user_id=user_id,
        product_id=attempt.product_id,
        to_email=address,
        data=data,
    )
    await write_mails(connection, [mail])
    return "Its buyer gets an email"


async def _reached(
    connection: Connection, attempt: SoldAttempt, session: ExpiredSession
) -> tuple[int | None, str | None]:
    """Who gets the email: the member who began the checkout, or whoever has the address that was
    typed there; and that address, if it isn't the user's own."""
    if attempt.user_id is not None:
        return attempt.user_id, None
    if session.email is None:
        return None, None
    key = email_key(session.email)
    user = await connection.fetchrow(
        """
        select id, email_key from users
         where id = coalesce((select id from users where email_key = $1),
                             (select user_id from user_addresses where email_key = $1))
        """,
        key,
    )
    if user is None:
        return None, None
    return user["id"], None if user["email_key"] == key else session.email


async def _agreed(connection: Connection, user_id: int, session: ExpiredSession) -> bool:
    """Whether the buyer wants the email: as a member's preference says, or at Stripe's checkout.
    Whoever turned these emails off gets none."""
    agreed: bool | None = await connection.fetchval(
        """
        select not $2 = any(mails_off) and ($3 or $2 = any(mails_on)) from users
         where id = $1 and erased_at is null
        """,
        user_id,
        KIND,
        session.agreed,
    )
    return bool(agreed)


async def _obstacle(
    connection: Connection, user_id: int, product_id: str, price_id: str
) -> str | None:
    """Why the person shouldn't be led to this checkout, as a sentence."""
    if await is_served(connection, user_id, product_id):
        return "Its buyer has the product, or has paid for it"
    if not await is_sold(connection, product_id, price_id):
        return "The price isn't for sale any more"
    return None


async def is_served(connection: Connection, user_id: int, product_id: str) -> bool:
    """Whether the person has the product, a subscription of it that isn't over, or a payment under
    way."""
    opens: bool = await connection.fetchval(
        """
        select p.access_mode <> 'assigned'
               or exists (select from live_grants g where g.product_id = p.id and g.user_id = $2)
          from products p where p.id = $1
        """,
        product_id,
        user_id,
    )
    return (
        opens
        or await checkout.pending_order(connection, user_id=user_id, product_id=product_id)
        or await checkout.running_subscription(connection, user_id=user_id, product_id=product_id)
        is not None
    )


async def is_sold(connection: Connection, product_id: str, price_id: str) -> bool:
    """Whether the site still sells the product at this price, as far as is known."""
    status = await connection.fetchval("select status from products where id = $1", product_id)
    selling = await checkout.selling(connection, product_id)
    return (
        status == "live"
        and selling.purchase_method != "none"
        and selling.checkout_target == "stripe"
        and any(offer.price_id == price_id for offer in selling.sellable)
    )


async def find(connection: Connection, abandoned_id: int) -> AbandonedCheckout | None:
    row = await connection.fetchrow(
        """
        select id, user_id, product_id, price_id, url, open_until from abandoned_checkouts
         where id = $1
        """,
        abandoned_id,
    )
    return AbandonedCheckout(**dict(row)) if row else None


async def forget_old(connection: Connection) -> None:
    """Delete checkouts that can't be opened again."""
    await connection.execute(
        "delete from abandoned_checkouts where created_at < now() - $1::interval", KEPT
    )
