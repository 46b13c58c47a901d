"""Signing in and out: password, emailed link, recovery. No answer tells if an address exists."""

from datetime import timedelta
from secrets import token_urlsafe
from typing import Literal
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import passkeys, passwords, signin_links
from latchkey.addresses import email_key, masked
from latchkey.languages import N_, Language, _
from latchkey.rules.vocabulary import AuditAction
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.users import account, factors, sessions, signin, users
from web import known_browsers
from web.brakes import Brake
from web.language import asked_for
from web.pages.guard import (
    NotYoursError,
    form,
    redirect,
    signed_in_page,
    text,
    visitor_page,
)
from web.pages.leaving import onward
from web.pages.member import authorize, entering, returning
from web.pages.render import page
from web.security import SESSION_COOKIE, forget_cookie, read_cookie, session_token, set_cookie
from web.site import Site, site_of
from web.visitors import address_of, network_of

QUARTER, HOUR = 900, 3600
WRONG_BY_PAIR, WRONG_BY_ADDRESS = 10, 50
USED = N_("This link has already been used. Ask for a new one below.")
CHANGED = N_(
    "This link no longer works, because the account has changed since it was sent. Ask for a new"
    " one below."
)
_EXPIRED: dict[signin_links.Kind, str] = {
    "sign_in": N_("This link is older than 10 minutes. Ask for a new one below."),
    "access": N_("This link is older than 48 hours. Ask for a new one below."),
    "owner": N_("This link is older than 15 minutes. Ask for a new one below."),
}
LONGEST_TARGET = 1000
HALFWAY_COOKIE = "latchkey_halfway"
LINKS_BY_ADDRESS = 5
MAILED = Brake(free=40, step=2, longest=600, most=0)
"""When the links that a network asks for within an hour are sent: everybody in it gets theirs."""

TOO_MANY = N_("Too many attempts for this address. Wait 15 minutes, or use a sign-in link.")
CROWDED = N_(
    "Many passwords are being tried from your network at the moment. Wait a few seconds and try"
    " again, or use a sign-in link."
)
LINKS_SENT = N_(
    "Several links have been asked for with this address within the last hour. Use the newest one"
    " in your inbox or your spam folder, or wait an hour and ask for another."
)

OTHER_PASSWORD = N_("This isn't the password of this account.")


def routes() -> list[Route]:
    return [
        Route("/login", sign_in, methods=["GET", "POST"]),
        Route("/login/again", sign_in_again, methods=["GET", "POST"]),
        Route("/login/link", send_link, methods=["POST"]),
        Route("/login/recover", recover, methods=["GET", "POST"]),
        Route("/login/{token}", use_link, methods=["GET", "POST"]),
        Route("/logout", sign_out, methods=["POST"]),
    ]


@visitor_page
async def sign_in(request: Request) -> Response:
    """The sign-in page; posting a password signs in."""
    target = safe_target(request.query_params.get("next"))
    if request.method == "GET":
        if request.state.user is not None:
            return redirect(target or "/")
        hint = request.query_params.get("login_hint", "")[:254]
        return _form(request, target=target, email=hint, offer=await _offer(request, target))
    fields = await form(request)
    email, password = text(fields, "email")[:254], str(fields.get("password") or "")
    target = safe_target(text(fields, "next"))
    async with site_of(request).pool.acquire() as connection:
        user = await users.by_email(connection, email)
    try:
        await check_password(request, user, email, password)
    except WrongPasswordError as wrong:
        offer = await _offer(request, target)
        return _form(request, wrong.status, target=target, wrong=wrong, email=email, offer=offer)
    assert user is not None, "nobody's password is never right"
    return await begin(request, user, target)


@signed_in_page
async def sign_in_again(request: Request) -> Response:
    """Asks somebody who is signed in to sign in again before a change that matters: by password or
    emailed link, or with a second factor if they have one."""
    user = request.state.user
    target, status = safe_target(request.query_params.get("next")), 200
    errors: dict[str, str] = {}
    if request.method == "POST":
        fields = await form(request)
        if user.acted_by:
            raise NotYoursError
        target = safe_target(text(fields, "next"))
        try:
            await check_password(request, user, user.email, str(fields.get("password") or ""))
        except WrongPasswordError as wrong:
            status, errors = wrong.status, wrong.beside_password(_(OTHER_PASSWORD))
        else:
            return await begin(request, user, target)
    async with site_of(request).pool.acquire() as connection:
        owned = await factors.of_user(connection, user.id)
        asks = await factors.asked_of(connection, user)
    return page(
        request,
        "member/signin_again.html",
        status,
        next=target,
        errors=errors,
        has_password=user.password_hash is not None,
        factors=owned,
        asks_factor=asks,
    )


class WrongPasswordError(Exception):
    """The password isn't this user's, or there were too many attempts. `say` is for the visitor,
    `status` for the response."""

    def __init__(self, status: int, say: str) -> None:
        super().__init__(say)
        self.status, self.say = status, say

    def beside_password(self, wrong: str) -> dict[str, str]:
        """The error to show beside the field: `wrong`, unless there were too many attempts."""
        return {"password": self.say if self.status == 429 else wrong}


class AccountChangedError(Exception):
    """The user's address, password or role changed while they were signing in."""


async def check_password(
    request: Request, user: users.User | None, email: str, password: str
) -> None:
    """Check a user's password, counting wrong ones. `email` is the address that was given. Raises
    `WrongPasswordError`, after the same time for an unknown user."""
    site, network, address = site_of(request), network_of(request), email_key(email)
    audit_draft.note(target=("user", user.id) if user else None)
    by_network = f"password host {network}"
    if browser := known_browsers.name_of(request, email):
        by_account = {f"password browser {browser}": WRONG_BY_PAIR}
    else:
        by_account = {
            f"password {network} {address}": WRONG_BY_PAIR,
            f"password address {address}": WRONG_BY_ADDRESS,
        }
    async with site.pool.acquire() as connection:
        allowed = [
            await signin.try_once(connection, name, most=most, seconds=QUARTER)
            for name, most in by_account.items()
        ]
        tries = await signin.count_try(connection, by_network, seconds=QUARTER)
    if not all(allowed):
        audit_draft.note(action=AuditAction.SIGN_IN_FAILED, after={"reason": "too many attempts"})
        raise WrongPasswordError(429, _(TOO_MANY))
    if not await site.sign_ins.wait(network, tries):
        audit_draft.note(action=AuditAction.SIGN_IN_FAILED, after={"reason": "too many attempts"})
        raise WrongPasswordError(429, _(CROWDED))
    right = await passwords.matches(user.password_hash if user else None, password)
    if not right:
        audit_draft.note(action=AuditAction.SIGN_IN_FAILED, after={"reason": "wrong password"})
        raise WrongPasswordError(401, _("Wrong email address or password."))
    async with site.pool.acquire() as connection:
        for name in (*by_account, by_network):
            await signin.forgive(connection, name)


@visitor_page
async def send_link(request: Request) -> Response:
    """Send a sign-in link to a known address; the response is the same for an unknown one."""
    fields = await form(request)
    target, email = safe_target(text(fields, "next")), text(fields, "email")[:254]
    delay = await _allowed_link(request, email)
    if delay is None:
        return _form(request, 429, target=target, error=_(LINKS_SENT), email=email)
    asked_on = "/login" if request.state.user is None else "/login/again"
    response = redirect(f"{asked_on}?done=link-sent&next={quote(target or '/')}")
    response.background = _mailing(request, email, "sign_in", target, delay)
    return response


@visitor_page
async def recover(request: Request) -> Response:
    """Send a link for a new password; the response is the same for an unknown address."""
    if request.method == "GET":
        return page(request, "member/signin_recover.html", error=None)
    email = text(await form(request), "email")[:254]
    delay = await _allowed_link(request, email)
    if delay is None:
        return page(request, "member/signin_recover.html", 429, error=_(LINKS_SENT))
    response = redirect("/login?done=recovery-sent")
    response.background = _mailing(request, email, "recovery", "/account/settings#password", delay)
    return response


async def _allowed_link(request: Request, email: str) -> timedelta | None:
    """How long the link that somebody asks for has to wait; None if too many were sent to the
    address. Known and unknown addresses are counted alike."""
    browser = known_browsers.name_of(request, email)
    who = f"mail browser {browser}" if browser else f"mail {email_key(email)}"
    async with site_of(request).pool.acquire() as connection:
        if not await signin.try_once(connection, who, most=LINKS_BY_ADDRESS, seconds=HOUR):
            return None
        asked = await signin.count_try(connection, f"mail host {network_of(request)}", seconds=HOUR)
    return timedelta(seconds=MAILED.pause(asked))


def _mailing(
    request: Request, email: str, kind: str, target: str | None, delay: timedelta
) -> BackgroundTask:
    """Looks the address up after the response, so that its timing gives nothing away."""
    return BackgroundTask(_mail, site_of(request), email, kind, target, delay, asked_for(request))


async def _mail(
    site: Site,
    email: str,
    kind: str,
    target: str | None,
    delay: timedelta,
    language: Language | None,
) -> None:
    async with site.pool.acquire() as connection:
        user = await users.by_email(connection, email)
        if user:
            await signin.mail_link(
                connection, user.id, kind=kind, next_path=target, delay=delay, language=language
            )


@visitor_page
async def use_link(request: Request) -> Response:
    """A link from an email. Opening it asks for a click, because mail scanners open links too.

    Somebody who is signed in already, and follows a link that no longer works, is led on. Whoever
    bought on the way to another site, without an account, goes on there by the email's link.
    """
    site, current = site_of(request), request.state.user
    token = request.path_params["token"]
    target = safe_target(request.query_params.get("next"))
    try:
        link = signin_links.read(token, secrets=site.secrets)
    except signin_links.LinkRefusedError as refused:
        _note_refused_link()
        return _form(request, 400, target=target, error=str(refused))
    fields = await form(request) if request.method == "POST" else None
    if fields is not None and link.kind == "access" and (waiting := await returning.place(request)):
        target = waiting[0]
    try:
        async with site.pool.acquire() as connection:
            user = await _opened_by(connection, link)
        password = str(fields.get("password") or "") if fields else ""
        asks = link.stale and user.password_hash is not None
        if fields is not None and not asks:
            return await begin(request, user, target, via="link", link=link)
        if fields is not None:
            await check_password(request, user, user.email, password)
            return await begin(request, user, target, link=link)
        status, errors = 200, {}
    except WrongPasswordError as wrong:
        status, errors = wrong.status, wrong.beside_password(_(OTHER_PASSWORD))
    except (signin_links.LinkRefusedError, AccountChangedError) as refused:
        _note_refused_link(link.user_id)
        if current is not None and current.acted_by is None and current.id == link.user_id:
            return onward(request, target or "/")
        return _form(request, 400, target=target, error=str(refused))
    return page(
        request,
        "member/signin_link.html",
        status,
        next=target,
        whose=masked(user.email),
        asks_password=asks,
        errors=errors,
        same=current is not None and current.id == user.id,
    )


def _note_refused_link(user_id: int | None = None) -> None:
    audit_draft.note(
        action=AuditAction.SIGN_IN_FAILED,
        target=("user", user_id) if user_id else None,
        after={"reason": "link not accepted"},
    )
    audit_draft.refuse()


async def _opened_by(connection: Connection, link: signin_links.SignIn) -> users.User:
    """The user that a link signs in. Raises `LinkRefusedError` if it has expired, was used, or was
    sent before the account's address, password or role changed."""
    user = await users.by_id(connection, link.user_id)
    if user is not None and await signin.link_used(connection, link.nonce):
        raise signin_links.LinkRefusedError(_(USED))
    if user is None or user.id != link.user_id or user.link_epoch != link.epoch:
        raise signin_links.LinkRefusedError(_(CHANGED))
    if link.expired:
        raise signin_links.LinkRefusedError(_(_EXPIRED[link.kind]))
    return user


async def sign_out(request: Request) -> Response:
    await form(request)
    token = session_token(request)
    if token:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await sessions.end(connection, token)
    response = redirect("/login?done=signed-out")
    forget_cookie(request, response, SESSION_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def safe_target(path: str | None) -> str | None:
    """A path on this site to continue to, or None: never another site, and nothing too long for the
    link of an email."""
    if (
        not path
        or len(path) > LONGEST_TARGET
        or not path.startswith("/")
        or path.startswith(("//", "/\\"))
    ):
        return None
    return path if all(ord(character) > 32 for character in path) else None


async def begin(
    request: Request,
    user: users.User,
    target: str | None,
    *,
    via: Literal["password", "link"] = "password",
    link: signin_links.SignIn | None = None,
) -> Response:
    """Sign in a user who has given a password or followed `link`, which is used up, or ask for
    their second factor first.

    Raises `AccountChangedError`, and `LinkRefusedError` if somebody else was faster.
    """
    site, nonce = site_of(request), link.nonce if link else None
    async with site.pool.acquire() as connection, connection.transaction():
        asks = await factors.asked_of(connection, user)
        if asks:
            audit_draft.note(
                action=AuditAction.SECOND_FACTOR_ASKED, actor=user.id, target=("user", user.id)
            )
            await _prove(connection, user, nonce)
    if not asks:
        return await start_session(request, user, target, via=via, nonce=nonce)
    halfway = signin_links.Halfway(user.id, user.link_epoch, via, f"halfway:{token_urlsafe(12)}")
    ticket = signin_links.sign_halfway(halfway, secrets=site.secrets)
    response = redirect(f"/login/code?next={quote(target or '/')}")
    set_cookie(request, response, HALFWAY_COOKIE, ticket, max_age=signin_links.HALFWAY_SECONDS)
    return response


async def _prove(connection: Connection, user: users.User, nonce: str | None) -> None:
    """Hold the user as they were when they proved who they are, and use up the link or ticket that
    did. Raises `AccountChangedError` and `LinkRefusedError`."""
    if not await users.lock_unchanged(connection, user):
        raise AccountChangedError(_(CHANGED))
    if nonce is not None and not await signin.use_link(connection, nonce):
        raise signin_links.LinkRefusedError(_(USED))


async def start_session(
    request: Request,
    user: users.User,
    target: str | None,
    *,
    via: str,
    second_factor: str | None = None,
    nonce: str | None = None,
) -> Response:
    """Sign in a user who has proved enough, and redirect them. Renews the session that the browser
    has if it is the user's, and otherwise ends it; either way its token changes. Uses up the link
    or ticket with this `nonce` in the same transaction.

    Raises `AccountChangedError`, and `LinkRefusedError` if somebody else was faster.
    """
    site, old = site_of(request), session_token(request)
    audit_draft.note(
        actor=user.id,
        target=("user", user.id),
        after={"via": via} | ({"second_factor": second_factor} if second_factor else {}),
    )
    rules, asked = site.session_rules, asked_for(request)
    sign_in = sessions.NewSignIn(
        via, second_factor, address_of(request), request.headers.get("user-agent")
    )
    async with site.pool.acquire() as connection, connection.transaction():
        await _prove(connection, user, nonce)
        token = None
        if old:
            token = await sessions.renew(connection, old, user, rules=rules, sign_in=sign_in)
        if token is None:
            if old:
                await sessions.end(connection, old)
            token = await signin.begin(connection, user, rules=rules, sign_in=sign_in)
        if user.locale is None and asked is not None:
            await account.choose_language(connection, user.id, asked.code)
    home = "/admin" if user.is_staff else "/library"
    response = onward(request, target if target and target != "/" else home)
    life = int(rules.life(user).total_seconds())
    set_cookie(request, response, SESSION_COOKIE, token, max_age=life)
    known_browsers.remember(request, response, user.email)
    if read_cookie(request, HALFWAY_COOKIE):
        forget_cookie(request, response, HALFWAY_COOKIE)
    return response


async def _offer(request: Request, target: str | None) -> str | None:
    """Where somebody without an account gets access to what they wanted to open."""
    return await entering.offered(request, target) or await authorize.offered(request, target)


def _form(
    request: Request,
    status: int = 200,
    *,
    target: str | None,
    error: str | None = None,
    wrong: WrongPasswordError | None = None,
    email: str = "",
    offer: str | None = None,
) -> Response:
    return page(
        request,
        "member/signin.html",
        status,
        next=target,
        error=error,
        errors=wrong.beside_password(wrong.say) if wrong else {},
        email=email,
        offer=offer,
        passkeys=passkeys.relying_party(site_of(request).public_url) is not None,
    )
