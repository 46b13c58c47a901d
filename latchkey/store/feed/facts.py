"""The one writer of activity lines: each fact once, with the emails and outgoing webhooks that it
calls for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from latchkey.rules.vocabulary import ActivityType, Cause, GrantSource
from latchkey.rules.webhooks import LINES
from latchkey.store import site_settings
from latchkey.store.feed import outgoing
from latchkey.store.feed.outgoing import Mail
from latchkey.store.pool import Connection
from latchkey.store.site_settings import SiteSettings

_OUTGOING = [type_.value for type_ in LINES]
DIGEST = "substr(sha256(convert_to({}, 'UTF8')), 1, 16)"
"""What stays of a fact whose line was deleted."""


@dataclass(frozen=True)
class Fact:
    """One line of the activity feed. `key` is unique forever.

    `at` is when it happened here, by which the feed is ordered. `due_at` is when it happened in
    Stripe or, for an end of access, when that was due; None where nothing says so.
    """

    key: str
    type: ActivityType
    at: datetime
    cause: Cause
    due_at: datetime | None = None
    user_id: int | None = None
    product_id: str | None = None
    source_id: str | None = None
    event_id: str | None = None
    workflow_id: str | None = None
    actor_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


async def write_facts(connection: Connection, facts: Iterable[Fact], *, mail: bool = True) -> None:
    """Add lines to the feed and, with `mail`, queue the emails for new facts. Existing facts stay
    as they are, and those whose lines were deleted aren't written again.

    Where a grant that is given or ended opened a collection, or closed it by that, each grant of
    the latter has a line as well.

    Lines get their ids in the order of the facts: a join with the deleted ones could change it.
    """
    facts = list(facts)
    rows = [
        {
            "fact": f.key,
            "type": f.type,
            "at": f.at,
            "cause": f.cause,
            "due_at": f.due_at,
            "user_id": f.user_id,
            "product_id": f.product_id,
            "source_id": f.source_id,
            "event_id": f.event_id,
            "workflow_id": f.workflow_id,
            "actor_id": f.actor_id,
            "data": f.data,
        }
        for f in facts
    ]
    if not rows:
        return
    fresh = await connection.fetch(
        f"""
        with fresh as (
            insert into activities (fact, type, at, cause, due_at, user_id, product_id, source_id,
                                    event_id, workflow_id, actor_id, data)
            select * from jsonb_to_recordset($1::jsonb) as given (
                fact text, type text, at timestamptz, cause text, due_at timestamptz,
                user_id bigint, product_id text, source_id text, event_id text, workflow_id text,
                actor_id bigint, data jsonb)
             where (select true from forgotten_facts f
                     where f.digest = {DIGEST.format("given.fact")}) is null
            on conflict (fact) do nothing
            returning id, fact, type, at, cause, due_at, user_id, product_id, source_id, event_id,
                      workflow_id, actor_id, data
        ), opened as (
            insert into activities (fact, type, at, cause, due_at, user_id, product_id, source_id,
                                    event_id, workflow_id, actor_id, data)
            select line.type || ':' || g.id, line.type, f.at, f.cause, f.due_at, f.user_id,
                   g.product_id, case f.cause when 'bulk' then f.source_id else g.source_id end,
                   f.event_id, f.workflow_id, f.actor_id,
                   jsonb_strip_nulls(jsonb_build_object('grant', g.id, 'reason', g.end_reason))
              from fresh f
              join products p on p.id = f.product_id and p.opens_collection is not null
             cross join lateral (
                   select case when f.type = 'access_ended' then f.type else 'access_granted' end
                   ) as line (type)
              join grants g on g.source = 'product'
               and g.source_id = f.product_id || '/' || (f.data ->> 'grant')
              join grants o on o.id = (f.data ->> 'grant')::bigint
               and case line.type when 'access_ended'
                                  then g.ended_at = greatest(o.ended_at, g.since)
                                  else g.ended_at is null end
             where f.type in ('access_granted', 'manual_grant', 'access_ended')
             order by f.id, g.id
            on conflict (fact) do nothing
        ), told as (
            insert into webhook_facts (at, kind, user_id, product_id, source_id, cause, data)
            select at, type, user_id, product_id, source_id, cause, data from fresh
             where type = any($2::text[]) and exists (select from webhook_endpoints)
             order by id
        )
        select fact from fresh
        """,
        rows,
        _OUTGOING,
    )
    new = {row["fact"] for row in fresh if mail}
    await write_notices(connection, [fact for fact in facts if fact.key in new])


async def write_cause(connection: Connection, keys: Sequence[str], cause: Cause) -> None:
    """Correct the cause of facts in the feed when it becomes known later. A place that stood for
    not knowing goes."""
    await connection.execute(
        """
        update activities
           set cause = $2,
               data = case when data ->> 'place' = 'stripe' then data - 'place' else data end
         where fact = any($1::text[])
        """,
        list(keys),
        cause,
    )


_SWITCHES = {
    ActivityType.SUBSCRIPTION_CANCELLED: "cancellation_mail",
    ActivityType.PAYMENT_FAILED: "payment_mail",
    ActivityType.USER_CREATED: "login_mail",
}
_KINDS = {
    ActivityType.SUBSCRIPTION_CANCELLED: "cancellation",
    ActivityType.PAYMENT_FAILED: "payment_problem",
    ActivityType.USER_CREATED: "login_instructions",
}


async def write_notices(connection: Connection, facts: Sequence[Fact]) -> None:
    """Queue the emails for new facts: one for all products a fact concerns.

    Imports and manual changes by admins don't cause emails.
    """
    told = [f for f in facts if f.type in _KINDS and f.user_id and f.cause != Cause.IMPORT]
    if not told:
        return
    site = await site_settings.read(connection)
    groups: dict[tuple[str, int | None, str | None], list[Fact]] = {}
    for fact in told:
        if _wanted(fact, site):
            groups.setdefault((fact.type, fact.user_id, fact.source_id), []).append(fact)
    await outgoing.write_mails(connection, [_mail(group) for group in groups.values()])


def _wanted(fact: Fact, site: SiteSettings) -> bool:
    """Whether the site sends the email. That about a failed renewal may also be day 0 of the series
    of reminders."""
    if fact.type is ActivityType.PAYMENT_FAILED and _is_renewal(fact) and site.reminder_mail:
        return site.payment_mail or 0 in site.reminder_days
    return bool(getattr(site, _SWITCHES[fact.type]))


def _is_renewal(fact: Fact) -> bool:
    return (fact.source_id or "").startswith("sub_")


def _mail(facts: list[Fact]) -> Mail:
    first = min(facts, key=lambda fact: fact.key)
    assert first.user_id is not None, "only facts about a user cause emails"
    products = sorted({fact.product_id for fact in facts if fact.product_id})
    data: dict[str, Any] = {"source_id": first.source_id, "products": products}
    if first.cause is Cause.BULK:
        data |= {"source_id": None, "bulk": first.source_id}
    if first.type == ActivityType.SUBSCRIPTION_CANCELLED:
        ends = first.data.get("ends")
        data |= {"ends": ends, "over": ends is None or ends <= first.at}
    if first.type == ActivityType.PAYMENT_FAILED:
        data["source"] = GrantSource.SUBSCRIPTION if _is_renewal(first) else GrantSource.ORDER
    return Mail(
        key=f"{_KINDS[first.type]}:{first.key}",
        kind=_KINDS[first.type],
        user_id=first.user_id,
        product_id=products[0] if products else None,
        data=data,
    )
