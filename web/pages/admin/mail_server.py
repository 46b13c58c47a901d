"""The mail server: enter one, send a test email, remove it. Only owners change it, because the
links that let owners in go through it."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.addresses import host_name
from latchkey.languages import A_, _
from latchkey.mail import server as servers
from latchkey.mail.render import trial
from latchkey.mail.server import MailServer
from latchkey.rules.first_steps import FirstStep
from latchkey.rules.vocabulary import MailSecurity
from latchkey.store import mail_server, site_identity, site_settings
from latchkey.store.feed import mails
from latchkey.store.mail_server import StoredMailServer
from latchkey.vault import Purpose, VaultError
from web.inputs import Email, Input, Line
from web.pages.admin import first_steps
from web.pages.errors import errors_of
from web.pages.guard import (
    OwnersOnlyError,
    admin_page,
    form,
    fresh_page,
    mail_by_hand,
    redirect,
    text,
)
from web.pages.render import page
from web.site import site_of
from web.wording.labels import upfirst

HERE = "/admin/mails/server"
TEST_SECONDS = 10.0
SECURITY = {
    MailSecurity.STARTTLS: A_("STARTTLS, usually port 587"),
    MailSecurity.TLS: A_("TLS from the start, usually port 465"),
    MailSecurity.OPPORTUNISTIC: A_("STARTTLS if the server offers it, else unencrypted"),
}
COPY = A_("This site is a copy, so it sends no email. Adopt it first (latchkey adopt).")


def _host(value: str) -> str:
    plain = host_name(value)
    if plain is None:
        raise ValueError(A_("must be a host name, such as smtp.example.com"))
    return plain


class ServerForm(Input):
    """What the form sends."""

    host: Annotated[str, Field(max_length=253), AfterValidator(_host)]
    port: int = Field(ge=1, le=65535)
    security: MailSecurity
    username: Annotated[Line, Field(max_length=320)] | None
    password: Annotated[Line, Field(max_length=500)] | None
    to: Email


class TrialForm(Input):
    """Where a test email goes."""

    to: Email


def routes() -> list[Route]:
    return [
        Route(HERE, show, methods=["GET", "POST"]),
        Route(f"{HERE}/test", test, methods=["POST"]),
        Route(f"{HERE}/remove", remove, methods=["POST"]),
    ]


@admin_page
@fresh_page(back=HERE)
async def show(request: Request) -> Response:
    """The mail server; posting tests another one, and saves it if it takes the test email."""
    if request.method == "GET":
        return await _page(request)
    fields = await form(request)
    _owners_only(request)
    site = site_of(request)
    if site.settings.smtp_url is not None:
        return await _page(
            request, problem=_("The mail server is set by SMTP_URL. Change it there.")
        )
    try:
        wanted = ServerForm.model_validate(
            {name: text(fields, name) or None for name in ServerForm.model_fields}
        )
    except ValidationError as error:
        return await _page(request, errors=errors_of(error))
    async with site.pool.acquire() as connection:
        stored = await mail_server.read(connection)
    kept = _kept_password(wanted, stored)
    sealed = (
        site.keyring.vault.seal(wanted.password, Purpose.SMTP_PASSWORD) if wanted.password else kept
    )
    if wanted.username and sealed is None:
        return await _page(request, errors={"password": _("Enter the password for this account.")})
    entered = StoredMailServer(
        wanted.host,
        wanted.port,
        wanted.security,
        wanted.username,
        sealed if wanted.username else None,
    )
    target = servers.of_stored(entered, site.keyring.vault)
    if problem := await _try(request, target, wanted.to):
        return await _page(request, problem=_("Nothing was saved. %(problem)s", problem=problem))
    async with site.pool.acquire() as connection, connection.transaction():
        await mail_server.save(connection, entered)
        await mail_server.note_test(connection, target.name)
    return redirect(f"{HERE}?done=mail-server-saved")


@admin_page
@fresh_page(back=HERE)
async def test(request: Request) -> Response:
    """Send a test email through the server that is set."""
    fields = await form(request)
    _owners_only(request)
    try:
        to = TrialForm.model_validate({"to": text(fields, "to") or None}).to
    except ValidationError as error:
        return await _page(request, errors=errors_of(error))
    site = site_of(request)
    try:
        async with site.pool.acquire() as connection:
            target = await servers.current(connection, site.settings)
    except VaultError as error:
        return await _page(request, problem=f"{upfirst(str(error))}.")
    if target is None:
        return await _page(request, problem=_("No mail server is set."))
    if problem := await _try(request, target, to):
        return await _page(request, problem=problem)
    async with site.pool.acquire() as connection, connection.transaction():
        await mail_server.note_test(connection, target.name)
    return redirect(f"{HERE}?done=mail-tested")


@admin_page
@fresh_page(back=HERE)
async def remove(request: Request) -> Response:
    await form(request)
    _owners_only(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await mail_server.remove(connection)
    return redirect(f"{HERE}?done=mail-server-removed")


def _owners_only(request: Request) -> None:
    if request.state.user.role != "owner":
        raise OwnersOnlyError


def _kept_password(wanted: ServerForm, stored: StoredMailServer | None) -> bytes | None:
    """The sealed password that is stored, where the same account of the same server is meant:
    another server mustn't learn it."""
    if stored is None:
        return None
    same = (stored.host, stored.port, stored.username) == (
        wanted.host,
        wanted.port,
        wanted.username,
    )
    return stored.password_encrypted if same and stored.security == wanted.security else None


async def _try(request: Request, target: MailServer, to: str) -> str | None:
    """Send a test email; what went wrong, None if the server accepted it."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        if not (await site_identity.read(connection, site.public_url)).sends_email:
            return COPY
        look = await site_settings.read(connection)
    await mail_by_hand(request)
    made = trial(to, sender=site.settings.mail_from, public_url=site.public_url, site=look)
    try:
        await servers.deliver(target, made, timeout=TEST_SECONDS)
    except servers.FAILURES as error:
        return servers.explained(error, target)
    return None


async def _page(
    request: Request, *, problem: str | None = None, errors: dict[str, str] | None = None
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        stored = await mail_server.read(connection)
        tested = await mail_server.last_test(connection)
        waiting = (await mails.counts(connection)).get("queued", 0)
        progress = await first_steps.progress(request, connection, FirstStep.MAIL)
    fixed = servers.of_settings(site.settings)
    target = fixed or (
        stored and MailServer(stored.host, stored.port, stored.security, stored.username)
    )
    return page(
        request,
        "admin/mail_server.html",
        422 if problem or errors else 200,
        first_steps=progress,
        server=target,
        fixed=fixed is not None,
        stored=stored,
        tested=tested.at if tested and target and tested.server == target.name else None,
        waiting=waiting,
        security=SECURITY,
        problem=problem,
        errors=errors or {},
    )
