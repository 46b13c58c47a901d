"""Product links: preview, create, show, remove."""

from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from latchkey import dispatch
from latchkey.rules.vocabulary import TokenScope
from latchkey.store.products import link_previews, links
from latchkey.store.products.products import UnknownProductError
from latchkey.store.stripe.connection import NotConnectedError
from web.api.lookup import product_of
from web.api.problems import ApiError
from web.api.registry import Call, Output, endpoint
from web.inputs import Input, LinkTo


class PreviewOf(Input):
    stripe_product: str = Field(min_length=1, max_length=200)


class PreviewRecord(Output):
    """One subscription or order of one customer: what will happen and why."""

    source_id: str
    customer_id: str | None
    email: str | None
    name: str | None
    outcome: str
    reason: str


class Preview(Output):
    """`counts` covers all records by outcome, `records` holds the first 1,000."""

    id: str
    product_id: str
    stripe_product: str
    state: str
    counts: dict[str, int]
    records: list[PreviewRecord]


@endpoint(
    "POST", "/products/{id}/link/preview", scope=TokenScope.READ, body=PreviewOf, answer=Preview
)
async def preview(call: Call) -> Preview:
    """Preview who a link would affect, and why. Changes nothing."""
    wanted: PreviewOf = call.body
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
    try:
        preview_id = await dispatch.preview_link(
            call.site.temporal,
            call.site.pool,
            product_id=product.id,
            stripe_product=wanted.stripe_product,
        )
    except dispatch.WorkflowFailedError as error:
        raise ApiError(422, "preview_failed", str(error)) from None
    async with call.site.pool.acquire() as connection:
        found = await link_previews.preview(connection, preview_id)
    if found is None or found.state == "failed":
        raise ApiError(422, "preview_failed", (found and found.error) or "the preview failed")
    return Preview.model_validate(
        {**vars(found), "records": [vars(record) for record in found.records]}
    )


class Link(Output):
    """`progress` counts what the import has processed so far."""

    id: int
    product_id: str
    stripe_product: str | None
    stripe_product_name: str | None
    state: str
    mail: str
    progress: dict[str, Any]
    error: str | None
    workflow_id: str
    created_at: datetime
    listening_at: datetime | None


def shown(link: links.Link) -> Link:
    return Link.model_validate({**vars(link), "workflow_id": link.workflow_id})


@endpoint(
    "PUT", "/products/{id}/link", scope=TokenScope.EVERYTHING, body=LinkTo, answer=Link, status=202
)
async def put_link(call: Call) -> Link:
    """Link a product to a Stripe product.

    The import starts at once, and `progress` shows how far it has come. Sending the same link again
    changes nothing, or restarts the import if it failed. A Stripe product that isn't known yet is
    looked up in Stripe first.
    """
    try:
        try:
            made = await _link(call)
        except links.UnknownStripeProductError:
            with suppress(dispatch.WorkflowFailedError):
                await dispatch.refresh_catalog(call.site.temporal)
            made = await _link(call)
    except links.REFUSALS as error:
        raise problem_of(error) from None
    return shown(made)


async def _link(call: Call) -> links.Link:
    """Raises one of `links.REFUSALS`."""
    wanted: LinkTo = call.body
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        return await links.create_link(
            connection,
            product_id=product.id,
            stripe_product=wanted.stripe_product,
            create=links.NewPrice(**wanted.create.model_dump()) if wanted.create else None,
            mail=wanted.mail,
            invoices=wanted.invoices,
            actor=None,
            members=wanted.members,
        )


@endpoint("GET", "/products/{id}/link", answer=Link)
async def get_link(call: Call) -> Link:
    """Get a product's link and the progress of its import."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        found = await links.current_link(connection, product.id)
    if found is None:
        raise ApiError(404, "not_found", f"product {product.id} isn't linked")
    return shown(found)


class Ways(Input):
    members: Literal["keep", "end", "complimentary"] | None = None


class Removed(Output):
    """What happened to the members."""

    active_subscriptions: int
    kept: int
    ended: int
    converted: int


@endpoint("DELETE", "/products/{id}/link", scope=TokenScope.EVERYTHING, query=Ways, answer=Removed)
async def delete_link(call: Call) -> Removed:
    """Remove a product's link.

    While Stripe has live subscriptions for it, `members` must say what happens to its members:
    `keep` their access until their subscription ends, `end` it now, or make it `complimentary`.
    """
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        try:
            removal = await links.remove_link(
                connection, product_id=product.id, members=call.query.members, actor=None
            )
        except links.REFUSALS as error:
            raise problem_of(error) from None
    return Removed.model_validate(vars(removal))


def problem_of(error: Exception) -> ApiError:
    """The API error for a refused link."""
    match error:
        case links.LiveSubscriptionsError():
            return ApiError(
                409,
                "live_subscriptions",
                str(error),
                active_subscriptions=error.active_subscriptions,
                members=list(links.WAYS_OUT),
            )
        case NotConnectedError():
            return ApiError(409, "not_connected", str(error))
        case UnknownProductError() | links.UnknownLinkError():
            return ApiError(404, "not_found", str(error))
        case links.UnknownStripeProductError():
            return ApiError(422, "unknown_stripe_product", str(error))
    return ApiError(422, "invalid", str(error))
