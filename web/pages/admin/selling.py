"""How a product is sold: purchase method, checkout and price, locked card."""

from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError, model_validator
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import A_, _
from latchkey.rules.first_steps import FirstStep
from latchkey.store.products import checkout, links
from latchkey.store.products.offers import MOST_OFFERS, NewOffer
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from web import numbers
from web.inputs import Input, Line, Url
from web.pages.admin import first_steps
from web.pages.admin.lookup import product_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of

WAIT_SECONDS = 15.0
FIELDS = 5000
"""Each active price of the Stripe product has a few."""

_OFFER_ERRORS: dict[int | str, str] = {
    "label": A_("A label is a single line of at most 60 characters."),
    "trial_days": A_("The free days are a whole number from 1 to 730, or empty."),
    "most": A_("The largest quantity is a whole number from 2 to 9999, or empty."),
}


class OfferForm(Input):
    """What the selling form sends about one price."""

    price_id: str = Field(max_length=200)
    label: Line | None = Field(None, max_length=60)
    featured: bool = False
    trial_days: int | None = Field(None, ge=1, le=730)
    most: int | None = Field(None, ge=2, le=9999)
    billing_address: bool = False
    tax_ids: bool = False
    promotion_codes: bool = True
    automatic_tax: bool = False


class SellingForm(Input):
    """What the selling form sends. `offers` are in order."""

    purchase_method: str = Field(pattern="^(none|sales_page|checkout)$")
    checkout_target: str = Field(pattern="^(stripe|payment_link|external)$")
    external_url: Url | None = None
    enabled: bool
    offers: list[OfferForm] = Field(max_length=MOST_OFFERS)
    promotion_codes: bool
    payment_link: bool
    show_locked: bool
    one_trial: bool

    @model_validator(mode="after")
    def _complete(self) -> "SellingForm":
        if self.checkout_target == "external" and not self.external_url:
            raise ValueError(f"external_url: {_('Enter the URL that buyers are sent to.')}")
        if self.enabled and not self.offers:
            raise ValueError(f"price: {_('Choose a price for the checkout.')}")
        sold_by_stripe = self.purchase_method == "checkout" and self.checkout_target != "external"
        if sold_by_stripe and not self.enabled:
            raise ValueError(f"price: {_('To lead straight to Stripe Checkout, turn it on.')}")
        return self

    @property
    def wants_link(self) -> bool:
        return self.payment_link or self.checkout_target == "payment_link"


def routes() -> list[Route]:
    return [Route("/admin/products/{id}/checkout", edit, methods=["GET", "POST"])]


@admin_page
async def edit(request: Request) -> Response:
    """The form; posting it saves and has a payment link created, if one is asked for."""
    if request.method == "GET":
        return await _form(request)
    fields = await form(request, most_fields=FIELDS)
    values: dict[str, Any] = {
        "purchase_method": text(fields, "purchase_method") or "none",
        "checkout_target": text(fields, "checkout_target") or "stripe",
        "external_url": text(fields, "external_url") or None,
        "enabled": text(fields, "enabled") == "yes",
        "offers": _offers(fields),
        "promotion_codes": text(fields, "promotion_codes") == "yes",
        "payment_link": text(fields, "payment_link") == "yes",
        "show_locked": text(fields, "show_locked") == "yes",
        "one_trial": text(fields, "one_trial") == "yes",
    }
    try:
        wanted = SellingForm.model_validate(values)
    except ValidationError as error:
        return await _form(request, values=values, errors=_errors(error, values), status=422)
    problem = await _save(request, wanted)
    if problem:
        errors = {"price": problem.text}
        return await _form(request, values=values, errors=errors, saved=problem.saved, status=422)
    return redirect(f"/admin/products/{request.path_params['id']}/checkout?done=saved")


@dataclass(frozen=True)
class _Problem:
    """What went wrong, as a sentence, and whether the form was saved all the same."""

    text: str
    saved: bool = True


async def _save(request: Request, wanted: SellingForm) -> _Problem | None:
    """Save, and update Stripe; returns the problem, if there is one."""
    site = site_of(request)
    try:
        async with site.changing() as connection:
            product = await product_of(request, connection)
            await checkout.choose(
                connection,
                product.id,
                enabled=wanted.enabled,
                prices=[NewOffer(**one.model_dump()) for one in wanted.offers],
                promotion_codes=wanted.promotion_codes,
                payment_link=wanted.wants_link,
            )
            await checkout.sell(
                connection,
                product.id,
                purchase_method=wanted.purchase_method,
                checkout_target=wanted.checkout_target,
                external_url=wanted.external_url,
                show_locked=wanted.show_locked,
                one_trial=wanted.one_trial,
            )
    except checkout.CheckoutError as error:
        return _Problem(_("Not saved: %(error)s.", error=error), saved=False)
    if not wanted.wants_link:
        return None
    try:
        await dispatch.settle_checkout(site.temporal, product.id, seconds=WAIT_SECONDS)
    except dispatch.WorkflowFailedError as error:
        return _Problem(_("Saved, but Stripe wasn't updated: %(error)s", error=error))
    except dispatch.TemporalUnavailableError:
        return None
    async with site.pool.acquire() as connection:
        link = (await checkout.selling(connection, product.id)).wanted
    if link and link.error:
        return _Problem(_("Stripe didn't create a payment link: %(error)s", error=link.error))
    return None


async def _form(
    request: Request,
    *,
    values: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
    saved: bool = False,
    status: int = 200,
) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        product = await product_of(request, connection)
        now = await checkout.selling(connection, product.id)
        link = await links.current_link(connection, product.id)
        connected = await connections.current(connection)
        prices = (
            (await catalog.prices_of(connection, [now.stripe_product])).get(now.stripe_product, [])
            if now.stripe_product
            else []
        )
        progress = await first_steps.progress(request, connection, FirstStep.PURCHASE)
    offered = {one.price_id: vars(one) for one in now.offers}
    rows = [entry for entry in prices if entry.active or entry.id in offered]
    order = list(offered)
    rows.sort(key=lambda entry: order.index(entry.id) if entry.id in offered else len(order))
    return page(
        request,
        "admin/selling.html",
        status,
        product=product,
        first_steps=progress,
        now=now,
        link=link,
        connected=connected.state == "connected",
        prices=rows,
        blank=vars(NewOffer("")),
        chosen={one["price_id"]: one for one in values["offers"]} if values else offered,
        values=values
        or {
            **vars(now),
            "enabled": bool(offered),
            "payment_link": now.wanted is not None,
        },
        errors=errors or {},
        saved=saved,
        buy_address=f"{site.public_url}/buy/{product.slug}",
    )


def _offers(fields: FormData) -> list[dict[str, Any]]:
    """The prices that are ticked, by their numbers in the order that was entered."""
    ticked = [(number, one) for number, one in enumerate(fields.getlist("price")) if one]
    found = []
    for number, price_id in ticked:
        typed = {
            name: text(fields, f"{name}:{price_id}") or None
            for name in ("label", "trial_days", "most", "order")
        }
        place = numbers.number(typed.pop("order") or "")
        asked = {
            name: text(fields, f"{name}:{price_id}") == "yes"
            for name in ("billing_address", "tax_ids", "automatic_tax")
        }
        asked["promotion_codes"] = text(fields, f"no_codes:{price_id}") != "yes"
        featured = text(fields, "featured") == price_id
        offer = {"price_id": price_id, "featured": featured, **typed, **asked}
        found.append((len(ticked) if place is None else place, number, offer))
    return [offer for _, _, offer in sorted(found, key=lambda entry: entry[:2])]


def _errors(error: ValidationError, values: dict[str, Any]) -> dict[str, str]:
    errors = {}
    for item in error.errors(include_input=False, include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        name, _, rest = message.partition(": ")
        if item["loc"][:1] == ("offers",) and len(item["loc"]) == 3:
            _, number, field = item["loc"]
            beside = f"{field}:{values['offers'][number]['price_id']}"
            errors[beside] = _OFFER_ERRORS.get(field, message)
        elif item["loc"][:1] == ("offers",):
            errors["price"] = message
        elif item["loc"]:
            errors[str(item["loc"][0])] = message
        else:
            errors[name] = rest
    return errors
