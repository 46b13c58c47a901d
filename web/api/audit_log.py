"""The audit log."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from latchkey.rules.vocabulary import AuditAction, TokenScope
from latchkey.store import audit
from latchkey.store.audit import AuditFilter
from web.api.cursors import cursor, number
from web.api.registry import Call, Output, Paging, endpoint
from web.audit import actor_named
from web.inputs import Moment


def _actor(value: str) -> str:
    actor_named(value)
    return value


class AuditQuery(Paging):
    actor: Annotated[str, AfterValidator(_actor)] | None = Field(
        None,
        description="`user`, `token`, `settings`, `command` or `visitor`; the first two also with"
        " an id, such as `user:12`",
        json_schema_extra={"pattern": "^(user|token)(:[0-9]{1,18})?$|^(settings|command|visitor)$"},
    )
    action: Annotated[str, AfterValidator(AuditAction)] | None = Field(
        None,
        description="one action, such as `role_changed`",
        json_schema_extra={"enum": [None, *AuditAction]},
    )
    since: Moment | None = Field(None, description="only what happened at or after this time")


class AuditEvent(Output):
    """One line. `actor_id` is a user's or a token's, by `actor`; `on_behalf_of` is the member that
    an admin saw the site as. `count` is how often it happened within a minute."""

    id: int
    at: datetime
    action: str
    outcome: str
    actor: str
    actor_id: int | None
    on_behalf_of: int | None
    ip: str | None
    agent: str | None
    target: str | None
    target_id: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    count: int


class AuditEventList(Output):
    data: list[AuditEvent]
    next: str | None


@endpoint("GET", "/audit", scope=TokenScope.EVERYTHING, query=AuditQuery, answer=AuditEventList)
async def audit_log(call: Call) -> AuditEventList:
    """List the audit log, newest first: who did what, from where, and what came of it."""
    wanted: AuditQuery = call.query
    kind, actor_id = actor_named(wanted.actor) if wanted.actor else (None, None)
    action = AuditAction(wanted.action) if wanted.action else None
    found = AuditFilter(actor_kind=kind, actor_id=actor_id, action=action, since=wanted.since)
    async with call.site.pool.acquire() as connection:
        rows = await audit.listed(
            connection, found, after=number(wanted.after), limit=wanted.limit + 1
        )
    shown = [
        AuditEvent(
            id=row.id,
            at=row.at,
            action=row.action,
            outcome=row.outcome,
            actor=row.actor_kind,
            actor_id=row.actor_id,
            on_behalf_of=row.on_behalf_of,
            ip=row.ip,
            agent=row.agent,
            target=row.target_kind,
            target_id=row.target_id,
            before=row.before,
            after=row.after,
            count=row.count,
        )
        for row in rows[: wanted.limit]
    ]
    more = len(rows) > wanted.limit
    return AuditEventList(data=shown, next=cursor(shown[-1].id) if more else None)
