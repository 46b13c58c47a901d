"""The email outbox: claimed by one sender at a time, rate-limited, sent once, visible to admins."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.addresses import email_key
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.site_settings import SiteSettings

LEASE = timedelta(minutes=10)
"""Longer than a batch takes on the slowest server."""
MOST_TRIES = 12
LONGEST_PAUSE = timedelta(hours=4)
STATES = ("queued", "sending", "sent", "failed", "suppressed")
REMINDER = "payment_reminder"
"""The kind of email that asks for a working card; it goes out only while a payment is open."""
WIN_BACK = "win_back"
"""The kind of email that invites somebody back whose subscription has ended."""
_SENDERS = 0x6D61696C
"""Advisory lock: only one process at a time counts what may be sent."""


@dataclass(frozen=True)
class OutMail:
    """An email with the data its text needs. `products` are the name, slug and status of each
    product it mentions, `contents` the names of what these open.

    `name` is that of the person at a proven address: a name that was typed at a checkout isn't
    sent to an address that somebody typed there. `language` is the code of the language that the
    person reads, if it is known. `issue` counts how often it was resent; its link is valid from
    `issued_at` on. Without a `user_id` it goes to somebody who has no account.
    """

    id: int
    key: str
    kind: str
    user_id: int | None
    email: str
    name: str | None
    role: str
    language: str | None
    link_epoch: int
    product_id: str | None
    product_name: str | None
    products: list[dict[str, str]]
    data: dict[str, Any]
    state: str
    pace: str
    attempts: int
    error: str | None
    due_at: datetime
    issue: int
    issued_at: datetime
    created_at: datetime
    sent_at: datetime | None
    contents: Sequence[str] = ()


_SELECT = """
select m.id, m.key, m.kind, m.user_id, coalesce(m.to_email, u.email) as email,
       case when m.to_email is null and u.proven_at is not null then u.name end as name,
       coalesce(u.role, 'member') as role,
       coalesce(case when m.kind = 'paid_address'
                     then coalesce(payer.locale, m.data ->> 'language') end,
                u.locale, m.data ->> 'language') as language,
       coalesce(u.link_epoch, 0) as link_epoch, m.product_id,
       p.name as product_name, m.data, m.state, m.pace, m.attempts, m.error, m.due_at, m.issue,
       m.issued_at, m.created_at, m.sent_at,
       coalesce((select jsonb_agg(jsonb_build_object('name', x.name, 'slug', x.slug,
                                                      'status', x.status) order by x.name)
                   from products x
                  where x.id = m.product_id
                     or (jsonb_typeof(m.data->'products') = 'array'
                         and x.id in (select jsonb_array_elements_text(m.data->'products')))),
                '[]') as products,
       array(select distinct q.name from products x
               join collection_products i on i.collection_id = x.opens_collection
               join products q on q.id = i.product_id and q.status = 'live'
              where x.id = m.product_id
                 or (jsonb_typeof(m.data->'products') = 'array'
                     and x.id in (select jsonb_array_elements_text(m.data->'products')))
              order by 1) as contents
  from mails m
  left join users u on u.id = m.user_id
  left join users payer on payer.email_key = m.to_email_key
  left join products p on p.id = m.product_id
"""


async def claim(connection: Connection, *, limit: int, site: SiteSettings) -> list[OutMail]:
    """Claim due emails for `LEASE`, as many as the site's rate limits allow, spread ones last.

    If a sender dies before reporting the outcome, the email is claimed again afterwards with the
    same Message-ID.
    """
    async with connection.transaction():
        if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", _SENDERS):
            return []
        used = await connection.fetchrow(
            """
            select count(*) filter (where claimed_at > now() - interval '1 minute') as minute,
                   count(*) filter (where pace = 'spread') as spread
              from mails where claimed_at > now() - interval '5 minutes'
            """
        )
        assert used is not None, "a count always has its row"
        room = min(limit, site.mails_per_minute - used["minute"])
        ids = await _take(connection, "now", room)
        share = max(1, site.spread_per_hour // 12)
        ids += await _take(connection, "spread", min(room - len(ids), share - used["spread"]))
        await withdraw(connection, ids)
    due = "m.id = any($1::bigint[]) and m.state = 'sending' order by m.id"
    return await _fetch(connection, due, ids) if ids else []


async def _take(connection: Connection, pace: str, most: int) -> list[int]:
    if most <= 0:
        return []
    rows = await connection.fetch(
        """
        update mails set state = 'sending', claimed_at = now(), due_at = now() + $3,
               attempts = attempts + 1, issued_at = now()
         where id in (select id from mails
                       where state in ('queued', 'sending') and due_at <= now() and pace = $2
                       order by due_at limit $1 for update skip locked)
        returning id
        """,
        most,
        pace,
        LEASE,
    )
    return [row["id"] for row in rows]


async def withdraw(connection: Connection, ids: Collection[int]) -> None:
    """Don't send, of these emails, reminders and invitations to somebody who has turned them off
    meanwhile, nor reminders of payments that aren't open any more, or of cards that don't expire
    before the next bill any more."""
    if not ids:
        return
    await connection.execute(
        """
        update mails m set state = 'suppressed' from users u
         where m.id = any($1::bigint[]) and u.id = m.user_id and m.kind in ($2, $3)
           and (m.kind = any(u.mails_off)
                or m.kind = $2
                   and not exists (select from subscriptions s
                                    where s.id = m.data ->> 'source_id'
                                      and case when m.data ? 'card_until'
                                               then s.phase in ('active', 'trialing')
                                                    and s.card_expires <= s.period_end
                                               else s.phase = 'payment_problem' end))
        """,
        ids,
        REMINDER,
        WIN_BACK,
    )


async def mark_sent(connection: Connection, mail: OutMail) -> None:
    """Mark it as sent, with an activity line. The caller opens the transaction."""
    at: datetime = await connection.fetchval(
        "update mails set state = 'sent', sent_at = now(), error = null where id = $1"
        " returning sent_at",
        mail.id,
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"mail_sent:{mail.id}:{mail.issue}",
                type=ActivityType.MAIL_SENT,
                at=at,
                cause=_cause(mail),
                user_id=mail.user_id,
                product_id=mail.product_id,
                source_id=mail.data.get("bulk") or mail.data.get("source_id"),
                data={"mail": mail.id, "kind": mail.kind},
            )
        ],
    )


def _cause(mail: OutMail) -> Cause:
    """Who or what caused an email."""
    if mail.data.get("bulk") and not mail.issue:
        return Cause.BULK
    if (
        mail.issue
        or mail.data.keys() & {"grant", "by_hand"}
        or mail.kind in ("merge_request", "users_merged")
    ):
        return Cause.ADMIN
    if mail.data.get("imported"):
        return Cause.IMPORT
    if "day" in mail.data:
        return Cause.TIMER
    by_themselves = (
        "sign_in", "recovery", "email_change", "email_changed", "paid_address", "paid_elsewhere",
    )  # fmt: skip
    return Cause.CUSTOMER if mail.kind in by_themselves else Cause.STRIPE


async def mark_failed(connection: Connection, mail: OutMail, *, error: str, for_good: bool) -> None:
    """Retry later with growing pauses, or give up."""
    give_up = for_good or mail.attempts >= MOST_TRIES
    await connection.execute(
        "update mails set state = $2, error = $3, due_at = now() + $4 where id = $1",
        mail.id,
        "failed" if give_up else "queued",
        error[:1000],
        min(timedelta(seconds=30 * 2**mail.attempts), LONGEST_PAUSE),
    )


async def put_back(
    connection: Connection, mail_ids: Collection[int], *, error: str, pause: timedelta
) -> None:
    """Return emails that weren't tried because the server was unavailable. This doesn't count as an
    attempt."""
    await connection.execute(
        """
        update mails set state = 'queued', attempts = attempts - 1, error = $2,
               due_at = now() + $3::interval, claimed_at = null
         where id = any($1::bigint[])
        """,
        list(mail_ids),
        error[:1000],
        pause,
    )


async def resend(connection: Connection, mail_id: int) -> bool:
    """Queue an email again with a new link, whatever its state, unless it is being sent right now.
    False if there is no such email."""
    await connection.execute(
        """
        update mails set state = 'queued', due_at = now(), attempts = 0, error = null,
               issue = issue + 1, issued_at = now(), pace = 'now'
         where id = $1 and not (state = 'sending' and due_at > now())
        """,
        mail_id,
    )
    found: bool = await connection.fetchval(
        "select exists (select from mails where id = $1)", mail_id
    )
    return found


async def listed(
    connection: Connection,
    *,
    after: int | None = None,
    limit: int = 50,
    state: str | None = None,
    kind: str | None = None,
    user_id: int | None = None,
    search: str | None = None,
) -> list[OutMail]:
    """Emails, newest first, starting after id `after`; `search` is an address."""
    return await _fetch(
        connection,
        """
        ($1::bigint is null or m.id < $1) and ($3::text is null or m.state = $3)
        and ($4::text is null or m.kind = $4) and ($5::bigint is null or m.user_id = $5)
        and ($6::text is null or m.to_email_key = $6
             or m.user_id = (select id from users where email_key = $6))
        order by m.id desc limit $2
        """,
        after,
        limit,
        state,
        kind,
        user_id,
        email_key(search) if search else None,
    )


async def counts(connection: Connection) -> dict[str, int]:
    """How many emails are waiting, and how many failed."""
    rows = await connection.fetch(
        """
        select state, count(*) as mails from mails
         where state in ('queued', 'sending', 'failed') group by state
        """
    )
    return {row["state"]: row["mails"] for row in rows}


async def forget_guests(connection: Connection, *, older_than: timedelta) -> None:
    """Delete old emails to people without an account: nothing else would."""
    await connection.execute(
        "delete from mails where user_id is null and created_at < now() - $1::interval", older_than
    )


async def find(connection: Connection, mail_id: int) -> OutMail | None:
    found = await _fetch(connection, "m.id = $1", mail_id)
    return found[0] if found else None


async def sample(connection: Connection, kind: str, *, user_id: int) -> OutMail | None:
    """A sample email for previews: the newest of its kind, or one to the user about a live
    product."""
    newest = await _fetch(connection, "m.kind = $1 order by m.id desc limit 1", kind)
    if newest:
        return newest[0]
    row = await connection.fetchrow(
        """
        select u.id as user_id, u.email, u.name, u.role, u.locale as language, u.link_epoch,
               p.id as product_id, p.name as product_name, now() as moment,
               case when p.id is null then '[]'::jsonb
                    else jsonb_build_array(jsonb_build_object('name', p.name, 'slug', p.slug,
                                                         'status', 'live'))
               end as products
          from users u
          left join lateral (select id, name, slug from products
                              order by status = 'live' desc, created_at desc limit 1) p on true
         where u.id = $1
        """,
        user_id,
    )
    if row is None:
        return None
    values = dict(row)
    moment = values.pop("moment")
    return OutMail(
        id=0,
        key=f"sample:{kind}",
        kind=kind,
        data={
            "change": 0,
            "claim": 0,
            "request": 0,
            "abandoned": 0,
            "ends": (moment + timedelta(days=20)).isoformat(),
        },
        state="queued",
        pace="now",
        attempts=0,
        error=None,
        due_at=moment,
        issue=0,
        issued_at=moment,
        created_at=moment,
        sent_at=None,
        **values,
    )


async def _fetch(connection: Connection, where: str, *values: object) -> list[OutMail]:
    rows = await connection.fetch(f"{_SELECT} where {where}", *values)
    return [OutMail(**dict(row)) for row in rows]
