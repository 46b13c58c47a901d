"""What Stripe has, read independently: one small reading for each source of access.

Written from Stripe's reference alone, so that a mistake in Latchkey's own reading is noticed.
"""

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

import httpx

from tests.harness import KEY, flat

Json = dict[str, Any]

SPARED = {"Authorization": f"Bearer {KEY}", "Sandbox-Spared": "1"}


@dataclass(frozen=True)
class Reading:
    """A subscription or a one-off order at one moment. Times are in Unix seconds.

    `products` are its Stripe products. `created` is when it was created or, for a paid order,
    bought. `ends` is the time of a scheduled cancellation. `paid` says whether an order was paid,
    `pending` that the payment is on its way, `failed` that it has failed. `refunded` is the amount
    refunded so far, `credited` what was credited in another way after payment, `fully` whether that
    is all of it, and `dispute` is "open", "won" or "lost".
    """

    id: str
    kind: str
    status: str
    products: frozenset[str]
    created: int
    ends: int | None = None
    cancelled: bool = False
    over: bool = False
    unpaid_since: int | None = None
    collection_paused: bool = False
    paid: bool = False
    pending: bool = False
    failed: bool = False
    refunded: int = 0
    credited: int = 0
    fully: bool = False
    dispute: str = ""

    def timeless(self) -> "Reading":
        """A reading without the times that change when the clock is moved."""
        return replace(self, created=0, unpaid_since=None)


class Truth:
    """Calls to the sandbox that are never disturbed by faults."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.AsyncClient(
            base_url=url,
            headers=SPARED,
            timeout=60,
            limits=httpx.Limits(keepalive_expiry=2),
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def get(self, path: str, **params: Any) -> Json:
        """Read something, again where the sandbox closed an idle connection just then."""
        try:
            answer = await self.client.get(f"/v1/{path}", params=flat(params))
        except (httpx.ReadError, httpx.RemoteProtocolError):
            answer = await self.client.get(f"/v1/{path}", params=flat(params))
        return _checked(answer)

    async def post(self, path: str, **params: Any) -> Json:
        return _checked(await self.client.post(f"/v1/{path}", data=flat(params)))

    async def delete(self, path: str) -> Json:
        return _checked(await self.client.delete(f"/v1/{path}"))

    async def control(self, path: str, **given: Any) -> Json:
        return _checked(await self.client.post(f"/_sandbox/{path}", json=given))

    async def found(self, stripe_id: str) -> Json:
        """Any object, with what Stripe doesn't show."""
        return _checked(await self.client.get(f"/_sandbox/objects/{stripe_id}"))

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
        """Read a source by the id of its subscription, checkout session or invoice."""
        match source_id.split("_")[0]:
            case "sub":
                return await self.subscription(source_id)
            case "cs":
                return await self.session(source_id)
            case _:
                return await self.invoice(source_id)

    async def subscription(self, source_id: str) -> Reading:
        """Read a subscription's status, its items and its end."""
        found = await self.get(f"subscriptions/{source_id}")
        items = found["items"]["data"]
        if found["items"]["has_more"]:
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
            created=found["created"],
            ends=None if over else ends,
            cancelled=found["status"] == "canceled" or (ends is not None and not over),
            over=over,
            unpaid_since=await self._unpaid_since(found, items),
            collection_paused=found["pause_collection"] is not None,
        )

    async def _unpaid_since(self, found: Json, items: list[Json]) -> int | None:
        """When the oldest invoice that has been open since the last paid one was due, or first
        attempted."""
        if found["status"] not in ("past_due", "unpaid"):
            return None
        bills = await self.everything("invoices", subscription=found["id"])
        newest = next((n for n, bill in enumerate(bills) if bill["status"] == "open"), 0)
        spell = takewhile(lambda bill: bill["status"] != "paid", bills[newest:])
        due = [
            bill["due_date"] or bill["status_transitions"]["finalized_at"]
            for bill in spell
            if bill["status"] == "open" and (bill["due_date"] or bill["attempted"])
        ]
        started = [item["current_period_start"] for item in items]
        return int(min(due or started))

    async def session(self, source_id: str) -> Reading:
        """Read a session's one-off lines, paid or free, and what happened to the money."""
        found = await self.get(
            f"checkout/sessions/{source_id}",
            expand=["payment_intent.latest_charge", "line_items"],
        )
        lines = found["line_items"]["data"]
        if found["line_items"]["has_more"]:
            lines = await self.everything(f"checkout/sessions/{source_id}/line_items")
        intent = found["payment_intent"] or {}
        paid = found["payment_status"] in ("paid", "no_payment_required")
        bill = await self.get(f"invoices/{found['invoice']}") if found["invoice"] else None
        if found["mode"] == "subscription" and bill and not paid:
            paid = bill["status"] == "paid"
            intent = await self._begun(bill["id"])
        owed = found["status"] == "complete" and not (bill and _settled_by_credit(bill))
        unpaid = owed and not paid
        failed = unpaid and intent.get("status") in ("requires_payment_method", "canceled")
        return Reading(
            id=source_id,
            kind="order",
            status=f"{found['status']} {found['payment_status']}",
            products=frozenset(
                line["price"]["product"] for line in lines if line["price"]["type"] == "one_time"
            ),
            paid=owed and paid,
            pending=unpaid and not failed,
            failed=failed,
            created=_charged(intent) or found["created"],
            **await self._credits(
                await self._money(intent) or await self._paid_by_bill(found["invoice"]), bill
            ),
        )

    async def _begun(self, bill: str) -> Json:
        """The payment that was started for an invoice."""
        payments = await self.everything("invoice_payments", invoice=bill)
        intents = [payment["payment"].get("payment_intent") for payment in payments]
        return await self.get(f"payment_intents/{intents[0]}") if any(intents) else {}

    async def invoice(self, source_id: str) -> Reading:
        """Read the one-off lines of an invoice, paid or not, and what happened to the money."""
        found = await self.get(f"invoices/{source_id}")
        lines = found["lines"]["data"]
        if found["lines"]["has_more"]:
            lines = await self.everything(f"invoices/{source_id}/lines")
        return Reading(
            id=source_id,
            kind="order",
            status=found["status"],
            products=frozenset(
                line["pricing"]["price_details"]["product"]
                for line in lines
                if line["pricing"] and _sold_once(line)
            ),
            paid=found["status"] == "paid" and not _settled_by_credit(found),
            created=found["status_transitions"]["paid_at"] or found["created"],
            **await self._credits(await self._paid_by_bill(source_id), found),
        )

    async def _paid_by_bill(self, bill: str | None) -> Json:
        """What happened to an invoice's money, as fields of a reading."""
        if bill is None:
            return {}
        for payment in await self.everything("invoice_payments", invoice=bill):
            intent = payment["payment"].get("payment_intent")
            if payment["status"] == "paid" and intent:
                whole = await self.get(f"payment_intents/{intent}", expand=["latest_charge"])
                return await self._money(whole)
        return {}

    async def _money(self, intent: Json) -> Json:
        """What happened to a payment's money, as fields of a reading."""
        charge = intent.get("latest_charge")
        if not isinstance(charge, dict):
            return {}
        dispute = ""
        if charge["disputed"]:
            disputes = await self.everything("disputes", payment_intent=intent["id"])
            status = disputes[0]["status"] if disputes else ""
            dispute = "open" if status.endswith(("_response", "_review")) else status
        let_go = charge["amount"] - charge["amount_captured"]
        return {
            "refunded": max(0, int(charge["amount_refunded"]) - let_go),
            "fully": bool(charge["captured"] and charge["refunded"]),
            "dispute": dispute,
        }

    async def _credits(self, money: Json, bill: Json | None) -> Json:
        """What became of an order's money, with what credit notes gave back otherwise."""
        if not bill or not bill["post_payment_credit_notes_amount"]:
            return money
        otherwise = 0
        for note in await self.everything("credit_notes", invoice=bill["id"]):
            if note["type"] == "post_payment" and note["status"] == "issued":
                otherwise += note["total"] - sum(r["amount_refunded"] for r in note["refunds"])
        given = otherwise + bill["pre_payment_credit_notes_amount"] + money.get("refunded", 0)
        return {
            **money,
            "credited": otherwise,
            "fully": money.get("fully", False) or given >= bill["total"] > 0 < otherwise,
        }


def _settled_by_credit(bill: Json) -> bool:
    """Whether nothing was left to pay because all of it was credited."""
    return bool(0 < bill["total"] <= bill["pre_payment_credit_notes_amount"])


def _sold_once(line: Json) -> bool:
    item = line["parent"]["invoice_item_details"]
    return item is not None and not item["proration"]


def _charged(intent: Json) -> int | None:
    charge = intent.get("latest_charge")
    return int(charge["created"]) if isinstance(charge, dict) else None


def _checked(answer: httpx.Response) -> Json:
    if answer.status_code >= 400:
        raise RefusedError(answer)
    body: Json = answer.json()
    return body


class RefusedError(Exception):
    """The sandbox refused a move that Stripe wouldn't allow either."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.method} {answer.request.url}: {answer.text[:300]}")
        self.status = answer.status_code
