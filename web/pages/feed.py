"""What happened: the activity feed, the inbox of events, the outbox of mails, the users."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.mail.render import render
from latchkey.store import inbox, mails, products, why
from web.pages.guard import admin_page, form, see, support_page
from web.pages.products import NotFound
from web.pages.render import page
from web.pages.user import person_of
from web.site import site_of

PAGE = 50
EVENT_STATES = ("waiting", "relayed", "handled", "ignored", "failed")


def routes() -> list[Route]:
    return [
        Route("/admin/inbox", events),
        Route("/admin/inbox/{id}/resend", resend_event, methods=["POST"]),
        Route("/admin/mails", outbox),
        Route("/admin/mails/{id}", mail),
        Route("/admin/mails/{id}/resend", resend_mail, methods=["POST"]),
        Route("/admin/users/{id}/why/{product}", explain),
    ]


@admin_page
async def events(request: Request) -> Response:
    state = request.query_params.get("state", "")
    async with site_of(request).pool.acquire() as connection:
        rows = await inbox.listed(
            connection,
            state=state if state in EVENT_STATES else None,
            after=_number(request.query_params.get("after")),
            limit=PAGE + 1,
        )
    return page(
        request,
        "admin/inbox.html",
        rows=rows[:PAGE],
        more=rows[PAGE - 1].seq if len(rows) > PAGE else None,
        state=state,
        states=EVENT_STATES,
    )


@support_page
async def resend_event(request: Request) -> Response:
    await form(request)
    site = site_of(request)
    async with site.pool.acquire() as connection:
        if await inbox.resend(connection, request.path_params["id"]) is None:
            raise NotFound("There is no such event.")
    site.wake.set()
    return see("/admin/inbox?done=resent")


@admin_page
async def outbox(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await mails.listed(
            connection, after=_number(request.query_params.get("after")), limit=PAGE + 1
        )
    return page(
        request,
        "admin/mails.html",
        rows=rows[:PAGE],
        more=rows[PAGE - 1].id if len(rows) > PAGE else None,
        smtp=site_of(request).settings.smtp_url is not None,
    )


@admin_page
async def mail(request: Request) -> Response:
    """One mail as it is or will be sent. Its sign-in link is shown only where no mail server is
    set: who can read it there has nobody to send it to."""
    found = await _mail(request)
    site = site_of(request)
    smtp = site.settings.smtp_url is not None
    rendered = render(found, public_url=site.public_url, secret=site.secret)
    text = rendered.text
    if smtp:
        text = text.replace(rendered.link, f"{site.public_url}/login/…")
    return page(
        request,
        "admin/mail.html",
        mail=found,
        subject=rendered.subject,
        text=text,
        link=None if smtp else rendered.link,
    )


@support_page
async def resend_mail(request: Request) -> Response:
    await form(request)
    found = await _mail(request)
    async with site_of(request).pool.acquire() as connection:
        await mails.resend(connection, found.id)
    return see(f"/admin/mails/{found.id}?done=resent")


async def _mail(request: Request) -> mails.OutMail:
    mail_id = _number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection:
        found = await mails.find(connection, mail_id) if mail_id else None
    if found is None:
        raise NotFound("There is no such mail.")
    return found


@admin_page
async def explain(request: Request) -> Response:
    """Why a person may open a product."""
    async with site_of(request).pool.acquire() as connection:
        found = await person_of(request, connection)
        product = await products.find(connection, request.path_params["product"])
        if product is None:
            raise NotFound("There is no such product.")
        chain = await why.chain(connection, user_id=found.id, product_id=product.id)
    return page(request, "admin/why.html", person=found, product=product, chain=chain)


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdigit() and len(given) <= 18 else None
