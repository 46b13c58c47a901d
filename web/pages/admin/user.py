"""One user: access, purchases, activity, emails, notes, and what an admin can do with them."""

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _, written
from latchkey.store import audit_draft
from latchkey.store.access import members
from latchkey.store.communities import accounts
from latchkey.store.feed import lines
from latchkey.store.pool import Connection
from latchkey.store.products import listing
from latchkey.store.users import erasure, labels, profile, sessions, signin, unmerging, users
from web.pages.admin.lookup import person_of
from web.pages.admin.users import read_label
from web.pages.errors import NotFoundError
from web.pages.guard import (
    OwnersOnlyError,
    admin_page,
    form,
    fresh_page,
    mail_by_hand,
    redirect,
    session_of,
    support_page,
    text,
)
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of

RECENT = 10
LONGEST_NOTE = 4000


def routes() -> list[Route]:
    base = "/admin/users/{id}"
    return [
        Route(base, show),
        Route(f"{base}/grant", grant, methods=["GET", "POST"]),
        Route(f"{base}/link", send_link, methods=["POST"]),
        Route(f"{base}/sessions/end", end_sessions, methods=["POST"]),
        Route(f"{base}/sessions/{{session}}/end", end_sessions, methods=["POST"]),
        Route(f"{base}/labels", add_label, methods=["POST"]),
        Route(f"{base}/labels/remove", remove_label, methods=["POST"]),
        Route(f"{base}/notes", add_note, methods=["POST"]),
        Route(f"{base}/export", export, methods=["POST"]),
        Route(f"{base}/erase", erase, methods=["GET", "POST"]),
        Route("/admin/notes/{id}/delete", delete_note, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
async def grant(request: Request) -> Response:
    """Asks for a product, then continues to its form."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)
        if fields is None:
            names = await listing.names(connection)
            return page(request, "admin/user_grant.html", person=person, products=names)
    product = text(fields, "product")
    return redirect(f"/admin/products/{quote(product)}/grants?email={quote(person.email)}")


@support_page
async def send_link(request: Request) -> Response:
    """Email a sign-in link."""
    await form(request)
    await mail_by_hand(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        await signin.mail_link(connection, person.id)
    return redirect(f"/admin/users/{person.id}?done=link-mailed")


@admin_page
async def end_sessions(request: Request) -> Response:
    """Sign a user out everywhere, or end one of their sessions. Raises `OwnersOnlyError` for an
    owner's."""
    await form(request)
    given = request.path_params.get("session")
    session_id = number(given) if given is not None else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        if person.role == "owner" and request.state.user.role != "owner":
            raise OwnersOnlyError
        ended = 0
        if given is None or session_id is not None:
            ended = await signin.end_by_team(
                connection, person.id, session_id=session_id, actor=request.state.user.id
            )
    if not ended:
        raise NotFoundError(_("This session doesn't exist. It may have ended already."))
    return redirect(f"/admin/users/{person.id}?done=signed-out-there#sessions")


@admin_page
async def add_label(request: Request) -> Response:
    label, problem = read_label(text(await form(request), "label"))
    if problem is None:
        person_id, given = await _labelled(request, label, labels.add)
        if label.casefold() in [name.casefold() for name in given]:
            return redirect(f"/admin/users/{person_id}?done=labelled#labels")
        problem = _("This user was erased, and gets no labels.")
    return await _page(request, label_problem=problem)


@admin_page
async def remove_label(request: Request) -> Response:
    label = text(await form(request), "label")
    person_id, _ = await _labelled(request, label, labels.remove)
    return redirect(f"/admin/users/{person_id}?done=labelled#labels")


async def _labelled(
    request: Request, label: str, change: Callable[[Connection, str, Sequence[int]], Awaitable[int]]
) -> tuple[int, list[str]]:
    """Change a user's label; returns their id, and which labels they have now."""
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        await change(connection, label, [person.id])
        given = (await labels.of_users(connection, [person.id]))[person.id]
        audit_draft.note(after={"labels": given})
    return person.id, given


@support_page
async def add_note(request: Request) -> Response:
    note = text(await form(request), "text")
    if not 1 <= len(note) <= LONGEST_NOTE:
        return await _page(
            request,
            _(
                "Enter a note of up to %(longest_note)s characters.",
                longest_note=written(LONGEST_NOTE),
            ),
        )
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        await profile.add_note(connection, person.id, note, actor=request.state.user.id)
    return redirect(f"/admin/users/{person.id}?done=saved#notes")


@admin_page
async def delete_note(request: Request) -> Response:
    await form(request)
    note_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        user_id = await profile.delete_note(connection, note_id) if note_id else None
    if user_id is None:
        raise NotFoundError(_("This note doesn't exist."))
    return redirect(f"/admin/users/{user_id}?done=deleted#notes")


@admin_page
async def export(request: Request) -> Response:
    """Everything stored about the user, as JSON; logged."""
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        data = await profile.export(connection, person.id)
        await profile.note_exported(connection, person.id, actor=request.state.user.id)
    return Response(
        data,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="user-{person.id}.json"'},
    )


@admin_page
@fresh_page(back="/admin/users/{id}/erase")
async def erase(request: Request) -> Response:
    """Asks for confirmation, then removes the person from everything that is stored."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        person = await person_of(request, connection)
        known = await erasure.footprint(connection, person.id)
        problem, errors = None, {}
        if fields is not None:
            if known.live_subscriptions and text(fields, "billed") != "yes":
                errors["billed"] = _("Confirm that Stripe will keep billing the subscriptions.")
            else:
                try:
                    await erasure.erase(connection, person.id, actor=request.state.user.id)
                    return redirect(f"/admin/users/{person.id}?done=erased")
                except erasure.NotErasableError as error:
                    problem = str(error)
    return page(
        request,
        "admin/user_erase.html",
        422 if problem or errors else 200,
        person=person,
        known=known,
        problem=problem,
        errors=errors,
    )


async def _page(
    request: Request, note_problem: str | None = None, label_problem: str | None = None
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)
        customers = await users.customers(connection, [person.id])
        return page(
            request,
            "admin/user.html",
            422 if note_problem or label_problem else 200,
            person=person,
            grants=await members.of_user(connection, person.id),
            subscriptions=await profile.subscriptions(connection, person.id),
            orders=await profile.orders(connection, person.id),
            customers=customers[person.id],
            merges=await unmerging.merges_of(connection, person.id),
            rows=await lines.lines(connection, user_id=person.id, limit=RECENT),
            mails=await profile.mails(connection, person.id, limit=RECENT),
            notes=await profile.notes(connection, person.id),
            note_problem=note_problem,
            label_problem=label_problem,
            labels=(await labels.of_users(connection, [person.id]))[person.id],
            known_labels=await labels.names(connection),
            communities=(await accounts.of_users(connection, [person.id]))[person.id],
            sessions=await sessions.of_user(
                connection,
                person.id,
                rules=site_of(request).session_rules,
                current=session_of(request).id,
            ),
        )
