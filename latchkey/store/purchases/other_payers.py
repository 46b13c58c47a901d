"""Purchases that a member began while signed in, and that an address paid which isn't proven to be
theirs: a spouse's, a private relay's, or a stranger's.

The member has the access. The payer's Stripe customer isn't theirs until a link that is sent to the
paid address was followed in the member's account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from latchkey.addresses import email_key, masked
from latchkey.rules.vocabulary import Cause
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.matches import DoubtKind
from latchkey.store.stripe.context import ApplyContext

CLAIM_LIFE = timedelta(hours=48)
"""How long the link that adds an address to an account works."""


@dataclass(frozen=True)
class OtherPayer:
    """A purchase of `products` by `user_id`, paid with `email`. `asks` says whether it gives access
    or may, so that both are told. `language` is the code of the one that it was paid in."""

    source_id: str
    user_id: int
    email: str
    products: tuple[str, ...]
    asks: bool
    language: str | None = None


async def note(
    connection: Connection, payers: Sequence[OtherPayer], *, context: ApplyContext
) -> None:
    """Record who paid for whom, once for each purchase, and tell both, except in an import: the
    paid address gets the link that adds it to the member's account."""
    for payer in sorted(payers, key=lambda payer: (payer.user_id, payer.source_id)):
        fresh = await connection.fetchval(
            """
            insert into other_payers (source_id, user_id, email, email_key)
            values ($1, $2, $3, $4)
            on conflict (source_id) do nothing returning true
            """,
            payer.source_id,
            payer.user_id,
            payer.email,
            email_key(payer.email),
        )
        if fresh and payer.asks and context.cause != Cause.IMPORT:
            await _ask(connection, payer)


async def _ask(connection: Connection, payer: OtherPayer) -> None:
    """Send the link, unless one is under way for another purchase. The user's row is locked, so
    that two purchases at once send one."""
    account = await connection.fetchval(
        "select email from users where id = $1 for no key update", payer.user_id
    )
    claim_id = await connection.fetchval(
        """
        select c.id from claims c
         where c.user_id = $1 and c.email_key = $2 and c.confirmed_at is null
           and c.created_at > now() - $3::interval
         order by c.id desc limit 1
        """,
        payer.user_id,
        email_key(payer.email),
        CLAIM_LIFE,
    )
    if claim_id is None:
        claim_id = await connection.fetchval(
            "insert into claims (user_id, email, email_key) values ($1, $2, $3) returning id",
            payer.user_id,
            payer.email,
            email_key(payer.email),
        )
        shared = {"products": list(payer.products), "source_id": payer.source_id}
        await write_mails(
            connection,
            [
                Mail(
                    key=f"paid_address:{claim_id}",
                    kind="paid_address",
                    user_id=payer.user_id,
                    to_email=payer.email,
                    data={
                        **shared,
                        "claim": claim_id,
                        "account": masked(account),
                        **({"language": payer.language} if payer.language else {}),
                    },
                ),
                Mail(
                    key=f"paid_elsewhere:{claim_id}",
                    kind="paid_elsewhere",
                    user_id=payer.user_id,
                    data={**shared, "address": masked(payer.email)},
                ),
            ],
        )
    await connection.execute(
        "update other_payers set claim_id = $2 where source_id = $1", payer.source_id, claim_id
    )


async def proven(connection: Connection, user_id: int, email: str) -> None:
    """Open the billing of the user's customers with this address, now that the address is proven to
    be theirs, and close the doubts about who paid with it."""
    key = email_key(email)
    await connection.execute(
        """
        update customers set billing_user = user_id
         where user_id = $1 and email_key = $2
        """,
        user_id,
        key,
    )
    await connection.execute(
        """
        update other_payers set proven_at = now()
         where user_id = $1 and email_key = $2 and proven_at is null
        """,
        user_id,
        key,
    )
    await connection.execute(
        """
        update matches set state = 'settled', decided_at = now()
         where user_id = $1 and email_key = $2 and kind = $3 and state = 'open'
        """,
        user_id,
        key,
        DoubtKind.OTHER_PAYER,
    )


async def unproven(connection: Connection, source_ids: Sequence[str]) -> str | None:
    """The address that paid one of these, if it isn't proven to be the buyer's; a checkout may be
    an order and a subscription."""
    found: str | None = await connection.fetchval(
        """
        select email from other_payers
         where source_id = any($1::text[]) and proven_at is null limit 1
        """,
        list(source_ids),
    )
    return found
