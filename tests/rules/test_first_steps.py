"""A new site's first steps: which are done, and which one is next."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.first_steps import FirstStep, done, following
from latchkey.rules.go_live import GoLiveFacts
from latchkey.store.checks.first_steps import FirstProduct
from tests.rules.test_go_live import READY
from web.pages.admin.first_steps import steps_of

PRODUCT = FirstProduct("p", "club", "The Club", linked=False, sold=False, live=False)


def left(facts: GoLiveFacts) -> set[FirstStep]:
    return {step for step, is_done in done(facts).items() if not is_done}


def test_the_facts_of_the_checklist_decide_the_steps() -> None:
    assert left(READY) == set()
    live = FirstStep.GO_LIVE
    assert left(replace(READY, mail_tested=False)) == {FirstStep.MAIL, live}
    assert left(replace(READY, missing=1)) == {FirstStep.STRIPE, live}
    assert left(replace(READY, heard=False)) == {FirstStep.WEBHOOK, live}
    assert left(replace(READY, linked=False)) == {FirstStep.PRODUCT, live}
    assert left(replace(READY, bought=False)) == {FirstStep.PURCHASE, live}
    assert left(replace(READY, https=False)) == {live}


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.none() | st.sampled_from(FirstStep))
def test_skipping_leads_through_every_step_that_is_left(
    taken: list[bool], begin: FirstStep | None
) -> None:
    steps = dict(zip(FirstStep, taken, strict=True))
    met, at = [], begin
    while (at := following(steps, at)) and at not in met:
        met.append(at)
        assert not steps[at]
    others = {step for step in FirstStep if not steps[step] and step is not begin}
    assert others <= set(met)
    assert begin is not None or met == sorted(met, key=list(FirstStep).index)


def test_each_step_leads_to_where_it_is_taken() -> None:
    nothing = GoLiveFacts(
        https=False,
        mail_tested=False,
        without_factor=1,
        backed_up=False,
        clock_off=timedelta(),
        connected=False,
        missing=0,
        endpoint_problems=0,
        heard=False,
        portal_linked=False,
        linked=False,
        bought=False,
        livemode=False,
    )

    def where(product: FirstProduct | None, facts: GoLiveFacts = nothing) -> list[str]:
        return [step.address for step in steps_of(facts, product).steps.values()]

    first = ["/admin/mails/server", "/admin/connectors", "/admin/connectors"]
    assert where(None) == [*first, "/admin/products/new", "/admin/products", "/admin/go-live"]
    assert where(PRODUCT)[3:5] == ["/admin/products/p", "/admin/products"]
    assert where(replace(PRODUCT, linked=True))[4] == "/admin/products/p/checkout"
    assert where(replace(PRODUCT, linked=True, sold=True))[4] == "/admin/products/p"
    assert where(replace(PRODUCT, linked=True, sold=True, live=True))[4] == "/buy/club"
    assert where(None, replace(nothing, connected=True))[2] == "/admin/health"
    said = steps_of(replace(nothing, connected=True, missing=2), None).steps[FirstStep.STRIPE]
    assert "2 are missing" in said.text
