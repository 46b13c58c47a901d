"""Second factors of others: whether they must have one, and removing those of one user."""

from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.store import site_settings
from latchkey.store.pool import Connection
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users import factors
from web.pages.admin.lookup import person_of
from web.pages.guard import (
    OwnersOnlyError,
    admin_page,
    form,
    fresh_page,
    redirect,
    session_of,
    text,
)
from web.pages.render import page
from web.site import site_of

RULE = "/admin/settings/team/second-factor"
OF_USER = "/admin/users/{id}/factors"


def routes() -> list[Route]:
    return [
        Route(RULE, rule, methods=["GET", "POST"]),
        Route(OF_USER, of_user, methods=["GET", "POST"]),
    ]


@admin_page
@fresh_page(back=RULE)
async def rule(request: Request) -> Response:
    """Who on the team has a second factor, and whether everyone there, or every member, must have
    one. Only owners who have shown theirs can require it."""
    site, problem = site_of(request), None
    if request.method == "POST":
        fields = await form(request)
        rules = {
            "staff_second_factor": text(fields, "required") == "yes",
            "member_second_factor": text(fields, "members") == "yes",
        }
        if request.state.user.role != "owner":
            raise OwnersOnlyError
        if any(rules.values()) and session_of(request).second_factor is None:
            problem = _(
                "You don't have a second factor yourself, or didn't use it to sign in. Set"
                " one up under Account, Sign-in security, and sign in with it. Then require"
                " it."
            )
        else:
            async with site.pool.acquire() as connection, connection.transaction():
                before = await site_settings.read(connection)
                site.look = await site_settings.change(connection, **rules)
                await _note_changes(connection, request.state.user.id, before, site.look)
            return redirect(f"{RULE}?done=saved")
    async with site.pool.acquire() as connection:
        now = await site_settings.read(connection)
        rows = await factors.of_staff(connection)
    return page(
        request,
        "admin/second_factors.html",
        422 if problem else 200,
        rows=rows,
        required=now.staff_second_factor,
        members=now.member_second_factor,
        problem=problem,
    )


async def _note_changes(
    connection: Connection, owner: int, before: SiteSettings, after: SiteSettings
) -> None:
    whose: tuple[tuple[Literal["team", "members"], bool], ...] = (
        ("team", True),
        ("members", False),
    )
    for whom, staff in whose:
        required = after.requires_factor(staff=staff)
        if required != before.requires_factor(staff=staff):
            await factors.note_rule(connection, owner, whom=whom, required=required)


@admin_page
@fresh_page(back=OF_USER)
async def of_user(request: Request) -> Response:
    """What a user has; an owner can remove it, for somebody who lost it all."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        if fields is None:
            owned = await factors.of_user(connection, person.id)
            return page(request, "admin/user_factors.html", person=person, factors=owned)
        if request.state.user.role != "owner":
            raise OwnersOnlyError
        await factors.remove_factors(connection, person.id, actor=request.state.user.id)
    return redirect(f"/admin/users/{person.id}?done=factors-removed")
