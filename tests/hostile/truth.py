"""What Stripe holds, read anew: one small reading per source of access.

Written from Stripe's reference alone, so that a mistake of Latchkey's own reading shows.
"""

from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.harness import KEY, flat

Json = dict[str, Any]

SPARED = {"Authorization": f"Bearer {KEY}", "Sandbox-Spared": "1"}


@dataclass(frozen=True)
class Reading:
    """A subscription or a one-off order at one moment; times in Unix seconds.

    `products` are the Stripe products it carries, `pays` whether it gives access to them as such,
    `created` when it was made or, once an order is paid, bought, `ends` when it will stop by a
    scheduled cancellation, `paid` whether an order's money came and `refunded` how much of it went
    back so far.
    """

    id: str
    kind: str
    status: str
    products: frozenset[str]
    pays: bool
    created: int
    ends: int | None = None
    cancelled: bool = False
    over: bool = False
    unpaid_since: int | None = None
    refunded: int = 0
    paid: bool = False

    def timeless(self) -> "Reading":
        """Without the times that a move of the clock moves."""
        return replace(self, created=0, unpaid_since=None)


class Truth:
    """Calls to the sandbox that meet no faults."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.AsyncClient(
            base_url=url,
            headers=SPARED,
            timeout=60,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def get(self, path: str, **params: Any) -> Json:
        return _checked(await self.client.get(f"/v1/{path}", params=flat(params)))

    async def post(self, path: str, **params: Any) -> Json:
        return _checked(await self.client.post(f"/v1/{path}", data=flat(params)))

    async def delete(self, path: str) -> Json:
        return _checked(await self.client.delete(f"/v1/{path}"))

    async def control(self, path: str, **given: Any) -> Json:
        return _checked(await self.client.post(f"/_sandbox/{path}", json=given))

    async def everything(self, path: str, **params: Any) -> list[Json]:
        """A whole list, newest first."""
        found: list[Json] = []
        while True:
            cursor = {"starting_after": found[-1]["id"]} if found else {}
            page = await self.get(path, limit=100, **params, **cursor)
            found += page["data"]
            if not page["has_more"]:
                return found

    async def read(self, source_id: str) -> Reading:
        """The source behind an id of a subscription, checkout session or invoice."""
        match source_id.split("_")[0]:
            case "sub":
                return await self.subscription(source_id)
            case "cs":
                return await self.session(source_id)
            case _:
                return await self.invoice(source_id)

    async def subscription(self, source_id: str) -> Reading:
        """Runs while trialing, active or past due (which has its grace), until its end comes."""
        found = await self.get(f"subscriptions/{source_id}")
        items = await self.everything("subscription_items", subscription=source_id)
        ends = found["cancel_at"]
        if ends is None and found["cancel_at_period_end"]:
            ends = max(item["current_period_end"] for item in items)
        over = found["status"] in ("canceled", "incomplete_expired")
        return Reading(
            id=source_id,
            kind="subscription",
            status=found["status"],
            products=frozenset(item["price"]["product"] for item in items),
            pays=found["status"] in ("trialing", "active", "past_due"),
            created=found["created"],
            ends=None if over else ends,
            cancelled=found["status"] == "canceled" or (ends is not None and not over),
            over=over,
            unpaid_since=await self._unpaid_since(found, items),
        )

    async def _unpaid_since(self, found: Json, items: list[Json]) -> int | None:
        """When the oldest open bill was due, or tried for the first time."""
        if found["status"] not in ("past_due", "unpaid"):
            return None
        bills = await self.everything("invoices", subscription=found["id"], status="open")
        due = [
            bill["due_date"] or bill["status_transitions"]["finalized_at"]
            for bill in bills
            if bill["due_date"] or bill["attempted"]
        ]
        started = [item["current_period_start"] for item in items]
        return int(min(due or started))

    async def session(self, source_id: str) -> Reading:
        """Gives its one-off lines once paid (or free), until the money is back."""
        found = await self.get(
            f"checkout/sessions/{source_id}", expand=["payment_intent.latest_charge"]
        )
        lines = await self.everything(f"checkout/sessions/{source_id}/line_items")
        intent = found["payment_intent"] or {}
        kept, refunded = await self._money(intent)
        paid = found["payment_status"] in ("paid", "no_payment_required")
        return Reading(
            id=source_id,
            kind="order",
            status=f"{found['status']} {found['payment_status']}",
            products=frozenset(
                line["price"]["product"] for line in lines if line["price"]["type"] == "one_time"
            ),
            pays=found["status"] == "complete" and paid and kept,
            paid=paid,
            created=_charged(intent) or found["created"],
            refunded=refunded,
        )

    async def invoice(self, source_id: str) -> Reading:
        """A one-off invoice gives its lines once paid, until the money is back."""
        found = await self.get(f"invoices/{source_id}")
        lines = await self.everything(f"invoices/{source_id}/lines")
        kept, refunded = True, 0
        for payment in await self.everything("invoice_payments", invoice=source_id):
            intent = payment["payment"].get("payment_intent")
            if payment["status"] == "paid" and intent:
                whole = await self.get(f"payment_intents/{intent}", expand=["latest_charge"])
                kept, refunded = await self._money(whole)
        return Reading(
            id=source_id,
            kind="order",
            status=found["status"],
            products=frozenset(
                line["pricing"]["price_details"]["product"]
                for line in lines
                if line["pricing"] and not line["parent"]["invoice_item_details"]["proration"]
            ),
            pays=found["status"] == "paid" and kept,
            paid=found["status"] == "paid",
            created=found["status_transitions"]["paid_at"] or found["created"],
            refunded=refunded,
        )

    async def _money(self, intent: Json) -> tuple[bool, int]:
        """Whether the money of a payment is still ours, and how much went back."""
        charge = intent.get("latest_charge")
        if not isinstance(charge, dict):
            return True, 0
        lost = False
        if charge["disputed"]:
            disputes = await self.everything("disputes", payment_intent=intent["id"])
            lost = bool(disputes) and disputes[0]["status"] == "lost"
        return not charge["refunded"] and not lost, int(charge["amount_refunded"])


def _charged(intent: Json) -> int | None:
    charge = intent.get("latest_charge")
    return int(charge["created"]) if isinstance(charge, dict) else None


def _checked(answer: httpx.Response) -> Json:
    if answer.status_code >= 400:
        raise Refused(answer)
    body: Json = answer.json()
    return body


class Refused(Exception):
    """The sandbox said no: a move that Stripe doesn't allow now."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.method} {answer.request.url}: {answer.text[:300]}")
        self.status = answer.status_code
