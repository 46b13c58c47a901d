"""Which outgoing events follow from which change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.vocabulary import ActivityType, Cause, WebhookType
from latchkey.rules.webhooks import (
    GRANT,
    LINES,
    USER,
    HeldGrant,
    WebhookEvent,
    WebhookFact,
    events_of,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
SOON, LATER = NOW + timedelta(days=1), NOW + timedelta(days=9)


def line(kind: str, **more: Any) -> WebhookFact:
    values: dict[str, Any] = {"id": 1, "tx": 1, "at": NOW, "kind": kind, "user_id": 7}
    return WebhookFact(**values | more)


def given_grant(id_: int, grant: int, until: datetime | None = None, **more: Any) -> WebhookFact:
    values: dict[str, Any] = {"id": id_, "tx": id_, "product_id": "p", "source": "manual"}
    values |= {"grant_id": grant, "was": False, "is_now": True, "until_now": until}
    return line(GRANT, **values | more)


def ended(id_: int, grant: int, until: datetime | None = None, **more: Any) -> WebhookFact:
    values: dict[str, Any] = {"was": True, "is_now": False, "until_was": until}
    return given_grant(id_, grant, until, **values | {"data": {"reason": "refunded"}} | more)


def moved(id_: int, grant: int, before: datetime | None, after: datetime | None) -> WebhookFact:
    return given_grant(id_, grant, was=True, until_was=before, until_now=after)


def held(*grants: tuple[int, datetime | None]) -> list[HeldGrant]:
    return [HeldGrant(grant, 7, "p", until) for grant, until in grants]


def told(
    facts: Sequence[WebhookFact], now: Sequence[HeldGrant] = (), upto: int = 999
) -> list[tuple[str, Any]]:
    return [(event.type.value, event.data.get("until")) for event in events_of(facts, now, upto)]


def test_the_first_grant_opens_and_the_last_end_closes() -> None:
    facts = [given_grant(1, 1), given_grant(2, 2), ended(3, 1), ended(4, 2)]
    assert told(facts[:1], held((1, None))) == [("access.granted", None)]
    assert told(facts[:3], held((2, None))) == [("access.granted", None)]
    assert told(facts) == [("access.granted", None), ("access.ended", None)]
    [end] = events_of(facts[3:], (), 999)
    assert end.data == {"source": {"type": "manual", "id": None}, "reason": "refunded"}


def test_two_ends_at_once_close_once() -> None:
    """Neither transaction saw the other's end, so neither could have told alone."""
    assert told([ended(1, 1), ended(2, 2)]) == [("access.ended", None)]


def test_an_end_that_is_set_moved_or_withdrawn_is_told() -> None:
    facts = [moved(1, 1, None, SOON), moved(2, 1, SOON, LATER), moved(3, 1, LATER, None)]
    assert told(facts, held((1, None))) == [
        ("access.ending", SOON),
        ("access.ending", LATER),
        ("access.ending", None),
    ]


def test_only_the_last_of_several_ends_matters() -> None:
    assert told([moved(1, 1, None, SOON)], held((1, SOON), (2, None))) == []
    assert told([moved(1, 1, None, SOON)], held((1, SOON), (2, LATER))) == [
        ("access.ending", LATER)
    ]
    assert told([given_grant(2, 2, LATER)], held((1, SOON), (2, LATER))) == [
        ("access.ending", LATER)
    ]


def test_nothing_is_seen_in_the_middle_of_a_transaction() -> None:
    """A grant that takes the place of another, as when a link is removed and its members keep
    access, doesn't throw anybody out."""
    replaced = [ended(1, 1, tx=5), given_grant(2, 2, tx=5)]
    assert told(replaced, held((2, None))) == []


def test_what_comes_later_waits_for_its_batch() -> None:
    facts = [given_grant(1, 1), ended(2, 1)]
    assert told(facts, upto=1) == [("access.granted", None)]
    assert told(facts[1:], upto=2) == [("access.ended", None)]


def test_a_merge_moves_access() -> None:
    theirs = line(
        GRANT, id=1, user_id=8, product_id="p", grant_id=1, was=True, is_now=False,
        data={"reason": "merged"},
    )  # fmt: skip
    mine = replace(theirs, id=2, user_id=7, was=False, is_now=True)
    merge = line(ActivityType.USERS_MERGED, id=3, data={"from_user": 8, "moved": {}})
    found = events_of([theirs, mine, merge], held((1, None)), 999)
    assert [(event.type, event.user_id) for event in found] == [
        (WebhookType.ACCESS_ENDED, 8),
        (WebhookType.ACCESS_GRANTED, 7),
        (WebhookType.USER_MERGED, 7),
    ]
    assert found[0].data["reason"] == "merged"
    assert found[2].data == {"merged_user": 8}


LINE_EVENTS = {
    ActivityType.PRODUCT_PURCHASED: "purchase.completed",
    ActivityType.REFUNDED: "purchase.refunded",
    ActivityType.SUBSCRIPTION_STARTED: "subscription.started",
    ActivityType.SUBSCRIPTION_CANCELLED: "subscription.cancelled",
    ActivityType.CANCELLATION_WITHDRAWN: "subscription.resumed",
    ActivityType.PAYMENT_FAILED: "subscription.past_due",
    ActivityType.PAYMENT_RECOVERED: "subscription.recovered",
    ActivityType.USER_ERASED: "user.erased",
}


@pytest.mark.parametrize("type_", LINE_EVENTS)
def test_lines_become_events(type_: ActivityType) -> None:
    [event] = events_of([line(type_, source_id="sub_1", product_id="p")], (), 999)
    assert event.type == LINE_EVENTS[type_]
    assert LINES.keys() == LINE_EVENTS.keys() | {ActivityType.USERS_MERGED}


def test_the_details_of_lines() -> None:
    data = {"amount": 500, "currency": "usd", "full": False, "status": "other"}
    [event] = events_of([line(ActivityType.REFUNDED, source_id="cs_1", data=data)], (), 999)
    assert event.data == {
        "source": {"type": "order", "id": "cs_1"}, "amount": 500, "currency": "usd", "full": False,
    }  # fmt: skip
    cancelled = line(
        ActivityType.SUBSCRIPTION_CANCELLED, source_id="sub_1", data={"ends": "2027-02-01T00:00Z"}
    )
    [event] = events_of([cancelled], (), 999)
    assert event.data == {
        "source": {"type": "subscription", "id": "sub_1"}, "until": "2027-02-01T00:00Z",
    }  # fmt: skip


def test_a_failed_order_is_not_past_due() -> None:
    assert told([line(ActivityType.PAYMENT_FAILED, source_id="cs_1")]) == []


def test_a_new_user_is_told() -> None:
    assert told([line(USER)]) == [("user.created", None)]


@pytest.mark.parametrize("cause", Cause)
def test_imports_and_bulk_changes_come_last(cause: Cause) -> None:
    [event] = events_of([given_grant(1, 1, cause=cause)], held((1, None)), 999)
    assert event.bulk is (cause in (Cause.IMPORT, Cause.BULK))


MOMENTS = st.sampled_from([None, SOON, LATER])


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[WebhookFact], dict[int, tuple[int, datetime | None]]]:
    """Any history of grants of two users, in transactions of one to three changes, and who holds
    what at its end."""
    held: dict[int, tuple[int, datetime | None]] = {}
    facts: list[WebhookFact] = []
    for tx in range(draw(st.integers(1, 12))):
        for _ in range(draw(st.integers(1, 3))):
            known = draw(st.sampled_from([0, *held]))
            until = draw(MOMENTS)
            values: dict[str, Any] = {"id": len(facts) + 1, "tx": tx}
            if not known:
                user = draw(st.sampled_from([1, 2]))
                grant = len(facts) + 100
                fact = given_grant(values["id"], grant, until, user_id=user, tx=tx)
                held[grant] = user, until
            elif draw(st.booleans()):
                user, before = held.pop(known)
                fact = ended(values["id"], known, before, user_id=user, tx=tx)
            else:
                user, before = held[known]
                fact = replace(moved(values["id"], known, before, until), user_id=user, tx=tx)
                held[known] = user, until
            facts.append(fact)
    return facts, held


def state_after(events: Sequence[WebhookEvent]) -> dict[int | None, Any]:
    """What a receiver knows that does nothing but follow."""
    known: dict[int | None, Any] = {}
    for event in events:
        if event.type is WebhookType.ACCESS_ENDED:
            assert event.user_id in known, "it never was granted"
            del known[event.user_id]
        else:
            granted = event.type is WebhookType.ACCESS_GRANTED
            assert granted != (event.user_id in known), "granted once, moved while granted"
            known[event.user_id] = event.data["until"]
    return known


@given(histories(), st.lists(st.integers(1, 40), max_size=4))
def test_events_folded_over_any_history_are_the_access_that_there_is(
    history: tuple[list[WebhookFact], dict[int, tuple[int, datetime | None]]], cuts: list[int]
) -> None:
    """However the facts are cut into batches, and though what there was before is only known from
    what there is now."""
    facts, by_grant = history
    now = [HeldGrant(grant, user, "p", until) for grant, (user, until) in by_grant.items()]
    events: list[WebhookEvent] = []
    begun = 0
    for cut in [*sorted({c for c in cuts if c < len(facts)}), len(facts)]:
        events += events_of([f for f in facts if f.id > begun], now, cut)
        begun = cut
    expected: dict[int | None, Any] = {}
    for user in (1, 2):
        untils = [until for who, until in by_grant.values() if who == user]
        if untils:
            expected[user] = None if None in untils else max(u for u in untils if u)
    assert state_after(events) == expected
