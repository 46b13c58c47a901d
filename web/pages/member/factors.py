"""A user's own second factors: authenticator app, recovery codes, passkeys."""

import time
from typing import Annotated

import structlog
from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import passkeys, recovery_codes, totp
from latchkey.languages import N_, _
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.users import factors, sessions, signin
from latchkey.store.users import passkeys as stored
from latchkey.vault import Purpose, VaultError
from web.inputs import Name
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import form, fresh_page, redirect, session_of, signed_in_page, text
from web.pages.member import passkey_challenges
from web.pages.render import page
from web.site import site_of

HERE = "/account/security"
SETUP_SECONDS = 3600
CODES_BY_QUARTER = 20
NO_NAME = N_("Give the passkey a name of up to 60 characters.")
GONE = N_("This passkey doesn't exist. It may have been removed already.")
_NAME: TypeAdapter[str] = TypeAdapter(Annotated[Name, Field(max_length=60)])

log = structlog.get_logger("signin")


def routes() -> list[Route]:
    return [
        Route(HERE, show),
        Route(f"{HERE}/app", set_up_app, methods=["POST"]),
        Route(f"{HERE}/app/remove", remove_app, methods=["POST"]),
        Route(f"{HERE}/codes", renew_codes, methods=["POST"]),
        Route(f"{HERE}/passkeys", add_passkey, methods=["POST"]),
        Route(f"{HERE}/passkeys/options", options, methods=["POST"]),
        Route(f"{HERE}/passkeys/{{id}}/rename", rename_passkey, methods=["POST"]),
        Route(f"{HERE}/passkeys/{{id}}/remove", remove_passkey, methods=["POST"]),
    ]


@signed_in_page
async def show(request: Request) -> Response:
    return await _page(request)


@signed_in_page
@fresh_page(back=HERE)
async def set_up_app(request: Request) -> Response:
    """Shows a new secret as a QR code; a code of it, posted with it, confirms it. Until then the
    secret is only in the form, sealed."""
    fields, site, user = await form(request), site_of(request), request.state.user
    if not text(fields, "setup"):
        return _set_up(request, totp.new_secret())
    try:
        setup = site.keyring.vault.open(text(fields, "setup").encode(), Purpose.APP_SETUP)
        whose, made, secret = setup.split(" ")
    except (VaultError, ValueError):
        whose, made, secret = "", "0", ""
    if whose != str(user.id) or int(made) < time.time() - SETUP_SECONDS:
        return _set_up(
            request, totp.new_secret(), _("That took too long. Please scan the new code.")
        )
    async with site.pool.acquire() as connection:
        allowed = await signin.try_once(
            connection, f"app set-up {user.id}", most=CODES_BY_QUARTER, seconds=900
        )
    step = totp.step_of(secret, text(fields, "code")) if allowed else None
    if step is None:
        wrong = _("This code isn't right. Enter the newest one, and check your phone's clock.")
        busy = _("Too many attempts. Wait 15 minutes, then try again.")
        return _set_up(request, secret, wrong if allowed else busy, 422 if allowed else 429)
    async with site.pool.acquire() as connection, connection.transaction():
        sealed = site.keyring.vault.seal(secret, Purpose.APP_SECRET)
        await factors.set_app(connection, user.id, sealed, step=step)
        await _changed(request, connection, "app")
        if (await factors.of_user(connection, user.id)).codes:
            return redirect(f"{HERE}?done=app-added")
        return await _new_codes(request, connection, renewed=False)


@signed_in_page
@fresh_page(back=HERE)
async def remove_app(request: Request) -> Response:
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await factors.remove_app(
                connection, request.state.user.id, keep_one=_must_keep_one(request)
            )
            await _changed(request, connection)
    except factors.LastFactorError:
        return await _page(request, _last())
    return redirect(f"{HERE}?done=factor-removed")


@signed_in_page
@fresh_page(back=HERE)
async def renew_codes(request: Request) -> Response:
    """Shows ten new recovery codes, once; earlier ones no longer work."""
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if not (await factors.of_user(connection, request.state.user.id)).any:
            raise NotFoundError(_("Set up an authenticator app or a passkey first."))
        await _changed(request, connection)
        return await _new_codes(request, connection, renewed=True)


@signed_in_page
@fresh_page(back=HERE)
async def options(request: Request) -> Response:
    """What the browser is asked to create a passkey, as JSON."""
    site, user = site_of(request), request.state.user
    party = passkeys.relying_party(site.public_url)
    if party is None:
        raise NotFoundError(_("This site's address doesn't allow passkeys."))
    async with site.pool.acquire() as connection:
        question = passkeys.ask_to_create(
            party,
            site_name=site.look.name,
            user_id=user.id,
            email=user.email,
            known=await stored.credentials(connection, user.id),
        )
        return await passkey_challenges.ask(request, connection, question, user_id=user.id)


@signed_in_page
@fresh_page(back=HERE)
async def add_passkey(request: Request) -> Response:
    """Add the passkey that the browser has created."""
    fields, user = await form(request), request.state.user
    name = _name(text(fields, "name"))
    if name is None:
        return await _page(request, errors={"name": _(NO_NAME)})
    try:
        async with site_of(request).pool.acquire() as connection:
            made = await _created(request, connection, text(fields, "credential"))
            async with connection.transaction():
                await stored.add(
                    connection,
                    user.id,
                    name=name,
                    credential_id=made.credential_id,
                    public_key=made.public_key,
                    sign_count=made.sign_count,
                )
                await _changed(request, connection, "passkey")
    except passkeys.PasskeyRefusedError as refused:
        log.warning("new passkey refused", reason=str(refused), user=user.id)
        return await _page(request, _("The passkey wasn't accepted. Please try again."))
    except stored.PasskeyNotAddedError as refused:
        return await _page(request, str(refused))
    return redirect(f"{HERE}?done=passkey-added")


@signed_in_page
@fresh_page(back=HERE)
async def rename_passkey(request: Request) -> Response:
    """Give a passkey another name."""
    passkey_id = number(request.path_params["id"])
    field = f"name-{passkey_id}"
    name = _name(text(await form(request), field))
    if name is None:
        return await _page(request, errors={field: _(NO_NAME)})
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        renamed = passkey_id and await stored.rename(
            connection, request.state.user.id, passkey_id, name
        )
    if not renamed:
        raise NotFoundError(_(GONE))
    return redirect(f"{HERE}?done=saved")


@signed_in_page
@fresh_page(back=HERE)
async def remove_passkey(request: Request) -> Response:
    passkey_id = number(request.path_params["id"])
    try:
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            removed = passkey_id and await stored.remove(
                connection,
                request.state.user.id,
                passkey_id,
                keep_one=_must_keep_one(request),
            )
            await _changed(request, connection)
    except factors.LastFactorError:
        return await _page(request, _last())
    if not removed:
        raise NotFoundError(_(GONE))
    return redirect(f"{HERE}?done=factor-removed")


def _name(typed: str) -> str | None:
    """The name of a passkey; None if it can't be one."""
    try:
        return _NAME.validate_python(typed)
    except ValidationError:
        return None


async def _created(request: Request, connection: Connection, answer: str) -> passkeys.NewPasskey:
    """The passkey in a browser's answer. Raises `PasskeyRefusedError`."""
    party, challenge = await passkey_challenges.take(
        request, connection, answer, user_id=request.state.user.id
    )
    return passkeys.check_created(answer, party, challenge)


async def _changed(request: Request, connection: Connection, shown: str | None = None) -> None:
    """End the user's other sessions; `shown` is the factor that this one has just set up."""
    session = session_of(request)
    await sessions.end_all(connection, request.state.user.id, besides=session.id)
    if shown is not None:
        audit_draft.note(after={"factor": shown})
        await sessions.add_factor(connection, session.id, shown)


async def _new_codes(request: Request, connection: Connection, *, renewed: bool) -> Response:
    codes = recovery_codes.new_codes()
    hashes = [recovery_codes.hash_of(code) for code in codes]
    await factors.set_codes(connection, request.state.user.id, hashes, renewed=renewed)
    return page(request, "member/recovery_codes.html", codes=codes, renewed=renewed)


def _set_up(request: Request, secret: str, error: str | None = None, status: int = 422) -> Response:
    site, user = site_of(request), request.state.user
    address = totp.address(secret, account=user.email, site=site.look.name)
    setup = site.keyring.vault.seal(f"{user.id} {int(time.time())} {secret}", Purpose.APP_SETUP)
    return page(
        request,
        "member/authenticator_app.html",
        status if error else 200,
        errors={"code": error} if error else {},
        secret=" ".join(secret[place : place + 4] for place in range(0, len(secret), 4)),
        qr_code=totp.qr_code(address),
        setup=setup.decode(),
    )


def _must_keep_one(request: Request) -> bool:
    return site_of(request).look.requires_factor(staff=request.state.user.is_staff)


def _last() -> str:
    return _(
        "This site requires a second factor, and this is your last one. Add another first, then"
        " remove this one."
    )


async def _page(
    request: Request, error: str | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    site, user = site_of(request), request.state.user
    async with site.pool.acquire() as connection:
        owned = await factors.of_user(connection, user.id)
        rows = await stored.of_user(connection, user.id)
    return page(
        request,
        "member/factors.html",
        422 if error or errors else 200,
        error=error,
        errors=errors or {},
        factors=owned,
        passkeys=rows,
        required=_must_keep_one(request),
        available=passkeys.relying_party(site.public_url) is not None,
        public_url=site.public_url,
    )
