"""What has to be told to Temporal after a commit; the relay carries it there.

A row is written in the transaction that makes it necessary, so that nothing is lost where the
process ends, or Temporal is away, right afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.store.pool import Connection

LOOK_AGAIN = "look_again"
"""`ref` is a subscription whose deadline moved: its run has to look again."""

PURCHASE = "purchase"
"""`ref` is a one-off purchase that was repaired: its run has to look again."""

POLICY = "policy"
"""`ref` is a policy change to be applied to everybody."""

ENDINGS = "endings"
"""Access given by hand got an end: its timer may have to ring earlier. `ref` is empty."""


@dataclass(frozen=True)
class Wakeup:
    kind: str
    ref: str
    seq: int


async def add(connection: Connection, kind: str, refs: Sequence[str]) -> None:
    """Have these told; one that waits already is told once, after now."""
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
    """Forget a wakeup, unless it was asked for again meanwhile."""
    await connection.execute(
        "delete from wakeups where kind = $1 and ref = $2 and seq = $3",
        wakeup.kind,
        wakeup.ref,
        wakeup.seq,
    )


async def put_behind(connection: Connection, wakeup: Wakeup) -> None:
    """Let a wakeup that can't be told wait behind all others."""
    await connection.execute(
        "update wakeups set seq = default where kind = $1 and ref = $2 and seq = $3",
        wakeup.kind,
        wakeup.ref,
        wakeup.seq,
    )
