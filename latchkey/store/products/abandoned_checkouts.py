"""Checkouts that expired unpaid: whom an email about them is sent to, and what its link leads to.

An email goes out only where the site sends them, the buyer agreed, and there is still something to
buy: at most one per person and product within `AT_MOST_EVERY`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.addresses import digest, email_key
from latchkey.rules.reading import ExpiredSession
from latchkey.store import site_settings
from latchkey.store.feed import mails, unsubscribed
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
    `open_until`. `user_id` is the buyer, if they have an account, and `email_key` the key of the
    address that was written to, if they had none then."""

    id: int
    user_id: int | None
    email_key: str | None
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
    reached = await _reached(connection, attempt, session)
    if reached is None:
        return "No address of its buyer is known"
    await _lock(connection, reached)
    if not await _agreed(connection, reached, session):
        return "Its buyer didn't agree to an email"
    if obstacle := await _obstacle(connection, reached, attempt.product_id, attempt.price_id):
        return obstacle
    abandoned = await connection.fetchval(
        """
        insert into abandoned_checkouts (session_id, user_id, address_digest, product_id, price_id,
                                         url, open_until)
        select $1, $2::bigint, case when $2::bigint is null then $8::bytea end, $3, $4, $5, $6
         where not exists (select from abandoned_checkouts
                            where (user_id = $2::bigint or address_digest = $8::bytea)
                              and product_id = $3 and created_at > now() - $7::interval)
        on conflict (session_id) do nothing returning id
        """,
        session.id,
        reached.user_id,
        attempt.product_id,
        attempt.price_id,
        url,
        session.open_until,
        AT_MOST_EVERY,
        digest(session.email) if session.email else None,
    )
    if abandoned is None:
        return "Its buyer has had an email about this product"
    data = {"abandoned": abandoned, "ends": session.open_until.isoformat()}
    if attempt.locale:
        data["language"] = attempt.locale
    mail = Mail(
        key=_key(abandoned),
        kind=KIND,
        user_id=reached.user_id,
        product_id=attempt.product_id,
        to_email=reached.address,
        data=data,
    )
    await write_mails(connection, [mail])
    return "Its buyer gets an email"


@dataclass(frozen=True)
class _Reached:
    """Whom the email goes to: a user, at `address` if it isn't their own, or a guest there."""

    user_id: int | None
    address: str | None


async def _reached(
    connection: Connection, attempt: SoldAttempt, session: ExpiredSession
) -> _Reached | None:
    """The member who began the checkout, or whoever has the address that was typed there."""
    if attempt.user_id is not None:
        return _Reached(attempt.user_id, None)
    if session.email is None:
        return None
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
        return _Reached(None, session.email)
    return _Reached(user["id"], None if user["email_key"] == key else session.email)


async def _lock(connection: Connection, reached: _Reached) -> None:
    """Make others who write to the same person wait until the transaction ends."""
    if reached.user_id is not None:
        await connection.execute("select from users where id = $1 for update", reached.user_id)
        return
    assert reached.address is not None, "a guest is reached by an address"
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended($1, 0))", email_key(reached.address)
    )


async def _agreed(connection: Connection, reached: _Reached, session: ExpiredSession) -> bool:
    """Whether the buyer wants the email: as a member's preference says, or at Stripe's checkout.
    Whoever turned these emails off gets none."""
    at_checkout = session.agreed and not (
        session.email is not None
        and await unsubscribed.has(connection, digest(session.email), KIND)
    )
    if reached.user_id is None:
        return at_checkout
    agreed: bool | None = await connection.fetchval(
        """
        select not $2 = any(mails_off) and ($3 or $2 = any(mails_on)) from users
         where id = $1 and erased_at is null
        """,
        reached.user_id,
        KIND,
        at_checkout,
    )
    return bool(agreed)


async def _obstacle(
    connection: Connection, reached: _Reached, product_id: str, price_id: str
) -> str | None:
    """Why the person shouldn't be led to this checkout, as a sentence."""
    key = email_key(reached.address) if reached.address else None
    if await is_served(connection, reached.user_id, product_id, key=key):
        return "Its buyer has the product, or has paid for it"
    if not await is_sold(connection, product_id, price_id):
        return "The price isn't for sale any more"
    return None


async def is_served(
    connection: Connection, user_id: int | None, product_id: str, *, key: str | None
) -> bool:
    """Whether the person has the product, a subscription of it that isn't over, or a payment under
    way. Without a user it is whoever has the address with this key."""
    opens: bool = await connection.fetchval(
        """
        select p.access_mode <> 'assigned'
               or exists (select from live_grants g where g.product_id = p.id and g.user_id = $2)
          from products p where p.id = $1
        """,
        product_id,
        user_id,
    )
    if opens:
        return True
    if user_id is None:
        return key is not None and (
            await checkout.pending_of_address(connection, key=key, product_id=product_id)
            or await checkout.subscription_of_address(connection, key=key, product_id=product_id)
            is not None
        )
    had = await checkout.bought_before(connection, user_id=user_id, product_id=product_id)
    return had.pending or had.running is not None


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
        select a.id, a.product_id, a.price_id, a.url, a.open_until, m.to_email_key as email_key,
               coalesce(a.user_id, (select id from users where email_key = m.to_email_key),
                        (select user_id from user_addresses where email_key = m.to_email_key))
                   as user_id
          from abandoned_checkouts a left join mails m on m.key = $2 where a.id = $1
        """,
        abandoned_id,
        _key(abandoned_id),
    )
    return AbandonedCheckout(**dict(row)) if row else None


async def forget_old(connection: Connection) -> None:
    """Delete checkouts that can't be opened again, and the emails to people without an account."""
    await connection.execute(
        "delete from abandoned_checkouts where created_at < now() - $1::interval", KEPT
    )
    await mails.forget_guests(connection, older_than=KEPT)


def _key(abandoned_id: int) -> str:
    return f"{KIND}:{abandoned_id}"
