"""Erasing a person. Amounts and dates are kept, as the law requires; personal data is removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from latchkey.addresses import digest, email_key, written_forms
from latchkey.languages import A_
from latchkey.rules.access import LIVE_STATUSES
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.access import collections
from latchkey.store.communities import accounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.products import abandoned_checkouts

ERASED_DOMAIN = "erased.invalid"
"""Of the addresses that erased people have."""

# $1 the user, $2 the keys of their addresses, $3 their customers', subscriptions' and orders' ids,
# $4 what texts may hold of their addresses, in lower case; $5 the digests of their addresses
STEPS = (
    "delete from sessions where user_id = $1",
    "delete from authenticator_apps where user_id = $1",
    "delete from recovery_codes where user_id = $1",
    "delete from passkeys where user_id = $1",
    "delete from user_notes where user_id = $1",
    "delete from user_labels where user_id = $1",
    "delete from email_changes where user_id = $1 or email_key = any($2)",
    "delete from merge_requests where into_user = $1 or other_user = $1",
    "delete from other_payers where user_id = $1 or email_key = any($2)",
    "delete from claims where user_id = $1 or email_key = any($2)",
    "delete from user_addresses where user_id = $1",
    "select audit_erase($1) -- audit_log refuses any other change",
    "update webhook_attempts set request = null, answer = null where user_id = $1"
    " or user_id in (select from_user from user_merges where into_user = $1)",
    "delete from user_merges where into_user = $1",
    "delete from matches where user_id = $1 or other_id = $1 or email_key = any($2)",
    "update orders set email = null, name = null where user_id = $1 or email_key = any($2)",
    "delete from checkout_attempts where user_id = $1",
    "delete from abandoned_checkouts where user_id = $1 or address_digest = any($5)",
    "insert into unsubscribed_addresses (digest, kind)"
    f" select d, '{abandoned_checkouts.KIND}' from unnest($5::bytea[]) d on conflict do nothing",
    "delete from mails where user_id = $1 or to_email_key = any($2)",
    "update subscriptions set cancel_comment = null, card_id = null, card_brand = null,"
    " card_last4 = null, card_expires = null where user_id = $1",
    "update grants set reason = null where user_id = $1",
    f"update grants set ended_at = now(), end_reason = '{Reason.ERASED}', held = true"
    " where user_id = $1 and ended_at is null",
    "update collection_holders set ended_at = coalesce(ended_at, now()), reason = null"
    " where user_id = $1",
    "update customers set email = null, name = null, erased = true where user_id = $1",
    "update differences set email = null where user_id = $1 or email_key = any($2)",
    "delete from preview_records where email_key = any($2) or customer_id = any($3)",
    "delete from user_imports where exists (select from unnest($4::text[]) a"
    " where position(a in lower(rows::text)) > 0)",
    "delete from member_import_lines where email_key = any($2)"
    " or exists (select from unnest($4::text[]) a"
    " where position(a in lower(array_to_string(cells, ' '))) > 0)",
    "delete from idempotency_keys where exists (select from unnest($4::text[]) a"
    " where position(a in lower(body)) > 0)",
    """
    update events set body = jsonb_build_object('id', id, 'type', type, 'erased', true)::text
     where target_id = any($3) or object_id = any($3)
        or exists (select from unnest($4::text[]) a where position(a in lower(body)) > 0)
        or exists (select from unnest($3::text[]) i where position('"' || i || '"' in body) > 0)
    """,
    f"""
    update users set email = 'erased-' || id || '@{ERASED_DOMAIN}', name = null,
           password_hash = null, locale = null, erased_at = now()
     where id = $1
    """,
    "delete from oauth_authorizations where user_id = $1",
    "delete from oauth_consents where user_id = $1",
    "delete from lesson_marks where user_id = $1",
    "update community_accounts set unbound_at = coalesce(unbound_at, now()), name = null"
    " where user_id = $1",
)


class NotErasableError(Exception):
    """The person can't be erased. The message says what to do first."""


@dataclass(frozen=True)
class Footprint:
    """What is stored about a person, for the confirmation page."""

    live_subscriptions: int
    orders: int
    mails: int
    events: int


async def footprint(connection: Connection, user_id: int) -> Footprint:
    row = await connection.fetchrow(
        """
        select (select count(*) from subscriptions
                 where user_id = $1 and status = any($2::text[])) as live_subscriptions,
               (select count(*) from orders where user_id = $1) as orders,
               (select count(*) from mails where user_id = $1) as mails,
               (select count(*) from events e where e.target_id in (
                    select id from subscriptions where user_id = $1
                    union all select id from orders where user_id = $1
                    union all select id from customers where user_id = $1)
                  and e.target_kind <> 'none') as events
        """,
        user_id,
        LIVE_STATUSES,
    )
    assert row is not None, "an aggregate has one row"
    return Footprint(**dict(row))


async def erase(connection: Connection, user_id: int, *, actor: int) -> None:
    """Remove the person's data everywhere; their row stays, without personal data.

    Access ends. Erasing is idempotent. Raises `NotErasableError` for staff. The caller opens the
    transaction.
    """
    await collections.lock_held(connection, [user_id])
    row = await connection.fetchrow(
        "select role, erased_at from users where id = $1 for update", user_id
    )
    if row is None or row["erased_at"] is not None:
        return
    if row["role"] != "member":
        raise NotErasableError(
            A_("This person is on the site's team: remove their role first, in Settings.")
        )
    addresses = await _addresses(connection, user_id)
    ids = await connection.fetch(
        """
        select id from customers where user_id = $1
        union all select customer_account from customers
                   where user_id = $1 and customer_account is not null
        union all select id from subscriptions where user_id = $1
        union all select id from orders where user_id = $1
        """,
        user_id,
    )
    audit_draft.note(target=("user", user_id))
    values = (
        user_id,
        list({email_key(email) for email in addresses}),
        [found["id"] for found in ids],
        list({form for email in addresses for form in written_forms(email)}),
        list({digest(email) for email in addresses}),
    )
    for step in STEPS:
        wanted = [n for n in (1, 2, 3, 4, 5) if f"${n}" in step]
        text = step
        for place, n in enumerate(wanted, start=1):
            text = text.replace(f"${n}", f"${place}")
        await connection.execute(text, *(values[n - 1] for n in wanted))
    await accounts.sync(connection, user_id)
    fact = Fact(
        key=f"user_erased:{user_id}",
        type=ActivityType.USER_ERASED,
        at=datetime.now(UTC),
        cause=Cause.ADMIN,
        user_id=user_id,
        actor_id=actor,
    )
    await write_facts(connection, [fact])


async def erase_unused(
    connection: Connection,
    user_ids: Sequence[int],
    *,
    at: datetime,
    bulk_id: str,
    actor: int | None,
) -> None:
    """Erase people of whom nothing is stored but their row, ended access, and lines of the feed and
    of imports: what `erase` comes to for them, for many at once. They are part of a bulk change.
    The caller opens the transaction and has locked them."""
    for step in (
        "update webhook_attempts set request = null, answer = null where user_id = any($1)",
        "update grants set reason = null where user_id = any($1)",
        "update member_import_lines l set cells = '{}', email = null, email_key = null"
        " from users u where u.id = any($1) and l.email_key = u.email_key",
        f"""
        update users set email = 'erased-' || id || '@{ERASED_DOMAIN}', name = null, locale = null,
               erased_at = now()
         where id = any($1)
        """,
    ):
        await connection.execute(step, list(user_ids))
    facts = [
        Fact(
            key=f"user_erased:{user_id}",
            type=ActivityType.USER_ERASED,
            at=at,
            cause=Cause.BULK,
            user_id=user_id,
            source_id=bulk_id,
            actor_id=actor,
        )
        for user_id in user_ids
    ]
    await write_facts(connection, facts)


async def _addresses(connection: Connection, user_id: int) -> list[str]:
    """The person's addresses, except those that are also somebody else's."""
    rows = await connection.fetch(
        """
        select email from (
            select email, email_key from customers where user_id = $1 and email is not null
            union select email, email_key from orders where user_id = $1 and email is not null
            union select email, email_key from user_addresses where user_id = $1
            union select email, email_key from users where id = $1) as theirs
         where not exists (select from users u
                            where u.email_key = theirs.email_key and u.id <> $1)
           and not exists (select from user_addresses a
                            where a.email_key = theirs.email_key and a.user_id <> $1)
        """,
        user_id,
    )
    return [row["email"] for row in rows]
