"""`expand`: replaces ids by their objects, and adds the lists only included on request."""

from collections.abc import Callable
from typing import Any

import orjson

from sandbox import checkout, invoices, pricing, quotes
from sandbox.defaults import NO_TAX
from sandbox.lists import slice_of
from sandbox.shop import Shop, invalid, shortened
from sandbox.subscriptions import portal
from sandbox.world import Json

DEEPEST = 4
KINDS = {
    "prod": "product",
    "price": "price",
    "cus": "customer",
    "pm": "payment_method",
    "seti": "setup_intent",
    "sub": "subscription",
    "cs": "checkout.session",
    "qt": "quote",
    "plink": "payment_link",
    "in": "invoice",
    "ii": "invoiceitem",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "ch": "charge",
    "re": "refund",
    "du": "dispute",
    "promo": "promotion_code",
    "di": "discount",
    "evt": "event",
    "txn": "balance_transaction",
    "card": "card",
    "ba": "bank_account",
    "src": "source",
    "cn": "credit_note",
    "ccsbtxn": "customer_cash_balance_transaction",
    "feat": "entitlements.feature",
    "ent": "entitlements.active_entitlement",
    "pr": "payment_record",
    "par": "payment_attempt_record",
    "mandate": "mandate",
    "setatt": "setup_attempt",
    "pmc": "payment_method_configuration",
    "po": "payout",
    "cbtxn": "customer_balance_transaction",
    "shr": "shipping_rate",
    "txr": "tax_rate",
    "txi": "tax_id",
    "bpc": "billing_portal.configuration",
}


Show = Callable[[Json], Json]
"""Renders a copy of an object, as an older API version may want it."""


def expand(
    shop: Shop, answer: Json, paths: list[str], *, show: Show = lambda source: source
) -> None:
    """Expand `answer` in place; it must be a copy. Raises Stripe's 400 for paths that can't be
    expanded."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > DEEPEST:
            raise invalid(
                f"You cannot expand more than {DEEPEST} levels of a property. Property: {path}",
                param="expand",
            )
        if not _follow(shop, answer, steps, show):
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")


def _follow(shop: Shop, node: Any, steps: list[str], show: Show) -> bool:
    """Whether the path exists on this node; an empty list or a null on the way counts as
    existing."""
    if isinstance(node, list):
        return all([_follow(shop, entry, steps, show) for entry in node])
    if not isinstance(node, dict):
        return node is None
    step, rest = steps[0], steps[1:]
    _break_down(shop, node, steps)
    if step not in node:
        if not _include(shop, node, step):
            return step in _optional(shop, node)
        node[step] = node[step] and show(node[step])
    value = node[step]
    if isinstance(value, str):
        found = _object(shop, value, step)
        if found is None:
            return not value
        node[step] = shortened(show(found))
    elif isinstance(value, list) and value and isinstance(value[0], str):
        found_all = [(_object(shop, entry, step), entry) for entry in value]
        node[step] = [shortened(show(found)) if found else entry for found, entry in found_all]
    elif not rest and not isinstance(value, dict | list):
        return value is None
    return _follow(shop, node[step], rest, show) if rest else True


def _break_down(shop: Shop, node: Json, steps: list[str]) -> None:
    """Add what a session's total is made of, or the products that a configuration of the portal
    offers, where that is asked for."""
    if node.get("object") == "billing_portal.configuration" and steps == _PRODUCTS:
        products = orjson.loads(orjson.dumps(portal.products_of(shop, node)))
        node["features"]["subscription_update"]["products"] = products
    asked = steps[:2] == ["total_details", "breakdown"]
    if asked and node.get("object") == "checkout.session" and node["total_details"]:
        node["total_details"]["breakdown"] = checkout.breakdown(shop, node)


_PRODUCTS = ["features", "subscription_update", "products"]
_BY_FIELD = {"coupon": "coupon", "price": "price", "product": "product", "default_price": "price"}
"""Fields that name objects whose ids can be any text."""


def _object(shop: Shop, object_id: str, field: str) -> Json | None:
    kind = KINDS.get(object_id.split("_")[0])
    if object_id.startswith("sub_sched_"):
        kind = "subscription_schedule"
    kind = _BY_FIELD.get(field, kind)
    found = shop.world.table(kind).get(object_id) if kind else None
    if found is None:
        found = shop.world.private.get(f"deleted/{object_id}")
    return None if found is None else shop.world.copy(found)


def _optional(shop: Shop, node: Json) -> Json:
    """The fields this kind of object can have."""
    if not isinstance(node.get("object"), str) or node["object"] == "list":
        return {}
    schema = shop.world.published.resolve(shop.world.published.object_schema(node["object"]))
    properties: Json = schema.get("else", schema)["properties"]
    return properties


def _include(shop: Shop, node: Json, step: str) -> bool:
    """Add a list that Stripe only includes on request."""
    world = shop.world
    made: Any
    match node.get("object"), step:
        case ("checkout.session", "line_items") | ("payment_link", "line_items"):
            made = slice_of(
                f"/v1/{_PATHS[node['object']]}/{node['id']}/line_items",
                checkout.line_items(shop, node),
                {},
            )
        case "quote", "line_items":
            made = slice_of(f"/v1/quotes/{node['id']}/line_items", quotes.lines_of(shop, node), {})
        case "item", "taxes":
            made = world.private.get(f"taxed/{node['id']}", {}).get("taxes", [])
        case "price", "currency_options" | "tiers":
            made = (pricing.tiers if step == "tiers" else pricing.options)(shop, node)
        case "invoice", "payments":
            made = invoices.payments_of(shop, node)
        case "invoice", "confirmation_secret":
            made = invoices.confirmation_secret(shop, node)
        case "customer", "tax" | "invoice_credit_balance":
            made = NO_TAX if step == "tax" else {}
        case "customer", "subscriptions":
            rows = world.table("subscription").newest_first(
                {"customer": node["id"]}, before=None, after=None
            )
            live = [row for row in rows if row["status"] != "canceled"]
            made = slice_of(f"/v1/customers/{node['id']}/subscriptions", live, {})
        case "charge", "refunds":
            rows = world.table("refund").newest_first(
                {"charge": node["id"]}, before=None, after=None
            )
            made = slice_of(f"/v1/charges/{node['id']}/refunds", list(rows), {})
        case _:
            return False
    node[step] = made if made is None else orjson.loads(orjson.dumps(made))
    return True


_PATHS = {"checkout.session": "checkout/sessions", "payment_link": "payment_links"}
