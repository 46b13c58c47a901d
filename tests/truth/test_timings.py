"""What is promised to buyers is measured."""

import httpx
import pytest
from prometheus_client import REGISTRY, generate_latest
from starlette.types import Receive, Scope, Send

from latchkey.stripe_api import StripeError, call_labels
from tests.harness import Latchkey, until
from tests.life.play import linked
from web.measuring import Measured, part_of

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
