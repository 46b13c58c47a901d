"""What pages call the cause of a line, and what moves in a merge."""

from types import SimpleNamespace

import pytest

from latchkey.rules.vocabulary import ActivityType, Cause
from web.wording.labels import belongings, line_cause


@pytest.mark.parametrize(
    ("type_", "cause", "actor", "says"),
    [
        (ActivityType.SIGNED_IN, Cause.ADMIN, None, ""),
        (ActivityType.SIGNED_IN, Cause.CUSTOMER, None, ""),
        (ActivityType.FACTOR_CHANGED, Cause.CUSTOMER, None, "by the user"),
        (ActivityType.FACTOR_CHANGED, Cause.ADMIN, 7, "by an admin"),
        (ActivityType.ROLE_CHANGED, Cause.ADMIN, None, "when the site was set up"),
        (ActivityType.ROLE_CHANGED, Cause.ADMIN, 7, "by an admin"),
        (ActivityType.OWNER_RECOVERED, Cause.ADMIN, None, "on the server"),
        (ActivityType.PRODUCT_PURCHASED, Cause.CUSTOMER, None, "by the customer"),
    ],
)
def test_the_cause_of_a_line(type_: str, cause: str, actor: int | None, says: str) -> None:
    assert line_cause(SimpleNamespace(type=type_, cause=cause, actor_id=actor)) == says


def test_what_moves_in_a_merge_leaves_out_what_there_is_none_of() -> None:
    side = SimpleNamespace(products=["Sailing"], subscriptions=1, orders=0, customers=2)
    assert belongings(side) == ["Access to Sailing", "1 subscription", "2 billing accounts"]
    nothing = SimpleNamespace(products=[], subscriptions=0, orders=0, customers=0)
    assert belongings(nothing) == []
