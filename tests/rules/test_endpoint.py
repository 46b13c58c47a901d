"""What is said about the webhook endpoints of a Stripe account."""

from typing import Any

import pytest

from latchkey.rules.endpoint import MANY, elsewhere, look, problems

URL = "https://members.example/webhooks/stripe"
VERSION = "2026-10-28.dahlia"


def made(number: int = 1, url: str = URL, **given: Any) -> dict[str, Any]:
    return {
        "id": f"we_{number}",
        "url": url,
        "status": "enabled",
        "api_version": VERSION,
        "enabled_events": ["*"],
        "metadata": {},
        **given,
    }


def seen(*endpoints: dict[str, Any], secrets: int = 1) -> dict[str, Any]:
    return look(endpoints, url=URL, wanted=["invoice.paid"], secrets=secrets)


def test_the_endpoint_that_sends_is_judged_whatever_stripe_lists_first() -> None:
    found = seen(made(1, status="disabled"), made(2))
    assert (found["id"], found["status"], found["twins"]) == ("we_2", "enabled", 1)
    assert problems(found, version=VERSION) == []


@pytest.mark.parametrize(("secrets", "wrong"), [(1, True), (2, False), (0, False)])
def test_an_endpoint_is_a_problem_if_its_secret_cant_be_known(secrets: int, wrong: bool) -> None:
    found = seen(made(1), made(2), secrets=secrets)
    assert bool(problems(found, version=VERSION)) is wrong


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        (made(url="https://old.example/webhooks/stripe"), "https://old.example/webhooks/stripe"),
        (
            made(url="https://x:y@old.example:8443/webhooks/stripe?token=z"),
            "https://old.example:8443/webhooks/stripe",
        ),
        (
            made(url="https://old.example/hook", metadata={"latchkey": "1"}),
            "https://old.example/hook",
        ),
        (
            made(url="https://[/webhooks/stripe", metadata={"latchkey": "1"}),
            "an address that can't be read",
        ),
        (made(url="https://shop.example/hook"), None),
        (made(url="https://shop.example/hook", metadata=None), None),
        (made(url="https://old.example/webhooks/stripe", status="disabled"), None),
        (made(), None),
    ],
)
def test_what_an_earlier_address_left_behind_is_named(
    endpoint: dict[str, Any], shown: str | None
) -> None:
    for others in ([], [made(2)]):
        found = seen(endpoint, *others)
        assert elsewhere(found) == ([("we_1", shown)] if shown else [])


def test_only_some_of_many_are_named() -> None:
    many = [made(n, "https://old.example/webhooks/stripe") for n in range(2 * MANY)]
    assert len(elsewhere(seen(*many))) == MANY


def test_what_an_earlier_release_found_can_be_read() -> None:
    found = {"status": "enabled", "api_version": VERSION, "twins": 1}
    assert (elsewhere(found), elsewhere(None)) == ([], [])
    assert problems(found, version=VERSION) == []
