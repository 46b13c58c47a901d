"""Claims: a member says that another address is theirs too, and proves it by a link sent there."""

from dataclasses import dataclass
from datetime import UTC, datetime

from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases import matches
from latchkey.store.purchases.matches import Doubt, DoubtKind
from latchkey.store.purchases.other_payers import CLAIM_LIFE
from latchkey.store.users import factors, identity, merging, users


class ClaimRefusedError(Exception):
    """A claim can't be confirmed. The message says what to do."""


@dataclass(frozen=True)
class Claim:
    id: int
    user_id: int
    email: str


async def ask(connection: Connection, user_id: int, email: str) -> int:
    """Record a claim and send its link to the other address. The caller opens the transaction."""
    claim_id: int = await connection.fetchval(
        "insert into claims (user_id, email, email_key) values ($1, $2, $3) returning id",
        user_id,
        email.strip(),
        email_key(email),
    )
    await write_mails(
        connection,
        [
            Mail(
                key=f"claim:{claim_id}",
                kind="claim",
                user_id=user_id,
                to_email=email.strip(),
                data={"claim": claim_id},
            )
        ],
    )
    return claim_id


async def open_claim(connection: Connection, claim_id: int, *, user_id: int) -> Claim:
    """An unconfirmed claim made by this user. Raises `ClaimRefusedError`."""
    row = await connection.fetchrow(
        """
        select id, user_id, email, confirmed_at, created_at < now() - $2::interval as over
          from claims where id = $1
        """,
        claim_id,
        CLAIM_LIFE,
    )
    if row is None or row["over"]:
        raise ClaimRefusedError(
            _("This link is older than 48 hours. Ask for a new one in your account.")
        )
    if row["user_id"] != user_id:
        raise ClaimRefusedError(
            _(
                "Another account requested this. Sign in with that account. If you didn't request"
                " it, you can ignore this."
            )
        )
    if row["confirmed_at"] is not None:
        raise ClaimRefusedError(_("This link was used already: what was bought under it is yours."))
    return Claim(row["id"], row["user_id"], row["email"])


async def confirm(connection: Connection, claim_id: int, *, user_id: int) -> Claim:
    """Give the user the other address with everything bought under it; an account with that address
    is merged into theirs. Raises `ClaimRefusedError`. The caller opens the transaction."""
    claim = await open_claim(connection, claim_id, user_id=user_id)
    holder = await users.by_email(connection, claim.email)
    await users.lock(connection, [user_id, holder.id if holder else user_id])
    claim = await open_claim(connection, claim_id, user_id=user_id)
    fresh = await connection.fetchval(
        """
        update claims set confirmed_at = now()
         where id = $1 and confirmed_at is null returning true
        """,
        claim_id,
    )
    if not fresh:
        raise ClaimRefusedError(_("This link was used already: what was bought under it is yours."))
    holder = await users.by_email(connection, claim.email)
    if holder is not None and holder.id != user_id:
        await _take_over(connection, claim, holder)
    if holder is None or holder.id != user_id:
        await identity.add_address(connection, user_id, claim.email, source="claim")
    await write_facts(
        connection,
        [
            Fact(
                key=f"purchase_claimed:{claim_id}",
                type=ActivityType.PURCHASE_CLAIMED,
                at=datetime.now(UTC),
                cause=Cause.CUSTOMER,
                user_id=user_id,
                data={"claim": claim_id},
            )
        ],
    )
    return claim


async def _take_over(connection: Connection, claim: Claim, holder: users.User) -> None:
    """Take over the proven address. A link alone merges neither staff's accounts nor those that ask
    for a second factor: it proves the mailbox, which isn't enough to sign in there."""
    if email_key(holder.email) != email_key(claim.email):
        return
    if not holder.is_staff and await factors.asked_of(connection, holder):
        raise ClaimRefusedError(
            _(
                "The account with this address asks for a second factor. Ask the site to merge both"
                " accounts: its owner can then agree after signing in there."
            )
        )
    try:
        await merging.merge(
            connection,
            into=claim.user_id,
            other=holder.id,
            reason="The member proved the other address to be theirs",
            actor=claim.user_id,
            cause=Cause.CUSTOMER,
            proven=True,
        )
    except merging.NotMergeableError as error:
        await matches.raise_doubts(
            connection,
            [
                Doubt(
                    key=f"{DoubtKind.STAFF_ADDRESS}:{claim.user_id}:{holder.id}",
                    kind=DoubtKind.STAFF_ADDRESS,
                    user_id=holder.id,
                    other_id=claim.user_id,
                    email=claim.email,
                )
            ],
        )
        raise ClaimRefusedError(str(error)) from None
