"""Stripe's customers who bought something that is linked."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from latchkey.rules.vocabulary import CustomerState
from latchkey.store.purchases.customer_list import CUSTOMERS, ListedCustomer
from web.api.billing import BillingSearch, filter_of, one_of, page_of
from web.api.problems import not_found
from web.api.registry import Call, Output, endpoint


class CustomerSearch(BillingSearch):
    state: Annotated[str, AfterValidator(one_of(list(CustomerState)))] | None = Field(
        None,
        description="`known` belongs to a user, `unknown` to nobody, `deleted` is gone from Stripe",
        json_schema_extra={"enum": [None, *CustomerState]},
    )


class CustomerPaid(Output):
    """`amount` is in the currency's minor unit."""

    currency: str
    amount: int


class CustomerRecurring(Output):
    """`amount` is in the currency's minor unit, for each period of `interval_count` intervals."""

    currency: str
    amount: int
    interval: str
    interval_count: int


class BillingCustomer(Output):
    """`email` and `name` are the customer's at Stripe. `user` is the id of the user whom the
    customer belongs to, and `user_email` their address. `added_at` is when the customer was first
    seen here.

    `paid_once` is what their one-off purchases brought, less refunds, credits and lost disputes.
    `recurring` is what their running subscriptions cost before discounts and taxes; a subscription
    whose amount varies isn't in it. The renewals that they paid aren't added up anywhere here."""

    id: str
    email: str | None
    name: str | None
    user: int | None
    user_email: str | None
    subscriptions: int
    running_subscriptions: int
    purchases: int
    paid_once: list[CustomerPaid]
    recurring: list[CustomerRecurring]
    deleted: bool
    added_at: datetime
    livemode: bool


class CustomerList(Output):
    data: list[BillingCustomer]
    next: str | None


@endpoint("GET", "/customers", query=CustomerSearch, answer=CustomerList)
async def list_customers(call: Call) -> CustomerList:
    """List the Stripe customers who bought something that is linked, newest first."""
    search: CustomerSearch = call.query
    async with call.site.pool.acquire() as connection:
        states = [search.state] if search.state else []
        wanted = await filter_of(connection, search, states=states)
        rows, after = await page_of(connection, CUSTOMERS, wanted, search)
    return CustomerList(data=[_customer(row) for row in rows], next=after)


@endpoint("GET", "/customers/{id}", answer=BillingCustomer)
async def get_customer(call: Call) -> BillingCustomer:
    """Get one customer by Stripe's id."""
    async with call.site.pool.acquire() as connection:
        found = await CUSTOMERS.find(connection, call.path["id"])
    if found is None:
        raise not_found("customer", call.path["id"])
    return _customer(found)


def _customer(row: ListedCustomer) -> BillingCustomer:
    return BillingCustomer(
        id=row.id,
        email=row.email,
        name=row.name,
        user=row.user_id,
        user_email=row.user_email,
        subscriptions=row.subscriptions,
        running_subscriptions=row.running_subscriptions,
        purchases=row.purchases,
        paid_once=[CustomerPaid.model_validate(vars(part)) for part in row.paid],
        recurring=[CustomerRecurring.model_validate(vars(part)) for part in row.recurring],
        deleted=row.deleted,
        added_at=row.added_at,
        livemode=row.livemode,
    )
