"""Signing in with a second factor after a password or link, or with a passkey alone."""

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import passkeys, recovery_codes, signin_links, totp
from latchkey.addresses import masked
from latchkey.languages import N_, _
from latchkey.rules.vocabulary import AuditAction
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.users import factors, signin, users
from latchkey.store.users import passkeys as stored
from latchkey.store.users.users import User
from latchkey.vault import Purpose, VaultError
from web.pages.guard import (
    NotYoursError,
    form,
    text,
    visitor_page,
)
from web.pages.member import passkey_challenges
from web.pages.member.signin import (
    HALFWAY_COOKIE,
    AccountChangedError,
    safe_target,
    start_session,
)
from web.pages.render import page
from web.security import read_cookie
from web.site import site_of
from web.visitors import address_of, network_of

QUARTER, DAY = 900, 86_400
CODES_BY_QUARTER, CODES_BY_DAY = 10, 50
NOT_ACCEPTED = N_("This passkey wasn't accepted. Please try again, or sign in another way.")

log = structlog.get_logger("signin")


def routes() -> list[Route]:
    return [
        Route("/login/code", code, methods=["GET", "POST"]),
        Route("/login/passkey", with_passkey, methods=["POST"]),
        Route("/login/passkey/options", options, methods=["POST"]),
    ]


@visitor_page
async def code(request: Request) -> Response:
    """Asks for a code after the password or link; and somebody who is signed in, to confirm that
    it's them."""
    fields = await form(request) if request.method == "POST" else None
    given = text(fields, "next") if fields else request.query_params.get("next")
    target = safe_target(given)
    try:
        user, halfway = await _who(request)
    except signin_links.LinkRefusedError as refused:
        return page(
            request,
            "message.html",
            400,
            heading=_("Please sign in again"),
            text=str(refused),
            back="/login",
        )
    status, error = 200, None
    if fields is not None:
        try:
            used = await check_code(request, user, text(fields, "code"), warn=halfway is not None)
            return await start_session(
                request,
                user,
                target,
                via=halfway.via if halfway else used,
                second_factor=used,
                nonce=halfway.nonce if halfway else None,
            )
        except WrongCodeError as wrong:
            status, error = wrong.status, str(wrong)
        except (signin_links.LinkRefusedError, AccountChangedError):
            status, error = 400, _("The account has changed since you began. Please sign in again.")
    async with site_of(request).pool.acquire() as connection:
        owned = await factors.of_user(connection, user.id)
    return page(
        request,
        "member/signin_code.html",
        status,
        next=target,
        error=error if status == 400 else None,
        errors={"code": error} if error and status != 400 else {},
        whose=masked(user.email),
        factors=owned,
    )


async def _who(request: Request) -> tuple[User, signin_links.Halfway | None]:
    """Whose code is asked for, and the ticket if they are half signed in. Raises
    `LinkRefusedError`."""
    site = site_of(request)
    ticket = read_cookie(request, HALFWAY_COOKIE)
    if ticket is None:
        if request.state.user is None:
            raise signin_links.LinkRefusedError(_("Start with your password or a link."))
        if request.state.user.acted_by:
            raise NotYoursError
        return request.state.user, None
    halfway = signin_links.read_halfway(ticket, secrets=site.secrets)
    async with site.pool.acquire() as connection:
        user = await users.by_id(connection, halfway.user_id)
        used = await signin.link_used(connection, halfway.nonce)
    if used or user is None or (user.id, user.link_epoch) != (halfway.user_id, halfway.epoch):
        raise signin_links.LinkRefusedError(_("The account has changed since you began."))
    return user, halfway


class WrongCodeError(Exception):
    """The code isn't right, or there were too many attempts. `status` is for the response."""

    def __init__(self, status: int, say: str) -> None:
        super().__init__(say)
        self.status = status


async def check_code(request: Request, user: User, given: str, *, warn: bool) -> str:
    """Use a code of the user's app, or one of their recovery codes: `app` or `recovery_code`.
    Wrong ones are counted by account; `warn` emails the user, once a day, if there were too many.
    Raises `WrongCodeError`."""
    with audit_draft.aside():
        try:
            return await _checked(request, user, given, warn=warn)
        except WrongCodeError as wrong:
            reason = "too many attempts" if wrong.status == 429 else "wrong code"
            audit_draft.note(
                action=AuditAction.SIGN_IN_FAILED,
                target=("user", user.id),
                after={"reason": reason},
            )
            raise


async def _checked(request: Request, user: User, given: str, *, warn: bool) -> str:
    site = site_of(request)
    async with site.pool.acquire() as connection, connection.transaction():
        counted = [
            await signin.try_once(connection, f"code {user.id} {span}", most=most, seconds=span)
            for span, most in ((QUARTER, CODES_BY_QUARTER), (DAY, CODES_BY_DAY))
        ]
        if not all(counted) and warn:
            warned = f"code warning {user.id}"
            if await signin.try_once(connection, warned, most=1, seconds=DAY):
                await factors.note(connection, user.id, "codes_refused")
    if not all(counted):
        raise WrongCodeError(429, _("Too many attempts. Wait 15 minutes, then try again."))
    async with site.pool.acquire() as connection, connection.transaction():
        used = await _use(request, connection, user, given)
        if used is None:
            raise WrongCodeError(
                401,
                _(
                    "This code isn't right, or was used before. Wait for the next one in your app,"
                    " and check that your phone's clock is right."
                ),
            )
        for span in (QUARTER, DAY):
            await signin.forgive(connection, f"code {user.id} {span}")
    return used


async def _use(request: Request, connection: Connection, user: User, given: str) -> str | None:
    sealed = await factors.sealed_secret(connection, user.id)
    step = totp.step_of(_opened(request, sealed), given) if sealed else None
    if step is not None:
        return "app" if await factors.use_step(connection, user.id, step) else None
    hashed = recovery_codes.hash_of(given)
    if hashed is not None and await factors.use_code(connection, user.id, hashed):
        return "recovery_code"
    return None


def _opened(request: Request, sealed: bytes) -> str:
    """The secret of an app. Raises `WrongCodeError` if it was sealed under a lost
    LATCHKEY_SECRET."""
    try:
        return site_of(request).keyring.vault.open(sealed, Purpose.APP_SECRET)
    except VaultError as error:
        log.error("an authenticator app can't be used", error=str(error))
        raise WrongCodeError(
            500, _("This site can't check codes of your app any more. Use a recovery code.")
        ) from None


@visitor_page
async def options(request: Request) -> Response:
    """What the browser is asked when somebody signs in with a passkey, as JSON."""
    await form(request)
    site = site_of(request)
    party = passkeys.relying_party(site.public_url)
    if party is None:
        return Response(status_code=404)
    question = passkeys.ask_to_sign_in(party)
    network = network_of(request)
    async with site.pool.acquire() as connection:
        tries = await signin.count_try(connection, f"passkey host {network}", seconds=QUARTER)
    if not await site.sign_ins.wait(network, tries):
        return Response(status_code=429)
    async with site.pool.acquire() as connection:
        return await passkey_challenges.ask(request, connection, question, user_id=None)


@visitor_page
async def with_passkey(request: Request) -> Response:
    """Sign in with the passkey that the browser answered with: it counts as two factors."""
    fields = await form(request)
    if request.state.user is not None and request.state.user.acted_by:
        raise NotYoursError
    try:
        user = await _owner_of(request, text(fields, "credential"))
    except passkeys.PasskeyRefusedError as refused:
        log.warning("passkey refused", reason=str(refused), address=address_of(request))
        audit_draft.note(
            action=AuditAction.SIGN_IN_FAILED, after={"reason": "passkey not accepted"}
        )
        return page(
            request,
            "message.html",
            400,
            heading=_("You aren't signed in"),
            text=_(NOT_ACCEPTED),
            back="/login",
        )
    target = safe_target(text(fields, "next"))
    return await start_session(request, user, target, via="passkey", second_factor="passkey")


async def _owner_of(request: Request, answer: str) -> User:
    """Whose passkey signed the answer. Raises `PasskeyRefusedError`."""
    async with site_of(request).pool.acquire() as connection:
        party, challenge = await passkey_challenges.take(request, connection, answer, user_id=None)
        known = await stored.find(connection, passkeys.credential_in(answer))
        if known is None:
            raise passkeys.PasskeyRefusedError("nobody has this passkey")
        count = passkeys.check_sign_in(answer, party, challenge, public_key=known.public_key)
        if not await stored.use(connection, known.id, sign_count=count):
            raise passkeys.PasskeyRefusedError(
                f"passkey {known.id} of user {known.user_id} counted backwards: it may be a copy"
            )
        user = await users.by_id(connection, known.user_id)
    assert user is not None, "a passkey goes with its user"
    return user
