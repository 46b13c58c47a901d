"""Emails for admins: the outbox, one email, samples of each kind, and the settings."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.mail import server as servers
from latchkey.mail.letters import KINDS
from latchkey.mail.render import Rendered, render
from latchkey.store import mail_texts, site_settings
from latchkey.store.feed import mails
from latchkey.store.feed.mails import OutMail
from web.inputs import Email, Input
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, mail_by_hand, redirect, support_page, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.site import site_of

PAGE = 50
FRAMED = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: http: data:;"
    " connect-src 'self'; font-src 'self'; frame-src 'self'; base-uri 'none';"
    " frame-ancestors 'none'; object-src 'none'"
)
"""The content security policy of a page that shows an email in a frame."""

DAYS, MOST_DAYS, LAST_DAY = (0, 3, 7), 6, 60
"""When the emails of a series go out unless the site says otherwise, how many, and until when."""

PROVING = ("claim", "paid_address", "merge_request")
"""Emails whose link moves things between accounts."""


def _days(value: object) -> list[int]:
    days = [part.strip() for part in str(value or "").split(",")] if value else DAYS
    numbers = {int(day) for day in days if str(day).isascii() and str(day).isdigit()}
    if len(numbers) != len(days) or len(days) > MOST_DAYS or max(numbers) > LAST_DAY:
        raise ValueError(
            _(
                "Give up to %(most_days)s different days from 0 to %(last_day)s, with commas"
                " between them, such as 0, 3, 7.",
                most_days=MOST_DAYS,
                last_day=LAST_DAY,
            )
        )
    return sorted(numbers)


class SettingsForm(Input):
    """What the settings form sends."""

    sender_name: Annotated[str, Field(max_length=100)] | None
    mail_from: Email | None
    reply_to: Email | None
    login_mail: bool
    cancellation_mail: bool
    payment_mail: bool
    abandoned_mail: bool
    reminder_mail: bool
    reminder_days: Annotated[tuple[int, ...], BeforeValidator(_days)]
    card_mail: bool
    mails_per_minute: int = Field(ge=1, le=100_000)
    spread_per_hour: int = Field(ge=12, le=1_000_000)


def routes() -> list[Route]:
    return [
        Route("/admin/mails", outbox),
        Route("/admin/mails/settings", settings, methods=["GET", "POST"]),
        Route("/admin/mails/samples/{kind}", sample),
        Route("/admin/mails/samples/{kind}/html", sample_html),
        Route("/admin/mails/{id}", mail),
        Route("/admin/mails/{id}/html", mail_html),
        Route("/admin/mails/{id}/resend", resend, methods=["POST"]),
    ]


@admin_page
async def outbox(request: Request) -> Response:
    query = Query(request, ("state", "kind", "q", "user"))
    async with site_of(request).pool.acquire() as connection:
        rows = await mails.listed(
            connection,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
            state=query["state"] if query["state"] in mails.STATES else None,
            kind=query["kind"] if query["kind"] in KINDS else None,
            user_id=number(query["user"]),
            search=query["q"] or None,
        )
        counts = await mails.counts(connection)
        sends = await servers.is_set(connection, site_of(request).settings)
    return page(
        request,
        "admin/mails.html",
        rows=rows[:PAGE],
        more=rows[PAGE - 1].id if len(rows) > PAGE else None,
        query=query,
        kinds=KINDS,
        states=mails.STATES,
        counts=counts,
        smtp=sends,
    )


@admin_page
async def mail(request: Request) -> Response:
    """One email as it was or will be sent.

    Its sign-in link is shown only if no mail server is set, since nobody would get it otherwise,
    and never to somebody with a lower role than its recipient.
    """
    email = await _mail(request)
    site = site_of(request)
    rendered = await _rendered(request, email)
    async with site.pool.acquire() as connection:
        sends = await servers.is_set(connection, site.settings)
    open_link = _may_follow(request, email) and not sends
    response = page(
        request,
        "admin/mail.html",
        mail=email,
        kind=KINDS.get(email.kind, email.kind),
        subject=rendered.subject,
        text=rendered.text if open_link else _without_secrets(rendered, site.public_url),
        link=rendered.link if open_link else None,
        frame=f"/admin/mails/{email.id}/html",
    )
    response.headers["Content-Security-Policy"] = FRAMED
    return response


@admin_page
async def mail_html(request: Request) -> Response:
    return _letter(await _rendered(request, await _mail(request)))


@support_page
async def resend(request: Request) -> Response:
    await form(request)
    email = await _mail(request)
    await mail_by_hand(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await mails.resend(connection, email.id)
    return redirect(f"/admin/mails/{email.id}?done=resent")


@admin_page
async def sample(request: Request) -> Response:
    """An example of each kind of email, with the site's own data."""
    email = await _sample(request)
    rendered = await _rendered(request, email)
    response = page(
        request,
        "admin/mail_sample.html",
        kinds=KINDS,
        kind=email.kind,
        subject=rendered.subject,
        text=_without_secrets(rendered, site_of(request).public_url),
        frame=f"/admin/mails/samples/{email.kind}/html",
    )
    response.headers["Content-Security-Policy"] = FRAMED
    return response


@admin_page
async def sample_html(request: Request) -> Response:
    return _letter(await _rendered(request, await _sample(request)))


@admin_page
async def settings(request: Request) -> Response:
    """Sender, which emails are sent, sending limits."""
    pool = site_of(request).pool
    if request.method == "GET":
        async with pool.acquire() as connection:
            current = vars(await site_settings.read(connection))
        days = ", ".join(map(str, current["reminder_days"]))
        return await _settings(request, current | {"reminder_days": days}, {})
    fields = await form(request)
    switches = (
        "login_mail", "cancellation_mail", "payment_mail", "abandoned_mail", "reminder_mail",
        "card_mail",
    )  # fmt: skip
    values: dict[str, Any] = {
        name: text(fields, name) or None
        for name in SettingsForm.model_fields
        if name not in switches
    }
    values |= {name: text(fields, name) == "yes" for name in switches}
    try:
        wanted = SettingsForm.model_validate(values)
    except ValidationError as error:
        return await _settings(request, values, errors_of(error), 422)
    async with pool.acquire() as connection, connection.transaction():
        await site_settings.change(connection, **wanted.model_dump())
    return redirect("/admin/mails/settings?done=saved")


async def _settings(
    request: Request, values: dict[str, Any], errors: dict[str, str], status: int = 200
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        sends = await servers.is_set(connection, site.settings)
    return page(
        request,
        "admin/mail_settings.html",
        status,
        values=values,
        errors=errors,
        kinds=KINDS,
        default_from=site.settings.mail_from,
        smtp=sends,
    )


async def _mail(request: Request) -> OutMail:
    mail_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        email = await mails.find(connection, mail_id) if mail_id else None
    if email is None:
        raise NotFoundError(_("This email doesn't exist."))
    return email


async def _sample(request: Request) -> OutMail:
    kind = request.path_params["kind"]
    if kind not in KINDS:
        raise NotFoundError(_("This kind of email doesn't exist."))
    async with site_of(request).pool.acquire() as connection:
        email = await mails.sample(connection, kind, user_id=request.state.user.id)
    assert email is not None, "the signed-in user exists"
    return email


async def _rendered(request: Request, email: OutMail) -> Rendered:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        wanted = await site_settings.read(connection)
        texts = await mail_texts.read(connection)
    return render(email, public_url=site.public_url, secrets=site.secrets, site=wanted, texts=texts)


def _may_follow(request: Request, email: OutMail) -> bool:
    """Admins may open links meant for members; only an owner those meant for the team, and those
    that prove whose mailbox it is to somebody else."""
    user = request.state.user
    theirs = email.role == "member" and email.kind not in PROVING
    return bool(user.role == "owner" or (user.is_admin and theirs))


def _without_secrets(rendered: Rendered, public_url: str) -> str:
    text = rendered.text
    for secret in (rendered.link, rendered.unsubscribe):
        if secret:
            text = text.replace(secret, f"{public_url}/…")
    return text


def _letter(rendered: Rendered) -> Response:
    """The HTML of an email as a page of its own: no scripts, its own style sheet, no live links."""
    shown = rendered.preview
    for secret in (rendered.link, rendered.unsubscribe):
        if secret:
            shown = shown.replace(secret.replace("&", "&amp;"), "#")
    return HTMLResponse(
        shown,
        headers={
            "Content-Security-Policy": f"default-src 'none'; style-src '{rendered.preview_style}';"
            " img-src 'self' https: http: data:; base-uri 'none'; form-action 'none';"
            " frame-ancestors 'self'; sandbox",
            "X-Frame-Options": "SAMEORIGIN",
        },
    )
