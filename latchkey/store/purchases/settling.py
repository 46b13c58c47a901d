"""Turns verdicts into grants, activity lines and emails, writing only what changed.

Everything here is keyed by the fact it records, so it is idempotent.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchkey import tracing
from latchkey.rules.access import Verdict
from latchkey.rules.ends import End, end_of
from latchkey.rules.vocabulary import ActivityType, Cause, GrantSource, Reason
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Opened, access_mails, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.stripe.context import ApplyContext
from latchkey.timings import ACCESS, END

_BY_RULE = frozenset({Cause.POLICY})
"""Causes that change what a purchase gives although nothing was bought: they don't write purchase
facts or send emails."""


_LOOKING_BACK = frozenset({Cause.IMPORT, Cause.RECONCILIATION})
"""Causes that may find purchases made long ago."""


@dataclass(frozen=True)
class Entitlement:
    """What one source says about one product for one user. `begun_at` is when it was bought."""

    user_id: int
    product: LinkedProduct
    source: GrantSource
    source_id: str
    workflow_id: str
    begun_at: datetime
    verdict: Verdict


@dataclass
class Settled:
    """What settling changed. `begun` are entitlements granted for the first time."""

    granted: int = 0
    already: int = 0
    ended: int = 0
    begun: list[Entitlement] = field(default_factory=list)


@dataclass(frozen=True)
class LiveGrant:
    """A grant that hasn't been ended, as it was read."""

    id: int
    user_id: int
    product_id: str
    source_id: str
    link_id: int | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class _Ending:
    """When and why a grant ends, whether by time alone, and the workflow that saw it."""

    grant: LiveGrant
    end: End
    reason: Reason
    by_clock: bool = False
    workflow_id: str | None = None


@dataclass(frozen=True)
class _NewGrant:
    """A grant that was just inserted. `begins`: the purchase is new to its product; `starts`: to
    every product; `imported`: it was bought before the link was made."""

    id: int
    entitlement: Entitlement
    begins: bool
    starts: bool
    imported: bool


@dataclass(frozen=True)
class EarlierGrants:
    """The grants that some sources have given so far, keyed by source id and product id.

    `held` are those that an admin ended by hand: they aren't given again.
    """

    live: dict[tuple[str, str], LiveGrant]
    before: frozenset[tuple[str, str]]
    held: frozenset[tuple[str, str]]

    @property
    def sources_before(self) -> frozenset[str]:
        return frozenset(source_id for source_id, _ in self.before)


async def given_by(
    connection: Connection, source: GrantSource, source_ids: Sequence[str]
) -> EarlierGrants:
    """What these sources have given so far. The caller has locked the sources' rows."""
    rows = await connection.fetch(
        """
        select id, user_id, product_id, source_id, link_id, since, until, ended_at, held, cause
          from grants
         where source = $1 and source_id = any($2::text[])
        """,
        source,
        list(source_ids),
    )
    keyed = [((r["source_id"], r["product_id"]), r) for r in rows]
    return EarlierGrants(
        live={key: _live_grant(r) for key, r in keyed if r["ended_at"] is None},
        before=frozenset(key for key, r in keyed if r["cause"] not in _BY_RULE),
        held=frozenset(key for key, r in keyed if r["held"]),
    )


def _live_grant(row: Any) -> LiveGrant:
    return LiveGrant(**{name: row[name] for name in LiveGrant.__dataclass_fields__})


async def settle(
    connection: Connection,
    entitlements: Sequence[Entitlement],
    *,
    given: EarlierGrants,
    same_purchase: Collection[str] = (),
    context: ApplyContext,
) -> Settled:
    """Bring the grants in `given` in line with `entitlements`, with their activity lines and
    emails.

    A live grant without an entitlement ends; `same_purchase` are sources that turned out to be part
    of another one. A grant that another link gives now belongs to that link. The caller locked the
    sources' rows before reading `given`.
    """
    live = dict(given.live)
    outcome = Settled()
    new: list[Entitlement] = []
    moved: list[tuple[int, Entitlement]] = []
    ended: list[_Ending] = []
    for entitlement in entitlements:
        key = (entitlement.source_id, entitlement.product.product_id)
        grant = live.pop(key, None)
        if entitlement.verdict.access and grant is not None:
            outcome.already += 1
            standing = (entitlement.verdict.until, entitlement.product.link_id)
            if (grant.until, grant.link_id) != standing:
                moved.append((grant.id, entitlement))
        elif entitlement.verdict.access and not entitlement.product.removed:
            new.append(entitlement)
            outcome.begun += [entitlement] if key not in given.before else []
        elif grant is not None:
            ended.append(_ending(entitlement, grant, context))
    for grant in live.values():
        twice = grant.source_id in same_purchase
        reason = Reason.SAME_PURCHASE if twice else Reason.ITEM_REMOVED
        ended.append(_Ending(grant, _end_of(grant, None, context), reason))
    if moved:
        await _move(connection, moved)
    if ended:
        await _end(connection, ended, context=context)
    if new:
        await _grant(connection, new, context=context, begun=outcome.begun, given=given)
    outcome.granted, outcome.ended = len(new), len(ended)
    return outcome


def _ending(entitlement: Entitlement, grant: LiveGrant, context: ApplyContext) -> _Ending:
    verdict, by_rule = entitlement.verdict, context.cause in _BY_RULE
    due = None if by_rule else verdict.ended_at
    return _Ending(
        grant,
        end=_end_of(grant, due, context),
        reason=verdict.reason,
        by_clock=verdict.by_clock and not by_rule,
        workflow_id=entitlement.workflow_id,
    )


def _end_of(grant: LiveGrant, due: datetime | None, context: ApplyContext) -> End:
    return end_of(since=grant.since, until=grant.until, due=due, as_of=context.as_of)


def bought_before_link(entitlement: Entitlement, context: ApplyContext) -> bool:
    """Whether this purchase is imported, as opposed to made after the link was created.

    The link's own import brings in older purchases. Another link's import, or a comparison, may
    find an older order that the link's own import left out. An older subscription that wasn't found
    then has added the product since, which is a purchase. Stripe's times are whole seconds, so the
    link's own second counts as after.
    """
    looking_back = entitlement.source == GrantSource.ORDER and context.cause in _LOOKING_BACK
    linked_at = entitlement.product.linked_at.replace(microsecond=0)
    return (entitlement.product.importing or looking_back) and entitlement.begun_at < linked_at


async def end_due(
    connection: Connection, *, source_id: str, as_of: datetime, workflow_id: str
) -> int:
    """End the grants of one source that are due by `as_of`; returns how many."""
    rows = await connection.fetch(
        """
        update grants set ended_at = greatest(until, since), due_at = until, end_reason = $3
         where source_id = $1 and ended_at is null and until <= $2
        returning id, user_id, product_id, source_id, ended_at, due_at,
                  extract(epoch from clock_timestamp() - due_at)::float8 as late
        """,
        source_id,
        as_of,
        Reason.UNTIL_REACHED,
    )
    for row in rows:
        END.observe(max(0, row["late"]))
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{row['id']}",
                type=ActivityType.ACCESS_ENDED,
                at=row["ended_at"],
                due_at=row["due_at"],
                cause=Cause.TIMER,
                user_id=row["user_id"],
                product_id=row["product_id"],
                source_id=row["source_id"],
                workflow_id=workflow_id,
                data={"reason": Reason.UNTIL_REACHED, "grant": row["id"]},
            )
            for row in rows
        ],
    )
    return len(rows)


async def _move(connection: Connection, moved: list[tuple[int, Entitlement]]) -> None:
    await connection.execute(
        """
        update grants set until = given.until, link_id = given.link_id
          from unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) as given (id, until, link_id)
         where grants.id = given.id and grants.ended_at is null
        """,
        [grant_id for grant_id, _ in moved],
        [entitlement.verdict.until for _, entitlement in moved],
        [entitlement.product.link_id for _, entitlement in moved],
    )


async def _end(connection: Connection, ended: list[_Ending], *, context: ApplyContext) -> None:
    await connection.execute(
        """
        update grants
           set ended_at = given.ended_at, due_at = given.due_at, end_reason = given.reason
          from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[])
               as given (id, ended_at, due_at, reason)
         where grants.id = given.id and grants.ended_at is null
        """,
        [ending.grant.id for ending in ended],
        [ending.end.done for ending in ended],
        [ending.end.due for ending in ended],
        [ending.reason.value for ending in ended],
    )
    for ending in ended:
        foreseen = ending.end.done == ending.grant.until
        if foreseen and context.cause is not Cause.RECONCILIATION:
            END.observe(max(0, (context.as_of - ending.end.done).total_seconds()))
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{ending.grant.id}",
                type=ActivityType.ACCESS_ENDED,
                at=ending.end.done,
                due_at=ending.end.due,
                cause=Cause.TIMER if ending.by_clock else context.cause,
                user_id=ending.grant.user_id,
                product_id=ending.grant.product_id,
                source_id=ending.grant.source_id,
                event_id=context.event_of(ending.grant.source_id),
                workflow_id=ending.workflow_id,
                data={"reason": ending.reason, "grant": ending.grant.id},
            )
            for ending in ended
        ],
    )


async def _grant(
    connection: Connection,
    entitlements: list[Entitlement],
    *,
    context: ApplyContext,
    begun: list[Entitlement],
    given: EarlierGrants,
) -> None:
    """Give what is new, tell it in the feed, and mail those who get in by it."""
    await _one_at_a_time(connection, {entitlement.user_id for entitlement in entitlements})
    had_access = await _who_had_access(connection, entitlements, as_of=context.as_of)
    ids = await _insert(connection, entitlements, given=given, context=context)
    grants = _new_grants(entitlements, ids, begun=begun, given=given, context=context)
    _measure(grants, context)
    tracing.note(granted=len(grants))
    await write_facts(
        connection, [fact for grant in grants for fact in _facts_of_grant(grant, context)]
    )
    await write_mails(connection, access_mails(_opened(grants, had_access)))


def _measure(grants: list[_NewGrant], context: ApplyContext) -> None:
    """How long purchases took to open what was bought."""
    for grant in grants:
        arrived = context.arrivals.get(context.event_of(grant.entitlement.source_id) or "")
        if grant.begins and not grant.imported and arrived is not None:
            ACCESS.observe(max(0, time.perf_counter() - arrived))


async def _who_had_access(
    connection: Connection, entitlements: list[Entitlement], *, as_of: datetime
) -> set[tuple[int, str]]:
    """User and product of whatever access there is already, by whatever source."""
    rows = await connection.fetch(
        """
        select distinct user_id, product_id from grants
         where user_id = any($1::bigint[]) and product_id = any($2::text[])
           and ended_at is null and (until is null or until > $3)
        """,
        list({entitlement.user_id for entitlement in entitlements}),
        list({entitlement.product.product_id for entitlement in entitlements}),
        as_of,
    )
    return {(row["user_id"], row["product_id"]) for row in rows}


async def _insert(
    connection: Connection,
    entitlements: list[Entitlement],
    *,
    given: EarlierGrants,
    context: ApplyContext,
) -> dict[tuple[str, str], int]:
    """Ids of the new grants, by source id and product id; one that is there already is absent."""
    rows = await connection.fetch(
        """
        insert into grants (user_id, product_id, source, source_id, link_id, account_id, livemode,
                            since, until, cause, bought_at)
        select user_id, product_id, source, source_id, link_id, $2, $3, since, until, cause,
               bought_at
          from jsonb_to_recordset($1::jsonb) as given (
            user_id bigint, product_id text, source text, source_id text, link_id bigint,
            since timestamptz, until timestamptz, cause text, bought_at timestamptz)
        on conflict (user_id, product_id, source, source_id) where ended_at is null do nothing
        returning id, source_id, product_id
        """,
        [
            {
                "user_id": entitlement.user_id,
                "product_id": entitlement.product.product_id,
                "source": entitlement.source,
                "source_id": entitlement.source_id,
                "link_id": entitlement.product.link_id,
                "since": context.as_of,
                "until": entitlement.verdict.until,
                "cause": Cause.IMPORT if _brought_by_rule(entitlement, context) else context.cause,
                "bought_at": _past_of(entitlement, given=given, context=context),
            }
            for entitlement in entitlements
        ],
        context.account.id,
        context.account.livemode,
    )
    return {(row["source_id"], row["product_id"]): row["id"] for row in rows}


def _past_of(
    entitlement: Entitlement, *, given: EarlierGrants, context: ApplyContext
) -> datetime | None:
    """When that was bought which an import gives for the first time."""
    first = _key(entitlement) not in given.before and bought_before_link(entitlement, context)
    return min(entitlement.begun_at, context.as_of) if first else None


def _new_grants(
    entitlements: list[Entitlement],
    ids: dict[tuple[str, str], int],
    *,
    begun: list[Entitlement],
    given: EarlierGrants,
    context: ApplyContext,
) -> list[_NewGrant]:
    first = {_key(entitlement) for entitlement in begun if not _by_rule(entitlement, context)}
    return [
        _NewGrant(
            ids[key],
            entitlement,
            begins=key in first,
            starts=key in first and entitlement.source_id not in given.sources_before,
            imported=bought_before_link(entitlement, context),
        )
        for entitlement in entitlements
        if (key := _key(entitlement)) in ids
    ]


def _key(entitlement: Entitlement) -> tuple[str, str]:
    return entitlement.source_id, entitlement.product.product_id


def _opened(grants: list[_NewGrant], had_access: set[tuple[int, str]]) -> list[Opened]:
    """What is mailed: a product that opens for somebody, once, by a purchase that begins."""
    inside = set(had_access)
    opened = []
    for grant in grants:
        entitlement, product = grant.entitlement, grant.entitlement.product
        access = (entitlement.user_id, product.product_id)
        wanted = product.access_mail and (product.import_mail or not grant.imported)
        if wanted and grant.begins and access not in inside:
            opened.append(
                Opened(
                    user_id=entitlement.user_id,
                    product_id=product.product_id,
                    source_id=entitlement.source_id,
                    imported=grant.imported,
                    spread=product.import_spread,
                )
            )
        inside.add(access)
    return opened


def _by_rule(entitlement: Entitlement, context: ApplyContext) -> bool:
    """Whether only a rule change gives this now, with nothing bought or imported."""
    return context.cause in _BY_RULE and not _brought_by_rule(entitlement, context)


def _brought_by_rule(entitlement: Entitlement, context: ApplyContext) -> bool:
    """Whether a rule change reaches a purchase that an import is about to bring in: it is recorded
    as imported."""
    return context.cause in _BY_RULE and bought_before_link(entitlement, context)


async def _one_at_a_time(connection: Connection, user_ids: set[int]) -> None:
    """Lock these users against other grants until the transaction ends, so that someone who gets
    two reasons for a product at once gets in, and gets its email, only once."""
    await connection.execute(
        "select from users where id = any($1::bigint[]) order by id for no key update",
        sorted(user_ids),
    )


def _facts_of_grant(grant: _NewGrant, context: ApplyContext) -> list[Fact]:
    """The purchase or import, if it begins, and the access that it gives. If the subscription has
    given other products before, adding or switching to this one is a purchase, not a new
    subscription."""
    entitlement, product = grant.entitlement, grant.entitlement.product

    def fact(
        type_: ActivityType,
        key: str | int,
        due: datetime | None,
        cause: Cause,
        data: dict[str, Any],
    ) -> Fact:
        return Fact(
            key=f"{type_}:{key}",
            type=type_,
            at=context.as_of,
            due_at=due,
            cause=cause,
            user_id=entitlement.user_id,
            product_id=product.product_id,
            source_id=entitlement.source_id,
            event_id=context.event_of(entitlement.source_id),
            workflow_id=entitlement.workflow_id,
            data=data,
        )

    once = f"{entitlement.source_id}:{product.product_id}"
    looked_back = context.cause if context.cause in _LOOKING_BACK else Cause.IMPORT
    facts = []
    if grant.begins and grant.imported:
        facts.append(fact(ActivityType.IMPORTED, once, None, looked_back, {"grant": grant.id}))
    elif grant.begins:
        since_link = entitlement.begun_at >= product.linked_at.replace(microsecond=0)
        begun = min(entitlement.begun_at, context.as_of) if since_link and grant.starts else None
        bought, by = {"source": entitlement.source}, Cause.CUSTOMER
        facts.append(fact(ActivityType.PRODUCT_PURCHASED, once, begun, by, bought))
        if entitlement.source == GrantSource.SUBSCRIPTION and grant.starts:
            facts.append(fact(ActivityType.SUBSCRIPTION_STARTED, once, begun, by, {}))
    cause = looked_back if grant.imported else context.cause
    data = {"grant": grant.id, "reason": entitlement.verdict.reason}
    return [*facts, fact(ActivityType.ACCESS_GRANTED, grant.id, None, cause, data)]
