"""A purchase's state follows its money, and agrees with the access that the rules give."""

import random
from dataclasses import replace

import pytest

from latchkey.rules.access import DISPUTE_OPEN, judge_order, order_state
from latchkey.rules.policy import DEFAULT_POLICY
from latchkey.rules.reading import Dispute, Order, OrderLine, Payment
from latchkey.rules.vocabulary import MoneyState
from latchkey.store.pool import Pool
from latchkey.store.purchases import order_mirror
from tests.store.test_removed_links import ACCOUNT, NOW

pytestmark = pytest.mark.anyio

HUGE = 2**63 - 1
OPENS = {
    MoneyState.PAID,
    MoneyState.PARTLY_REFUNDED,
    MoneyState.PARTLY_CREDITED,
    MoneyState.DISPUTED,
}
"""The states that give access by the default policy, where nothing else happened."""

PAID = Order(
    id="in_1",
    livemode=False,
    customer=None,
    email="a@store.example",
    name=None,
    reference=None,
    status="paid",
    payment_status="paid",
    subscription=None,
    invoice="in_1",
    payment=Payment("pi_1", "succeeded", amount=1000),
    amount=1000,
    currency="usd",
    created=NOW,
    lines=(OrderLine("il_1", "prod_1", "price_1", False, 1, 1000),),
    lines_complete=True,
)


def paid(*, before: int = 0, after: int = 0, **payment: object) -> Order:
    found = replace(Payment("pi_1", "succeeded", amount=1000 - before), **payment)  # type: ignore[arg-type]
    return replace(PAID, payment=found, credited_before=before, credited_after=after)


def pending(state: str) -> Order:
    return replace(
        PAID, status="complete", payment_status="unpaid", payment=Payment("pi_1", state=state)
    )


CASES = [
    (paid(), MoneyState.PAID),
    (replace(PAID, payment=None), MoneyState.PAID),
    (replace(PAID, payment=None, amount=0), MoneyState.PAID),
    (paid(before=400), MoneyState.PAID),
    (paid(amount_refunded=1), MoneyState.PARTLY_REFUNDED),
    (paid(amount_refunded=1000), MoneyState.REFUNDED),
    (paid(amount_refunded=1000, refunded=True), MoneyState.REFUNDED),
    (paid(after=1), MoneyState.PARTLY_CREDITED),
    (paid(after=1000), MoneyState.CREDITED),
    (paid(before=400, after=600), MoneyState.CREDITED),
    (paid(after=600, amount_refunded=400), MoneyState.CREDITED),
    (replace(PAID, payment=None, credited_after=1000), MoneyState.CREDITED),
    (replace(PAID, payment=None, credited_before=1000), MoneyState.CREDITED),
    (replace(PAID, payment=None, credited_after=HUGE, amount=HUGE), MoneyState.CREDITED),
    *(
        (paid(disputed=True, dispute=Dispute(status)), MoneyState.DISPUTED)
        for status in sorted(DISPUTE_OPEN)
    ),
    (paid(disputed=True, dispute=Dispute("won")), MoneyState.PAID),
    (paid(disputed=True, dispute=Dispute("haunted")), MoneyState.PAID),
    (paid(disputed=True, dispute=Dispute("lost")), MoneyState.DISPUTE_LOST),
    (paid(disputed=True, dispute=Dispute("lost"), amount_refunded=1), MoneyState.DISPUTE_LOST),
    (pending("processing"), MoneyState.PENDING),
    (pending("requires_capture"), MoneyState.PENDING),
    (pending("canceled"), MoneyState.FAILED),
    (replace(PAID, status="open", payment_status="unpaid", payment=None), MoneyState.OPEN),
    (
        replace(PAID, status="void", payment_status="unpaid", payment=None, written_off=True),
        MoneyState.WRITTEN_OFF,
    ),
]


async def states(pool: Pool, orders: list[Order]) -> list[MoneyState]:
    """What the database says of each, once written."""
    named = [replace(order, id=f"in_{number}") for number, order in enumerate(orders)]
    async with pool.acquire() as connection, connection.transaction():
        await order_mirror.make(connection, named, users={}, account=ACCOUNT)
        await order_mirror.write(
            connection, named, money_changes={order.id: 0 for order in named}, ticket=1
        )
        rows = await connection.fetch("select id, money_state from orders")
        read = {
            order.id: order
            for order in await order_mirror.readings(connection, [order.id for order in named])
        }
    for order in named:
        again = judge_order(read[order.id], DEFAULT_POLICY, as_of=NOW)
        assert again.access == judge_order(order, DEFAULT_POLICY, as_of=NOW).access, order
    found = {row["id"]: MoneyState(row["money_state"]) for row in rows}
    return [found[order.id] for order in named]


async def test_each_state_of_the_money_has_its_word(pool: Pool) -> None:
    told = await states(pool, [order for order, _ in CASES])
    for (order, wanted), state in zip(CASES, told, strict=True):
        assert state == wanted, order
        assert judge_order(order, DEFAULT_POLICY, as_of=NOW).access == (state in OPENS), order
    assert {wanted for _, wanted in CASES} == set(MoneyState)


async def test_the_word_and_the_access_agree_on_any_money(pool: Pool) -> None:
    """Several things may have happened at once: then the gravest gives the word, and there is no
    access unless each of them leaves it."""
    chance = random.Random(7)
    orders = []
    for _ in range(600):
        before = chance.choice([0, 0, 0, 400, 1000])
        charged = 1000 - before
        back = chance.choice([0, 0, 1, charged])
        dispute = chance.choice([None, None, "won", "lost", "needs_response", "haunted"])
        status, said, state = chance.choice(
            [
                ("paid", "paid", "succeeded"),
                ("paid", "paid", "succeeded"),
                ("complete", "paid", "requires_capture"),
                ("complete", "unpaid", "processing"),
                ("complete", "unpaid", "canceled"),
                ("void", "unpaid", "canceled"),
                ("open", "unpaid", "requires_payment_method"),
            ]
        )
        payment = Payment(
            "pi_1",
            state,
            amount=charged,
            amount_refunded=back,
            refunded=0 < charged == back,
            disputed=dispute is not None,
            dispute=Dispute(dispute) if dispute else None,
        )
        orders.append(
            replace(
                PAID,
                status=status,
                payment_status=said,
                payment=chance.choice([payment, payment, None]) if charged else None,
                credited_before=before,
                credited_after=chance.choice([0, 0, 1, charged - back]),
                written_off=status == "void",
            )
        )
    for order, state in zip(orders, await states(pool, orders), strict=True):
        access = judge_order(order, DEFAULT_POLICY, as_of=NOW).access
        if access:
            assert order_state(order) == "paid"
            assert state in OPENS, order
        elif order_state(order) == "paid":
            assert state not in (MoneyState.PAID, MoneyState.PARTLY_REFUNDED), order
        else:
            assert state not in OPENS, order
