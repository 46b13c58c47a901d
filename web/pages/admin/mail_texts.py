"""The texts of emails in the team's own words: written, looked at, tried, taken back."""

import secrets
from dataclasses import replace

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import languages, variables
from latchkey.languages import A_, Language, _
from latchkey.mail import server as servers
from latchkey.mail.render import Rendered, message, render_example
from latchkey.mail.variants import (
    VARIANTS,
    Variant,
    default_text,
    example,
)
from latchkey.store import mail_texts, site_identity, site_settings
from latchkey.store.mail_texts import MailText
from latchkey.store.products import products
from latchkey.vault import VaultError
from web.inputs import Input, Name, Text
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, mail_by_hand, redirect, text
from web.pages.render import page
from web.site import site_of

HERE = "/admin/mails/texts"
TEST_SECONDS = 10.0
COPY = A_("This site is a copy, so it sends no email.")
UNSET = A_("No mail server is set, so nothing can be sent.")


class TextForm(Input):
    """What the form sends."""

    subject: Name
    body: Text = Field(min_length=1)


def routes() -> list[Route]:
    return [
        Route(HERE, index),
        Route(HERE + "/{variant}/{language}", edit, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """Every text, and in which languages the team has written it."""
    async with site_of(request).pool.acquire() as connection:
        texts = await mail_texts.read(connection)
        language = (await site_settings.read(connection)).language
    return page(
        request,
        "admin/mail_texts.html",
        variants=VARIANTS.values(),
        written=texts.keys(),
        first=language,
    )


@admin_page
async def edit(request: Request) -> Response:
    """One text in one language. Besides saving it, the form shows it, sends it to the person who
    wrote it, or goes back to ours."""
    variant, language = _asked(request)
    if request.method == "GET":
        async with site_of(request).pool.acquire() as connection:
            stored = (await mail_texts.read(connection)).get((variant.key, language.code))
        return await _page(request, stored or default_text(variant, language), {})
    fields = await form(request)
    if text(fields, "do") == "default":
        async with site_of(request).pool.acquire() as connection, connection.transaction():
            await mail_texts.remove(connection, variant.key, language.code)
        return redirect(f"{HERE}/{variant.key}/{language.code}?done=saved")
    wanted = MailText(text(fields, "subject"), text(fields, "body").replace("\r\n", "\n"))
    errors = _errors(wanted, variant)
    if errors:
        return await _page(request, wanted, errors)
    match text(fields, "do"):
        case "preview":
            return await _page(request, wanted, {}, shown=await _rendered(request, wanted))
        case "test":
            problem = await _send(request, wanted)
            return await _page(request, wanted, {}, problem=problem, sent=problem is None)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await mail_texts.save(connection, variant.key, language.code, wanted)
    return redirect(f"{HERE}/{variant.key}/{language.code}?done=saved")


def _asked(request: Request) -> tuple[Variant, Language]:
    variant = VARIANTS.get(request.path_params["variant"])
    language = languages.LANGUAGES.get(request.path_params["language"])
    if variant is None or language is None:
        raise NotFoundError(_("This text doesn't exist."))
    return variant, language


def _errors(wanted: MailText, variant: Variant) -> dict[str, str]:
    """What is wrong with a text, by field."""
    try:
        TextForm.model_validate({"subject": wanted.subject, "body": wanted.body})
    except ValidationError as error:
        return errors_of(error)
    errors = {}
    for name, given in (("subject", wanted.subject), ("body", wanted.body)):
        if wrong := variables.refusal(given, variant.variables, where="email"):
            errors[name] = wrong
    return errors


async def _rendered(request: Request, wanted: MailText) -> Rendered:
    """The text as an email to the person who wrote it, about the newest product."""
    site = site_of(request)
    variant, language = _asked(request)
    async with site.pool.acquire() as connection:
        look = await site_settings.read(connection)
        newest = await products.newest_name(connection)
    mail = example(variant, product=newest or _("Your product"), email=request.state.user.email)
    return render_example(mail, wanted, language, public_url=site.public_url, site=look)


async def _send(request: Request, wanted: MailText) -> str | None:
    """Send the text to the person who wrote it; what went wrong, None if the server took it."""
    site = site_of(request)
    variant, _ = _asked(request)
    async with site.pool.acquire() as connection:
        sends = (await site_identity.read(connection, site.public_url)).sends_email
        look = await site_settings.read(connection)
        try:
            target = await servers.current(connection, site.settings)
        except VaultError:
            target = None
    if not sends or target is None:
        return UNSET if sends else COPY
    await mail_by_hand(request)
    rendered = await _rendered(request, wanted)
    mail = example(variant, product="", email=request.state.user.email)
    made = message(
        replace(mail, key=f"test:{secrets.token_hex(8)}"),
        replace(rendered, subject=f"[Test] {rendered.subject}"),
        sender=site.settings.mail_from,
        public_url=site.public_url,
        site=look,
    )
    try:
        await servers.deliver(target, made, timeout=TEST_SECONDS)
    except servers.FAILURES as error:
        return servers.explained(error, target)
    return None


async def _page(
    request: Request,
    shown_text: MailText,
    errors: dict[str, str],
    *,
    shown: Rendered | None = None,
    problem: str | None = None,
    sent: bool = False,
) -> Response:
    variant, language = _asked(request)
    async with site_of(request).pool.acquire() as connection:
        texts = await mail_texts.read(connection)
    return page(
        request,
        "admin/mail_text.html",
        422 if errors or problem else 200,
        variant=variant,
        language_shown=language,
        written={code for key, code in texts if key == variant.key},
        values=shown_text,
        default=default_text(variant, language),
        errors=errors,
        shown=shown,
        problem=problem,
        sent=sent,
    )
