"""The endpoints of outgoing webhooks: where they are, what they are told, and how they do."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups

BOTH_SIGN = timedelta(days=1)
"""How long the earlier secret also signs after a rotation."""

_COLUMNS = """
    id, format, url, host, description, types, secret, earlier_secret, earlier_until, created_at,
    paused_at, off_at, off_reason, failing_since, failures, rests_until, delivered_at, every
"""


@dataclass(frozen=True)
class Endpoint:
    """`url` and the secrets are sealed; `host` can be shown. No `types` stands for all. Times are
    aware and in UTC."""

    id: str
    format: WebhookFormat
    url: bytes | None
    host: str
    description: str
    types: Sequence[str]
    secret: bytes | None
    earlier_secret: bytes | None
    earlier_until: datetime | None
    created_at: datetime
    paused_at: datetime | None
    off_at: datetime | None
    off_reason: str | None
    failing_since: datetime | None
    failures: int
    rests_until: datetime | None
    delivered_at: datetime | None
    every: str

    @property
    def active(self) -> bool:
        return self.paused_at is None and self.off_at is None


@dataclass(frozen=True)
class EndpointFigures:
    """How many deliveries of an endpoint wait and have failed, and since when the first waits."""

    waiting: int
    failed: int
    oldest: datetime | None


async def create(
    connection: Connection,
    *,
    format_: WebhookFormat,
    url: bytes | None,
    host: str,
    description: str,
    types: Sequence[str],
    secret: bytes | None,
    actor: int | None,
    every: str = "day",
) -> str:
    """Add an endpoint; returns its id. It is told what happens from now on. A digest goes to
    `actor`, once in `every` hour or day. The caller opens the transaction."""
    endpoint_id = f"we_{secrets.token_hex(8)}"
    await connection.execute(
        """
        insert into webhook_endpoints (id, format, url, host, description, types, secret,
                                       created_by, every)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        endpoint_id,
        format_.value,
        url,
        host,
        description,
        list(types),
        secret,
        actor,
        every,
    )
    audit_draft.note(
        target=("webhook_endpoint", endpoint_id),
        after={"format": format_, "host": host, "types": list(types)},
    )
    return endpoint_id


async def listed(connection: Connection) -> list[Endpoint]:
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from webhook_endpoints
         where id not in (select endpoint_id from communities) order by created_at, id
        """
    )
    return [_endpoint(row) for row in rows]


async def find(connection: Connection, endpoint_id: str) -> Endpoint | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from webhook_endpoints where id = $1", endpoint_id
    )
    return _endpoint(row) if row else None


async def figures(connection: Connection, *, most: int = 1000) -> dict[str, EndpointFigures]:
    """By endpoint, counting up to `most`."""
    rows = await connection.fetch(
        """
        select e.id,
               (select count(*) from (select from webhook_deliveries
                                       where endpoint_id = e.id and state = 'waiting'
                                       limit $1) w) as waiting,
               (select count(*) from (select from webhook_deliveries
                                       where endpoint_id = e.id and state = 'failed'
                                       limit $1) f) as failed,
               (select v.created_at from webhook_deliveries d
                  join webhook_events v on v.id = d.event_id
                 where d.endpoint_id = e.id and d.state = 'waiting'
                 order by d.bulk, d.event_id limit 1) as oldest
          from webhook_endpoints e
        """,
        most,
    )
    return {
        row["id"]: EndpointFigures(row["waiting"], row["failed"], row["oldest"]) for row in rows
    }


async def change(
    connection: Connection,
    endpoint_id: str,
    *,
    url: bytes | None,
    host: str,
    description: str,
    types: Sequence[str],
    every: str = "day",
) -> None:
    """Change what an endpoint is told, and where. The caller opens the transaction."""
    before = await find(connection, endpoint_id)
    await connection.execute(
        """
        update webhook_endpoints set url = $2, host = $3, description = $4, types = $5,
               every = $6
         where id = $1
        """,
        endpoint_id,
        url,
        host,
        description,
        list(types),
        every,
    )
    if before is not None:
        audit_draft.note(
            target=("webhook_endpoint", endpoint_id),
            before={"host": before.host, "types": list(before.types)},
            after={"host": host, "types": list(types)},
        )


async def rotate(connection: Connection, endpoint_id: str, *, secret: bytes) -> None:
    """Sign with another secret from now on, and with the earlier one as well for `BOTH_SIGN`. The
    caller opens the transaction."""
    await connection.execute(
        """
        update webhook_endpoints
           set earlier_secret = secret, earlier_until = now() + $3::interval, secret = $2
         where id = $1
        """,
        endpoint_id,
        secret,
        BOTH_SIGN,
    )
    audit_draft.note(target=("webhook_endpoint", endpoint_id))


async def pause(connection: Connection, endpoint_id: str) -> None:
    """Keep what happens, without sending it. The caller opens the transaction."""
    await connection.execute(
        "update webhook_endpoints set paused_at = coalesce(paused_at, now()) where id = $1",
        endpoint_id,
    )
    audit_draft.note(target=("webhook_endpoint", endpoint_id), after={"sends": False})


async def resume(connection: Connection, endpoint_id: str) -> None:
    """Send again, what waits first, also if the endpoint was switched off. The caller opens the
    transaction and wakes the relay afterwards."""
    await connection.execute(
        """
        update webhook_endpoints
           set paused_at = null, off_at = null, off_reason = null, failing_since = null,
               failures = 0, rests_until = null
         where id = $1
        """,
        endpoint_id,
    )
    await connection.execute(
        """
        update webhook_deliveries set due_at = now(), attempts = 0, first_tried_at = null
         where endpoint_id = $1 and state = 'waiting'
        """,
        endpoint_id,
    )
    await wakeups.add(connection, wakeups.WEBHOOKS, [endpoint_id])
    audit_draft.note(target=("webhook_endpoint", endpoint_id), after={"sends": True})


async def delete(connection: Connection, endpoint_id: str) -> None:
    """Delete an endpoint with its log. The caller opens the transaction."""
    found = await find(connection, endpoint_id)
    await connection.execute("delete from webhook_endpoints where id = $1", endpoint_id)
    if found is not None:
        audit_draft.note(
            target=("webhook_endpoint", endpoint_id),
            before={"format": found.format, "host": found.host},
        )


async def in_charge(connection: Connection) -> list[int]:
    """The owners and admins, who hear of what is wrong."""
    rows = await connection.fetch(
        "select id from users where role in ('owner', 'admin') order by id"
    )
    return [row["id"] for row in rows]


def _endpoint(row: object) -> Endpoint:
    values = dict(row)  # type: ignore[call-overload]
    return Endpoint(**values | {"format": WebhookFormat(values["format"])})
