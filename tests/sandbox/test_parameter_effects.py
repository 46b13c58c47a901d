"""Every parameter that is declared as played has an effect that a client sees.

This sends the parameters of the calls that connectors use most; `python -m bench.fidelity` sends
those of all calls.
"""

import re

import pytest

from sandbox import calls
from sandbox.calls import registry
from sandbox.schema import Published
from tests.sandbox.parameter_effects.engine import furnished, leaves_of, look
from tests.sandbox.parameter_effects.scenes import SCENES, Scene
from tests.sandbox.parameter_table import DOCUMENT, served, unseen

MOST_USED = (
    "GET /v1/checkout/sessions",
    "GET /v1/invoices",
    "GET /v1/prices",
    "GET /v1/subscriptions",
    "POST /v1/billing_portal/sessions",
    "POST /v1/coupons",
    "POST /v1/invoices/{invoice}/pay",
    "POST /v1/payment_links/{payment_link}",
    "POST /v1/products",
    "POST /v1/promotion_codes",
    "POST /v1/refunds",
    "POST /v1/subscription_items/{item}",
    "POST /v1/webhook_endpoints",
    "DELETE /v1/subscriptions/{subscription_exposed_id}",
)

INTENTS = (
    "POST /v1/payment_intents",
    "POST /v1/payment_intents/{intent}",
    "POST /v1/payment_intents/{intent}/cancel",
    "POST /v1/payment_intents/{intent}/capture",
    "POST /v1/payment_intents/{intent}/confirm",
    "POST /v1/payment_intents/{intent}/increment_authorization",
)


def _call(published: Published, scene: Scene) -> tuple[str, str]:
    route = published.match(scene.method, re.sub(r"\{\w+\}", "x", scene.path))
    assert route is not None, scene
    return route.method, route.template


def test_every_call_with_parameters_has_a_scene(published: Published) -> None:
    played = {_call(published, scene) for scene in SCENES}
    lacking = [
        f"{route.method} {route.template}"
        for route in served(published)
        if (route.method, route.template) not in played and list(leaves_of(published, route))
    ]
    assert lacking == []


@pytest.mark.parametrize("names", [MOST_USED, INTENTS], ids=["most_used", "intents"])
def test_parameters_have_the_effect_that_is_declared(
    published: Published, names: tuple[str, ...]
) -> None:
    found = look(
        published, [scene for scene in SCENES if " ".join(_call(published, scene)) in names]
    )
    assert {" ".join(call) for call in found.leaves} == set(names)
    assert found.unseen() == []
    assert sum(found.counts().values()) > 200


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (("POST", "/v1/coupons"), "name"),
        (("POST", "/v1/coupons"), "max_redemptions"),
        (("GET", "/v1/coupons"), "created[gte]"),
    ],
)
def test_an_ignored_parameter_is_found(
    published: Published, monkeypatch: pytest.MonkeyPatch, call: tuple[str, str], name: str
) -> None:
    handler = registry._HANDLERS[call]

    def careless(given: calls.Call) -> dict[str, object]:
        given.params.pop(name.partition("[")[0], None)
        return handler(given)

    monkeypatch.setitem(registry._HANDLERS, call, careless)
    found = look(published, [scene for scene in SCENES if (scene.method, scene.path) == call])
    assert f"{' '.join(call)} {name}: none" in [line.rstrip() for line in found.unseen()]


def test_the_documents_say_why_a_parameter_has_no_effect(published: Published) -> None:
    text = DOCUMENT.read_text()
    reasons = text[text.index("| parameter | why |") : text.index("<!-- parameters: begin -->")]
    for route in served(published):
        schema, played = published.request_schema(route), calls.played(route)
        for name in unseen(published, schema, played):
            last = re.findall(r"\w+", name)[-1]
            known = f"`{last}`" in reasons or f"[{last}]`" in reasons or last.endswith("_at")
            assert known, f"{route.method} {route.template} {name}"


def test_an_account_can_be_furnished_with_everything(published: Published) -> None:
    account, made = furnished(published, ("subscription", "paid_session"))
    assert account.get(f"subscriptions/{made.id('subscription')}")["status"] == "active"
    assert account.get(f"checkout/sessions/{made.id('paid_session')}")["status"] == "complete"
