"""What older versions answer: each step goes one family back, object by object.

A step changes a copy of an object in place. What an older version shows and ours doesn't comes
from `Known`, which reads the shop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.plans import plan_of
from sandbox.shop import Shop, StripeApiError
from sandbox.versions import added
from sandbox.versions.families import CURRENT, Family, Version, version_of
from sandbox.world import Json


@dataclass(frozen=True)
class Known:
    """Objects that older versions show inside others."""

    shop: Shop

    def find(self, kind: str, object_id: object) -> Json | None:
        """A copy of an object by id, None if there isn't one."""
        found = self.shop.world.table(kind).get(object_id)
        return None if found is None else self.shop.world.copy(found)

    def intent_of(self, invoice: Json) -> Json | None:
        """The payment intent of an invoice."""
        kept = self.shop.world.private.get(f"intent/{invoice.get('id')}", {})
        return self.find("payment_intent", kept.get("id"))

    def invoice_of(self, intent: object) -> str | None:
        """The id of the invoice that a payment intent pays."""
        kept = self.shop.world.private.get(str(intent), {})
        found: str | None = kept.get("invoice")
        return found


Step = Callable[[Json, Known], None]


def shaped(shop: Shop, source: Any, version: Version) -> Any:
    """A copy of an answer as a version shows it. Events stay as they are."""
    made = shop.world.copy(source)
    known = Known(shop)
    for target in range(CURRENT.family - 1, version.family - 1, -1):
        _walk(made, STEPS[Family(target)], known)
    added.drop(made, added.lacking(version))
    return made


def event_in(shop: Shop, event: Json, version: str) -> Json:
    """An event as an endpoint or account of this version gets it. A version that the sandbox
    doesn't speak changes only what the event says about itself."""
    made = {**event, "api_version": version}
    try:
        spoken = version_of(shop.world.published, version)
    except StripeApiError:
        return made
    if spoken == CURRENT:
        return made
    after: Json = shaped(shop, event["data"]["object"], spoken)
    made["data"] = {**event["data"], "object": after}
    previous = event["data"].get("previous_attributes")
    if previous is not None:
        before = shaped(shop, {**event["data"]["object"], **previous}, spoken)
        made["data"]["previous_attributes"] = {
            name: before.get(name) for name in after if before.get(name) != after[name]
        }
    return made


def _walk(node: Any, step: dict[str, Step], known: Known) -> None:
    if isinstance(node, list):
        for entry in node:
            _walk(entry, step, known)
    elif isinstance(node, dict):
        kind = node.get("object")
        if kind == "event":
            return
        if isinstance(kind, str) and kind in step and not node.get("deleted"):
            step[kind](node, known)
        for value in node.values():
            _walk(value, step, known)


def _payment_method_types(node: Json, known: Known) -> None:
    """Before endive the types were given, not only allowed."""
    allowed = node.get("allowed_payment_method_types")
    if allowed:
        node.update(payment_method_types=allowed, allowed_payment_method_types=None)


UI_MODES = {"hosted_page": "hosted", "embedded_page": "embedded", "elements": "custom"}
"""Checkout's modes: their names since dahlia, and the older ones."""


def _ui_mode(node: Json, known: Known) -> None:
    node["ui_mode"] = UI_MODES.get(node["ui_mode"], node["ui_mode"])


def _discount(node: Json, known: Known) -> None:
    coupon = node.pop("source")["coupon"]
    node["coupon"] = coupon if isinstance(coupon, dict) else known.find("coupon", coupon)


def _promotion_code(node: Json, known: Known) -> None:
    coupon = node.pop("promotion")["coupon"]
    node["coupon"] = coupon if isinstance(coupon, dict) else known.find("coupon", coupon)


def _deprecated(node: Json, known: Known) -> None:
    """Basil moved a line's subscription to its `parent`."""
    node.pop("subscription", None)


def _subscription(node: Json, known: Known) -> None:
    rows = node["items"]["data"]
    first = min(rows, key=lambda row: int(row["current_period_end"]))
    node["current_period_start"] = first["current_period_start"]
    node["current_period_end"] = first["current_period_end"]
    node["plan"] = rows[0]["plan"] if len(rows) == 1 else None
    node["quantity"] = rows[0].get("quantity") if len(rows) == 1 else None
    node["discount"] = _first_discount(node, known)
    node.setdefault("billing_thresholds", None)


def _first_discount(node: Json, known: Known) -> Json | None:
    named = (node.get("discounts") or [None])[0]
    found = named if isinstance(named, dict) else known.find("discount", named)
    if found is not None and "source" in found:
        _discount(found, known)
    return found


def _subscription_item(node: Json, known: Known) -> None:
    for name in ("current_period_start", "current_period_end"):
        node.pop(name, None)
    node.setdefault("billing_thresholds", None)


def _price(node: Json, known: Known) -> None:
    if node.get("recurring"):
        node["recurring"].setdefault("aggregate_usage", None)


def _plan(node: Json, known: Known) -> None:
    node.setdefault("aggregate_usage", None)


_SINCE_BASIL = ("parent", "payments", "confirmation_secret", "amount_overpaid", "total_taxes")


def _invoice(node: Json, known: Known) -> None:
    parent = node["parent"] or {}
    details = parent.get("subscription_details") or {}
    intent = known.intent_of(node)
    paid = node["status"] == "paid"
    taxes = [_tax_amount(tax) for tax in node["total_taxes"] or []]
    node.update(
        application_fee_amount=None,
        charge=(intent or {}).get("latest_charge"),
        discount=_first_discount(node, known),
        paid=paid,
        paid_out_of_band=paid and node["amount_paid"] > 0 and intent is None,
        payment_intent=(intent or {}).get("id"),
        quote=(parent.get("quote_details") or {}).get("quote"),
        subscription=details.get("subscription"),
        subscription_details={"metadata": details.get("metadata")},
        tax=sum(tax["amount"] for tax in taxes) if taxes else None,
        total_tax_amounts=taxes,
        transfer_data=None,
    )
    for name in _SINCE_BASIL:
        node.pop(name, None)


def _tax_amount(tax: Json) -> Json:
    details = tax.get("tax_rate_details") or {}
    return {
        "amount": tax["amount"],
        "inclusive": tax.get("tax_behavior") == "inclusive",
        "tax_rate": details.get("tax_rate"),
        "taxability_reason": tax.get("taxability_reason"),
        "taxable_amount": tax.get("taxable_amount"),
    }


def _priced(node: Json, known: Known) -> Json | None:
    """Put the price, and its plan, where a line had them; the price's id is in `pricing`."""
    pricing = node.pop("pricing", None) or {}
    named = (pricing.get("price_details") or {}).get("price")
    price = named if isinstance(named, dict) else known.find("price", named)
    if price is not None:
        _price(price, known)
    node["price"] = price
    plan = plan_of(price) if price and price["recurring"] else None
    if plan is not None:
        _plan(plan, known)
    node["plan"] = plan
    return pricing


def _line(node: Json, known: Known) -> None:
    parent = node.pop("parent", None) or {}
    of_item = parent.get("subscription_item_details") or {}
    details = of_item or parent.get("invoice_item_details") or {}
    pricing = _priced(node, known) or {}
    taxes = node.pop("taxes", None) or []
    inclusive = sum(t["amount"] for t in taxes if t.get("tax_behavior") == "inclusive")
    node.update(
        amount_excluding_tax=node["amount"] - inclusive,
        proration=bool(details.get("proration")),
        proration_details=details.get("proration_details") or {"credited_items": None},
        subscription=details.get("subscription"),
        tax_amounts=[_tax_amount(tax) for tax in taxes],
        tax_rates=[],
        type="subscription" if of_item else "invoiceitem",
        unit_amount_excluding_tax=pricing.get("unit_amount_decimal"),
    )
    if of_item.get("subscription_item"):
        node["subscription_item"] = of_item["subscription_item"]
    if details.get("invoice_item"):
        node["invoice_item"] = details["invoice_item"]


def _invoice_item(node: Json, known: Known) -> None:
    parent = node.pop("parent", None) or {}
    details = parent.get("subscription_details") or {}
    pricing = _priced(node, known) or {}
    decimal = pricing.get("unit_amount_decimal")
    node.update(
        subscription=details.get("subscription"),
        unit_amount=int(decimal) if decimal and "." not in decimal else None,
        unit_amount_decimal=decimal,
    )
    if details.get("subscription_item"):
        node["subscription_item"] = details["subscription_item"]


def _payment_intent(node: Json, known: Known) -> None:
    node["invoice"] = known.invoice_of(node["id"])


def _charge(node: Json, known: Known) -> None:
    intent = node["payment_intent"]
    node["invoice"] = known.invoice_of(intent["id"] if isinstance(intent, dict) else intent)


def _session(node: Json, known: Known) -> None:
    collected = node.pop("collected_information", None) or {}
    node["shipping_details"] = collected.get("shipping_details")


def _credit_note(node: Json, known: Known) -> None:
    refunds = node.pop("refunds", None) or []
    node["refund"] = refunds[0].get("refund") if refunds else None
    node["tax_amounts"] = [_tax_amount(tax) for tax in node.pop("total_taxes", None) or []]


def _credit_note_line(node: Json, known: Known) -> None:
    node["tax_amounts"] = [_tax_amount(tax) for tax in node.pop("taxes", None) or []]


def _schedule(node: Json, known: Known) -> None:
    for phase in node["phases"]:
        phase.setdefault("coupon", None)
        phase.setdefault("billing_thresholds", None)


STEPS: dict[Family, dict[str, Step]] = {
    Family.DAHLIA: {
        "checkout.session": _payment_method_types,
        "line_item": _deprecated,
        "payment_intent": _payment_method_types,
        "setup_intent": _payment_method_types,
    },
    Family.CLOVER: {"checkout.session": _ui_mode},
    Family.BASIL: {"discount": _discount, "promotion_code": _promotion_code},
    Family.V2024: {
        "charge": _charge,
        "checkout.session": _session,
        "credit_note": _credit_note,
        "credit_note_line_item": _credit_note_line,
        "invoice": _invoice,
        "invoiceitem": _invoice_item,
        "line_item": _line,
        "payment_intent": _payment_intent,
        "plan": _plan,
        "price": _price,
        "subscription": _subscription,
        "subscription_item": _subscription_item,
        "subscription_schedule": _schedule,
    },
}
"""The steps back to each family, from the one after it, by the `object` that they change."""
