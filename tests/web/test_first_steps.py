"""The first steps over a real site."""

import re
from typing import Any

import pytest

from latchkey import dispatch
from latchkey.contracts import StripeCallResult
from tests.harness import Latchkey
from tests.web.pages import user, visit
from web import webhook_trial

pytestmark = pytest.mark.anyio

PAGE = "/admin/first-steps"


def current(text: str) -> str:
    """The step that the page shows."""
    found = re.search(r'aria-current="step"><a href="/admin/first-steps\?step=([\w-]+)"', text)
    assert found, text
    return found[1]


async def test_steps_are_skipped_hidden_and_shown_again(shared: Latchkey) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        shown = (await owner.get(PAGE)).text
        assert current(shown) == "mail"
        assert "Skip for now" in shown
        assert current((await owner.get(f"{PAGE}?step=purchase")).text) == "purchase"
        for odd in ("", "x", "mail%0A", "MAIL"):
            assert current((await owner.get(f"{PAGE}?step={odd}")).text) == "mail"
        strip = 'aria-label="First steps"'
        assert strip in (await owner.get("/admin/connectors")).text
        try:
            assert 'id="steps"' in (await owner.get("/admin")).text
            await owner.send(PAGE, away="yes")
            hidden = (await owner.get("/admin")).text
            assert 'id="steps"' not in hidden
            assert 'id="go-live"' in hidden, "the checklist is still named"
            assert (await owner.get("/admin/steps")).text.strip() == ""
            assert strip not in (await owner.get("/admin/connectors")).text
            again = (await owner.get(PAGE)).text
            assert current(again) == "mail", "the page stays"
            await owner.send(PAGE, away="no")
            assert 'id="steps"' in (await owner.get("/admin")).text
        finally:
            await shared.pool.execute("delete from site_settings where key = 'first_steps'")


async def test_a_test_event_is_made_in_stripe_and_leaves_nothing(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[StripeCallResult] = []

    async def noted(*given: Any, **options: Any) -> StripeCallResult:
        made.append(await dispatch.call_stripe(*given, **options))
        return made[-1]

    monkeypatch.setattr(webhook_trial, "call_stripe", noted)
    async with visit(shared) as owner:
        await owner.sign_in()
        page = f"{PAGE}?step=webhook"
        sent = await owner.send(page, f"{PAGE}/webhook")
        assert "done=event-arrived" in sent.headers["location"]
        shown = (await owner.get(sent.headers["location"])).text
        assert "The test event has arrived" in shown
    assert made[0].object_id
    products = await shared.stripe.get("products", **{"ids[0]": made[0].object_id})
    assert products["data"] == []


@pytest.mark.parametrize(
    ("result", "says"),
    [
        (StripeCallResult("refused"), "may not write products"),
        (StripeCallResult("copy"), "writes nothing to Stripe"),
        (StripeCallResult("made", "prod_unheard"), "no event arrived"),
    ],
)
async def test_a_test_event_that_fails_says_what_to_do(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch, result: StripeCallResult, says: str
) -> None:
    async def answer(*_: object, **__: object) -> StripeCallResult:
        return result

    monkeypatch.setattr(webhook_trial, "call_stripe", answer)
    monkeypatch.setattr(webhook_trial, "EVENT_SECONDS", 0.3)
    async with visit(shared) as owner:
        await owner.sign_in()
        answered = await owner.send(f"{PAGE}?step=webhook", f"{PAGE}/webhook", expect=422)
        assert says in answered.text
    await shared.pool.execute("delete from tries where who = 'webhook trials'")


async def test_support_reads_the_steps_and_changes_nothing(shared: Latchkey) -> None:
    helper = await user(shared, "helper@steps.example", "support")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(helper, "first steps: support")
        text = (await visitor.get(f"{PAGE}?step=webhook")).text
        assert "Send a test event" not in text
        assert "Hide these steps" not in text
        for path in (PAGE, f"{PAGE}/webhook"):
            await visitor.send("/account/settings", path, expect=403, away="yes")
