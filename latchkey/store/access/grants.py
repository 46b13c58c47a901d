"""Grants: who may open what, complimentary access, and ending grants by hand. Those of purchases
are written by `store/purchases/settling.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.addresses import email_key
from latchkey.rules.vocabulary import ActivityType, Cause, GrantSource, Reason
from latchkey.store import audit_draft
from latchkey.store.access import collections, complimentary
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection, Pool
from latchkey.store.products.products import UnknownProductError
from latchkey.store.purchases import rejudging
from latchkey.store.stripe.context import Account, ApplyContext

_ACCESS = """
select q.n, p.id as product_id, p.slug, p.access_mode, u.id as user_id, g.id, g.source, g.source_id,
       g.since, g.until
  from unnest($1::text[], $2::text[], $3::bigint[])
       with ordinality as q (product, email_key, user_id, n)
  join products p on p.id = q.product or p.slug = q.product
  left join users u on u.id = coalesce(
       (select into_user from user_merges where from_user = q.user_id), q.user_id,
       (select id from users where email_key = q.email_key),
       (select user_id from user_addresses where email_key = q.email_key))
  left join live_grants g on g.product_id = p.id and g.user_id = u.id
"""


@dataclass(frozen=True)
class AccessQuestion:
    """Whether somebody may open a product, which is named by its slug or id. They are named by an
    email address or a user's id."""

    product: str
    email: str | None = None
    user_id: int | None = None


@dataclass(frozen=True)
class Grant:
    """`ended_at` is when access ended here, `due_at` when it was due; times are aware and in UTC.
    `source_id` is Stripe's id; where a product opened it, that product's, a slash, and the id of
    the grant that it follows."""

    id: int
    user_id: int
    email: str
    name: str | None
    product_id: str
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    cause: str
    reason: str | None
    due_at: datetime | None = None
    held: bool = False

    @property
    def opener(self) -> str | None:
        """The id of the product that opened it, if one did."""
        return opener_of(self.source, self.source_id)

    @property
    def state(self) -> str:
        """live, ending (an end is set) or ended."""
        return grant_state(self.until, self.ended_at)


def grant_state(until: datetime | None, ended_at: datetime | None = None) -> str:
    if ended_at is not None or (until is not None and until <= datetime.now(UTC)):
        return "ended"
    return "live" if until is None else "ending"


def opener_of(source: str, source_id: str) -> str | None:
    """The product that opened a grant with this source, if one did."""
    return source_id.rpartition("/")[0] if source == GrantSource.PRODUCT else None


async def access_rows(
    pool: Pool, product: str, *, email: str | None = None, user_id: int | None = None
) -> list[Any]:
    """The product, the user and their live grants in one query; no rows for an unknown product."""
    return (await answer(pool, [AccessQuestion(product, email, user_id)]))[0]


async def answer(pool: Pool, questions: Sequence[AccessQuestion]) -> list[list[Any]]:
    """The rows of `access_rows` for each of the questions, in one query for all."""
    found: list[list[Any]] = [[] for _ in questions]
    rows = await pool.fetch(
        _ACCESS,
        [question.product for question in questions],
        [question.email and email_key(question.email) for question in questions],
        [question.user_id for question in questions],
    )
    for row in rows:
        found[row["n"] - 1].append(row)
    return found


def may_open(rows: list[Any]) -> tuple[bool, datetime | None]:
    """Whether the rows of `access_rows` give access, and until when (None: no end known)."""
    first = rows[0]
    if first["user_id"] is None:
        return False, None
    if first["access_mode"] != "assigned":
        return True, None
    grants = [row for row in rows if row["id"] is not None]
    ends = [row["until"] for row in grants]
    return bool(grants), None if None in ends or not ends else max(ends)


async def of_product(
    connection: Connection, product_id: str, *, after: int | None = None, limit: int = 50
) -> list[Grant]:
    """A product's live grants, newest first, from the one after id `after`."""
    return await _fetch(
        connection,
        "g.product_id = $1 and ($2::bigint is null or g.id < $2) order by g.id desc limit $3",
        product_id,
        after,
        limit,
        grants="live_grants",
    )


async def of_user(connection: Connection, user_id: int, *, limit: int = 200) -> list[Grant]:
    """Every grant a user has or had, newest first."""
    return await _fetch(connection, "g.user_id = $1 order by g.id desc limit $2", user_id, limit)


async def give(
    connection: Connection,
    *,
    product_id: str,
    email: str,
    until: datetime | None,
    reason: str | None,
    actor: int | None,
    mail: bool = True,
) -> Grant:
    """Give one person complimentary access, creating the user if unknown. Giving it again changes
    its end and reason. Raises `UnknownProductError`. The caller opens the transaction."""
    known = await connection.fetchval("select true from products where id = $1", product_id)
    if not known:
        raise UnknownProductError(f"there is no product {product_id}")
    gift = complimentary.ComplimentaryGrant(email, until, reason)
    given = await complimentary.give(connection, product_id, [gift], actor=actor, mail=mail)
    return (await _fetch(connection, "g.id = $1", given.grants[email_key(email)]))[0]


async def end(connection: Connection, grant_id: int, *, actor: int | None) -> Grant | None:
    """End a grant by hand, whatever its source; None if there is no such grant.

    A grant from a purchase, collection or product is put on hold: nothing restores it until the
    hold is lifted. Ending is idempotent. The caller opens the transaction.
    """
    await collections.lock_giver(connection, grant_id)
    row = await connection.fetchrow(
        """
        update grants set ended_at = now(), end_reason = $2,
               held = source <> 'manual'
         where id = $1 and ended_at is null returning user_id, product_id, source_id, ended_at
        """,
        grant_id,
        Reason.BY_HAND.value,
    )
    if row:
        audit_draft.note(
            target=("grant", grant_id),
            before={"user": row["user_id"], "product": row["product_id"]},
        )
        ended = _fact(ActivityType.ACCESS_ENDED, grant_id, row, actor, at=row["ended_at"])
        await write_facts(connection, [ended])
    return await by_id(connection, grant_id)


async def by_id(connection: Connection, grant_id: int) -> Grant | None:
    found = await _fetch(connection, "g.id = $1", grant_id)
    return found[0] if found else None


async def lift(connection: Connection, grant_id: int, *, actor: int | None) -> Grant | None:
    """Lift the hold on a grant that was ended by hand: its purchase, collection or product gives
    access again if it is still valid. Holds on other holders of the collection stay. None if there
    is no such grant. The caller opens the transaction and wakes the relay afterwards."""
    await collections.lock_giver(connection, grant_id)
    row = await connection.fetchrow(
        """
        update grants g set held = false from grants me
         where me.id = $1 and me.held and g.source = me.source and g.source_id = me.source_id
           and g.product_id = me.product_id and g.held
           and (g.source not in ('collection', 'product') or g.user_id = me.user_id)
        returning me.user_id, me.product_id, me.source, me.source_id, me.account_id, me.livemode
        """,
        grant_id,
    )
    if row:
        now = datetime.now(UTC)
        lifted = _fact(ActivityType.HOLD_LIFTED, grant_id, row, actor, at=now)
        await write_facts(connection, [lifted])
        if row["source"] == GrantSource.COLLECTION:
            await collections.settle(
                connection, row["source_id"], actor=actor, mail=False, users=[row["user_id"]]
            )
        elif row["source"] == GrantSource.PRODUCT:
            await collections.lift_opened(connection, grant_id, actor=actor)
        else:
            ids = [row["source_id"]]
            by_subscription = row["source"] == GrantSource.SUBSCRIPTION
            await rejudging.of_sources(
                connection,
                subscriptions=ids if by_subscription else (),
                orders=() if by_subscription else ids,
                context=ApplyContext(
                    Account(row["account_id"], row["livemode"]), 0, now, Cause.ADMIN
                ),
            )
    return await by_id(connection, grant_id)


async def held(connection: Connection, *, product_id: str, limit: int = 200) -> list[Grant]:
    """Grants of a product that were ended by hand and are still on hold."""
    return await _fetch(
        connection, "g.product_id = $1 and g.held order by g.id desc limit $2", product_id, limit
    )


def _fact(type_: ActivityType, grant_id: int, row: Any, actor: int | None, *, at: datetime) -> Fact:
    return Fact(
        key=f"{type_}:{grant_id}",
        type=type_,
        at=at,
        cause=Cause.ADMIN,
        user_id=row["user_id"],
        product_id=row["product_id"],
        source_id=row["source_id"] or None,
        actor_id=actor,
        data={"grant": grant_id, "reason": Reason.BY_HAND.value}
        if type_ == ActivityType.ACCESS_ENDED
        else {"grant": grant_id},
    )


async def _fetch(
    connection: Connection, where: str, *values: object, grants: str = "grants"
) -> list[Grant]:
    rows = await connection.fetch(
        f"""
        select g.id, g.user_id, u.email, u.name, g.product_id, g.source, g.source_id, g.since,
               g.until, g.ended_at, g.due_at, g.end_reason, g.cause, g.reason, g.held
          from {grants} g join users u on u.id = g.user_id where {where}
        """,
        *values,
    )
    return [Grant(**dict(row)) for row in rows]
