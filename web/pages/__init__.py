"""The pages: sign-in, library, admin."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.store.pool import DATABASE_AWAY
from web.language import use_language
from web.pages.admin import (
    activity,
    api_tokens,
    at_risk,
    audit_log,
    brand,
    bulk_grants,
    cancellations,
    categories,
    clients,
    collections,
    communities,
    connect,
    connectors,
    customers,
    dashboard,
    drift,
    embed_settings,
    first_steps,
    go_live,
    health,
    impersonation,
    inbox,
    lessons,
    mail_server,
    mail_texts,
    mails,
    matches,
    member_import_undo,
    member_imports,
    members,
    numbers,
    page_texts,
    policy,
    product,
    products,
    protected_sites,
    purchases,
    sales_blocks,
    sales_pages,
    sandbox,
    search,
    second_factors,
    selling,
    site_settings,
    speed,
    stripe_settings,
    subscriptions,
    user,
    users,
    webhooks,
    why,
)
from web.pages.again import shown_again
from web.pages.audited import with_audit_line
from web.pages.errors import NotFoundError, RefusedFieldsError, UnreadableError
from web.pages.guard import (
    ForbiddenError,
    NotYoursError,
    OwnersOnlyError,
    TooManyError,
    current_user,
)
from web.pages.member import (
    account,
    authorize,
    buy,
    card,
    claims,
    connected_sites,
    embed,
    entering,
    factors,
    language,
    library,
    logout,
    merge_answer,
    sales,
    second_step,
    setup,
    signin,
)
from web.pages.member import communities as member_communities
from web.pages.member import lessons as member_lessons
from web.pages.render import page
from web.request_ids import request_id_of
from web.security import ForgeryError

Handler = Callable[[Request, Exception], Awaitable[Response]]

log = structlog.get_logger("pages")


def routes() -> list[Route]:
    """Every page, each with its line in the audit log."""
    pages = [
        *dashboard.routes(),
        *search.routes(),
        *categories.routes(),
        *products.routes(),
        *product.routes(),
        *lessons.routes(),
        *members.routes(),
        *numbers.routes(),
        *stripe_settings.routes(),
        *selling.routes(),
        *sales_pages.routes(),
        *sales_blocks.routes(),
        *connectors.routes(),
        *connect.routes(),
        *api_tokens.routes(),
        *clients.routes(),
        *protected_sites.routes(),
        *webhooks.routes(),
        *communities.routes(),
        *activity.routes(),
        *policy.routes(),
        *matches.routes(),
        *member_imports.routes(),
        *member_import_undo.routes(),
        *bulk_grants.routes(),
        *collections.routes(),
        *claims.routes(),
        *card.routes(),
        *merge_answer.routes(),
        *first_steps.routes(),
        *sandbox.routes(),
        *go_live.routes(),
        *mail_server.routes(),
        *mail_texts.routes(),
        *page_texts.routes(),
        *mails.routes(),
        *subscriptions.routes(),
        *purchases.routes(),
        *customers.routes(),
        *at_risk.routes(),
        *cancellations.routes(),
        *users.routes(),
        *second_factors.routes(),
        *site_settings.routes(),
        *brand.routes(),
        *embed_settings.routes(),
        *user.routes(),
        *impersonation.routes(),
        *inbox.routes(),
        *drift.routes(),
        *health.routes(),
        *speed.routes(),
        *audit_log.routes(),
        *why.routes(),
        *second_step.routes(),
        *authorize.routes(),
        *entering.routes(),
        *logout.routes(),
        *connected_sites.routes(),
        *member_communities.routes(),
        *setup.routes(),
        *signin.routes(),
        *library.routes(),
        *member_lessons.routes(),
        *buy.routes(),
        *embed.routes(),
        *sales.routes(),
        *account.routes(),
        *language.routes(),
        *factors.routes(),
    ]
    return [with_audit_line(page) for page in pages]


def exception_handlers() -> Mapping[Any, Callable[[Request, Exception], Any]]:
    """What people see when something goes wrong."""
    return {
        NotFoundError: _not_found,
        UnreadableError: _unreadable,
        ForbiddenError: _forbidden,
        ForgeryError: _forged,
        HTTPException: _http,
        **dict.fromkeys(DATABASE_AWAY, _database_away),
        asyncpg.TransactionRollbackError: _crossed,
        signin.AccountChangedError: _crossed,
        Exception: _broken,
    }


def _for_reader(handle: Handler) -> Handler:
    """Show the page to whoever is signed in, in their language."""

    async def shown(request: Request, error: Exception) -> Response:
        await current_user(request)
        return await handle(request, error)

    return shown


def _for_anyone(handle: Handler) -> Handler:
    """Show the page without asking the database who is signed in."""

    async def shown(request: Request, error: Exception) -> Response:
        request.state.user = request.state.session = None
        use_language(request, None)
        return await handle(request, error)

    return shown


async def _message(request: Request, status: int, heading: str, text: str) -> Response:
    ours = request_id_of(request.scope) if status >= 500 else None
    return page(
        request, "message.html", status, heading=heading, text=text, back="/", request_id=ours
    )


@_for_reader
async def _not_found(request: Request, error: Exception) -> Response:
    return await _message(request, 404, _("Not found"), str(error))


@_for_reader
async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnreadableError), "the handler of this kind"
    if isinstance(error, RefusedFieldsError) and (again := await shown_again(request, error)):
        return again
    heading = _("Bad request") if error.status == 400 else _("Not saved")
    return await _message(request, error.status, heading, str(error))


@_for_reader
async def _forbidden(request: Request, error: Exception) -> Response:
    user = await current_user(request)
    if user and user.acted_by and isinstance(error, NotYoursError):
        text = A_(
            "You're viewing the site as %(email)s. Only they can change their account,"
            " pay or manage their billing. Nothing was changed.",
            email=user.email,
        )
    elif user and user.acted_by:
        text = A_(
            "You're viewing the site as %(email)s, who can't open admin pages. Use Stop"
            " in the red bar at the top to get yours back.",
            email=user.email,
        )
    elif isinstance(error, OwnersOnlyError):
        text = A_("Only an owner of the site can do this. Nothing was changed.")
    elif user and user.is_staff:
        text = A_(
            "Your role, support, can view this and resend events and emails, but can't"
            " make changes here. Ask an admin. Nothing was changed."
        )
    else:
        text = _("This page is for admins only. Sign in as an admin to see it.")
    return await _message(request, 403, _("You don't have permission"), text)


@_for_reader
async def _forged(request: Request, error: Exception) -> Response:
    return await _message(
        request,
        403,
        _("This form has expired"),
        _(
            "It wasn't sent from this site, or you signed in or out in the meantime. Nothing was"
            " changed. Go back, reload the page and try again."
        ),
    )


@_for_reader
async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return await _message(request, 404, _("Not found"), _("There's no page at this address."))
    if status == 405:
        return await _message(
            request, 405, _("Not allowed"), _("This address doesn't accept this kind of request.")
        )
    if isinstance(error, TooManyError):
        return await _message(request, 429, _("Too many emails"), error.detail)
    if status == 413:
        return await _message(
            request,
            413,
            _("Too large"),
            _(
                "What you sent is larger than this page accepts. Nothing was changed. Split it, or"
                " make it shorter."
            ),
        )
    if status == 408:
        return await _message(
            request, 408, _("Too slow"), _("What you sent arrived too slowly. Nothing was changed.")
        )
    return await _message(request, status, _("Bad request"), _("We couldn't read this request."))


def _path(request: Request) -> str:
    """The path for the log, without the token of an emailed link."""
    token = request.path_params.get("token")
    return request.url.path.replace(token, "…") if token else request.url.path


@_for_anyone
async def _database_away(request: Request, error: Exception) -> Response:
    log.error("database unavailable", path=_path(request), error=type(error).__name__)
    return await _message(
        request,
        503,
        _("Back in a moment"),
        _("The database isn't responding. Please try again shortly."),
    )


@_for_reader
async def _crossed(request: Request, error: Exception) -> Response:
    """Postgres rolled back one of two transactions that conflicted, such as a merge of users and a
    purchase of theirs that is being applied."""
    return await _message(
        request,
        409,
        _("Try again"),
        _(
            "Someone else changed this at the same time, so nothing was saved. Go back and try"
            " again."
        ),
    )


@_for_anyone
async def _broken(request: Request, error: Exception) -> Response:
    log.exception("page failed", path=_path(request))
    return await _message(
        request,
        500,
        _("Something went wrong"),
        _("This is our fault, not yours. Nothing was changed."),
    )
