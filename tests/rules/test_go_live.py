"""The go-live checklist: each fact decides its own step."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.rules.go_live import CONFIRMED, GoLiveFacts, GoLiveStep, done
from latchkey.rules.public_address import AddressFinding, AddressState
from latchkey.settings import Settings
from web.pages.admin.go_live import shown

READY = GoLiveFacts(
    https=True,
    mail_tested=True,
    without_factor=0,
    backed_up=True,
    clock_off=timedelta(seconds=1),
    connected=True,
    missing=0,
    endpoint_problems=0,
    heard=True,
    portal_linked=True,
    linked=True,
    bought=True,
    livemode=True,
    confirmed=frozenset(CONFIRMED),
    address=AddressFinding(AddressState.HERE, datetime(2026, 1, 1, tzinfo=UTC)),
)


def test_a_site_where_all_is_so_has_nothing_to_do() -> None:
    assert list(done(READY)) == list(GoLiveStep)
    assert all(done(READY).values())


@pytest.mark.parametrize(
    ("change", "steps", "says"),
    [
        ({"https": False}, {GoLiveStep.HTTPS}, "LATCHKEY_PUBLIC_URL"),
        ({"address": None}, {GoLiveStep.ADDRESS}, "can look by itself"),
        ({"mail_tested": False}, {GoLiveStep.MAIL}, "send a test email"),
        ({"without_factor": 2}, {GoLiveStep.FACTORS}, "2 people have none"),
        ({"backed_up": False}, {GoLiveStep.BACKUP}, "36 hours"),
        ({"clock_off": timedelta(seconds=9)}, {GoLiveStep.CLOCK}, "9 seconds"),
        ({"missing": 1}, {GoLiveStep.KEY}, "lacks 1 permission"),
        ({"endpoint_problems": 1}, {GoLiveStep.WEBHOOK}, "needs attention"),
        ({"heard": False}, {GoLiveStep.WEBHOOK}, "None has arrived"),
        ({"portal_linked": False}, {GoLiveStep.PORTAL}, "privacy policy"),
        ({"linked": False}, {GoLiveStep.PRODUCT}, "A preview"),
        ({"bought": False}, {GoLiveStep.PURCHASE}, "4242"),
        ({"livemode": False}, {GoLiveStep.MODE}, "test mode"),
        ({"confirmed": frozenset()}, {GoLiveStep.SECRET}, "password manager"),
        (
            {"connected": False},
            {GoLiveStep.KEY, GoLiveStep.WEBHOOK, GoLiveStep.MODE},
            "Create a restricted key",
        ),
    ],
)
def test_each_fact_decides_its_step(
    change: dict[str, Any], steps: set[GoLiveStep], says: str
) -> None:
    facts = replace(READY, **change)
    assert {step for step, is_done in done(facts).items() if not is_done} == steps
    said = shown(facts, Settings.model_validate({"LATCHKEY_PUBLIC_URL": "https://a.example"}))
    assert any(says in step.text for step in said if not step.done)
    assert [step.step for step in said if step.asks] == [s for s in CONFIRMED if s in steps]
