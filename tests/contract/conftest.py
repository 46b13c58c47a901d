"""One suite, written from Stripe's documentation, for anything that claims to be Stripe.

By default that is the sandbox. With `STRIPE_CONTRACT_KEY`, a test key, it is Stripe itself:
everything is created under the run's id and removed afterwards. Paying a hosted page, which only a
person can do, is left out.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import stripe

from sandbox.schema import Published
from tests.harness import run_sandbox

Json = dict[str, Any]


def contract_key() -> str | None:
    """The key of the account to test, None for the sandbox. A live key is refused."""
    key = os.environ.get("STRIPE_CONTRACT_KEY") or None
    if key is not None and not key.startswith(("sk_test_", "rk_test_")):
        raise pytest.UsageError(
            "STRIPE_CONTRACT_KEY isn't a test key (sk_test_… or rk_test_…): refused, because the"
            " suite creates and deletes objects"
        )
    return key


@dataclass
class Account:
    """An account, and what to clean up in it. `real` means Stripe itself."""

    client: stripe.StripeClient
    real: bool
    run: str = field(default_factory=lambda: f"contract-{secrets.token_hex(4)}")
    began: int = field(default_factory=lambda: int(time.time()) - 5)
    _undo: list[Callable[[], object]] = field(default_factory=list)

    def call(self, method: str, path: str, **params: Any) -> Any:
        """A call by path, as plain JSON. Raises `stripe.StripeError`."""
        answer = self.client.raw_request(method, f"/v1/{path}", **params)
        return self.client.deserialize(answer, api_mode="V1").to_dict()

    def later(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def clean(self) -> None:
        """Remove everything created, newest first."""
        for undo in reversed(self._undo):
            with suppress(stripe.StripeError):
                undo()
        self._undo.clear()

    def product(self, **params: Any) -> Json:
        made = self.call("post", "products", name=f"Product {self.run}", **params)
        self.later(lambda: self.call("post", f"products/{made['id']}", active="false"))
        return dict(made)

    def price(self, amount: int = 1500, *, interval: str | None = "month", **params: Any) -> Json:
        if interval:
            params["recurring"] = {"interval": interval}
        params.setdefault("product", None)
        product = params.pop("product") or self.product()["id"]
        return dict(
            self.call(
                "post", "prices", product=product, currency="usd", unit_amount=amount, **params
            )
        )

    def customer(self, *, card: str | None = "pm_card_visa", **params: Any) -> Json:
        params.setdefault("email", f"{secrets.token_hex(4)}@{self.run}.example")
        params.setdefault("metadata", {"run": self.run})
        if card:
            params |= {
                "payment_method": card,
                "invoice_settings": {"default_payment_method": card},
            }
        made = self.call("post", "customers", **params)
        self.later(lambda: self.call("delete", f"customers/{made['id']}"))
        return dict(made)

    def subscription(self, customer: str, price: str, **params: Any) -> Json:
        return dict(
            self.call(
                "post", "subscriptions", customer=customer, items=[{"price": price}], **params
            )
        )

    def until(self, found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        """Wait for something that Stripe does in its own time."""
        deadline = time.monotonic() + seconds
        while not (seen := found()):
            assert time.monotonic() < deadline, f"{what}: not seen within {seconds} s"
            time.sleep(1 if self.real else 0.02)
        return seen

    def event(self, event_type: str, object_id: str) -> Json:
        """Wait for an object's event."""

        def seen() -> Json | None:
            rows = self.call(
                "get", "events", type=event_type, limit=100, created={"gte": self.began}
            )
            return next(
                (row for row in rows["data"] if row["data"]["object"]["id"] == object_id), None
            )

        found: Json = self.until(seen, event_type)
        return found


@pytest.fixture(scope="session")
def reached(published: Published) -> Iterator[tuple[stripe.StripeClient, bool]]:
    key = contract_key()
    if key is not None:
        yield stripe.StripeClient(key), True
        return
    with run_sandbox(published, chance=1) as sandbox:
        yield stripe.StripeClient("sk_test_contract", base_addresses={"api": sandbox.url}), False
        assert sandbox.problems() == []


@pytest.fixture
def account(reached: tuple[stripe.StripeClient, bool]) -> Iterator[Account]:
    made = Account(*reached)
    yield made
    made.clean()
