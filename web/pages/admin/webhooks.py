"""Outgoing webhooks: endpoints, their secrets, and the log of what was sent."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import webhook_signing
from latchkey.languages import _
from latchkey.outgoing_addresses import RefusedAddressError, destination_of
from latchkey.outgoing_http import NoAnswerError
from latchkey.rules.vocabulary import COMMUNITIES, DeliveryState, WebhookFormat, WebhookType
from latchkey.store.pool import Connection
from latchkey.store.webhooks import deliveries, endpoints, events
from latchkey.store.webhooks.deliveries import LoggedDelivery
from latchkey.store.webhooks.digests import PERIODS
from latchkey.store.webhooks.endpoints import Endpoint
from latchkey.texts import on_one_line
from latchkey.vault import Purpose
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.lists import Query, number
from web.pages.render import page
from web.site import Site, site_of
from web.wording.labels import DELIVERY_STATES, WEBHOOK_FORMATS, WEBHOOK_TYPES
from web.wording.times import chosen

PAGE = 50
CHATS = {
    WebhookFormat.SLACK: ("hooks.slack.com",),
    WebhookFormat.DISCORD: ("discord.com", "discordapp.com", "ptb.discord.com"),
}
"""The hosts of incoming webhooks, by which a wrong choice of format is noticed."""


@dataclass(frozen=True)
class _Wanted:
    """What a form asks for, and what is wrong with it by field."""

    format: WebhookFormat | None
    url: str
    description: str
    types: list[str]
    every: str = "day"
    errors: dict[str, str] = field(default_factory=dict)


def routes() -> list[Route]:
    return [
        Route("/admin/webhooks", index),
        Route("/admin/webhooks/new", create, methods=["GET", "POST"]),
        Route("/admin/webhooks/{id}", details),
        Route("/admin/webhooks/{id}/change", change, methods=["GET", "POST"]),
        Route("/admin/webhooks/{id}/secret", rotate, methods=["GET", "POST"]),
        Route("/admin/webhooks/{id}/pause", pause, methods=["POST"]),
        Route("/admin/webhooks/{id}/resume", resume, methods=["POST"]),
        Route("/admin/webhooks/{id}/test", test, methods=["POST"]),
        Route("/admin/webhooks/{id}/replay", replay, methods=["POST"]),
        Route("/admin/webhooks/{id}/delete", delete, methods=["GET", "POST"]),
        Route("/admin/webhooks/{id}/deliveries/{delivery}", delivery),
        Route("/admin/webhooks/{id}/deliveries/{delivery}/resend", resend, methods=["POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await endpoints.listed(connection)
        figures = await endpoints.figures(connection)
    return page(request, "admin/webhooks.html", rows=rows, figures=figures, formats=WEBHOOK_FORMATS)


@admin_page
@fresh_page(back="/admin/webhooks/new")
async def create(request: Request) -> Response:
    """The form; posting it adds an endpoint, whose secret is shown only then."""
    if request.method == "GET":
        return _form(request, _Wanted(WebhookFormat.JSON, "", "", []))
    site = site_of(request)
    wanted = await _read(site, await form(request))
    if wanted.errors or wanted.format is None:
        return _form(request, wanted)
    secret = webhook_signing.new_secret() if wanted.format is WebhookFormat.JSON else None
    vault = site.keyring.vault
    async with site.changing() as connection:
        endpoint_id = await endpoints.create(
            connection,
            format_=wanted.format,
            url=vault.seal(wanted.url, Purpose.WEBHOOK_URL) if wanted.url else None,
            host=_host(wanted),
            description=wanted.description,
            types=wanted.types,
            every=wanted.every,
            secret=vault.seal(secret, Purpose.OUTGOING_SECRET) if secret else None,
            actor=request.state.user.id,
        )
    if secret is None:
        return redirect(f"/admin/webhooks/{endpoint_id}?done=webhook-added")
    return page(
        request, "admin/webhook_secret.html", endpoint_id=endpoint_id, secret=secret, rotated=False
    )


@admin_page
async def details(request: Request) -> Response:
    """One endpoint with its log."""
    return await _show(request, {})


async def _show(request: Request, errors: dict[str, str]) -> Response:
    query = Query(request, ("state",))
    async with site_of(request).pool.acquire() as connection:
        endpoint = await _requested(connection, request)
        figures = (await endpoints.figures(connection))[endpoint.id]
        rows = await deliveries.listed(
            connection,
            endpoint.id,
            after=number(request.query_params.get("after")),
            limit=PAGE + 1,
            state=query["state"] if query["state"] in set(DeliveryState) else None,
        )
    now = datetime.now(UTC)
    return page(
        request,
        "admin/webhook.html",
        422 if errors else 200,
        endpoint=endpoint,
        figures=figures,
        address=_address(request, endpoint),
        rows=rows[:PAGE],
        more=rows[PAGE - 1].id if len(rows) > PAGE else None,
        query=query,
        states=DELIVERY_STATES,
        types=WEBHOOK_TYPES,
        formats=WEBHOOK_FORMATS,
        errors=errors,
        two_secrets=bool(endpoint.earlier_until and endpoint.earlier_until > now),
        resting=bool(endpoint.rests_until and endpoint.rests_until > now),
    )


@admin_page
@fresh_page(back="/admin/webhooks/{id}/change")
async def change(request: Request) -> Response:
    """What an endpoint is told, and where. Its format stays."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        endpoint = await _requested(connection, request)
    if request.method == "GET":
        open_ = request.state.user.is_admin and endpoint.format is WebhookFormat.JSON
        url = _url(site, endpoint) if open_ else ""
        types = list(endpoint.types)
        known = _Wanted(endpoint.format, url, endpoint.description, types, endpoint.every)
        return _form(request, known, endpoint)
    wanted = await _read(site, await form(request), endpoint)
    if wanted.errors:
        return _form(request, wanted, endpoint)
    async with site.changing() as connection:
        await endpoints.change(
            connection,
            endpoint.id,
            url=site.keyring.vault.seal(wanted.url, Purpose.WEBHOOK_URL) if wanted.url else None,
            host=_host(wanted),
            description=wanted.description,
            types=wanted.types,
            every=wanted.every,
        )
    return redirect(f"/admin/webhooks/{endpoint.id}?done=saved")


@admin_page
@fresh_page(back="/admin/webhooks/{id}/secret")
async def rotate(request: Request) -> Response:
    """Asks for confirmation, then signs with another secret, which is shown only now."""
    site = site_of(request)
    confirmed = request.method == "POST" and await form(request) is not None
    secret = webhook_signing.new_secret()
    async with site.pool.acquire() as connection, connection.transaction():
        endpoint = await _requested(connection, request)
        if endpoint.format is not WebhookFormat.JSON:
            raise NotFoundError(_("Only endpoints that get JSON have a signing secret."))
        if not confirmed:
            return page(request, "admin/webhook_rotate.html", endpoint=endpoint)
        sealed = site.keyring.vault.seal(secret, Purpose.OUTGOING_SECRET)
        await endpoints.rotate(connection, endpoint.id, secret=sealed)
    return page(
        request, "admin/webhook_secret.html", endpoint_id=endpoint.id, secret=secret, rotated=True
    )


@admin_page
async def pause(request: Request) -> Response:
    await form(request)
    async with site_of(request).changing() as connection:
        endpoint = await _requested(connection, request)
        await endpoints.pause(connection, endpoint.id)
    return redirect(f"/admin/webhooks/{endpoint.id}?done=webhook-paused")


@admin_page
async def resume(request: Request) -> Response:
    await form(request)
    async with site_of(request).changing() as connection:
        endpoint = await _requested(connection, request)
        await endpoints.resume(connection, endpoint.id)
    return redirect(f"/admin/webhooks/{endpoint.id}?done=webhook-resumed")


@admin_page
async def test(request: Request) -> Response:
    """Sends a test event."""
    await form(request)
    async with site_of(request).changing() as connection:
        endpoint = await _requested(connection, request)
        if endpoint.format is WebhookFormat.DIGEST:
            raise NotFoundError(_("A digest comes by itself, once something has happened."))
        made = await events.write_test(connection, endpoint.id)
    return redirect(f"/admin/webhooks/{endpoint.id}/deliveries/{made}?done=webhook-sent")


@admin_page
async def replay(request: Request) -> Response:
    """Sends all events since a time again."""
    fields = await form(request)
    try:
        since = chosen(text(fields, "since"), text(fields, "zone"))
    except ValueError as error:
        return await _show(request, {"since": str(error)})
    if since is None:
        return await _show(request, {"since": _("Choose since when.")})
    async with site_of(request).changing() as connection:
        endpoint = await _requested(connection, request)
        await deliveries.replay(connection, endpoint.id, since=since)
    return redirect(f"/admin/webhooks/{endpoint.id}?done=webhook-replayed")


@admin_page
@fresh_page(back="/admin/webhooks/{id}/delete")
async def delete(request: Request) -> Response:
    """Asks for confirmation, then deletes an endpoint with its log."""
    confirmed = request.method == "POST" and await form(request) is not None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        endpoint = await _requested(connection, request)
        if not confirmed:
            figures = (await endpoints.figures(connection))[endpoint.id]
            return page(request, "admin/webhook_delete.html", endpoint=endpoint, figures=figures)
        await endpoints.delete(connection, endpoint.id)
    return redirect("/admin/webhooks?done=deleted")


@admin_page
async def delivery(request: Request) -> Response:
    """One event for one endpoint, with every attempt."""
    async with site_of(request).pool.acquire() as connection:
        endpoint = await _requested(connection, request)
        row = await _delivery(connection, request, endpoint)
        attempts = await deliveries.attempts(connection, row.id)
    return page(
        request,
        "admin/webhook_delivery.html",
        endpoint=endpoint,
        row=row,
        attempts=attempts,
        community=endpoint.format in COMMUNITIES,
        states=DELIVERY_STATES,
        types=WEBHOOK_TYPES,
    )


@admin_page
async def resend(request: Request) -> Response:
    await form(request)
    async with site_of(request).changing() as connection:
        endpoint = await _requested(connection, request)
        row = await _delivery(connection, request, endpoint)
        await deliveries.resend(connection, endpoint.id, row.id)
    return redirect(f"/admin/webhooks/{endpoint.id}/deliveries/{row.id}?done=webhook-sent")


async def _requested(connection: Connection, request: Request) -> Endpoint:
    endpoint = await endpoints.find(connection, request.path_params["id"])
    if endpoint is None or (
        endpoint.format in COMMUNITIES and "delivery" not in request.path_params
    ):
        raise NotFoundError(_("This endpoint doesn't exist, or it has been deleted."))
    return endpoint


async def _delivery(connection: Connection, request: Request, endpoint: Endpoint) -> LoggedDelivery:
    wanted = number(request.path_params["delivery"])
    row = await deliveries.find(connection, endpoint.id, wanted) if wanted else None
    if row is None:
        raise NotFoundError(_("This event isn't in the log, or it is too old."))
    return row


def _form(request: Request, wanted: _Wanted, endpoint: Endpoint | None = None) -> Response:
    return page(
        request,
        "admin/webhook_form.html",
        422 if wanted.errors else 200,
        endpoint=endpoint,
        wanted=wanted,
        errors=wanted.errors,
        formats=[(f, label) for f, label in WEBHOOK_FORMATS.items() if f not in COMMUNITIES],
        periods=list(PERIODS.items()),
        types=[(t, label) for t, label in WEBHOOK_TYPES.items() if t is not WebhookType.TEST],
    )


async def _read(site: Site, fields: FormData, endpoint: Endpoint | None = None) -> _Wanted:
    """What a form asks for. The format of an endpoint stays, and so does the address of a chat if
    none is given."""
    errors: dict[str, str] = {}
    chosen = text(fields, "format")
    format_ = endpoint.format if endpoint else None
    if format_ is None:
        format_ = WebhookFormat(chosen) if chosen in set(WebhookFormat) - COMMUNITIES else None
    if format_ is None:
        errors["format"] = _("Choose how to send them.")
    digest = format_ is WebhookFormat.DIGEST
    url, description = "" if digest else text(fields, "url"), text(fields, "description")
    if endpoint and not url and endpoint.format in CHATS:
        url = _url(site, endpoint)
    wrong = None if digest else await _wrong_url(site, url, format_)
    if wrong:
        errors["url"] = wrong
    if len(description) > 200 or not on_one_line(description):
        errors["description"] = _("Enter one line of up to 200 characters.")
    types = [str(value) for value in fields.getlist("types")]
    if not set(types) <= set(WEBHOOK_TYPES) - {WebhookType.TEST}:
        errors["types"] = _("Choose from the list.")
    every = text(fields, "every") or "day"
    if every not in PERIODS:
        errors["every"] = _("Choose how often.")
    return _Wanted(format_, url, description, types, every, errors)


def _host(wanted: _Wanted) -> str:
    """What pages call an endpoint that has no description."""
    return destination_of(wanted.url).host if wanted.url else _("Email digest")


async def _wrong_url(site: Site, url: str, format_: WebhookFormat | None) -> str | None:
    """Why an address can't be used, as a sentence."""
    if not url:
        return _("Enter the address that takes the events, beginning with https://.")
    try:
        await site.outgoing.look_up(url)
    except RefusedAddressError as error:
        return _("This address can't be used: %(error)s.", error=error)
    except NoAnswerError as error:
        return _("This address can't be used now: %(error)s.", error=error)
    hosts = CHATS.get(format_) if format_ else None
    host = urlsplit(url).hostname or ""
    if hosts and host not in hosts and not site.outgoing.allows_inside:
        return _("This isn't the address of an incoming webhook of that service.")
    return None


def _url(site: Site, endpoint: Endpoint) -> str:
    return site.keyring.vault.open(endpoint.url, Purpose.WEBHOOK_URL) if endpoint.url else ""


def _address(request: Request, endpoint: Endpoint) -> str:
    """What a page shows of an address. That of a chat is itself a secret, and of others only admins
    see more than the host."""
    if endpoint.format is WebhookFormat.DIGEST:
        return _("the mailbox of whoever added it")
    if endpoint.format is not WebhookFormat.JSON or not request.state.user.is_admin:
        return f"https://{endpoint.host}/…"
    return _url(site_of(request), endpoint)
