"""Why someone may open a product: from each grant to Stripe's object, events, lines and mails."""

from dataclasses import asdict, dataclass
from typing import Any

from latchkey.contracts import purchase_workflow_id, subscription_workflow_id
from latchkey.store import feed, grants
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Link:
    """One grant and everything that led to it or followed from it."""

    grant: grants.Grant
    stripe_object: dict[str, Any] | None
    workflow_id: str | None
    events: list[dict[str, Any]]
    lines: list[feed.Line]
    mails: list[dict[str, Any]]


async def chain(connection: Connection, *, user_id: int, product_id: str) -> list[Link]:
    """The chain of every grant of this user and product, ended ones too, newest first."""
    mine = [
        grant
        for grant in await grants.of_user(connection, user_id, limit=1000)
        if grant.product_id == product_id
    ]
    return [await _link(connection, grant) for grant in mine]


async def _link(connection: Connection, grant: grants.Grant) -> Link:
    workflow_id = None
    found = None
    if grant.source == "subscription":
        workflow_id = subscription_workflow_id(grant.source_id)
        found = await connection.fetchrow(
            """
            select id, status, state, scheduled_end, period_end, trial_end, wake, wake_at,
                   customer_id, ended_at, created_at
              from subscriptions where id = $1
            """,
            grant.source_id,
        )
    elif grant.source == "order":
        workflow_id = purchase_workflow_id(grant.source_id)
        found = await connection.fetchrow(
            """
            select id, state, payment_intent, invoice, currency, amount, amount_refunded,
                   dispute_status, customer_id, created_at, paid_at
              from orders where id = $1
            """,
            grant.source_id,
        )
    events = await connection.fetch(
        """
        select id, type, state, created_at, received_at, handled_at from events
         where target_id = $1 and target_kind <> 'none' order by seq desc limit 50
        """,
        grant.source_id,
    )
    mails = await connection.fetch(
        """
        select id, kind, state, created_at, sent_at from mails
         where user_id = $1 and product_id = $2 order by id desc limit 20
        """,
        grant.user_id,
        grant.product_id,
    )
    lines = await feed.lines(
        connection, user_id=grant.user_id, product_id=grant.product_id, limit=50
    )
    return Link(
        grant,
        dict(found) if found else None,
        workflow_id,
        [dict(event) for event in events],
        [line for line in lines if line.source_id in (grant.source_id or None, None)],
        [dict(mail) for mail in mails],
    )


def shown(link: Link) -> dict[str, Any]:
    """The chain as plain data."""
    return asdict(link)
