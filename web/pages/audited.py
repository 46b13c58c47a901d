"""Has every page that changes something leave its line in the audit log."""

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.rules.vocabulary import AuditAction, AuditActor, AuditOutcome
from latchkey.store import audit
from latchkey.store.audit import Actor, AuditEntry, AuditTarget
from latchkey.store.audit_draft import AuditDraft, recording
from latchkey.store.users.users import User
from web.audit import VISITOR, origin_of
from web.audit_actions import PAGES, page_action, target_of
from web.pages.errors import NotFoundError, UnreadableError
from web.pages.guard import ForbiddenError
from web.security import ForgeryError
from web.site import site_of

READING = frozenset({"GET", "HEAD"})


def with_audit_line(route: Route) -> Route:
    """The route, with an endpoint that keeps the audit log. Raises `LookupError` for a form
    that `web.audit_actions` doesn't list."""
    methods = route.methods or READING
    actions = {
        method: page_action(f"{method} {route.path}") for method in sorted(methods - READING)
    } | {"GET": PAGES.get(f"GET {route.path}")}
    page: Callable[[Request], Awaitable[Response]] = route.endpoint

    @wraps(page)
    async def handle(request: Request) -> Response:
        action = actions.get(request.method)
        try:
            if action is None:
                return await page(request)
            return await _recorded(page, request, action, route.path)
        except ForbiddenError:
            _deny(request, AuditAction.PAGE_DENIED, route.path)
            raise
        except ForgeryError:
            _deny(request, AuditAction.FORGED_FORM, route.path)
            raise

    return Route(route.path, handle, methods=sorted(methods), name=route.name)


async def _recorded(
    page: Callable[[Request], Awaitable[Response]],
    request: Request,
    action: AuditAction,
    path: str,
) -> Response:
    site = site_of(request)
    draft = AuditDraft(
        action, origin_of(request), lambda: actor_of(request), target_of(path, request.path_params)
    )
    try:
        with recording(draft):
            response = await page(request)
    except (ForbiddenError, ForgeryError):
        raise
    except (NotFoundError, UnreadableError, HTTPException):
        _count(request, draft, AuditOutcome.REFUSED)
        raise
    except Exception:
        _count(request, draft, AuditOutcome.FAILED)
        raise
    if draft.refused or response.status_code >= 400:
        _count(request, draft, AuditOutcome.REFUSED)
        return response
    reads = request.method in READING or draft.action is AuditAction.EXPORTED
    done = (response.status_code < 300) is reads
    if not draft.written and done and _known(draft):
        async with site.pool.acquire() as connection:
            await audit.write(connection, [draft.entry(AuditOutcome.DONE)])
    return response


def actor_of(request: Request) -> Actor:
    """Who the request comes from; the admin, where they see the site as a member."""
    user: User | None = getattr(request.state, "user", None)
    if user is None:
        return VISITOR
    owner: int = request.state.session.owner
    return Actor(AuditActor.USER, owner, user.id if user.id != owner else None)


def _known(draft: AuditDraft) -> bool:
    """Whether it is known who did it: what strangers try is recorded as a failed sign-in only."""
    kind = draft.entry(AuditOutcome.DONE).actor.kind
    return kind is not AuditActor.VISITOR or draft.action is AuditAction.SIGN_IN_FAILED


def _count(request: Request, draft: AuditDraft, outcome: AuditOutcome) -> None:
    if _known(draft):
        site_of(request).audit.count(draft.entry(outcome))


def _deny(request: Request, action: AuditAction, path: str) -> None:
    site_of(request).audit.count(
        AuditEntry(
            action,
            AuditOutcome.REFUSED,
            actor_of(request),
            origin_of(request),
            AuditTarget("page", f"{request.method} {path}"),
        )
    )
