"""Updating a card from an email, without signing in: the link leads to Stripe's page for it, and to
nothing else."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch, signin_links
from latchkey.languages import _
from latchkey.store import site_settings
from latchkey.store.purchases import reminders
from latchkey.store.users import signin
from web import billing
from web.language import stripe_locale
from web.pages.guard import form, visitor_page
from web.pages.leaving import leave
from web.pages.render import page
from web.site import site_of

UPDATE_CARD = "payment_method_update"
OPENED_PER_HOUR = 20
"""How often a member's links open a page of Stripe's: each is a call that goes ahead of others."""


def routes() -> list[Route]:
    return [Route("/billing/card/{token}", update, methods=["GET", "POST"])]


@visitor_page
async def update(request: Request) -> Response:
    """What the email is about, and a button. Opening the link asks for a click, because mail
    scanners open links too; Stripe's page is made at that click."""
    site = site_of(request)
    try:
        link = signin_links.read_card(request.path_params["token"], secrets=site.secrets)
    except signin_links.LinkRefusedError as refused:
        return _message(request, 400, _("This link isn't valid"), str(refused))
    async with site.pool.acquire() as connection:
        wanted = await site_settings.read(connection)
        found = await reminders.card_page(
            connection,
            user_id=link.user_id,
            epoch=link.epoch,
            subscription_id=link.subscription_id,
        )
    if found is None or not wanted.portal:
        return _message(
            request,
            404,
            _("There's nothing to update"),
            _(
                "The subscription is over, or your account has changed since the email was sent."
                " Sign in to see what applies."
            ),
        )
    if request.method == "GET":
        return page(request, "member/card.html", subscription=found)
    await form(request)
    async with site.pool.acquire() as connection:
        allowed = await signin.try_once(
            connection, f"card pages {link.user_id}", most=OPENED_PER_HOUR, seconds=3600
        )
    if not allowed:
        return _message(
            request,
            429,
            _("Too many attempts"),
            _("Please wait an hour, then open the link again."),
        )
    try:
        url = await billing.portal(
            site, found.customer_id, flow=UPDATE_CARD, locale=stripe_locale(request)
        )
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _message(
            request,
            503,
            _("Stripe can't be reached right now"),
            _("Nothing was changed. Please open the link again in a few minutes."),
        )
    if url is None:
        return _message(
            request,
            404,
            _("There's nothing to update"),
            _("This billing account was deleted in Stripe, so there's nothing left to pay."),
        )
    return leave(request, url)


def _message(request: Request, status: int, heading: str, text: str) -> Response:
    return page(request, "message.html", status, heading=heading, text=text, back="/account")
