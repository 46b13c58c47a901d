"""When an outgoing webhook is tried again, and when no more."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.deliveries import (
    FAILS,
    PATIENCE,
    DeliveryStanding,
    Next,
    after_failure,
    asked_pause,
    rests,
)

NOW = datetime(2027, 1, 1, tzinfo=UTC)
HOURS = timedelta(hours=1)


def test_pauses_grow_over_three_days() -> None:
    """Of a delivery that fails each time, at an endpoint that takes others in between."""
    now, attempts, pauses = NOW, 1, []
    while True:
        standing = DeliveryStanding(attempts, NOW, 1, now)
        then = after_failure(standing, status=500, now=now)
        assert not then.switch_off
        assert then.rests_until is None
        if then.due_at is None:
            break
        pauses.append(then.due_at - now)
        now, attempts = then.due_at, attempts + 1
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=5)
    assert PATIENCE <= now - NOW < PATIENCE + 10 * HOURS
    assert attempts == 14


def test_an_endpoint_that_fails_rests_and_is_switched_off_after_three_days() -> None:
    now, failures, gaps = NOW, 1, []
    while True:
        then = after_failure(DeliveryStanding(1, now, failures, NOW), status=None, now=now)
        if then.switch_off:
            break
        assert (then.rests_until is not None) == rests(failures) == (failures >= FAILS)
        following = then.rests_until or then.due_at
        assert following is not None
        gaps.append(following - now)
        now, failures = following, failures + 1
    assert PATIENCE <= now - NOW < PATIENCE + HOURS
    assert max(gaps) == HOURS, "it is found within an hour once it is back"
    assert failures < 100


def test_gone_means_off() -> None:
    then = after_failure(DeliveryStanding(1, NOW, 1, NOW), status=410, now=NOW)
    assert then == Next(due_at=NOW, switch_off=True)


def test_an_endpoint_that_asks_to_be_left_alone_rests_as_long() -> None:
    asked = timedelta(minutes=3)
    standing = DeliveryStanding(attempts=4, first_tried_at=NOW, failures=9, failing_since=NOW)
    then = after_failure(standing, status=429, now=NOW, asked=asked)
    assert then == Next(due_at=NOW + asked, rests_until=NOW + asked)
    late = NOW + PATIENCE
    assert after_failure(standing, status=429, now=late, asked=asked).switch_off


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "120", 120),
        (429, "0.65", 1),
        (503, "Fri, 01 Jan 2027 00:01:00 GMT", 60),
        (429, "Fri, 01 Jan 2027 00:01:00", 60),
        (429, "Thu, 31 Dec 2026 00:00:00 GMT", 1),
        (429, "-5", 1),
        (429, "9999999999", 86400),
        (500, "120", None),
        (429, "soon", None),
        (429, "nan", None),
        (429, "1e999", None),
        (503, "Fri, 01 Jan 9999999999999999999999 00:01:00 GMT", None),
        (503, "Fri, 01 Jan 2027 00:01:00 +99999999999999999999", None),
        (429, "", None),
        (429, None, None),
    ],
)
def test_retry_after_is_read_within_bounds(
    status: int, text: str | None, seconds: int | None
) -> None:
    asked = asked_pause(status, text, NOW)
    assert asked == (None if seconds is None else timedelta(seconds=seconds))
