"""The event inbox: every event received and its state; resend, ignore with a reason."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.store.stripe import inbox
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, support_page, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.site import site_of

PAGE = 50
STATES = ("waiting", "relayed", "handled", "ignored", "failed")
LONGEST_REASON = 500


def routes() -> list[Route]:
    return [
        Route("/admin/inbox", index),
        Route("/admin/inbox/resend-failed", resend_failed, methods=["POST"]),
        Route("/admin/inbox/{id}", show),
        Route("/admin/inbox/{id}/resend", resend, methods=["POST"]),
        Route("/admin/inbox/{id}/ignore", ignore, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    query = Query(request, ("q", "state", "type"))
    async with site_of(request).pool.acquire() as connection:
        rows = await inbox.listed(
            connection,
            state=query["state"] if query["state"] in STATES else None,
            type_=query["type"] or None,
            thing=query["q"] or None,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
    return page(
        request,
        "admin/inbox.html",
        rows=rows[:PAGE],
        more=query.address(after=rows[PAGE - 1].seq) if len(rows) > PAGE else None,
        query=query,
        states=STATES,
        types=HANDLED_EVENTS,
    )


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@support_page
async def resend(request: Request) -> Response:
    await form(request)
    site = site_of(request)
    async with site.pool.acquire() as connection, connection.transaction():
        if await inbox.resend(connection, request.path_params["id"]) is None:
            raise NotFoundError(_("This event doesn't exist."))
    site.arrived.set()
    return redirect(f"/admin/inbox/{request.path_params['id']}?done=resent")


@support_page
async def resend_failed(request: Request) -> Response:
    """Resend all failed events, once their cause is fixed."""
    await form(request)
    site = site_of(request)
    async with site.pool.acquire() as connection, connection.transaction():
        await inbox.resend_failed(connection)
    site.arrived.set()
    return redirect("/admin/inbox?done=resent")


@admin_page
async def ignore(request: Request) -> Response:
    reason = text(await form(request), "reason")
    if not 1 <= len(reason) <= LONGEST_REASON:
        wrong = _(
            "Enter a reason of up to %(longest_reason)s characters.", longest_reason=LONGEST_REASON
        )
        return await _page(request, errors={"reason": wrong})
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        event = await inbox.ignore(
            connection, request.path_params["id"], reason=reason, actor=request.state.user.id
        )
    if event is None:
        return await _page(request, error=_("Only failed events can be ignored."))
    return redirect(f"/admin/inbox/{event.id}?done=ignored")


async def _page(
    request: Request, *, error: str | None = None, errors: dict[str, str] | None = None
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        found = await inbox.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError(_("This event doesn't exist."))
    event, body = found
    return page(
        request,
        "admin/inbox_event.html",
        422 if error or errors else 200,
        event=event,
        workflow_id=event.workflow_id,
        body=_pretty(body) if body else None,
        error=error,
        errors=errors or {},
    )


def _pretty(body: str) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body
