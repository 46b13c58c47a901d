"""Turns verdicts into grants, activity lines and emails, writing only what changed.

Everything here is keyed by the fact it records, so it is idempotent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchkey.rules.access import Verdict
from latchkey.rules.vocabulary import ActivityType, Cause, GrantSource, Reason
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Opened, access_mails, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.stripe.context import ApplyContext

_End = tuple[Any, datetime, Reason, bool, str | None]
"""A grant's row, when and why it ends, whether by time alone, and the workflow that noticed it."""

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
class EarlierGrants:
    """The grants that some sources have given so far, keyed by source id and product id.

    `held` are those that an admin ended by hand: they aren't given again.
    """

    live: dict[tuple[str, str], Any]
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
        select id, user_id, product_id, source_id, link_id, until, ended_at, held, cause from grants
         where source = $1 and source_id = any($2::text[])
        """,
        source,
        list(source_ids),
    )
    keyed = [((r["source_id"], r["product_id"]), r) for r in rows]
    return EarlierGrants(
        live={key: r for key, r in keyed if r["ended_at"] is None},
        before=frozenset(key for key, r in keyed if r["cause"] not in _BY_RULE),
        held=frozenset(key for key, r in keyed if r["held"]),
    )


async def settle(
    connection: Connection,
    entitlements: Sequence[Entitlement],
    *,
    given: EarlierGrants,
    context: ApplyContext,
) -> Settled:
    """Bring the grants in `given` in line with `entitlements`, with their activity lines and
    emails.

    A live grant without an entitlement ends. A grant that another link gives now belongs to that
    link. The caller locked the sources' rows before reading `given`.
    """
    live = dict(given.live)
    outcome = Settled()
    new: list[Entitlement] = []
    moved: list[tuple[int, Entitlement]] = []
    ended: list[_End] = []
    for entitlement in entitlements:
        key = (entitlement.source_id, entitlement.product.product_id)
        grant = live.pop(key, None)
        if entitlement.verdict.access and grant is not None:
            outcome.already += 1
            standing = (entitlement.verdict.until, entitlement.product.link_id)
            if (grant["until"], grant["link_id"]) != standing:
                moved.append((grant["id"], entitlement))
        elif entitlement.verdict.access and not entitlement.product.removed:
            new.append(entitlement)
            outcome.begun += [entitlement] if key not in given.before else []
        elif grant is not None:
            ended.append(_end_of(entitlement, grant, context))
    ended += [(grant, context.as_of, Reason.ITEM_REMOVED, False, None) for grant in live.values()]
    if moved:
        await _move(connection, moved)
    if ended:
        await _end(connection, ended, context=context)
    if new:
        await _grant(connection, new, context=context, begun=outcome.begun, given=given)
    outcome.granted, outcome.ended = len(new), len(ended)
    return outcome


def _end_of(entitlement: Entitlement, grant: Any, context: ApplyContext) -> _End:
    verdict = entitlement.verdict
    if context.cause in _BY_RULE:
        return grant, context.as_of, verdict.reason, False, entitlement.workflow_id
    at = verdict.ended_at or context.as_of
    return grant, at, verdict.reason, verdict.by_clock, entitlement.workflow_id


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
        update grants set ended_at = until, end_reason = $3
         where source_id = $1 and ended_at is null and until <= $2
        returning id, user_id, product_id, source_id, ended_at
        """,
        source_id,
        as_of,
        Reason.UNTIL_REACHED,
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{row['id']}",
                type=ActivityType.ACCESS_ENDED,
                at=row["ended_at"],
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


async def _end(
    connection: Connection,
    ended: list[_End],
    *,
    context: ApplyContext,
) -> None:
    await connection.execute(
        """
        update grants set ended_at = given.ended_at, end_reason = given.reason
          from unnest($1::bigint[], $2::timestamptz[], $3::text[])
               as given (id, ended_at, reason)
         where grants.id = given.id and grants.ended_at is null
        """,
        [grant["id"] for grant, *_ in ended],
        [at for _, at, *_ in ended],
        [reason.value for _, _, reason, *_ in ended],
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{grant['id']}",
                type=ActivityType.ACCESS_ENDED,
                at=at,
                cause=Cause.TIMER if by_clock else context.cause,
                user_id=grant["user_id"],
                product_id=grant["product_id"],
                source_id=grant["source_id"],
                event_id=context.event_id,
                workflow_id=workflow_id,
                data={"reason": reason, "grant": grant["id"]},
            )
            for grant, at, reason, by_clock, workflow_id in ended
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
    await _one_at_a_time(connection, {entitlement.user_id for entitlement in entitlements})
    had_access = {
        (row["user_id"], row["product_id"])
        for row in await connection.fetch(
            """
            select distinct user_id, product_id from grants
             where user_id = any($1::bigint[]) and product_id = any($2::text[])
               and ended_at is null and (until is null or until > $3)
            """,
            list({c.user_id for c in entitlements}),
            list({c.product.product_id for c in entitlements}),
            context.as_of,
        )
    }
    rows = await connection.fetch(
        """
        insert into grants (user_id, product_id, source, source_id, link_id, account_id, livemode,
                            since, until, cause)
        select user_id, product_id, source, source_id, link_id, $2, $3, since, until, cause
          from jsonb_to_recordset($1::jsonb) as given (
            user_id bigint, product_id text, source text, source_id text, link_id bigint,
            since timestamptz, until timestamptz, cause text)
        on conflict (user_id, product_id, source, source_id) where ended_at is null do nothing
        returning id, source_id, product_id
        """,
        [
            {
                "user_id": c.user_id,
                "product_id": c.product.product_id,
                "source": c.source,
                "source_id": c.source_id,
                "link_id": c.product.link_id,
                "since": context.as_of,
                "until": c.verdict.until,
                "cause": Cause.IMPORT if _brought_by_rule(c, context) else context.cause,
            }
            for c in entitlements
        ],
        context.account.id,
        context.account.livemode,
    )
    grant_ids = {(row["source_id"], row["product_id"]): row["id"] for row in rows}
    first = {(c.source_id, c.product.product_id) for c in begun if not _by_rule(c, context)}
    facts: list[Fact] = []
    opened: list[Opened] = []
    for entitlement in entitlements:
        grant_id = grant_ids.get((entitlement.source_id, entitlement.product.product_id))
        if grant_id is None:
            continue
        imported = bought_before_link(entitlement, context)
        begins = (entitlement.source_id, entitlement.product.product_id) in first
        starts = begins and entitlement.source_id not in given.sources_before
        facts += _facts_of_grant(
            entitlement, grant_id, context, begun=begins, starts=starts, imported=imported
        )
        wanted = entitlement.product.access_mail and (
            entitlement.product.import_mail or not imported
        )
        gets_in = (entitlement.user_id, entitlement.product.product_id) not in had_access
        had_access.add((entitlement.user_id, entitlement.product.product_id))
        if wanted and gets_in and begins:
            opened.append(
                Opened(
                    user_id=entitlement.user_id,
                    product_id=entitlement.product.product_id,
                    source_id=entitlement.source_id,
                    imported=imported,
                    spread=entitlement.product.import_spread,
                )
            )
    await write_facts(connection, facts)
    await write_mails(connection, access_mails(opened))


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


def _facts_of_grant(
    entitlement: Entitlement,
    grant_id: int,
    context: ApplyContext,
    *,
    begun: bool,
    starts: bool,
    imported: bool,
) -> list[Fact]:
    """`starts` is false if the subscription has given other products before: then adding or
    switching to this one is a purchase, not a new subscription."""

    def fact(
        key: str, type_: ActivityType, at: datetime, cause: Cause, data: dict[str, Any]
    ) -> Fact:
        return Fact(
            key=key,
            type=type_,
            at=at,
            cause=cause,
            user_id=entitlement.user_id,
            product_id=entitlement.product.product_id,
            source_id=entitlement.source_id,
            event_id=context.event_id,
            workflow_id=entitlement.workflow_id,
            data=data,
        )

    suffix = f"{entitlement.source_id}:{entitlement.product.product_id}"
    facts = []
    looked_back = context.cause if context.cause in _LOOKING_BACK else Cause.IMPORT
    if begun and imported:
        facts.append(
            fact(
                f"imported:{suffix}",
                ActivityType.IMPORTED,
                context.as_of,
                looked_back,
                {"grant": grant_id},
            )
        )
    elif begun:
        since_link = entitlement.begun_at >= entitlement.product.linked_at.replace(microsecond=0)
        at = min(entitlement.begun_at, context.as_of) if since_link and starts else context.as_of
        kind = {"source": entitlement.source}
        facts.append(
            fact(
                f"product_purchased:{suffix}",
                ActivityType.PRODUCT_PURCHASED,
                at,
                Cause.CUSTOMER,
                kind,
            )
        )
        if entitlement.source == GrantSource.SUBSCRIPTION and starts:
            facts.append(
                fact(
                    f"subscription_started:{suffix}",
                    ActivityType.SUBSCRIPTION_STARTED,
                    at,
                    Cause.CUSTOMER,
                    {},
                )
            )
    cause = looked_back if imported else context.cause
    facts.append(
        fact(
            f"access_granted:{grant_id}",
            ActivityType.ACCESS_GRANTED,
            context.as_of,
            cause,
            {"grant": grant_id, "reason": entitlement.verdict.reason},
        )
    )
    return facts
