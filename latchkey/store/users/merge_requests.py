"""Merging two users by consent: staff ask, the owners of the mailboxes agree by links.

The account that goes has to agree in any case, since its owner gives it up. The one that stays has
to only if its mailbox wasn't proven before: otherwise somebody who typed an address could be given
what another person owns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.addresses import masked
from latchkey.languages import _
from latchkey.rules.vocabulary import AuditAction, Cause
from latchkey.store import audit_draft
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases import matches
from latchkey.store.users import merging, signin, users

LIFE = timedelta(hours=48)
ASKS_PER_DAY = 5


class RequestRefusedError(Exception):
    """A request can't be made or answered. The message says why and what to do."""


@dataclass(frozen=True)
class MergeSide:
    """One of two users who may be one person, and what would move: the `products` they have access
    to, and how many purchases, subscriptions and Stripe customers. `proven_at` is None for an
    address that was only typed."""

    user_id: int
    email: str
    name: str | None
    role: str
    proven_at: datetime | None
    products: list[str]
    orders: int
    subscriptions: int
    customers: int


@dataclass(frozen=True)
class MergeRequest:
    """`into_user` stays, `other_user` goes. `state` is open, merged, declined, expired, or replaced
    by a later request. `waits_for` are the users who still have to agree."""

    id: int
    match_id: int | None
    into_user: int
    other_user: int
    into_agreed_at: datetime | None
    other_agreed_at: datetime | None
    state: str
    reason: str | None
    asked_by: int | None
    created_at: datetime
    decided_at: datetime | None
    expires_at: datetime
    into_proven: bool

    @property
    def waits_for(self) -> tuple[int, ...]:
        if self.state != "open":
            return ()
        stays = self.into_proven or self.into_agreed_at is not None
        waits = () if stays else (self.into_user,)
        return waits if self.other_agreed_at is not None else (*waits, self.other_user)


_SELECT = f"""
select r.id, r.match_id, r.into_user, r.other_user, r.into_agreed_at, r.other_agreed_at, r.reason,
       r.asked_by, r.created_at, r.decided_at,
       r.created_at + interval '{LIFE.total_seconds()} seconds' as expires_at,
       coalesce(i.proven_at is not null, false) as into_proven,
       case when r.state <> 'open' then r.state
            when r.created_at < now() - interval '{LIFE.total_seconds()} seconds'
                 or i.link_epoch is distinct from r.into_epoch
                 or o.link_epoch is distinct from r.other_epoch then 'expired'
            else 'open' end as state
  from merge_requests r
  left join users i on i.id = r.into_user left join users o on o.id = r.other_user
"""


async def sides(connection: Connection, user_ids: Sequence[int]) -> dict[int, MergeSide]:
    """What is known about users who may be merged, by id."""
    rows = await connection.fetch(
        """
        select u.id as user_id, u.email, u.name, u.role, u.proven_at,
               array(select distinct p.name from live_grants g join products p
                            on p.id = g.product_id where g.user_id = u.id order by 1) as products,
               (select count(*) from orders o where o.user_id = u.id) as orders,
               (select count(*) from subscriptions s where s.user_id = u.id) as subscriptions,
               (select count(*) from customers c where c.user_id = u.id) as customers
          from users u where u.id = any($1::bigint[])
        """,
        list(set(user_ids)),
    )
    return {row["user_id"]: MergeSide(**dict(row)) for row in rows}


def direction(one: MergeSide, other: MergeSide) -> tuple[MergeSide, MergeSide]:
    """Which of two stays, and which goes: the team member stays, else the only one whose mailbox is
    proven, else `one`."""
    if (one.role == "member") != (other.role == "member"):
        return (other, one) if one.role == "member" else (one, other)
    if one.proven_at is None and other.proven_at is not None:
        return other, one
    return one, other


async def override(
    connection: Connection, *, into: int, other: int, reason: str, actor: int | None
) -> merging.Merged:
    """Merge without asking, for accounts whose mailbox nobody can open any more. The survivor isn't
    shown the other's billing, and both addresses are told.

    Raises `merging.NotMergeableError`. The caller checks that an owner decides this.
    """
    known = await sides(connection, [into, other])
    done = await merging.merge(connection, into=into, other=other, reason=reason, actor=actor)
    await connection.execute(
        """
        update merge_requests set state = 'replaced', decided_at = now()
         where state = 'open' and (into_user = $1 or other_user = $1)
        """,
        other,
    )
    key = f"users_merged:{other}:{datetime.now(UTC):%Y%m%d%H%M%S%f}"
    data = {"kept": masked(known[into].email), "gone": masked(known[other].email)}
    await write_mails(
        connection,
        [
            Mail(key=key, kind="users_merged", user_id=into, data=data),
            Mail(
                key=f"{key}:other",
                kind="users_merged",
                user_id=into,
                to_email=known[other].email,
                data=data,
            ),
        ],
    )
    return done


async def ask(
    connection: Connection,
    one: int,
    other: int,
    *,
    actor: int | None,
    match_id: int | None = None,
    reason: str | None = None,
) -> MergeRequest:
    """Send the links that merge two users once they are followed; earlier ones end.

    Raises `RequestRefusedError`. The caller opens the transaction.
    """
    rows = await connection.fetch(
        """
        select id, link_epoch, role, erased_at from users where id = any($1::bigint[])
         order by id for no key update
        """,
        [one, other],
    )
    people = {row["id"]: row for row in rows}
    pair = f"merge {min(one, other)} {max(one, other)}"
    if not await signin.try_once(connection, pair, most=ASKS_PER_DAY, seconds=86400):
        raise RequestRefusedError("Both were asked several times today. Try again tomorrow.")
    known = await sides(connection, [one, other])
    into, gone = direction(known[one], known[other]) if len(known) == 2 else (None, None)
    try:
        merging.check(
            people, into=into.user_id if into else one, other=gone.user_id if gone else other
        )
    except merging.NotMergeableError as error:
        raise RequestRefusedError(str(error)) from None
    assert into is not None, "the check finds who is missing"
    assert gone is not None, "the check finds who is missing"
    await connection.execute(
        """
        update merge_requests set state = 'replaced', decided_at = now()
         where state = 'open' and array[into_user, other_user] @> $1::bigint[]
        """,
        [one, other],
    )
    request_id: int = await connection.fetchval(
        """
        insert into merge_requests (match_id, into_user, other_user, into_epoch, other_epoch,
                                    reason, asked_by)
        values ($1, $2, $3, $4, $5, $6, $7) returning id
        """,
        match_id,
        into.user_id,
        gone.user_id,
        people[into.user_id]["link_epoch"],
        people[gone.user_id]["link_epoch"],
        reason,
        actor,
    )
    request = await _read(connection, request_id)
    audit_draft.note(
        target=("user", into.user_id), after={"goes": gone.user_id, "request": request_id}
    )
    await write_mails(
        connection,
        [
            _mail(request, known[user_id], gone if user_id == into.user_id else into)
            for user_id in request.waits_for
        ],
    )
    return request


def _mail(request: MergeRequest, to: MergeSide, counterpart: MergeSide) -> Mail:
    return Mail(
        key=f"merge_request:{request.id}:{to.user_id}",
        kind="merge_request",
        user_id=to.user_id,
        data={
            "request": request.id,
            "account": masked(counterpart.email),
            "goes": to.user_id == request.other_user,
        },
    )


async def find(connection: Connection, request_id: int) -> MergeRequest | None:
    row = await connection.fetchrow(f"{_SELECT} where r.id = $1", request_id)
    return MergeRequest(**dict(row)) if row else None


async def latest_of_matches(
    connection: Connection, match_ids: Sequence[int]
) -> dict[int, MergeRequest]:
    """The latest request for each match that had one, by the match's id."""
    rows = await connection.fetch(
        f"""
        {_SELECT} where r.id in (select max(id) from merge_requests
                                  where match_id = any($1::bigint[]) group by match_id)
        """,
        list(match_ids),
    )
    return {row["match_id"]: MergeRequest(**dict(row)) for row in rows}


async def of_user(
    connection: Connection, user_id: int, *, after: int | None = None, limit: int = 10
) -> list[MergeRequest]:
    """The requests about a user, newest first, starting after id `after`."""
    rows = await connection.fetch(
        f"""
        {_SELECT} where (r.into_user = $1 or r.other_user = $1)
           and ($2::bigint is null or r.id < $2) order by r.id desc limit $3
        """,
        user_id,
        after,
        limit,
    )
    return [MergeRequest(**dict(row)) for row in rows]


async def open_request(connection: Connection, request_id: int, *, user_id: int) -> MergeRequest:
    """A request that waits for this user's answer. Raises `RequestRefusedError`."""
    request = await find(connection, request_id)
    if request is None or request.state in ("expired", "replaced"):
        raise RequestRefusedError(
            _(
                "This link is no longer valid. It ends after 48 hours, when one of the two accounts"
                " changes, or when the site sends a new one."
            )
        )
    if user_id not in request.waits_for:
        raise RequestRefusedError(_("This has already been answered."))
    return request


async def decline(connection: Connection, request_id: int, *, user_id: int) -> None:
    """End a request without merging. Raises `RequestRefusedError`. The caller opens the
    transaction."""
    await _hold(connection, request_id)
    await open_request(connection, request_id, user_id=user_id)
    audit_draft.note(
        action=AuditAction.MERGE_DECLINED,
        actor=user_id,
        target=("user", user_id),
        after={"request": request_id},
    )
    await connection.execute(
        "update merge_requests set state = 'declined', decided_at = now() where id = $1",
        request_id,
    )


async def agree(connection: Connection, request_id: int, *, user_id: int) -> MergeRequest:
    """Record that the owner of this user's mailbox agrees, and merge once nobody else has to.

    Raises `RequestRefusedError`. The caller opens the transaction and wakes the relay afterwards.
    """
    await _hold(connection, request_id)
    request = await open_request(connection, request_id, user_id=user_id)
    audit_draft.note(actor=user_id, target=("user", user_id), after={"request": request_id})
    side = "into" if user_id == request.into_user else "other"
    await connection.execute(
        f"update merge_requests set {side}_agreed_at = now() where id = $1", request_id
    )
    await connection.execute(
        "update users set proven_at = coalesce(proven_at, now()) where id = $1", user_id
    )
    request = await _read(connection, request_id)
    if request.waits_for:
        return request
    if request.match_id is not None:
        await matches.decide(connection, request.match_id, "accepted", actor=request.asked_by)
    audit_draft.note(action=AuditAction.USERS_MERGED)
    try:
        await merging.merge(
            connection,
            into=request.into_user,
            other=request.other_user,
            reason=request.reason or "The owner of the other address agreed",
            actor=request.asked_by,
            cause=Cause.CUSTOMER,
            proven=True,
        )
    except merging.NotMergeableError as error:
        raise RequestRefusedError(str(error)) from None
    await connection.execute(
        "update merge_requests set state = 'merged', decided_at = now() where id = $1", request_id
    )
    return await _read(connection, request_id)


async def _hold(connection: Connection, request_id: int) -> None:
    """Let answers about the same users wait for each other."""
    asked = await find(connection, request_id)
    await users.lock(connection, [asked.into_user, asked.other_user] if asked else [])
    await connection.execute("select from merge_requests where id = $1 for update", request_id)


async def _read(connection: Connection, request_id: int) -> MergeRequest:
    found = await find(connection, request_id)
    assert found is not None, "requests outlive their answer"
    return found
