"""The access policy: the site's, a product's own, and what a change of it would do."""

from datetime import datetime
from typing import Any

from pydantic import Field, StrictBool, StrictInt

from latchkey.rules.policy import LONGEST_GRACE_DAYS
from latchkey.store.access import policy, policy_preview
from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.purchases.linked_products import Draft
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, endpoint
from web.inputs import Input
from web.numbers import number


class PolicyCells(Input):
    """The cells to set; what is left out has the default again (a product's: the site's cell).

    True means access. `past_due_days` is the grace in days, null for no limit.
    """

    trialing: StrictBool = Field(True, description="in a trial")
    past_due_days: StrictInt | None = Field(
        14, ge=0, le=LONGEST_GRACE_DAYS, description="days of grace after a failed renewal"
    )
    unpaid: StrictBool = Field(False, description="Stripe gave up collecting")
    paused: StrictBool = Field(False, description="the subscription is paused")
    incomplete: StrictBool = Field(False, description="the first payment is open")
    collection_paused: StrictBool = Field(True, description="payment collection is paused")
    full_refund: StrictBool = Field(False, description="a purchase was refunded in full")
    partial_refund: StrictBool = Field(True, description="a purchase was refunded in part")
    dispute_opened: StrictBool = Field(True, description="a purchase is disputed")
    dispute_lost: StrictBool = Field(False, description="a dispute about a purchase was lost")


class PolicyChange(Output):
    """A saved change on its way to everybody: waiting, applying or done."""

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
    """The cells as they count, and the last change of them."""

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
    """`overrides` are the cells that the product has of its own."""

    overrides: dict[str, Any]


class PolicyEffect(Output):
    """What would happen to one person's access to one product: `gains`, `loses`, or `moves` (its
    end). `user_id` is null for somebody who would become a user."""

    user_id: int | None
    email: str | None
    product_id: str
    product: str
    outcome: str
    source_ids: list[str]
    reason: str
    until: datetime | None


class PolicyPreview(Output):
    """Who is affected: counts over everybody, `data` with the first of them, losses first."""

    checked: int
    gains: int
    loses: int
    moves: int
    data: list[PolicyEffect]


@endpoint("GET", "/policy", answer=Policy)
async def get_policy(call: Call) -> Policy:
    """The site's access policy."""
    async with call.site.pool.acquire() as connection:
        return await _policy(connection)


@endpoint("PUT", "/policy", body=PolicyCells, answer=Policy)
async def put_policy(call: Call) -> Policy:
    """Set the site's access policy.

    It counts at once for what happens from now on, and is applied to everybody else in the
    background; `change` tells how far that is.
    """
    async with call.site.changing() as connection:
        await _save(connection, _draft(call))
        return await _policy(connection)


@endpoint("POST", "/policy/preview", body=PolicyCells, answer=PolicyPreview)
async def preview_policy(call: Call) -> PolicyPreview:
    """Who would gain and who would lose access by this policy. Changes nothing."""
    return await _preview(call, _draft(call))


@endpoint("GET", "/policy/changes/{id}", answer=PolicyChange)
async def get_policy_change(call: Call) -> PolicyChange:
    """How far a saved change of a policy is."""
    change_id = number(call.path["id"])
    async with call.site.pool.acquire() as connection:
        found = await policy.change(connection, change_id) if change_id else None
    if found is None:
        raise not_found("policy change", call.path["id"])
    return _change(found)


@endpoint("GET", "/products/{id}/policy", answer=ProductPolicy)
async def get_product_policy(call: Call) -> ProductPolicy:
    """A product's access policy: the site's, with the product's own cells."""
    async with call.site.pool.acquire() as connection:
        return await _product_policy(connection, await _product_id(connection, call))


@endpoint("PUT", "/products/{id}/policy", body=PolicyCells, answer=ProductPolicy)
async def put_product_policy(call: Call) -> ProductPolicy:
    """Set the cells that a product has of its own; those left out are the site's again."""
    async with call.site.changing() as connection:
        product_id = await _product_id(connection, call)
        await _save(connection, _draft(call, product_id))
        return await _product_policy(connection, product_id)


@endpoint("POST", "/products/{id}/policy/preview", body=PolicyCells, answer=PolicyPreview)
async def preview_product_policy(call: Call) -> PolicyPreview:
    """Who would gain and who would lose access to a product. Changes nothing."""
    async with call.site.pool.acquire() as connection:
        product_id = await _product_id(connection, call)
    return await _preview(call, _draft(call, product_id))


def _draft(call: Call, product_id: str | None = None) -> Draft:
    return Draft(call.body.model_dump(exclude_unset=True), product_id)


async def _save(connection: Connection, draft: Draft) -> None:
    try:
        await policy.save(connection, draft, actor=None)
    except policy.UnknownProductError as error:
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


async def _product_id(connection: Connection, call: Call) -> str:
    found = await products.find(connection, call.path["id"])
    if found is None:
        raise not_found("product", call.path["id"])
    return found.id


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


def _change(found: policy.Change) -> PolicyChange:
    return PolicyChange.model_validate(vars(found))
