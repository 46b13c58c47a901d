"""The stable address for buying a product, and the page that buyers come back to."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch, references, signin_links
from latchkey.languages import _, joined, listed
from latchkey.store.access import collection_contents, grants
from latchkey.store.products import abandoned_checkouts, checkout, products
from latchkey.store.products.checkout import Selling
from latchkey.store.products.offers import Offer
from latchkey.store.products.products import Product
from latchkey.store.users import signin
from latchkey.store.users.users import User
from latchkey.vault import Purpose
from web import billing, checkouts
from web.language import asked_for, readers, stripe_locale
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, TooManyError, redirect, visitor_page
from web.pages.member import returning
from web.pages.render import page
from web.security import csrf_token, known_browser, remember_csrf
from web.site import site_of
from web.visitors import network_of
from web.wording import labels

_SESSION = re.compile(r"cs_(?:test_|live_)?[A-Za-z0-9]{4,200}")
_CURRENCY = re.compile(r"[a-z]{3}")
_UTM = re.compile(r"utm_(source|medium|campaign|term|content)")
_PASSED_ON = {"promo": "prefilled_promo_code", "prefilled_promo_code": "prefilled_promo_code"}
LOOKS_PER_HOUR = 300
CHECKOUTS_PER_HOUR = 200
TRIES_SHOWN = 8
LONGEST_BACK = 2000
"""How much of what came with a click the address back may hold. Stripe refuses long addresses."""

log = structlog.get_logger("web")


def routes() -> list[Route]:
    return [
        Route("/buy/{slug}", buy),
        Route("/buy/{slug}/checkout", pay),
        Route("/checkout/success", success),
        Route("/checkout/again/{token}", again),
    ]


@visitor_page
async def buy(request: Request) -> Response:
    """Where a purchase begins: the sales page, or the checkout if there is none, or if the address
    names a price."""
    product, selling = await _for_sale(request)
    if owned := await _owned(request, product):
        return owned
    to_sales_page = selling.purchase_method == "sales_page" and selling.sales_page == "live"
    if to_sales_page and "price" not in request.query_params:
        return redirect(_with_query(f"/sales/{product.slug}", kept_here(request)))
    return await _checkout(request, product, selling)


@visitor_page
async def pay(request: Request) -> Response:
    """The checkout itself; the button of a sales page leads here."""
    product, selling = await _for_sale(request)
    return await _owned(request, product) or await _checkout(request, product, selling)


async def _for_sale(request: Request) -> tuple[Product, Selling]:
    user: User | None = request.state.user
    async with site_of(request).pool.acquire() as connection:
        product = await products.find(connection, request.path_params["slug"])
        if product is None or (product.status != "live" and not (user and user.is_staff)):
            raise NotFoundError(_("This product doesn't exist."))
        user_id = user.id if user else None
        return product, await checkout.selling_to(connection, product.id, user_id)


async def _owned(request: Request, product: Product) -> Response | None:
    """Owners go to what they own instead of paying twice."""
    user: User | None = request.state.user
    if product.access_mode == "public":
        return redirect(f"/products/{product.slug}")
    if user is None:
        return None
    rows = await grants.access_rows(site_of(request).pool, product.id, user_id=user.id)
    allowed, _ = grants.may_open(rows)
    return redirect(f"/products/{product.slug}?done=owned") if allowed else None


async def _checkout(request: Request, product: Product, selling: Selling) -> Response:
    """Raises `NotYoursError` for an admin who is impersonating: they would pay for the member."""
    user: User | None = request.state.user
    if user and user.acted_by:
        raise NotYoursError
    if product.access_mode == "signed_in":
        return redirect(f"/login?next=/products/{product.slug}")
    has_one = (
        user and "again" not in request.query_params and await _has_one(request, product, user)
    )
    if has_one:
        return has_one
    if not selling.leads_somewhere:
        return _not_for_sale(request, product, selling)
    if selling.checkout_target == "external" and selling.external_url:
        return redirect(_with_query(selling.external_url, passed_on(request, promotion=False)))
    wanted = request.query_params.get("price")
    if _by_link(selling, wanted):
        return _by_payment_link(request, product, selling)
    offer = next((one for one in selling.sellable if wanted in (None, one.price_id)), None)
    undecided = wanted is None and len(selling.sellable) > 1
    if offer is None or undecided or "back" in request.query_params or _only_looking(request):
        return await _buy_page(request, product, selling, gone=offer is None)
    return await _by_session(request, product, selling, offer)


def _by_link(selling: Selling, wanted: str | None) -> bool:
    """Whether the payment link leads to the wanted price. It has a single one: others are sold by
    sessions."""
    if selling.checkout_target != "payment_link" or selling.open_link is None:
        return False
    return wanted in (None, selling.open_link.price_id)


async def _has_one(request: Request, product: Product, user: User) -> Response | None:
    """Whoever has bought the product already is led to what they have, not to pay again."""
    async with site_of(request).pool.acquire() as connection:
        had = await checkout.bought_before(connection, user_id=user.id, product_id=product.id)
    if had.pending:
        return page(request, "member/buy_pending.html", product=product)
    if had.running:
        return page(
            request,
            "member/buy_running.html",
            product=product,
            subscription=had.running,
            portal=site_of(request).look.portal,
        )
    return None


def _by_payment_link(request: Request, product: Product, selling: Selling) -> Response:
    user: User | None = request.state.user
    link = selling.open_link
    assert link is not None, "it leads somewhere"
    assert link.url is not None, "an open link has an address"
    query = passed_on(request, promotion=selling.promotion_codes)
    if locale := stripe_locale(request):
        query.append(("locale", locale))
    if user:
        reference = references.sign(user.id, product.id, vault=site_of(request).keyring.vault)
        query += [("client_reference_id", reference), ("locked_prefilled_email", user.email)]
    return redirect(_with_query(link.url, query))


def _only_looking(request: Request) -> bool:
    """Whether nobody clicked: a browser that loads pages ahead, or a program that checks links."""
    ahead = request.headers.get("sec-purpose", request.headers.get("purpose", ""))
    return request.method == "HEAD" or "prefetch" in ahead


async def _buy_page(
    request: Request, product: Product, selling: Selling, *, gone: bool = False
) -> Response:
    """What is for sale, for buyers who have to choose a price, or who come back from the checkout
    without having paid. `gone`: the price that they chose isn't offered any more."""
    query = urlencode(kept_here(request))
    user: User | None = request.state.user
    async with site_of(request).pool.acquire() as connection:
        contents = await collection_contents.of_product(
            connection, product.id, user.id if user else None
        )
        wholes = await collection_contents.wholes(connection, product.id)
    return page(
        request,
        "member/buy.html",
        product=product,
        contents=contents,
        wholes=wholes,
        entries=selling.sellable,
        gone=gone,
        back="back" in request.query_params,
        address=f"/buy/{product.slug}/checkout{'?' + query if query else ''}",
    )


async def _by_session(
    request: Request, product: Product, selling: Selling, offer: Offer
) -> Response:
    """Lead to a checkout session made for this click."""
    site, user = site_of(request), request.state.user
    who = user.id if user else network_of(request)
    async with site.pool.acquire() as connection:
        if not await signin.try_once(
            connection, f"checkout {who}", most=CHECKOUTS_PER_HOUR, seconds=3600
        ):
            raise TooManyError(
                _(
                    "You've opened the checkout many times within the last hour. Please try again"
                    " in an hour."
                )
            )
    kept = passed_on(request)
    back = [("back", "1")]
    cancel = urlencode([*kept_here(request), *back])
    if len(cancel) > LONGEST_BACK:
        cancel = urlencode(back)
    choice = checkouts.Choice(
        product=product,
        selling=selling,
        offer=offer,
        promotion_code=dict(kept).get("prefilled_promo_code"),
        tags={name: value for name, value in kept if _UTM.fullmatch(name)},
        currency=_currency(request),
        success_url=f"{site.public_url}/checkout/success?session={{CHECKOUT_SESSION_ID}}",
        cancel_url=f"{site.public_url}/buy/{product.slug}?{cancel}",
        language=readers(request),
    )
    csrf_token(request)
    try:
        opened = await checkouts.open_session(
            site, checkouts.Buyer(user=user, browser=known_browser(request)), choice
        )
    except checkouts.SessionRefusedError as refused:
        if not refused.sellable:
            return _not_for_sale(request, product, selling)
        if selling.open_link:
            return _by_payment_link(request, product, selling)
        return _checkout_away(request, product)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        log.warning("the checkout can't be opened", product=product.id, error=str(error))
        return _checkout_away(request, product)
    response = redirect(opened.url)
    remember_csrf(request, response)
    return response


def _checkout_away(request: Request, product: Product) -> Response:
    if not site_of(request).identity.writes_to_stripe:
        return page(
            request,
            "message.html",
            503,
            heading=_("This is a copy of the site"),
            text=_("%(name)s is sold on the site itself. Nothing was charged.", name=product.name),
            back=f"/buy/{product.slug}?back=1",
        )
    return page(
        request,
        "message.html",
        503,
        heading=_("The checkout isn't available"),
        text=_(
            "We can't open the checkout for %(name)s at the moment, and you haven't been"
            " charged. Please try again in a few minutes.",
            name=product.name,
        ),
        back=f"/buy/{product.slug}?back=1",
    )


def _not_for_sale(request: Request, product: Product, selling: Selling) -> Response:
    user: User | None = request.state.user
    if selling.obstacle is None:
        heading = _("%(name)s can't be bought here", name=product.name)
        begin = _("It isn't for sale at the moment.")
    else:
        heading = _("%(name)s can't be bought at the moment", name=product.name)
        begin = _("Its checkout is closed.")
    text = joined(begin, _("If somebody sent you here to buy it, please ask them how to get it."))
    back = "/library"
    if selling.obstacle and user and user.is_staff:
        text, back = labels.obstacle(selling.obstacle), f"/admin/products/{product.id}/checkout"
    return page(request, "message.html", 404, heading=heading, text=text, back=back)


def passed_on(request: Request, *, promotion: bool = True) -> list[tuple[str, str]]:
    """The query parameters that are kept: a promotion code, and where the visitor came from."""
    kept = []
    for name, value in request.query_params.multi_items():
        if promotion and name in _PASSED_ON:
            kept.append((_PASSED_ON[name], value[:100]))
        elif _UTM.fullmatch(name):
            kept.append((name, value[:200]))
    return kept


def kept_here(request: Request) -> list[tuple[str, str]]:
    """What is kept on the way through our own pages: what `passed_on` keeps, by the names that our
    addresses have, and the currency."""
    names = {"prefilled_promo_code": "promo"}
    kept = [(names.get(name, name), value) for name, value in passed_on(request)]
    currency = _currency(request)
    return [*kept, ("currency", currency)] if currency else kept


def _currency(request: Request) -> str | None:
    """The currency that the address asks for. Stripe has the last word: a price may lack it."""
    asked = request.query_params.get("currency", "").lower()
    return asked if _CURRENCY.fullmatch(asked) else None


def _with_query(address: str, extra: list[tuple[str, str]]) -> str:
    parts = urlsplit(address)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *extra]
    return urlunsplit(parts._replace(query=urlencode(query)))


@visitor_page
async def success(request: Request) -> Response:
    """Completes the purchase without waiting for Stripe's event, and shows its status.

    The session's id only says where to look: the truth is fetched from Stripe.
    """
    site, session_id = site_of(request), request.query_params.get("session", "")
    if not _SESSION.fullmatch(session_id):
        return _nothing_bought(request)
    async with site.pool.acquire() as connection:
        known = await checkout.bought(connection, session_id)
        allowed = await signin.try_once(
            connection, f"success {network_of(request)}", most=LOOKS_PER_HOUR, seconds=3600
        )
    state, bought = "complete", known
    if known.state in ("none", "pending") and allowed:
        try:
            state, bought = await billing.come_back(site, session_id)
            if (state, bought.state) == ("complete", "pending"):
                state = "settling"
        except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError):
            state = "later"
    if state == "unknown":
        return _nothing_bought(request)
    if state in ("open", "expired"):
        return await _success_page(request, "open", bought)
    return await _outcome(request, session_id, state, bought)


async def _outcome(
    request: Request, session_id: str, state: str, bought: checkout.Bought
) -> Response:
    user: User | None = request.state.user
    theirs = user is not None and user.id == bought.user_id
    outcome = _words(state, bought)
    if bought.user_id is not None and not theirs and outcome == "paid":
        async with site_of(request).pool.acquire() as connection:
            await signin.mail_buyer(
                connection,
                user_id=bought.user_id,
                session_id=session_id,
                language=asked_for(request),
            )
    count = number(request.query_params.get("n", "0"))
    again = None
    if outcome == "later" and count is not None and count < TRIES_SHOWN:
        again = f"/checkout/success?session={session_id}&n={count + 1}"
    return await _success_page(request, outcome, bought, again=again, theirs=theirs)


async def _success_page(
    request: Request,
    outcome: str,
    bought: checkout.Bought,
    *,
    again: str | None = None,
    theirs: bool = False,
) -> Response:
    onward = await returning.place(request) if outcome == "paid" else None
    return page(
        request,
        "member/buy_success.html",
        outcome=outcome,
        bought=bought,
        names=listed(name for _slug, name in bought.products),
        again=again,
        theirs=theirs,
        onward=onward,
    )


def _words(state: str, bought: checkout.Bought) -> str:
    """paid, unpublished (bought, but not open to members yet), pending, failed, closed, noted (a
    purchase of something that isn't linked) or later; `settling` is what Stripe says is paid and
    what is stored here as pending."""
    if state == "settling":
        return "later"
    if bought.state != "none":
        return bought.state
    return {"pending": "pending", "not linked": "noted"}.get(state, "later")


@visitor_page
async def again(request: Request) -> Response:
    """Back to a checkout that was left, from the email about it. Whoever has the product now
    signs in to it instead; if the price isn't sold any more, the page says what is."""
    site = site_of(request)
    try:
        found = signin_links.read_checkout(request.path_params["token"], secrets=site.secrets)
    except signin_links.LinkRefusedError as refused:
        return _link_over(request, str(refused))
    async with site.pool.acquire() as connection:
        abandoned = await abandoned_checkouts.find(connection, found)
        product = await products.find(connection, abandoned.product_id) if abandoned else None
        if abandoned is None or product is None:
            return _link_over(request, _("This link is no longer valid."))
        served = await abandoned_checkouts.is_served(
            connection, abandoned.user_id, product.id, key=abandoned.email_key
        )
        sold = await abandoned_checkouts.is_sold(connection, product.id, abandoned.price_id)
    if served and abandoned.user_id is None:
        return _link_over(
            request, _("There's nothing to pay: it is open to you, or your payment is on its way.")
        )
    if served:
        user: User | None = request.state.user
        theirs = user is not None and user.id == abandoned.user_id
        buy_again = f"/buy/{product.slug}"
        return redirect(buy_again if theirs else f"/login?next={buy_again}")
    if not sold or abandoned.open_until <= datetime.now(UTC):
        return redirect(f"/buy/{product.slug}?back=1")
    return redirect(site.keyring.vault.open(abandoned.url, Purpose.CHECKOUT_URL))


def _link_over(request: Request, text: str) -> Response:
    return page(
        request,
        "message.html",
        404,
        heading=_("This checkout is over"),
        text=text,
        back="/library",
    )


def _nothing_bought(request: Request) -> Response:
    return page(
        request,
        "message.html",
        404,
        heading=_("We can't find this purchase"),
        text=_(
            "This link doesn't belong to a completed checkout. If you paid, use the link in the"
            " email about your purchase."
        ),
        back="/library",
    )
