"""When an outgoing webhook is tried again, and when no more."""

from datetime import UTC, datetime, timedelta

from latchkey.rules.deliveries import FAILS, PATIENCE, DeliveryStanding, Next, after_failure, rests

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
