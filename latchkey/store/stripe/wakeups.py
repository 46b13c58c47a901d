"""A transactional outbox of messages for Temporal, which the relay delivers.

A row is written in the same transaction as the change it announces, so nothing is lost if the
process ends, or Temporal is unavailable, right afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.store.pool import Connection

LOOK_AGAIN = "look_again"
"""`ref` is a subscription whose deadline moved: its run must look again."""

PURCHASE = "purchase"
"""`ref` is a one-off purchase that was repaired: its run must look again."""

APPLIED = "applied"
"""`ref` is a subscription and a handled event of it, with a `/` between: a burst applied what its
run doesn't know yet."""

LIFECYCLES = "lifecycles"
"""A burst applied subscriptions that have no run yet. `ref` is empty."""

POLICY = "policy"
"""`ref` is a policy change to apply to everyone."""

ENDINGS = "endings"
"""Complimentary access got an end, so its timer may have to fire earlier. `ref` is empty."""

MEMBER_IMPORT = "member_import"
"""`ref` is an import of members to work on, and the number of the run, with a `/` between."""

WEBHOOKS = "webhooks"
"""`ref` is an endpoint of outgoing webhooks that there is something to send to."""


@dataclass(frozen=True)
class Wakeup:
    kind: str
    ref: str
    seq: int


async def add(connection: Connection, kind: str, refs: Sequence[str]) -> None:
    """Queue wakeups. One that is already waiting is delivered once."""
    if refs:
        await connection.execute(
            """
            insert into wakeups (kind, ref) select $1, unnest($2::text[])
            on conflict (kind, ref) do update set seq = default
            """,
            kind,
            sorted(refs),
        )


async def waiting(connection: Connection, *, limit: int) -> list[Wakeup]:
    rows = await connection.fetch("select kind, ref, seq from wakeups order by seq limit $1", limit)
    return [Wakeup(**dict(row)) for row in rows]


async def done(connection: Connection, wakeup: Wakeup) -> None:
    """Delete a wakeup, unless it has been requested again in the meantime."""
    await connection.execute(
        "delete from wakeups where kind = $1 and ref = $2 and seq = $3",
        wakeup.kind,
        wakeup.ref,
        wakeup.seq,
    )


async def put_behind(connection: Connection, wakeup: Wakeup) -> None:
    """Move a wakeup that can't be delivered behind all others."""
    await connection.execute(
        "update wakeups set seq = default where kind = $1 and ref = $2 and seq = $3",
        wakeup.kind,
        wakeup.ref,
        wakeup.seq,
    )
