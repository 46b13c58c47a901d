"""The access rules against a naive model, on generated lives."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.access import (
    TERMINAL,
    gravest_dispute,
    judge_order,
    judge_subscription,
)
from latchkey.rules.policy import Policy
from latchkey.rules.reading import (
    Customer,
    Dispute,
    Item,
    Order,
    OrderLine,
    Payment,
    Subscription,
    together,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
STATUSES = [
    "active", "trialing", "past_due", "unpaid", "paused", "incomplete", "incomplete_expired",
    "canceled", "hibernating",
]  # fmt: skip
moments = st.integers(-60 * 86400, 60 * 86400).map(lambda s: NOW + timedelta(seconds=s))
policies = st.builds(
    Policy,
    trialing=st.booleans(),
    past_due_days=st.one_of(st.none(), st.integers(0, 30)),
    unpaid=st.booleans(),
    paused=st.booleans(),
    incomplete=st.booleans(),
    collection_paused=st.booleans(),
    full_refund=st.booleans(),
    partial_refund=st.booleans(),
    dispute_opened=st.booleans(),
    dispute_lost=st.booleans(),
)


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    end = draw(moments)
    return Subscription(
        id="sub_1",
        livemode=False,
        customer=Customer("cus_1"),
        status=draw(st.sampled_from(STATUSES)),
        items=(Item("si_1", "prod_1", "price_1", 1, end - timedelta(days=30), end),),
        items_complete=True,
        created=NOW - timedelta(days=90),
        cancel_at=draw(st.one_of(st.none(), moments)),
        cancel_at_period_end=draw(st.booleans()),
        canceled_at=draw(st.one_of(st.none(), moments)),
        ended_at=draw(st.one_of(st.none(), moments)),
        cancel_reason=None,
        cancelled_by_customer=False,
        trial_end=draw(st.one_of(st.none(), moments)),
        collection_paused=draw(st.booleans()),
        resumes_at=draw(st.one_of(st.none(), moments)),
    )


def naive(one: Subscription, policy: Policy, since: datetime) -> bool:
    """Access now, in as few words as possible."""
    end = one.cancel_at or (one.items[0].period_end if one.cancel_at_period_end else None)
    if end and end <= NOW and one.status not in TERMINAL:
        return False
    paused = one.collection_paused and not (one.resumes_at and one.resumes_at <= NOW)
    if paused and not policy.collection_paused:
        return False
    if one.status == "past_due":
        if policy.past_due_days is None:
            return True
        return since + timedelta(days=policy.past_due_days) > NOW
    return {
        "active": True,
        "trialing": policy.trialing,
        "unpaid": policy.unpaid,
        "paused": policy.paused,
        "incomplete": policy.incomplete,
    }.get(one.status, False)


@given(subscriptions(), policies, moments.filter(lambda m: m <= NOW))
def test_subscriptions_are_judged_like_the_naive_model(
    one: Subscription, policy: Policy, since: datetime
) -> None:
    verdict = judge_subscription(one, policy, past_due_since=since, as_of=NOW)
    assert verdict.access is naive(one, policy, since)


@given(subscriptions(), policies, moments.filter(lambda m: m <= NOW))
def test_a_verdict_is_coherent(one: Subscription, policy: Policy, since: datetime) -> None:
    verdict = judge_subscription(one, policy, past_due_since=since, as_of=NOW)
    if verdict.access:
        assert verdict.ended_at is None
        assert verdict.until is None or verdict.until > NOW
        assert not verdict.terminal
    else:
        assert verdict.until is None
        assert verdict.ended_at is not None
        assert verdict.ended_at <= NOW
    assert verdict.wake_at is None or verdict.wake_at > NOW
    assert (verdict.wake_at is None) == (verdict.wake is None)
    if verdict.until:
        assert verdict.wake_at is not None
        assert verdict.wake_at <= verdict.until


@given(subscriptions(), policies, moments.filter(lambda m: m <= NOW))
def test_waking_at_the_end_finds_it_over(
    one: Subscription, policy: Policy, since: datetime
) -> None:
    """At `until`, the same reading gives no access: the timer never fires in vain."""
    verdict = judge_subscription(one, policy, past_due_since=since, as_of=NOW)
    if verdict.access and verdict.until:
        later = judge_subscription(one, policy, past_due_since=since, as_of=verdict.until)
        assert not later.access
        just_before = verdict.until - timedelta(seconds=1)
        if just_before > NOW:
            assert judge_subscription(one, policy, past_due_since=since, as_of=just_before).access


@st.composite
def orders(draw: st.DrawFn) -> Order:
    amount = draw(st.integers(0, 10_000))
    refunded = draw(st.integers(0, amount))
    payment = draw(
        st.one_of(
            st.none(),
            st.builds(
                Payment,
                payment_intent=st.just("pi_1"),
                state=st.sampled_from(["succeeded", "processing", "requires_payment_method"]),
                charged_at=st.none(),
                amount=st.just(amount),
                amount_refunded=st.just(refunded),
                refunded=st.just(amount > 0 and refunded == amount),
                disputed=st.booleans(),
                dispute=st.sampled_from(
                    [None, Dispute("needs_response"), Dispute("won"), Dispute("lost")]
                ),
            ),
        )
    )
    return Order(
        id="cs_1",
        livemode=False,
        customer=None,
        email="a@b.example",
        name=None,
        reference=None,
        status=draw(st.sampled_from(["open", "complete", "expired", "paid", "void"])),
        payment_status=draw(st.sampled_from(["paid", "unpaid", "no_payment_required"])),
        subscription=None,
        invoice=None,
        payment=payment,
        amount=amount,
        currency="usd",
        created=NOW,
        lines=(OrderLine("li_1", "prod_1", "price_1", False, 1, amount),),
        lines_complete=True,
    )


@given(orders(), policies)
def test_orders_give_access_only_when_complete_and_paid(one: Order, policy: Policy) -> None:
    verdict = judge_order(one, policy, as_of=NOW)
    if verdict.access:
        assert one.payment_status in ("paid", "no_payment_required")
        assert verdict.until is None
        if one.payment and one.payment.refunded:
            assert policy.full_refund
        if one.payment and one.payment.disputed and one.payment.dispute_status == "lost":
            assert policy.dispute_lost
    else:
        assert verdict.ended_at is not None or verdict.wake_at is not None or verdict.terminal


def test_an_invoice_paid_in_parts_is_refunded_when_all_parts_are() -> None:
    paid = Payment("pi_1", "succeeded", amount=600)
    back = Payment("pi_2", "succeeded", amount=400, amount_refunded=400, refunded=True)
    both = together([paid, back])
    assert both is not None
    assert (both.payment_intent, both.amount, both.amount_refunded) == ("pi_1", 1000, 400)
    assert both.refunded is False
    assert together([]) is None
    assert together([back]) == back
    all_back = together([back, back])
    assert all_back is not None
    assert all_back.refunded


def test_the_gravest_of_several_disputes_decides() -> None:
    for statuses, gravest in (
        (["won", "needs_response", "lost"], "lost"),
        (["won", "warning_under_review"], "warning_under_review"),
        (["warning_needs_response", "under_review"], "under_review"),
        (["haunted"], "haunted"),
    ):
        assert gravest_dispute([Dispute(status) for status in statuses]) == Dispute(gravest)
    assert gravest_dispute([]) is None


def test_fruitless_reads_are_repeated_with_growing_pauses() -> None:
    def wait(late: timedelta) -> timedelta:
        one = replace(BASE, items=(replace(BASE.items[0], period_end=NOW - late),))
        verdict = judge_subscription(one, Policy(), past_due_since=None, as_of=NOW)
        assert verdict.wake_at is not None
        return verdict.wake_at - NOW

    hours = timedelta(hours=1)
    assert wait(2 * hours + timedelta(minutes=1)) == timedelta(minutes=5)
    assert wait(10 * hours) == 2 * hours
    assert wait(900 * hours) == timedelta(days=1)


BASE = Subscription(
    id="sub_1",
    livemode=False,
    customer=Customer("cus_1"),
    status="active",
    items=(Item("si_1", "prod_1", "price_1", 1, NOW - timedelta(days=30), NOW),),
    items_complete=True,
    created=NOW - timedelta(days=90),
    cancel_at=None,
    cancel_at_period_end=False,
    canceled_at=None,
    ended_at=None,
    cancel_reason=None,
    cancelled_by_customer=False,
    trial_end=None,
    collection_paused=False,
    resumes_at=None,
)
