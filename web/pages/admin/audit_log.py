"""The audit log, for owners and admins: filters and CSV."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.vocabulary import AuditAction, AuditActor, AuditOutcome
from latchkey.store import audit
from latchkey.store.audit import AuditFilter, AuditLine
from latchkey.store.users import users
from web.audit import actor_named
from web.pages.errors import NotFoundError
from web.pages.guard import private_admin_page
from web.pages.lists import Query, number
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import Site, site_of
from web.wording.labels import AUDIT_ACTIONS, AUDIT_ACTORS, AUDIT_OUTCOMES
from web.wording.times import days_between

PAGE = 50
_COLUMNS = (
    "at", "action", "outcome", "count", "actor", "actor_id", "on_behalf_of", "email", "token",
    "ip", "agent", "target", "target_id", "before", "after",
)  # fmt: skip


def routes() -> list[Route]:
    return [
        Route("/admin/audit", index),
        Route("/admin/audit.csv", export),
    ]


@private_admin_page
async def index(request: Request) -> Response:
    query, wanted, problem = await _wanted(request)
    async with site_of(request).pool.acquire() as connection:
        rows = await audit.listed(
            connection, wanted, after=number(request.query_params.get("after")), limit=PAGE + 1
        )
    return page(
        request,
        "admin/audit.html",
        422 if problem else 200,
        rows=rows[:PAGE],
        more=query.address(after=rows[PAGE - 1].id) if len(rows) > PAGE else None,
        csv_address=query.address().replace("/audit", "/audit.csv", 1),
        query=query,
        actions=dict(sorted(AUDIT_ACTIONS.items(), key=lambda item: item[1])),
        actors=AUDIT_ACTORS,
        outcomes=AUDIT_OUTCOMES,
        changes=_changes,
        days=site_of(request).settings.audit_days,
        problem=problem,
    )


@private_admin_page
async def export(request: Request) -> Response:
    """The filtered log as CSV, of any length."""
    _, wanted, problem = await _wanted(request)
    if problem:
        raise NotFoundError(problem)
    return StreamingResponse(
        _csv(site_of(request), wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"'},
    )


async def _csv(site: Site, wanted: AuditFilter) -> AsyncIterator[str]:
    yield cells(_COLUMNS)
    async for rows in audit.all_lines(site.pool, wanted):
        yield "".join(cells(_cells(row)) for row in rows)


def _cells(row: AuditLine) -> list[object]:
    return [
        row.at.isoformat(), row.action, row.outcome, row.count, row.actor_kind, row.actor_id,
        row.on_behalf_of, row.email, row.token_name, row.ip, row.agent, row.target_kind,
        row.target_id, _json(row.before), _json(row.after),
    ]  # fmt: skip


def _json(values: dict[str, Any] | None) -> str | None:
    return orjson.dumps(values).decode() if values else None


def _changes(row: AuditLine) -> list[tuple[str, str, str]]:
    """Each noted value: its name, before and after."""
    before, after = row.before or {}, row.after or {}
    return [(name, _text(before, name), _text(after, name)) for name in {**before, **after}]


def _text(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def _wanted(request: Request) -> tuple[Query, AuditFilter, str | None]:
    query = Query(request, ("actor", "action", "outcome", "from", "to"))
    wanted = AuditFilter(
        action=AuditAction(query["action"]) if query["action"] in AUDIT_ACTIONS else None,
        outcome=AuditOutcome(query["outcome"]) if query["outcome"] in AUDIT_OUTCOMES else None,
    )
    try:
        since, until = days_between(query["from"], query["to"])
        kind, actor_id = await _actor(request, query["actor"])
    except ValueError as error:
        return query, wanted, str(error)
    return (
        query,
        replace(wanted, actor_kind=kind, actor_id=actor_id, since=since, until=until),
        None,
    )


async def _actor(request: Request, text: str) -> tuple[AuditActor | None, int | None]:
    """The actor that the filter names, also by email address. Raises `ValueError`."""
    if not text:
        return None, None
    if "@" not in text:
        try:
            return actor_named(text)
        except ValueError as error:
            raise ValueError(_("Who: %(error)s. Or enter an email address.", error=error)) from None
    async with site_of(request).pool.acquire() as connection:
        user = await users.by_email(connection, text)
    if user is None:
        raise ValueError(_("There's no user with the address %(text)s.", text=text))
    return AuditActor.USER, user.id
