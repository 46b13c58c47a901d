"""Subscriptions of linked Stripe products."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from latchkey.rules.vocabulary import SubscriptionPhase
from latchkey.store.purchases.subscription_list import (
    RUNNING,
    SUBSCRIPTIONS,
    ListedSubscription,
)
from web.api.billing import BillingSearch, filter_of, one_of, page_of
from web.api.problems import not_found
from web.api.registry import Call, Output, endpoint

_STATES = {"running": RUNNING} | {phase.value: (phase,) for phase in SubscriptionPhase}


class SubscriptionSearch(BillingSearch):
    state: Annotated[str, AfterValidator(one_of(_STATES))] | None = Field(
        None,
        description="one state, or `running` for all but `ended`",
        json_schema_extra={"enum": [None, *_STATES]},
    )
    customer: str | None = Field(None, description="id of one of Stripe's customers")


class SubscribedItem(Output):
    """`product_name` is Stripe's."""

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None


class Subscription(Output):
    """`status` is Stripe's; `state` says what matters most about it. `amount` is for each period,
    before discounts and taxes, and null where it varies. `user` is the user's id; `email` their
    address, or the customer's if nobody has an account yet."""

    id: str
    state: str
    status: str
    user: int | None
    email: str | None
    customer: str
    amount: int | None
    currency: str | None
    interval: str | None
    interval_count: int | None
    items: list[SubscribedItem]
    created_at: datetime
    period_end: datetime | None
    trial_end: datetime | None
    scheduled_end: datetime | None
    past_due_since: datetime | None
    ended_at: datetime | None
    livemode: bool


class SubscriptionList(Output):
    data: list[Subscription]
    next: str | None


@endpoint("GET", "/subscriptions", query=SubscriptionSearch, answer=SubscriptionList)
async def list_subscriptions(call: Call) -> SubscriptionList:
    """List the subscriptions of linked Stripe products, newest first."""
    search: SubscriptionSearch = call.query
    async with call.site.pool.acquire() as connection:
        states = _STATES[search.state] if search.state else ()
        wanted = await filter_of(connection, search, states=states, customer=search.customer)
        rows, after = await page_of(connection, SUBSCRIPTIONS, wanted, search)
    return SubscriptionList(data=[_subscription(row) for row in rows], next=after)


@endpoint("GET", "/subscriptions/{id}", answer=Subscription)
async def get_subscription(call: Call) -> Subscription:
    """Get one subscription by Stripe's id."""
    async with call.site.pool.acquire() as connection:
        found = await SUBSCRIPTIONS.find(connection, call.path["id"])
    if found is None:
        raise not_found("subscription", call.path["id"])
    return _subscription(found)


def _subscription(row: ListedSubscription) -> Subscription:
    return Subscription(
        id=row.id,
        state=row.phase,
        status=row.status,
        user=row.user_id,
        email=row.email or row.customer_email,
        customer=row.customer_id,
        amount=row.amount,
        currency=row.currency,
        interval=row.interval,
        interval_count=row.interval_count,
        items=[SubscribedItem.model_validate(vars(item)) for item in row.items],
        created_at=row.created_at,
        period_end=row.period_end,
        trial_end=row.trial_end,
        scheduled_end=row.scheduled_end,
        past_due_since=row.past_due_since,
        ended_at=row.ended_at,
        livemode=row.livemode,
    )
