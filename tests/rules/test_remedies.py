"""Whoever has a subscription that isn't over is led to mend it, in every state that Stripe has."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from latchkey.rules.access import LIVE_STATUSES, TERMINAL
from latchkey.rules.remedies import Remedy, remedy
from latchkey.rules.vocabulary import MoneyState
from latchkey.store.access.library import Card
from latchkey.store.products.sales_blocks import PlansBlock
from web.pages.member.sales import ShownBlock
from web.pages.render import _ENVIRONMENT
from web.wording import labels

_PAUSES = (
    *(None, "pause_requested", "first_payment_failure", "final_payment_failure"),
    *("trial_end_without_payment_method", "system", "a_new_reason"),
)
_STATES = list(product(sorted(LIVE_STATUSES | TERMINAL | {"a_new_one"}), (False, True), _PAUSES))
CARD = Card(
    id="prd_1",
    slug="course",
    name="Course",
    description="",
    image_url=None,
    access_mode="assigned",
    owned=False,
    until=None,
    problem=None,
    cancelled=False,
    unfinished=None,
    pause_reason=None,
    sold=True,
    interrupted=False,
    had=True,
    through=None,
    opens_collection=None,
    purchase_method="checkout",
    checkout_target="stripe",
    has_sales_page=True,
    unit_amount=1500,
    currency="usd",
    interval="month",
    interval_count=1,
    offered=[],
)
_BY_CARD = {"first_payment_failure", "final_payment_failure"}


@pytest.mark.parametrize(("status", "ends", "pause"), _STATES)
def test_each_state_has_its_remedy(status: str, ends: bool, pause: str | None) -> None:
    found = remedy(status, ends=ends, pause_reason=pause)
    if status in TERMINAL or status == "a_new_one":
        assert found is None, "buying again is right, or nobody knows better"
    elif status in ("past_due", "unpaid") or (status == "paused" and pause in _BY_CARD):
        assert found is Remedy.CARD
    elif status == "paused" and pause == "trial_end_without_payment_method":
        assert found is Remedy.ADD_CARD, "nothing failed: there never was a card"
    elif status == "paused":
        assert found is Remedy.RESUME
    elif status == "incomplete":
        assert found is Remedy.FINISH
    else:
        assert found is (Remedy.KEEP if ends else None)


@pytest.mark.parametrize(("status", "ends", "pause"), _STATES)
def test_every_page_shows_the_same_button_for_a_state(
    status: str, ends: bool, pause: str | None
) -> None:
    """The card in the library, the locked product and the sales page never sell a second one to
    whoever can mend the first."""
    live = status in LIVE_STATUSES or status == "a_new_one"
    problem = "sub_1" if status in ("past_due", "unpaid") else None
    card = replace(
        CARD,
        unfinished=status if live else None,
        pause_reason=pause,
        cancelled=ends,
        problem=problem,
    )
    mend = card.remedy
    user = SimpleNamespace(email="a@b.example")
    pages = {
        "tile": str(_ENVIRONMENT.get_template("member/tile.html").module.tile(card, user)),  # type: ignore[attr-defined]
        "sales page": _rendered("member/sales_page_body.html", card),
    }
    for name, text in pages.items():
        if mend:
            assert labels.remedy_button(mend) in text, name
            assert 'href="/account"' in text, name
            assert "/buy/" not in text, name
        else:
            assert "/buy/course" in text, name


def test_what_is_open_offers_nothing_to_mend() -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    card = replace(CARD, owned=True, unfinished="active", cancelled=True, until=until)
    user = SimpleNamespace(email="a@b.example")
    text = str(_ENVIRONMENT.get_template("member/tile.html").module.tile(card, user))  # type: ignore[attr-defined]
    assert 'href="/products/course"' in text
    assert "Cancelled, ends on" in text


def test_every_remedy_has_words() -> None:
    for one in Remedy:
        assert all((labels.remedy_badge(one), labels.remedy_button(one)))
        assert labels.remedy_sentence(one).endswith(".")


def test_disputed_and_awaited_money_is_explained_to_its_buyer() -> None:
    for state in MoneyState:
        told = labels.money_note(state)
        if state in (MoneyState.PENDING, MoneyState.DISPUTED, MoneyState.DISPUTE_LOST):
            assert told.endswith("."), state
        else:
            assert told == "", state
    assert "withdraw the dispute" in labels.money_note(MoneyState.DISPUTED)


def _rendered(name: str, card: Card) -> str:
    given: dict[str, Any] = {
        "card": card,
        "product": SimpleNamespace(slug="course", name="Course"),
        "sales": SimpleNamespace(headline=""),
        "blocks": [ShownBlock("blk_1", "plans", PlansBlock())],
        "entries": (),
        "on_sale": True,
        "buy_address": "/buy/course/checkout",
        "verb": "Subscribe",
    }
    return _ENVIRONMENT.get_template(name).render(given)
