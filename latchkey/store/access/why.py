"""Why someone may or may not open a product: grants, Stripe objects, events, runs, lines, emails.

The number of queries is fixed, whatever the amount of data.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from latchkey.contracts import Wake, purchase_workflow_id, subscription_workflow_id
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.access.grants import Grant
from latchkey.store.feed import lines as feed
from latchkey.store.pool import Connection

MOST_GRANTS = 50
MOST_EVENTS = 30
"""The newest events of one object."""


@dataclass(frozen=True)
class ExplainedSource:
    """One source, with everything that led to it or followed from it. `grant` is None if the source
    gave no access, such as an unpaid subscription or a pending payment. `opened_by` is the name of
    the product that opened it, if one did."""

    grant: Grant | None
    stripe_object: dict[str, Any] | None
    workflow_id: str | None
    events: list[dict[str, Any]]
    lines: list[feed.FeedLine]
    mails: list[dict[str, Any]]
    opened_by: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Everything known about a user and a product. `stripe_products` are those linked to the
    product, `rest` are activity lines that don't belong to a single source."""

    links: list[ExplainedSource]
    stripe_products: list[str]
    rest: list[feed.FeedLine] = field(default_factory=list)


async def chain(connection: Connection, *, user_id: int, product_id: str) -> Explanation:
    """All sources of this user and product with their chains, including ended ones, newest
    first."""
    grants = await _grants(connection, user_id, product_id)
    rows = await connection.fetch(
        "select stripe_product from links where product_id = $1 and removed_at is null", product_id
    )
    linked = [row["stripe_product"] for row in rows if row["stripe_product"]]
    given = [grant.source_id for grant in grants]
    objects = await _subscriptions(connection, user_id, given, linked)
    objects |= await _orders(connection, user_id, given, linked)
    events = await _events(connection, [*objects])
    lines = await feed.lines(connection, user_id=user_id, product_id=product_id, limit=300)
    mails = await connection.fetch(
        """
        select id, kind, state, created_at, sent_at, data ->> 'source_id' as source_id
          from mails
         where user_id = $1 and (product_id = $2 or data -> 'products' ? $2)
         order by id desc limit 100
        """,
        user_id,
        product_id,
    )
    openers = await _names(connection, [grant.opener for grant in grants if grant.opener])
    return _joined(grants, objects, events, lines, [dict(mail) for mail in mails], linked, openers)


def shown(link: ExplainedSource) -> dict[str, Any]:
    """The link as plain data."""
    return asdict(link)


def _joined(
    grants: list[Grant],
    objects: dict[str, dict[str, Any]],
    events: dict[str, list[dict[str, Any]]],
    lines: list[feed.FeedLine],
    mails: list[dict[str, Any]],
    linked: list[str],
    openers: dict[str, str],
) -> Explanation:
    sources = {grant.source_id for grant in grants}
    by_grant: dict[int, list[feed.FeedLine]] = defaultdict(list)
    by_source: dict[str, list[feed.FeedLine]] = defaultdict(list)
    rest = []
    known = {grant.id for grant in grants}
    for line in lines:
        named = line.data.get("grant")
        if named in known:
            by_grant[named].append(line)
        elif line.source_id:
            by_source[line.source_id].append(line)
        else:
            rest.append(line)
    newest: set[str] = set()
    links = []
    for grant in grants:
        mine = [*by_grant[grant.id]]
        if grant.source_id not in newest:
            mine += by_source[grant.source_id] if grant.source_id else []
        newest.add(grant.source_id)
        links.append(
            ExplainedSource(
                grant,
                objects.get(grant.source_id),
                workflow_id(grant.source, grant.source_id),
                events.get(grant.source_id, []),
                sorted(mine, key=lambda line: line.id, reverse=True),
                [m for m in mails if m["source_id"] in (grant.source_id or None, None)],
                openers.get(grant.opener or "", grant.opener),
            )
        )
    for key, found in objects.items():
        if key not in sources:
            run = workflow_id(found["object"], key)
            links.append(ExplainedSource(None, found, run, events.get(key, []), by_source[key], []))
    return Explanation(links, linked, rest)


def workflow_id(source: str, source_id: str) -> str | None:
    """The workflow of a source; complimentary access has none."""
    match source:
        case GrantSource.SUBSCRIPTION:
            return subscription_workflow_id(source_id)
        case GrantSource.ORDER:
            return purchase_workflow_id(source_id)
    return None


async def _grants(connection: Connection, user_id: int, product_id: str) -> list[Grant]:
    rows = await connection.fetch(
        """
        select g.id, g.user_id, u.email, u.name, g.product_id, g.source, g.source_id, g.since,
               g.until, g.ended_at, g.due_at, g.end_reason, g.cause, g.reason
          from grants g join users u on u.id = g.user_id
         where g.user_id = $1 and g.product_id = $2
         order by g.ended_at is not null, g.id desc limit $3
        """,
        user_id,
        product_id,
        MOST_GRANTS,
    )
    return [Grant(**dict(row)) for row in rows]


async def _names(connection: Connection, product_ids: Sequence[str]) -> dict[str, str]:
    rows = await connection.fetch(
        "select id, name from products where id = any($1::text[])", list(product_ids)
    )
    return {row["id"]: row["name"] for row in rows}


async def _subscriptions(
    connection: Connection, user_id: int, given: Sequence[str], linked: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Sources that gave access, and others of the user with a linked Stripe product."""
    rows = await connection.fetch(
        """
        select s.id, 'subscription' as object, s.status, s.state, s.scheduled_end, s.period_end,
               s.trial_end, s.past_due_since, s.wake, s.wake_at, s.customer_id, s.livemode,
               s.ended_at, s.cancel_reason, s.created_at, s.read_at, s.collection_paused,
               s.resumes_at
          from subscriptions s
         where s.id = any($2::text[])
            or s.user_id = $1 and exists (
               select from subscription_items i
                where i.subscription_id = s.id and i.stripe_product = any($3::text[]))
         order by s.created_at desc limit $4
        """,
        user_id,
        list(given),
        list(linked),
        MOST_GRANTS,
    )
    return {row["id"]: {**row, "wake": _words(row["wake"])} for row in rows}


def _words(wake: str | None) -> str | None:
    return Wake(wake).words if wake else None


async def _orders(
    connection: Connection, user_id: int, given: Sequence[str], linked: Sequence[str]
) -> dict[str, dict[str, Any]]:
    rows = await connection.fetch(
        """
        select o.id, 'order' as object, o.state, o.money_state, o.payment_intent, o.invoice,
               o.currency, o.amount, o.amount_refunded, o.dispute_status, o.customer_id,
               o.livemode, o.created_at, o.paid_at, o.read_at
          from orders o
         where o.id = any($2::text[])
            or o.user_id = $1 and exists (
               select from order_lines l
                where l.order_id = o.id and l.stripe_product = any($3::text[]))
         order by o.created_at desc limit $4
        """,
        user_id,
        list(given),
        list(linked),
        MOST_GRANTS,
    )
    return {row["id"]: dict(row) for row in rows}


async def _events(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    rows = await connection.fetch(
        """
        select given.id as target, e.id, e.type, e.state, e.source, e.error, e.created_at,
               e.received_at, e.handled_at
          from unnest($1::text[]) as given (id)
         cross join lateral (
               select * from events
                where target_id = given.id and target_kind <> 'none'
                order by received_at desc limit $2) e
        """,
        list(ids),
        MOST_EVENTS,
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        event = dict(row)
        found[event.pop("target")].append(event)
    return found
