"""Queues emails in the outbox; each key is sent only once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from latchkey.addresses import email_key
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Mail:
    """An email for the outbox; the same `key` is never sent twice.

    `to_email` is an address other than the user's, or that of somebody who isn't a user. Emails
    marked `spread` are sent gradually. Those marked `asked_for` go out whatever the user has turned
    off. None goes out before its `delay`.
    """

    key: str
    kind: str
    user_id: int | None
    product_id: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    to_email: str | None = None
    spread: bool = False
    asked_for: bool = False
    delay: timedelta = timedelta()


@dataclass(frozen=True)
class Opened:
    """A product that opened for a user who should get an email: through which source, whether by an
    import, and whether that import spreads its emails."""

    user_id: int
    product_id: str
    source_id: str
    imported: bool
    spread: bool


def access_mails(opened: Iterable[Opened]) -> list[Mail]:
    """One email for all products that one source opened at once."""
    groups: dict[tuple[int, str], list[Opened]] = {}
    for entry in opened:
        groups.setdefault((entry.user_id, entry.source_id), []).append(entry)
    mails = []
    for (user_id, source_id), entries in groups.items():
        products = sorted({entry.product_id for entry in entries})
        mails.append(
            Mail(
                key=f"product_access:{user_id}:{','.join(products)}:{source_id}",
                kind="product_access",
                user_id=user_id,
                product_id=products[0],
                data={
                    "source_id": source_id,
                    "imported": all(entry.imported for entry in entries),
                    **({"products": products} if len(products) > 1 else {}),
                },
                spread=all(entry.imported and entry.spread for entry in entries),
            )
        )
    return mails


async def write_mails(connection: Connection, mails: Iterable[Mail]) -> int:
    """Queue emails; returns how many are new. A key that is already in the outbox isn't queued
    again, and a kind that the user has turned off is stored unsent."""
    rows = [
        {
            "key": m.key,
            "kind": m.kind,
            "user_id": m.user_id,
            "product_id": m.product_id,
            "data": m.data,
            "to_email": m.to_email,
            "to_email_key": email_key(m.to_email) if m.to_email else None,
            "pace": "spread" if m.spread else "now",
            "asked_for": m.asked_for,
            "delay": m.delay.total_seconds(),
        }
        for m in mails
    ]
    if not rows:
        return 0
    done: str = await connection.execute(
        """
        insert into mails (key, kind, user_id, product_id, data, to_email, to_email_key,
                           pace, due_at, state)
        select g.key, g.kind, g.user_id, g.product_id, g.data, g.to_email, g.to_email_key, g.pace,
               now() + make_interval(secs => g.delay),
               case when g.kind = any(u.mails_off) and not g.asked_for then 'suppressed'
                    else 'queued' end
          from jsonb_to_recordset($1::jsonb) as g (
            key text, kind text, user_id bigint, product_id text, data jsonb, to_email text,
            to_email_key text, pace text, asked_for boolean, delay float8)
          left join users u on u.id = g.user_id
         where u.id is not null or g.user_id is null
        on conflict (key) do nothing
        """,
        rows,
    )
    return int(done.rpartition(" ")[2])
