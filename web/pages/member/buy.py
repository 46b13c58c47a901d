"""The stable address for buying a product, and the page that buyers come back to."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch, references
from latchkey.store.access import grants
from latchkey.store.products import checkout, products
from latchkey.store.products.checkout import Selling
from latchkey.store.products.products import Product
from latchkey.store.users import signin
from latchkey.store.users.users import User
from web import billing
from web.numbers import number
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, redirect, visitor_page
from web.pages.render import page
from web.site import site_of
from web.visitors import network_of
from web.wording import labels

_SESSION = re.compile(r"cs_(?:test_|live_)?[A-Za-z0-9]{4,200}")
_UTM = re.compile(r"utm_(source|medium|campaign|term|content)")
_PASSED_ON = {"promo": "prefilled_promo_code", "prefilled_promo_code": "prefilled_promo_code"}
LOOKS_PER_HOUR = 300
TRIES_SHOWN = 8


def routes() -> list[Route]:
    return [
        Route("/buy/{slug}", buy),
        Route("/buy/{slug}/checkout", pay),
        Route("/checkout/success", success),
    ]


@visitor_page
async def buy(request: Request) -> Response:
    """Where a purchase begins: the sales page, or the checkout if there is none."""
    product, selling = await _for_sale(request)
    if owned := await _owned(request, product):
        return owned
    if selling.purchase_method == "sales_page" and selling.sales_page == "live":
        return redirect(_with_query(f"/sales/{product.slug}", passed_on(request)))
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
            raise NotFoundError("This product doesn't exist.")
        return product, await checkout.selling(connection, product.id)


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
    if selling.purchase_method == "none":
        return _not_for_sale(request, product, selling)
    if selling.checkout_target == "external" and selling.external_url:
        return redirect(_with_query(selling.external_url, passed_on(request, promotion=False)))
    link = selling.open_link
    if link is None or link.url is None:
        return _not_for_sale(request, product, selling)
    if user and "again" not in request.query_params:
        async with site_of(request).pool.acquire() as connection:
            pending = await checkout.pending_order(
                connection, user_id=user.id, product_id=product.id
            )
        if pending:
            return page(request, "member/buy_pending.html", product=product)
    query = passed_on(request, promotion=selling.promotion_codes)
    if user:
        reference = references.sign(user.id, product.id, vault=site_of(request).keyring.vault)
        query += [("client_reference_id", reference), ("locked_prefilled_email", user.email)]
    return redirect(_with_query(link.url, query))


def _not_for_sale(request: Request, product: Product, selling: Selling) -> Response:
    user: User | None = request.state.user
    if selling.obstacle is None:
        heading, begin = "can't be bought here", "It isn't for sale at the moment."
    else:
        heading, begin = "can't be bought at the moment", "Its checkout is closed."
    text = f"{begin} If somebody sent you here to buy it, please ask them how to get it."
    back = "/library"
    if selling.obstacle and user and user.is_staff:
        text, back = labels.obstacle(selling.obstacle), f"/admin/products/{product.id}/checkout"
    heading = f"{product.name} {heading}"
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
        return _success_page(request, "open", bought)
    return await _outcome(request, session_id, state, bought)


async def _outcome(
    request: Request, session_id: str, state: str, bought: checkout.Bought
) -> Response:
    user: User | None = request.state.user
    theirs = user is not None and user.id == bought.user_id
    outcome = _words(state, bought)
    if bought.user_id is not None and not theirs and outcome == "paid":
        async with site_of(request).pool.acquire() as connection:
            await signin.mail_buyer(connection, user_id=bought.user_id, session_id=session_id)
    count = number(request.query_params.get("n", "0"))
    again = None
    if outcome == "later" and count is not None and count < TRIES_SHOWN:
        again = f"/checkout/success?session={session_id}&n={count + 1}"
    return _success_page(request, outcome, bought, again=again, theirs=theirs)


def _success_page(
    request: Request,
    outcome: str,
    bought: checkout.Bought,
    *,
    again: str | None = None,
    theirs: bool = False,
) -> Response:
    return page(
        request,
        "member/buy_success.html",
        outcome=outcome,
        bought=bought,
        again=again,
        theirs=theirs,
    )


def _words(state: str, bought: checkout.Bought) -> str:
    """paid, pending, failed, closed, noted (a purchase of something that isn't linked) or later;
    `settling` is what Stripe says is paid and what is stored here as pending."""
    if state == "settling":
        return "later"
    if bought.state != "none":
        return bought.state
    return {"pending": "pending", "not linked": "noted"}.get(state, "later")


def _nothing_bought(request: Request) -> Response:
    return page(
        request,
        "message.html",
        404,
        heading="We can't find this purchase",
        text="This link doesn't belong to a completed checkout. If you paid, use the link in the"
        " email about your purchase.",
        back="/library",
    )
