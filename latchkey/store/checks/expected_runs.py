"""Which runs Temporal should have, as far as the database knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latchkey.rules.access import TERMINAL
from latchkey.store.pool import Connection

_SUBSCRIPTIONS = """
    select s.id from subscriptions s
      join stripe_connection c on c.account_id = s.account_id and c.livemode = s.livemode
     where s.lifecycle_at is not null and s.ended_at is null and s.status <> all($1::text[])
       and exists (select from subscription_items i
                     join links k on k.stripe_product = i.stripe_product
                      and k.removed_at is null and k.state = 'listening'
                    where i.subscription_id = s.id and i.quantity is distinct from 0)
"""
_PURCHASES = """
    select o.id from orders o
      join stripe_connection c on c.account_id = o.account_id and c.livemode = o.livemode
     where o.state = 'pending'
"""
_LINKS = "select id, product_id from links where removed_at is null and dispatched_at is not null"
_POLICIES = """
    select id from policy_changes
     where state <> 'done'
       and not exists (select from wakeups where kind = 'policy' and ref = policy_changes.id::text)
"""
_IMPORTS = """
    select id || '/' || run as ref from member_imports
     where state in ('checking', 'running', 'mailing', 'undoing', 'deleting')
       and not exists (select from wakeups
                        where kind = 'member_import' and ref = member_imports.id || '/' || run)
"""


@dataclass(frozen=True)
class ExpectedRuns:
    """Ids of subscriptions and of pending purchases, the product of each link, the changes of a
    policy that are being applied, and the imports of members that are worked on, each with the
    number of its run after a `/`."""

    subscriptions: Sequence[str]
    purchases: Sequence[str]
    links: Mapping[int, str]
    policies: Sequence[int]
    imports: Sequence[str]


async def read(connection: Connection) -> ExpectedRuns:
    """The runs that there should be."""
    return ExpectedRuns(
        [row["id"] for row in await connection.fetch(_SUBSCRIPTIONS, sorted(TERMINAL))],
        [row["id"] for row in await connection.fetch(_PURCHASES)],
        {row["id"]: row["product_id"] for row in await connection.fetch(_LINKS)},
        [row["id"] for row in await connection.fetch(_POLICIES)],
        [row["ref"] for row in await connection.fetch(_IMPORTS)],
    )
