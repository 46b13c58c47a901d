"""The access policy of the site and of single products, and previews of changes."""

from datetime import datetime
from typing import Any

from pydantic import Field, StrictBool, StrictInt

from latchkey.rules.policy import LONGEST_GRACE_DAYS
from latchkey.rules.vocabulary import TokenScope
from latchkey.store.access import policy, policy_preview
from latchkey.store.pool import Connection
from latchkey.store.products.products import UnknownProductError
from latchkey.store.purchases.linked_products import Draft
from web.api.lookup import product_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, endpoint
from web.inputs import Input
from web.numbers import number


class PolicyCells(Input):
    """The cells to set. Omitted cells return to the default (for a product, the site's cell).

    True means access. `past_due_days` is the grace period in days, null for no limit.
    """

    trialing: StrictBool = Field(True, description="the subscription is in a trial")
    past_due_days: StrictInt | None = Field(
        14,
        ge=0,
        le=LONGEST_GRACE_DAYS,
        description="days of grace after a failed renewal, null for no limit",
    )
    unpaid: StrictBool = Field(False, description="Stripe stopped trying to collect the payment")
    paused: StrictBool = Field(False, description="the subscription is paused")
    incomplete: StrictBool = Field(False, description="the first payment hasn't succeeded yet")
    collection_paused: StrictBool = Field(True, description="payment collection is paused")
    full_refund: StrictBool = Field(False, description="a purchase was refunded in full")
    partial_refund: StrictBool = Field(True, description="a purchase was refunded in part")
    dispute_opened: StrictBool = Field(True, description="a purchase is disputed")
    dispute_lost: StrictBool = Field(False, description="a dispute about a purchase was lost")


class PolicyChange(Output):
    """The progress of applying a saved change to everyone: waiting, applying or done."""

    id: int
    product_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    state: str
    checked: int
    granted: int
    ended: int
    created_at: datetime
    finished_at: datetime | None


class Policy(Output):
    """The cells in force, and the last change to them."""

    trialing: bool
    past_due_days: int | None
    unpaid: bool
    paused: bool
    incomplete: bool
    collection_paused: bool
    full_refund: bool
    partial_refund: bool
    dispute_opened: bool
    dispute_lost: bool
    change: PolicyChange | None


class ProductPolicy(Policy):
    """`overrides` are the cells that the product sets itself."""

    overrides: dict[str, Any]


class PolicyEffect(Output):
    """What would happen to one person's access to one product: `gains`, `loses`, or `moves` if its
    end changes. `user_id` is null for someone who isn't a user yet."""

    user_id: int | None
    email: str | None
    product_id: str
    product: str
    outcome: str
    source_ids: list[str]
    reason: str
    until: datetime | None


class PolicyPreview(Output):
    """Who would be affected: counts over everyone, and `data` with the first of them, losses
    first."""

    checked: int
    gains: int
    loses: int
    moves: int
    data: list[PolicyEffect]


@endpoint("GET", "/policy", answer=Policy)
async def get_policy(call: Call) -> Policy:
    """Get the site's access policy."""
    async with call.site.pool.acquire() as connection:
        return await _policy(connection)


@endpoint("PUT", "/policy", scope=TokenScope.EVERYTHING, body=PolicyCells, answer=Policy)
async def put_policy(call: Call) -> Policy:
    """Set the site's access policy.

    It takes effect at once for whatever happens from now on, and is applied to everyone else in the
    background. `change` shows the progress.
    """
    async with call.site.changing() as connection:
        await _save(connection, _draft(call))
        return await _policy(connection)


@endpoint("POST", "/policy/preview", scope=TokenScope.READ, body=PolicyCells, answer=PolicyPreview)
async def preview_policy(call: Call) -> PolicyPreview:
    """Preview who would gain and who would lose access under this policy. Changes nothing."""
    return await _preview(call, _draft(call))


@endpoint("GET", "/policy/changes/{id}", answer=PolicyChange)
async def get_policy_change(call: Call) -> PolicyChange:
    """Get the progress of a saved policy change."""
    change_id = number(call.path["id"])
    async with call.site.pool.acquire() as connection:
        found = await policy.change(connection, change_id) if change_id else None
    if found is None:
        raise not_found("policy change", call.path["id"])
    return _change(found)


@endpoint("GET", "/products/{id}/policy", answer=ProductPolicy)
async def get_product_policy(call: Call) -> ProductPolicy:
    """Get a product's access policy: the site's, with the product's own cells."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        return await _product_policy(connection, product.id)


@endpoint(
    "PUT",
    "/products/{id}/policy",
    scope=TokenScope.EVERYTHING,
    body=PolicyCells,
    answer=ProductPolicy,
)
async def put_product_policy(call: Call) -> ProductPolicy:
    """Set a product's own cells. Omitted cells follow the site again."""
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        await _save(connection, _draft(call, product.id))
        return await _product_policy(connection, product.id)


@endpoint(
    "POST",
    "/products/{id}/policy/preview",
    scope=TokenScope.READ,
    body=PolicyCells,
    answer=PolicyPreview,
)
async def preview_product_policy(call: Call) -> PolicyPreview:
    """Preview who would gain and who would lose access to a product. Changes nothing."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
    return await _preview(call, _draft(call, product.id))


def _draft(call: Call, product_id: str | None = None) -> Draft:
    return Draft(call.body.model_dump(exclude_unset=True), product_id)


async def _save(connection: Connection, draft: Draft) -> None:
    try:
        await policy.save(connection, draft, actor=None)
    except UnknownProductError as error:
        raise ApiError(404, "not_found", str(error)) from None


async def _preview(call: Call, draft: Draft) -> PolicyPreview:
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await policy_preview.preview(connection, draft)
    return PolicyPreview(
        checked=found.checked,
        gains=found.gains,
        loses=found.loses,
        moves=found.moves,
        data=[PolicyEffect.model_validate(vars(effect)) for effect in found.effects],
    )


async def _policy(connection: Connection) -> Policy:
    found = await policy.read(connection)
    last = await policy.last_change(connection, None)
    return Policy.model_validate(
        {**found.effective.cells(), "change": _change(last) if last else None}
    )


async def _product_policy(connection: Connection, product_id: str) -> ProductPolicy:
    found = await policy.read(connection, product_id)
    last = await policy.last_change(connection, product_id)
    return ProductPolicy.model_validate(
        {
            **found.effective.cells(),
            "overrides": dict(found.own),
            "change": _change(last) if last else None,
        }
    )


def _change(found: policy.PolicyRevision) -> PolicyChange:
    return PolicyChange.model_validate(vars(found))
