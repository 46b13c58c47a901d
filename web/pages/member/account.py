"""A member's own pages: billing and account settings."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch, password_rules, passwords, signin_links
from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.store import audit_draft, site_settings
from latchkey.store.purchases import second_subscriptions
from latchkey.store.stripe import portal
from latchkey.store.users import account, sessions, signin, users
from web import billing
from web.inputs import shown_address
from web.language import stripe_locale
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import (
    form,
    fresh_page,
    member_page,
    redirect,
    session_of,
    text,
    visitor_page,
)
from web.pages.leaving import leave
from web.pages.member.signin import start_session
from web.pages.render import page
from web.site import site_of

FLOWS = {"card": "payment_method_update", "cancel": "subscription_cancel"}
CHANGES_PER_HOUR = 5
STRIPE_PAGES_PER_HOUR = 60


def routes() -> list[Route]:
    return [
        Route("/account", show),
        Route("/account/billing", manage, methods=["GET", "POST"]),
        Route("/account/receipt", receipt, methods=["POST"]),
        Route("/account/settings", settings),
        Route("/account/mails", mails, methods=["POST"]),
        Route("/account/email", change_email, methods=["POST"]),
        Route("/account/email/{token}", confirm_email, methods=["GET", "POST"]),
        Route("/account/password", change_password, methods=["POST"]),
        Route("/account/sessions/{id}/end", end_session, methods=["POST"]),
        Route("/account/sessions/end", end_others, methods=["POST"]),
        Route("/unsubscribe/{token}", unsubscribe, methods=["GET", "POST"]),
    ]


@member_page
async def show(request: Request) -> Response:
    """Subscriptions, purchases, and links to billing."""
    user_id = request.state.user.id
    async with site_of(request).pool.acquire() as connection:
        subscriptions = await account.subscriptions(connection, user_id)
        seconds = await second_subscriptions.of_user(connection, user_id)
        orders = await account.orders(connection, user_id)
        customers = await portal.customers(connection, user_id)
        site = await site_settings.read(connection)
    return page(
        request,
        "member/account.html",
        subscriptions=subscriptions,
        seconds=seconds,
        orders=orders,
        billing=bool(customers) and site.portal,
        may_cancel=site.portal_cancel,
    )


@member_page
async def manage(request: Request) -> Response:
    """Opens Stripe's customer portal; with several customers, asks first which one."""
    user_id = request.state.user.id
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        customers = await portal.customers(connection, user_id)
        site = await site_settings.read(connection)
        subscription = text(fields, "subscription") if fields else ""
        owner = (
            await portal.subscription_customer(
                connection, user_id=user_id, subscription_id=subscription
            )
            if subscription
            else None
        )
    if not customers or not site.portal:
        raise NotFoundError(_("Your account doesn't have any billing to manage."))
    if subscription and owner is None:
        raise NotFoundError(_("This subscription isn't in your account."))
    chosen = owner or (text(fields, "customer") if fields else "")
    if not chosen and len(customers) == 1:
        chosen = customers[0].id
    flow = FLOWS.get(text(fields, "flow") if fields else "")
    if flow == FLOWS["cancel"] and not (subscription and site.portal_cancel):
        flow = None
    if fields is None or not chosen:
        return page(request, "member/billing.html", customers=customers)
    if chosen not in {customer.id for customer in customers}:
        raise NotFoundError(_("This billing account isn't yours."))
    if not await _may_ask_stripe(request):
        return _too_often(request)
    return await _portal(request, chosen, flow=flow, subscription=subscription or None)


async def _portal(
    request: Request, customer: str, *, flow: str | None, subscription: str | None
) -> Response:
    try:
        url = await billing.portal(
            site_of(request),
            customer,
            flow=flow,
            subscription=subscription,
            locale=stripe_locale(request),
        )
    except billing.ChangedError:
        return page(
            request,
            "message.html",
            409,
            heading=_("This subscription has changed"),
            text=_(
                "In Stripe it has already ended, or is set to end. Nothing was changed just now."
                " Your account shows what applies in a moment."
            ),
            back="/account",
        )
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _stripe_away(request)
    if url is None:
        return page(
            request,
            "message.html",
            404,
            heading=_("No billing to manage"),
            text=_(
                "This billing account was deleted in Stripe, so there's nothing left to manage or"
                " pay. If that's a surprise, please contact us."
            ),
            back="/account",
        )
    return leave(request, url)


@member_page
async def receipt(request: Request) -> Response:
    """Stripe's receipt or invoice for a purchase, looked up on demand."""
    source_id = text(await form(request), "source")
    async with site_of(request).pool.acquire() as connection:
        if not await portal.owns(connection, user_id=request.state.user.id, source_id=source_id):
            raise NotFoundError(_("This purchase isn't in your account."))
    if not await _may_ask_stripe(request):
        return _too_often(request)
    try:
        url = await billing.receipt(site_of(request), source_id)
    except billing.GoneError:
        return page(
            request,
            "message.html",
            404,
            heading=_("No receipt"),
            text=_(
                "Stripe doesn't have this purchase any more, so there's no receipt to show. If you"
                " need one, please contact us."
            ),
            back="/account",
        )
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
        return _stripe_away(request)
    if url is None:
        return page(
            request,
            "message.html",
            404,
            heading=_("No receipt"),
            text=_("There's no receipt for this purchase, because nothing was charged."),
            back="/account",
        )
    return leave(request, url)


@member_page
async def settings(request: Request) -> Response:
    return await _settings(request)


@member_page
async def mails(request: Request) -> Response:
    """Which emails the member wants. The form says which kinds it shows; the others stay as they
    are, such as those that came with an update after it was opened."""
    fields = await form(request)
    shown = (*account.ALWAYS_SHOWN, *text(fields, "on_request").split())
    kinds = [kind for kind in account.OPTIONAL_MAILS if kind in shown]
    wanted = [kind for kind in kinds if text(fields, kind) == "yes"]
    async with site_of(request).pool.acquire() as connection:
        await account.switch_mails(connection, request.state.user.id, kinds=kinds, wanted=wanted)
    return redirect("/account/settings?done=saved")


@member_page
@fresh_page(back="/account/settings")
async def change_email(request: Request) -> Response:
    """Ask for another email address; the link sent to it confirms the change."""
    user, typed = request.state.user, text(await form(request), "email")
    email = shown_address(typed)
    if email is None:
        error = _("That isn't a valid email address. Try something like ada@example.com.")
        return await _settings(request, errors={"email": error}, email=typed)
    if email_key(email) == email_key(user.email):
        return await _settings(
            request, errors={"email": _("That's already your email address.")}, email=email
        )
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if not await signin.try_once(
            connection, f"email change {user.id}", most=CHANGES_PER_HOUR, seconds=3600
        ):
            audit_draft.refuse()
            error = _("You've asked for this several times. Please try again in an hour.")
            return await _settings(request, errors={"email": error}, email=email, status=429)
        await account.ask_change(connection, user.id, email)
    return redirect("/account/settings?done=change-sent")


@member_page
async def confirm_email(request: Request) -> Response:
    """The link sent to a new address; like every emailed link, it asks for a click. It only works
    in a session of the account that asked, and ends that account's other sessions."""
    site, user = site_of(request), request.state.user
    try:
        change_id = signin_links.read_change(request.path_params["token"], secrets=site.secrets)
        if request.method == "GET":
            async with site.pool.acquire() as connection:
                change = await account.open_change(connection, change_id, user_id=user.id)
            return page(request, "member/email_change.html", email=change.email)
        await form(request)
        async with site.pool.acquire() as connection, connection.transaction():
            await account.confirm_change(connection, change_id, user_id=user.id)
            await sessions.end_all(connection, user.id, besides=session_of(request).id)
    except (signin_links.LinkRefusedError, account.ChangeRefusedError) as refused:
        return page(
            request,
            "message.html",
            400,
            heading=_("Your email address wasn't changed"),
            text=str(refused),
            back="/account/settings",
        )
    return redirect("/account/settings?done=email-changed")


@member_page
@fresh_page(back="/account/settings#password")
async def change_password(request: Request) -> Response:
    """Set a password. Every other session ends."""
    user, fields = request.state.user, await form(request)
    old, new = str(fields.get("current") or ""), str(fields.get("password") or "")
    async with site_of(request).pool.acquire() as connection:
        allowed = await signin.try_once(
            connection, f"password change {user.id}", most=10, seconds=900
        )
    if not allowed:
        error = _("Too many attempts. Please wait 15 minutes.")
        return await _settings(request, errors={"password": error}, status=429)
    known = user.password_hash is None or session_of(request).came_by_link
    if not known and not await passwords.matches(user.password_hash, old):
        return await _settings(
            request, errors={"current": _("Your current password is incorrect.")}
        )
    async with site_of(request).pool.acquire() as connection:
        site = await site_settings.read(connection)
    wrong = password_rules.weakness(new, staff=user.is_staff, names=[user.email, site.name])
    if wrong:
        return await _settings(request, errors={"password": wrong})
    hashed = await passwords.hash_password(new)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await users.set_password(connection, user.id, hashed)
        changed = await users.by_id(connection, user.id)
    assert changed is not None, "the transaction holds the user"
    return await start_session(
        request,
        changed,
        "/account/settings?done=password-set",
        via="password",
        second_factor=session_of(request).second_factor,
    )


@member_page
@fresh_page(back="/account/settings#sessions")
async def end_session(request: Request) -> Response:
    await form(request)
    session_id = number(request.path_params["id"])
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        ended = session_id and await sessions.end_one(
            connection, user_id=request.state.user.id, session_id=session_id
        )
    if not ended:
        raise NotFoundError(_("This session doesn't exist. It may have ended already."))
    return redirect("/account/settings?done=session-ended#sessions")


@member_page
@fresh_page(back="/account/settings#sessions")
async def end_others(request: Request) -> Response:
    await form(request)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await sessions.end_all(connection, request.state.user.id, besides=session_of(request).id)
    return redirect("/account/settings?done=session-ended#sessions")


@visitor_page
async def unsubscribe(request: Request) -> Response:
    """Turn a kind of email off. Mail clients post here by themselves (RFC 8058), without a session:
    the signed URL is the proof, and it can't do anything else."""
    site = site_of(request)
    try:
        who, kind = signin_links.read_unsubscribe(
            request.path_params["token"], secrets=site.secrets
        )
    except signin_links.LinkRefusedError as refused:
        return page(
            request,
            "message.html",
            400,
            heading=_("Nothing was changed"),
            text=str(refused),
            back="/account/settings",
        )
    done = False
    if request.method == "POST":
        async with site.pool.acquire() as connection:
            done = await account.unsubscribe(connection, who, kind)
    return page(
        request,
        "member/unsubscribe.html",
        kind=kind,
        done_now=done,
        has_account=isinstance(who, int),
    )


async def _settings(
    request: Request,
    *,
    errors: dict[str, str] | None = None,
    email: str = "",
    status: int = 422,
) -> Response:
    site, user, session = site_of(request), request.state.user, session_of(request)
    async with site.pool.acquire() as connection:
        wanted = await account.wanted_mails(connection, user.id)
        abandoned_mail = (await site_settings.read(connection)).abandoned_mail
        rows = await sessions.of_user(
            connection, user.id, rules=site.session_rules, current=session.id
        )
    return page(
        request,
        "member/account_settings.html",
        status if errors else 200,
        errors=errors or {},
        email=email,
        wanted=wanted,
        abandoned_mail=abandoned_mail,
        sessions=rows,
        asks_current=user.password_hash is not None and not session.came_by_link,
        has_password=user.password_hash is not None,
        shortest=password_rules.SHORTEST_OF_STAFF if user.is_staff else password_rules.SHORTEST,
    )


async def _may_ask_stripe(request: Request) -> bool:
    """Counts a page of Stripe's that the member opens: each is a call that goes ahead of others."""
    async with site_of(request).pool.acquire() as connection:
        return await signin.try_once(
            connection,
            f"stripe pages {request.state.user.id}",
            most=STRIPE_PAGES_PER_HOUR,
            seconds=3600,
        )


def _too_often(request: Request) -> Response:
    return page(
        request,
        "message.html",
        429,
        heading=_("Please wait a while"),
        text=_(
            "You've opened billing pages and receipts many times within the last hour. Please try"
            " again in an hour."
        ),
        back="/account",
    )


def _stripe_away(request: Request) -> Response:
    if not site_of(request).identity.writes_to_stripe:
        return page(
            request,
            "message.html",
            503,
            heading=_("This is a copy of the site"),
            text=_("Billing is managed on the site itself. Nothing was changed."),
            back="/account",
        )
    return page(
        request,
        "message.html",
        503,
        heading=_("Stripe isn't responding"),
        text=_(
            "We can't reach Stripe at the moment. Nothing was changed. Please try again in a few"
            " minutes."
        ),
        back="/account",
    )
