"""Identity matches to review, with reason and proposal; merging and unmerging users."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.store.purchases import matches
from latchkey.store.purchases.matches import DoubtKind
from latchkey.store.users import identity, merge_requests, merging, unmerging, users
from web.inputs import shown_address
from web.numbers import number
from web.pages.admin.lookup import person_of
from web.pages.errors import NotFoundError
from web.pages.guard import OwnersOnlyError, admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.site import site_of

PAGE = 50
STATES = ("open", "accepted", "dismissed", "settled")
REASONS = {
    DoubtKind.NO_ADDRESS: A_("A purchase without an email address. Nobody has access through it."),
    DoubtKind.REFERENCE_AND_CUSTOMER: A_(
        "Bought while signed in as one user, with the Stripe customer of another. The"
        " signed-in user got access."
    ),
    DoubtKind.REFERENCE_AND_ADDRESS: A_(
        "Bought while signed in as one user, with the email address of another. The"
        " signed-in user got access."
    ),
    DoubtKind.ADDRESS_CHANGED: A_(
        "A Stripe customer's email address was changed to that of another user."
        " Access stayed where it was."
    ),
    DoubtKind.SIMILAR_ADDRESS: A_(
        "A new user whose address differs from another only by a tag (name+tag@host)."
    ),
    DoubtKind.SHARED_ADDRESS: A_(
        "Two Stripe customers with different names have the same email address, and"
        " so the same account."
    ),
    DoubtKind.STAFF_ADDRESS: A_("A member confirmed the email address of someone on the team."),
    DoubtKind.OTHER_PAYER: A_(
        "Bought while signed in as one user, and paid for with an address that nobody"
        " here has. The signed-in user got access, but not the billing: a link was"
        " sent to the address that paid."
    ),
    DoubtKind.REFERENCE_EXPIRED: A_(
        "Paid for through a signed-in user's checkout that had expired. The address"
        " that paid got access, not that user."
    ),
    DoubtKind.REFERENCE_OTHER_PRODUCT: A_(
        "Paid for through a signed-in user's checkout of another product. The address"
        " that paid got access, not that user."
    ),
    DoubtKind.REFERENCE_FORGED: A_(
        "Somebody tried to have a purchase assigned to a user with a signature that"
        " isn't ours. The address that paid got access."
    ),
}


def routes() -> list[Route]:
    return [
        Route("/admin/merges", index),
        Route("/admin/merges/{id}/accept", accept, methods=["POST"]),
        Route("/admin/merges/{id}/dismiss", dismiss, methods=["POST"]),
        Route("/admin/users/{id}/merge", merge, methods=["GET", "POST"]),
        Route("/admin/users/{id}/merge/now", merge_now, methods=["GET", "POST"]),
        Route("/admin/users/{id}/unmerge", unmerge, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    return await _index(request)


async def _index(
    request: Request,
    *,
    error: str | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    state = request.query_params.get("state", "open")
    async with site_of(request).pool.acquire() as connection:
        rows = await matches.listed(
            connection,
            state=state if state in STATES else None,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
        rows, more = rows[:PAGE], rows[PAGE - 1].id if len(rows) > PAGE else None
        between = [row for row in rows if row.merges]
        requests = await merge_requests.latest_of_matches(connection, [row.id for row in between])
        people = await merge_requests.sides(
            connection,
            [user for row in between for user in (row.user_id, row.other_id) if user is not None],
        )
    return page(
        request,
        "admin/matches.html",
        status,
        rows=rows,
        proposals={
            row.id: merge_requests.direction(people[row.user_id], people[row.other_id])
            for row in between
            if row.user_id in people and row.other_id in people
        },
        requests=requests,
        people=people,
        more=more,
        reasons=REASONS,
        state=state,
        states=STATES,
        error=error,
        errors=errors or {},
    )


@admin_page
async def accept(request: Request) -> Response:
    """Assign a purchase, or ask the owners of two users whether to merge them."""
    field = f"email-{_number(request)}"
    typed = text(await form(request), field)
    email = shown_address(typed)
    if typed and email is None:
        wrong = _("“%(typed)s” isn't a valid email address.", typed=typed[:80])
        return await _index(request, errors={field: wrong}, status=422)
    actor = request.state.user.id
    try:
        async with site_of(request).changing() as connection:
            match = await matches.find(connection, _number(request))
            if match is None:
                raise NotFoundError(_("This match doesn't exist."))
            await identity.accept(connection, match, email=email, actor=actor)
    except identity.NotDecidableError as refused:
        return await _index(request, error=str(refused), status=409)
    return redirect(f"/admin/merges?done={'merge-asked' if match.merges else 'decided'}")


@admin_page
async def dismiss(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if await matches.find(connection, _number(request)) is None:
            raise NotFoundError(_("This match doesn't exist."))
        await matches.decide(connection, _number(request), "dismissed", actor=request.state.user.id)
    return redirect("/admin/merges?done=decided")


@admin_page
async def merge(request: Request) -> Response:
    """Ask the owners of this user and another, named by email address, whether to merge them."""
    fields = await form(request) if request.method == "POST" else None
    email, reason = (text(fields, "email"), text(fields, "reason")[:1000]) if fields else ("", "")
    errors: dict[str, str] = {}
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)
        other = await users.by_email(connection, email) if email else None
        if fields is not None and other is None:
            errors["email"] = _nobody(email)
        if fields is not None and other is not None and text(fields, "do") == "ask":
            try:
                async with connection.transaction():
                    await merge_requests.ask(
                        connection,
                        person.id,
                        other.id,
                        actor=request.state.user.id,
                        reason=reason or None,
                    )
                return redirect(f"/admin/users/{person.id}/merge?done=merge-asked")
            except merge_requests.RequestRefusedError as refused:
                errors["email"] = str(refused)
        requests = await merge_requests.of_user(connection, person.id)
        people = await merge_requests.sides(
            connection,
            [person.id, *([other.id] if other else [])]
            + [user for asked in requests for user in (asked.into_user, asked.other_user)],
        )
        further = await identity.addresses(connection, person.id)
    into = gone = None
    if other and other.id != person.id:
        into, gone = merge_requests.direction(people[person.id], people[other.id])
    return page(
        request,
        "admin/user_merge.html",
        409 if errors else 200,
        person=person,
        into=into,
        gone=gone,
        requests=requests,
        people=people,
        further=further,
        email=email,
        reason=reason,
        errors=errors,
    )


@admin_page
@fresh_page(back="/admin/users/{id}/merge/now")
async def merge_now(request: Request) -> Response:
    """Merge another user into this one without asking. Only owners may, and they say why.

    Raises `OwnersOnlyError` for other admins.
    """
    if request.state.user.role != "owner":
        raise OwnersOnlyError
    fields = await form(request) if request.method == "POST" else None
    email, reason = (text(fields, "email"), text(fields, "reason")) if fields else ("", "")
    errors: dict[str, str] = {}
    async with site_of(request).pool.acquire() as connection:
        person = await person_of(request, connection)
        other = await users.by_email(connection, email) if email else None
        if fields is not None and other is None:
            errors["email"] = _nobody(email)
        elif fields is not None and not reason:
            errors["reason"] = _("Say how you know that both are one person.")
        elif other is not None:
            try:
                async with connection.transaction():
                    await merge_requests.override(
                        connection,
                        into=person.id,
                        other=other.id,
                        reason=reason[:1000],
                        actor=request.state.user.id,
                    )
                return redirect(f"/admin/users/{person.id}?done=merged")
            except merging.NotMergeableError as refused:
                errors["email"] = str(refused)
    return page(
        request,
        "admin/user_merge_now.html",
        409 if errors else 200,
        person=person,
        email=email,
        reason=reason,
        errors=errors,
    )


@admin_page
async def unmerge(request: Request) -> Response:
    """Asks for confirmation, then undoes the merge of this user into another."""
    confirmed = request.method == "POST" and await form(request) is not None
    error = None
    async with site_of(request).pool.acquire() as connection:
        past = await unmerging.merge_of(connection, _number(request))
        if past is None:
            raise NotFoundError(_("This user wasn't merged, or the merge has already been undone."))
        survivor = await users.by_id(connection, past.into_user)
    if confirmed:
        try:
            async with site_of(request).changing() as connection:
                await unmerging.undo(
                    connection, from_user=past.from_user, actor=request.state.user.id
                )
            return redirect(f"/admin/users/{past.from_user}?done=unmerged")
        except unmerging.NotUndoableError as refused:
            error = str(refused)
    return page(
        request,
        "admin/user_unmerge.html",
        409 if error else 200,
        past=past,
        survivor=survivor,
        error=error,
    )


def _nobody(email: str) -> str:
    return (
        _("There's no user with the address %(email)s.", email=email)
        if email
        else _("Enter an address.")
    )


def _number(request: Request) -> int:
    return number(request.path_params["id"]) or 0
