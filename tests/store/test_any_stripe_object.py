"""Whatever stands in Stripe's objects is stored, or left out, and doesn't stop the others."""

import copy
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from latchkey.rules import reading
from latchkey.rules.reading import UnreadableError
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import Connection, Pool
from latchkey.store.purchases import buyers, rejudging
from latchkey.store.purchases.orders import apply_orders, rejudge_orders
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe import catalog
from latchkey.store.stripe.context import ApplyContext
from latchkey.store.users import account, profile
from latchkey.stripe_api import replace_unstorable
from latchkey.stripe_ids import in_path, reference
from tests.store.test_removed_links import ACCOUNT, linked

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
NOW = 1_795_000_000
CUSTOMER: Json = {
    "id": "cus_odd",
    "object": "customer",
    "email": "odd@x.example",
    "name": "Odd",
    "deleted": False,
}
PRICE: Json = {
    "id": "price_odd",
    "object": "price",
    "livemode": False,
    "product": "prod_1",
    "active": True,
    "type": "recurring",
    "currency": "usd",
    "unit_amount": 1500,
    "recurring": {"interval": "month", "interval_count": 1},
    "nickname": "Monthly",
    "created": NOW,
}
PRODUCT: Json = {
    "id": "prod_odd",
    "object": "product",
    "livemode": False,
    "name": "Course",
    "description": "A course",
    "images": ["https://x.example/a.png"],
    "active": True,
    "created": NOW,
}
SUBSCRIPTION: Json = {
    "id": "sub_odd",
    "object": "subscription",
    "livemode": False,
    "customer": CUSTOMER,
    "status": "active",
    "items": {
        "data": [
            {
                "id": "si_odd",
                "price": PRICE,
                "quantity": 1,
                "current_period_start": NOW,
                "current_period_end": NOW + 2_592_000,
            }
        ],
        "has_more": False,
    },
    "created": NOW,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "cancellation_details": {"reason": "", "comment": "", "feedback": ""},
    "trial_end": None,
    "pause_collection": None,
}
INTENT: Json = {
    "id": "pi_odd",
    "object": "payment_intent",
    "status": "succeeded",
    "latest_charge": {
        "id": "ch_odd",
        "created": NOW,
        "amount": 1500,
        "amount_captured": 1500,
        "amount_refunded": 0,
        "refunded": False,
        "disputed": False,
    },
}
SESSION: Json = {
    "id": "cs_odd",
    "object": "checkout.session",
    "livemode": False,
    "customer": None,
    "customer_details": {"email": "odd@x.example", "name": "Odd"},
    "client_reference_id": "x",
    "status": "complete",
    "payment_status": "paid",
    "payment_intent": INTENT,
    "invoice": {
        "id": "in_cart",
        "status": "paid",
        "pre_payment_credit_notes_amount": 0,
        "post_payment_credit_notes_amount": 100,
    },
    "amount_total": 1500,
    "currency": "usd",
    "created": NOW,
    "line_items": {
        "data": [{"id": "li_odd", "price": PRICE, "quantity": 1, "amount_total": 1500}],
        "has_more": False,
    },
}
SESSION["line_items"]["data"][0]["price"] = PRICE | {"type": "one_time"}
INVOICE: Json = {
    "id": "in_odd",
    "object": "invoice",
    "livemode": False,
    "customer": "cus_odd",
    "customer_email": "odd@x.example",
    "customer_name": "Odd",
    "status": "paid",
    "pre_payment_credit_notes_amount": 0,
    "post_payment_credit_notes_amount": 100,
    "total": 1500,
    "currency": "usd",
    "created": NOW,
    "status_transitions": {"paid_at": NOW},
    "lines": {
        "data": [
            {
                "id": "il_odd",
                "pricing": {"price_details": {"product": "prod_1", "price": "price_odd"}},
                "quantity": 1,
                "amount": 1500,
            }
        ],
        "has_more": False,
    },
}

TEXTS = (
    st.text(max_size=40)
    | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Mn"]), max_size=20)
    | st.sampled_from(
        (
            *("\x00", "\ud800", "n" * 6000, "\ufdfa" * 500, "İ" * 512, "a@" * 300, "😀" * 300),
            *("anna@x.example", "a?b=c&d", "Gold #1", "club/2014", "..", "ref-1", "'; drop --"),
        )
    )
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 10**30, -(10**12)])
OTHERS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.just([]) | st.just({}) | st.just(["x"]) | st.just({"x": 1})
)


def leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of a template's texts and numbers."""
    entries = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in entries:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        yield (*path, key)


@st.composite
def spoiled(draw: st.DrawFn, template: Json) -> Json:
    """The object with other values in up to three places, texts mostly in place of texts."""
    made = copy.deepcopy(template)
    places = list(leaves(template))
    for path in draw(st.lists(st.sampled_from(places), min_size=1, max_size=3, unique=True)):
        at: Any = made
        for key in path[:-1]:
            at = at[key] if isinstance(at, dict | list) and _has(at, key) else None
        if isinstance(at, dict | list) and _has(at, path[-1]):
            kind = TEXTS if isinstance(at[path[-1]], str) else NUMBERS
            at[path[-1]] = draw(kind | TEXTS | NUMBERS | OTHERS if draw(st.booleans()) else kind)
    return made


def _has(part: Any, key: Any) -> bool:
    return key in part if isinstance(part, dict) else isinstance(key, int) and key < len(part)


def read(source: Json, how: Callable[[Json], Any]) -> list[Any]:
    try:
        return [how(source)]
    except UnreadableError:
        return []


TEMPLATES: Json = {
    "customer": CUSTOMER,
    "price": PRICE,
    "product": PRODUCT,
    "subscription": SUBSCRIPTION,
    "session": SESSION,
    "invoice": INVOICE,
}
ODD = st.fixed_dictionaries({kind: spoiled(template) for kind, template in TEMPLATES.items()})


@settings(
    max_examples=120,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(odd=ODD)
async def test_any_object_is_stored_or_left_out(pool: Pool, odd: Json) -> None:
    await stores(pool, odd)


NOISE = "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(150))
LIGATURES = "\ufdfa" * 500
"""Each is 18 characters when compared without differences of form."""

KNOWN: list[tuple[str, tuple[Any, ...], Any]] = [
    ("session", ("customer_details", "email"), LIGATURES),
    ("session", ("amount_total",), 10**30),
    ("session", ("invoice", "post_payment_credit_notes_amount"), 10**30),
    ("invoice", ("pre_payment_credit_notes_amount",), 10**30),
    ("invoice", ("post_payment_credit_notes_amount",), -(10**30)),
    ("session", ("line_items", "data", 0, "quantity"), 2**40),
    ("session", ("line_items", "data", 0, "id"), NOISE),
    ("session", ("created",), 10**18),
    ("subscription", ("customer", "email"), LIGATURES),
    ("subscription", ("customer", "id"), NOISE),
    ("subscription", ("customer", "name"), "a\x00\ud800"),
    ("subscription", ("items",), "none"),
    ("subscription", ("cancel_at",), 10**18),
    ("price", ("unit_amount",), 10**30),
    ("product", ("id",), NOISE),
]


@pytest.mark.parametrize(("kind", "path", "value"), KNOWN)
async def test_known_oddities_are_stored_or_left_out(
    pool: Pool, kind: str, path: tuple[Any, ...], value: Any
) -> None:
    odd = copy.deepcopy(TEMPLATES)
    at: Any = odd[kind]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    await stores(pool, odd)


async def stores(pool: Pool, odd: Json) -> None:
    replace_unstorable(odd)
    plain = copy.deepcopy(SUBSCRIPTION)
    plain |= {"id": "sub_plain", "customer": CUSTOMER | {"id": "cus_plain", "email": "p@x.example"}}
    plain["items"]["data"][0]["id"] = "si_plain"
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await _apply(connection, odd, plain)
            given = "select count(*) from live_grants where source_id = 'sub_plain'"
            assert await connection.fetchval(given) == 1
        finally:
            await transaction.rollback()


async def _apply(connection: Connection, odd: Json, plain: Json) -> None:
    context = ApplyContext(ACCOUNT, 1, datetime.fromtimestamp(NOW, UTC), Cause.STRIPE)
    await linked(connection, "one", {})
    products = read(odd["product"], reading.stripe_product)
    await catalog.mirror_products(connection, products, account=ACCOUNT, ticket=1)
    prices = read(odd["price"], reading.price)
    await catalog.mirror_prices(connection, prices, account=ACCOUNT, ticket=1)
    subscriptions = [
        *read(odd["subscription"], reading.subscription),
        reading.subscription(plain),
    ]
    await apply_subscriptions(connection, subscriptions, context=context)
    orders = [
        *read(odd["session"], reading.checkout_session),
        *read(odd["invoice"], reading.invoice),
    ]
    await apply_orders(connection, orders, context=context)
    for row in await connection.fetch("select id from users"):
        await account.orders(connection, row["id"])
        await profile.orders(connection, row["id"])
    await rejudge_orders(connection, [order.id for order in orders], context=context)
    customer = reading.customer(odd["customer"])
    if customer is not None:
        assert len(in_path(customer.id)) > 0
        assert "@" not in reference(customer.id)
        if await buyers.mirror_customer(connection, customer, context=context):
            await rejudging.of_customer(connection, customer.id, context=context)
