"""What is promised to buyers is measured."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
from prometheus_client import REGISTRY, generate_latest
from starlette.types import Receive, Scope, Send
from temporalio.common import Priority
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.urgency import Urgency
from latchkey import contracts
from latchkey.rules.access import Verdict
from latchkey.rules.vocabulary import Cause, GrantSource, Reason
from latchkey.store.purchases import settling
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.stripe.context import Account, ApplyContext
from latchkey.stripe_api import StripeError, call_labels
from latchkey.stripe_rate import URGENT, Calling, calling
from tests.harness import Latchkey, until
from tests.life.play import linked
from web.measuring import Measured, part_of
from web.paths import EXACT

pytestmark = pytest.mark.anyio


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"{name}_count", labels) or 0


async def test_a_purchase_is_measured_from_its_delivery_to_its_effect(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    events = counted("latchkey_event_seconds")
    opened = counted("latchkey_access_seconds")
    call = {"object": "checkout/sessions", "kind": "read", "outcome": "ok"}
    calls = counted("latchkey_stripe_call_seconds", **call)
    webhooks = counted("latchkey_request_seconds", part="webhook", status="2xx")
    await shared.stripe.buy("measured@time.example", price)
    await shared.has(product, "measured@time.example")
    await shared.settled()
    assert counted("latchkey_event_seconds") >= events + 3
    assert counted("latchkey_access_seconds") > opened
    assert counted("latchkey_stripe_call_seconds", **call) > calls
    assert counted("latchkey_request_seconds", part="webhook", status="2xx") >= webhooks + 3


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (429, "limited"),
        (None, "unavailable"),
        (503, "unavailable"),
        (403, "refused"),
        (404, "refused"),
    ],
)
def test_outcomes_of_calls(status: int | None, outcome: str) -> None:
    assert StripeError(status=status, code=None, message="").outcome == outcome


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("get", "/v1/account", ("account", "read")),
        ("get", "/v1/subscriptions", ("subscriptions", "list")),
        ("get", "/v1/subscriptions/sub_1", ("subscriptions", "read")),
        ("get", "/v1/products/prices", ("products", "read")),
        ("get", "/v1/checkout/sessions/cs_1", ("checkout/sessions", "read")),
        ("get", "/v1/checkout/sessions/cs_1/line_items", ("checkout/sessions/line_items", "list")),
        ("get", "/v2/core/accounts/acct_1", ("core/accounts", "read")),
        ("post", "/v1/payment_links/plink_1", ("payment_links", "write")),
        ("delete", "/v1/webhook_endpoints/we_1", ("webhook_endpoints", "write")),
    ],
)
def test_calls_are_told_apart_without_their_ids(
    method: str, path: str, labels: tuple[str, str]
) -> None:
    assert call_labels(method, path) == labels


async def test_pages_and_calls_are_told_apart_by_their_routes(shared: Latchkey) -> None:
    product = await shared.product("Measured")
    for path, route in {
        f"/admin/products/{product}": "/admin/products/{id}",
        f"/api/v1/products/{product}": "/api/v1/products/{id}",
        "/api/v1/products": "/api/v1/products",
    }.items():
        before = counted("latchkey_route_seconds", method="GET", route=route)
        await shared.api.get(f"{shared.url}{path}")

        async def measured(route: str = route, before: float = before) -> bool:
            return counted("latchkey_route_seconds", method="GET", route=route) > before

        await until(measured, f"{path} is counted as {route}")
    assert product not in generate_latest().decode()


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/webhooks/stripe", "webhook"),
        ("/api/v1/access", "access"),
        ("/api/v1/products", "api"),
        ("/admin/health", "admin"),
        ("/readyz", "probe"),
        ("/whatever/a/visitor/types", "page"),
    ],
)
def test_a_path_belongs_to_one_of_a_few_parts(path: str, part: str) -> None:
    assert part_of(path) == part


async def test_a_request_that_fails_is_counted_too() -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("no answer")

    before = counted("latchkey_request_seconds", part="page", status="none")
    transport = httpx.ASGITransport(Measured(fails), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        await client.get("/fails")
    assert counted("latchkey_request_seconds", part="page", status="none") == before + 1


async def test_a_method_that_a_visitor_invents_is_no_label() -> None:
    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        scope[EXACT] = "/admin/measured"
        await send({"type": "http.response.start", "status": 405, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx.ASGITransport(Measured(answers))
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        for method in ("DELETE", "INVENTED", "AGAIN"):
            await client.request(method, "/admin/measured")
    assert counted("latchkey_route_seconds", method="DELETE", route="/admin/measured") == 1
    assert counted("latchkey_route_seconds", method="other", route="/admin/measured") == 2


@pytest.mark.parametrize(
    ("begins", "imported", "source_id", "counts"),
    [
        (True, False, "cs_1", 1),
        (False, False, "cs_1", 0),
        (True, True, "cs_1", 0),
        (True, False, "cs_without_an_event", 0),
    ],
)
def test_only_purchases_that_an_event_reported_are_measured(
    begins: bool, imported: bool, source_id: str, counts: int
) -> None:
    now = datetime.now(UTC)
    context = ApplyContext(
        Account("acct_1", False),
        1,
        now,
        Cause.STRIPE,
        events_of={"cs_1": ["evt_1"]},
        arrivals={"evt_1": time.perf_counter() + 1},
    )
    bought = settling.Entitlement(
        1,
        cast(LinkedProduct, None),
        GrantSource.ORDER,
        source_id,
        f"purchase/{source_id}",
        now,
        Verdict(True, Reason.PAID),
    )
    before = counted("latchkey_access_seconds")
    spent = REGISTRY.get_sample_value("latchkey_access_seconds_sum")
    settling._measure([settling._NewGrant(1, bought, begins, begins, imported)], context)
    assert counted("latchkey_access_seconds") == before + counts
    assert REGISTRY.get_sample_value("latchkey_access_seconds_sum") == spent, "no clock runs back"


@pytest.mark.parametrize(
    ("workflow", "local", "priority", "first"),
    [
        (contracts.STRIPE_CALL, True, None, 1),
        (contracts.SUBSCRIPTION, True, None, URGENT),
        (contracts.SUBSCRIPTION, False, None, URGENT),
        (contracts.STRIPE_CALL, False, 1, 1),
        (contracts.RECONCILIATION, False, 5, 5),
    ],
)
async def test_calls_that_a_person_waits_for_come_first(
    workflow: str, local: bool, priority: int | None, first: int
) -> None:
    class Calls(ActivityInboundInterceptor):
        async def execute_activity(self, input: ExecuteActivityInput) -> Any:
            return calling.get()

    interceptor = Urgency().intercept_activity(Calls(cast(ActivityInboundInterceptor, None)))
    run = ActivityEnvironment()
    run.info = replace(
        run.info, workflow_type=workflow, is_local=local, priority=Priority(priority_key=priority)
    )
    who = await run.run(interceptor.execute_activity, cast(ExecuteActivityInput, None))
    assert who.priority == first
    assert (who.answer is not None) is local, "a workflow task isn't held up by a slow answer"
    assert calling.get().priority == Calling().priority
