"""The pages: sign-in, library, admin."""

from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.pages.admin import (
    activity,
    api_tokens,
    bulk_grants,
    categories,
    collections,
    connectors,
    dashboard,
    drift,
    health,
    impersonation,
    inbox,
    mails,
    matches,
    members,
    policy,
    product,
    products,
    sales_pages,
    selling,
    site_settings,
    stripe_settings,
    user,
    users,
    why,
)
from web.pages.errors import NotFoundError
from web.pages.guard import ForbiddenError, NotYoursError, current_user
from web.pages.member import account, buy, claims, library, sales, signin
from web.pages.render import page
from web.security import ForgeryError

log = structlog.get_logger("pages")


def routes() -> list[Route]:
    """Every page."""
    return [
        *dashboard.routes(),
        *categories.routes(),
        *products.routes(),
        *product.routes(),
        *members.routes(),
        *stripe_settings.routes(),
        *selling.routes(),
        *sales_pages.routes(),
        *connectors.routes(),
        *api_tokens.routes(),
        *activity.routes(),
        *policy.routes(),
        *matches.routes(),
        *bulk_grants.routes(),
        *collections.routes(),
        *claims.routes(),
        *mails.routes(),
        *users.routes(),
        *site_settings.routes(),
        *user.routes(),
        *impersonation.routes(),
        *inbox.routes(),
        *drift.routes(),
        *health.routes(),
        *why.routes(),
        *signin.routes(),
        *library.routes(),
        *buy.routes(),
        *sales.routes(),
        *account.routes(),
    ]


def exception_handlers() -> Mapping[Any, Callable[[Request, Exception], Any]]:
    """What people see when something is wrong."""
    return {
        NotFoundError: _not_found,
        ForbiddenError: _forbidden,
        ForgeryError: _forged,
        HTTPException: _http,
        asyncpg.InterfaceError: _database_away,
        asyncpg.PostgresConnectionError: _database_away,
        asyncpg.TransactionRollbackError: _crossed,
        OSError: _database_away,
        Exception: _broken,
    }


async def _message(request: Request, status: int, heading: str, text: str) -> Response:
    if status < 500:
        await current_user(request)
    else:
        request.state.user = None
    return page(request, "message.html", status, heading=heading, text=text, back="/")


async def _not_found(request: Request, error: Exception) -> Response:
    return await _message(request, 404, "Not found", str(error))


async def _forbidden(request: Request, error: Exception) -> Response:
    user = await current_user(request)
    if user and user.acted_by and isinstance(error, NotYoursError):
        text = (
            f"You see the site as {user.email}: only they can change their account, pay, or see to"
            " their billing. Nothing was changed."
        )
    elif user and user.acted_by:
        text = (
            f"You see the site as {user.email}, who has no admin's pages. Stop, in the red line at"
            " the top, to have yours again."
        )
    elif user and user.is_staff:
        text = (
            "Support can read and send again, but not change this. Ask an admin. Nothing changed."
        )
    else:
        text = "This page is for admins. Sign in as one to see it."
    return await _message(request, 403, "Not for you", text)


async def _forged(request: Request, error: Exception) -> Response:
    return await _message(
        request,
        403,
        "The form is out of date",
        "It was not sent from this site, or you signed in or out meanwhile. Nothing was changed:"
        " go back, reload the page and send it again.",
    )


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return await _message(request, 404, "Not found", "There is nothing at this address.")
    if status == 405:
        return await _message(request, 405, "Not possible", "This address takes no such request.")
    return await _message(request, status, "Not possible", "The request can't be read.")


def _path(request: Request) -> str:
    """The address for the log, without the token of a mailed link."""
    token = request.path_params.get("token")
    return request.url.path.replace(token, "…") if token else request.url.path


async def _database_away(request: Request, error: Exception) -> Response:
    log.error("database unavailable", path=_path(request), error=type(error).__name__)
    return await _message(
        request, 503, "Back in a moment", "The database did not answer. Try again shortly."
    )


async def _crossed(request: Request, error: Exception) -> Response:
    """Postgres gave a transaction up for another one, as a merge of users may meet a purchase of
    theirs that is just being applied."""
    return await _message(
        request,
        409,
        "Just being changed",
        "What you wanted to change was being changed at this moment. Nothing came of it: go"
        " back and send it again.",
    )


async def _broken(request: Request, error: Exception) -> Response:
    log.exception("page failed", path=_path(request))
    return await _message(
        request, 500, "Something broke", "This is our fault, not yours. Nothing was changed."
    )
