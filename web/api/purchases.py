"""One-off purchases of linked Stripe products."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from latchkey.rules.vocabulary import MoneyState
from latchkey.store.purchases.purchase_list import (
    COMPLETED,
    PURCHASES,
    RETURNED,
    ListedPurchase,
)
from web.api.billing import BillingSearch, filter_of, one_of, page_of
from web.api.problems import not_found
from web.api.registry import Call, Output, endpoint

_STATES = {"completed": COMPLETED, "returned": RETURNED} | {
    state.value: (state,) for state in MoneyState
}


class PurchaseSearch(BillingSearch):
    state: Annotated[str, AfterValidator(one_of(_STATES))] | None = Field(
        None,
        description="one state; `completed` for all that were paid or settled, whatever became of"
        " the money later; `returned` for what was refunded or credited, also in part",
        json_schema_extra={"enum": [None, *_STATES]},
    )
    customer: str | None = Field(None, description="id of one of Stripe's customers")


class PurchaseLine(Output):
    """`product_name` is Stripe's."""

    stripe_product: str
    product_name: str | None
    price: str
    quantity: int | None
    amount: int


class Purchase(Output):
    """A checkout session, or an invoice without one. `state` follows the money. `user` is the
    user's id; `email` their address, or the buyer's if nobody has an account yet."""

    id: str
    state: str
    user: int | None
    email: str | None
    customer: str | None
    amount: int
    amount_refunded: int
    amount_credited: int
    currency: str | None
    dispute_status: str | None
    payment_intent: str | None
    invoice: str | None
    lines: list[PurchaseLine]
    created_at: datetime
    paid_at: datetime | None
    livemode: bool


class PurchaseList(Output):
    data: list[Purchase]
    next: str | None


@endpoint("GET", "/purchases", query=PurchaseSearch, answer=PurchaseList)
async def list_purchases(call: Call) -> PurchaseList:
    """List the one-off purchases of linked Stripe products, newest first."""
    search: PurchaseSearch = call.query
    async with call.site.pool.acquire() as connection:
        states = _STATES[search.state] if search.state else ()
        wanted = await filter_of(connection, search, states=states, customer=search.customer)
        rows, after = await page_of(connection, PURCHASES, wanted, search)
    return PurchaseList(data=[_purchase(row) for row in rows], next=after)


@endpoint("GET", "/purchases/{id}", answer=Purchase)
async def get_purchase(call: Call) -> Purchase:
    """Get one purchase by the id of its checkout session or invoice."""
    async with call.site.pool.acquire() as connection:
        found = await PURCHASES.find(connection, call.path["id"])
    if found is None:
        raise not_found("purchase", call.path["id"])
    return _purchase(found)


def _purchase(row: ListedPurchase) -> Purchase:
    return Purchase(
        id=row.id,
        state=row.money_state,
        user=row.user_id,
        email=row.email or row.customer_email,
        customer=row.customer_id,
        amount=row.amount,
        amount_refunded=row.amount_refunded,
        amount_credited=row.credited,
        currency=row.currency,
        dispute_status=row.dispute_status,
        payment_intent=row.payment_intent,
        invoice=row.invoice,
        lines=[PurchaseLine.model_validate(vars(line)) for line in row.lines],
        created_at=row.created_at,
        paid_at=row.paid_at,
        livemode=row.livemode,
    )
