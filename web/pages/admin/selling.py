"""How a product is sold: purchase method, checkout and price, locked card."""

from typing import Any

from pydantic import Field, ValidationError, model_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.store.products import checkout, links
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from web.inputs import Input, Url
from web.pages.admin.lookup import product_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of

WAIT_SECONDS = 15.0


class SellingForm(Input):
    """What the selling form sends."""

    purchase_method: str = Field(pattern="^(none|sales_page|checkout)$")
    checkout_target: str = Field(pattern="^(stripe|payment_link|external)$")
    external_url: Url | None = None
    enabled: bool
    price: str | None = Field(None, max_length=200)
    promotion_codes: bool
    payment_link: bool
    show_locked: bool

    @model_validator(mode="after")
    def _complete(self) -> "SellingForm":
        if self.checkout_target == "external" and not self.external_url:
            raise ValueError("external_url: enter the URL that buyers are sent to")
        if self.enabled and not self.price:
            raise ValueError("price: choose a price for the checkout")
        sold_by_stripe = self.purchase_method == "checkout" and self.checkout_target != "external"
        if sold_by_stripe and not self.enabled:
            raise ValueError("price: to lead straight to Stripe Checkout, turn it on")
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
    fields = await form(request)
    values: dict[str, Any] = {
        "purchase_method": text(fields, "purchase_method") or "none",
        "checkout_target": text(fields, "checkout_target") or "stripe",
        "external_url": text(fields, "external_url") or None,
        "enabled": text(fields, "enabled") == "yes",
        "price": text(fields, "price") or None,
        "promotion_codes": text(fields, "promotion_codes") == "yes",
        "payment_link": text(fields, "payment_link") == "yes",
        "show_locked": text(fields, "show_locked") == "yes",
    }
    try:
        wanted = SellingForm.model_validate(values)
    except ValidationError as error:
        return await _form(request, values=values, errors=_errors(error), status=422)
    problem = await _save(request, wanted)
    if problem:
        return await _form(request, values=values, errors={"price": problem}, status=422)
    return redirect(f"/admin/products/{request.path_params['id']}/checkout?done=saved")


async def _save(request: Request, wanted: SellingForm) -> str | None:
    """Save, and update Stripe; returns the problem as a sentence, if there is one."""
    site = site_of(request)
    try:
        async with site.changing() as connection:
            product = await product_of(request, connection)
            await checkout.choose(
                connection,
                product.id,
                enabled=wanted.enabled,
                price=wanted.price,
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
            )
    except checkout.CheckoutError as error:
        return f"Not saved: {error}."
    if not wanted.wants_link:
        return None
    try:
        await dispatch.settle_checkout(site.temporal, product.id, seconds=WAIT_SECONDS)
    except dispatch.WorkflowFailedError as error:
        return f"Saved, but Stripe wasn't updated: {error}"
    except dispatch.TemporalUnavailableError:
        return None
    async with site.pool.acquire() as connection:
        link = (await checkout.selling(connection, product.id)).wanted
    return f"Stripe didn't create a payment link: {link.error}" if link and link.error else None


async def _form(
    request: Request,
    *,
    values: dict[str, Any] | None = None,
    errors: dict[str, str] | None = None,
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
    offered = now.offers[0].price_id if now.offers else None
    return page(
        request,
        "admin/selling.html",
        status,
        product=product,
        now=now,
        link=link,
        connected=connected.state == "connected",
        prices=[entry for entry in prices if entry.active or entry.id == offered],
        values=values
        or {
            **vars(now),
            "enabled": offered is not None,
            "price": offered,
            "payment_link": now.wanted is not None,
        },
        errors=errors or {},
        buy_address=f"{site.public_url}/buy/{product.slug}",
    )


def _errors(error: ValidationError) -> dict[str, str]:
    errors = {}
    for item in error.errors(include_input=False, include_url=False):
        message = item["msg"].removeprefix("Value error, ")
        name, _, rest = message.partition(": ")
        if item["loc"]:
            errors[str(item["loc"][0])] = message
        else:
            errors[name] = rest[:1].upper() + rest[1:] + "."
    return errors
