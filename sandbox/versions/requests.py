"""What older versions ask: each step goes one family forward, call by call.

A step changes the decoded form in place. What needs to be known of the shop comes as functions.
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.shop import Shop, StripeApiError, invalid
from sandbox.versions.answers import UI_MODES
from sandbox.versions.families import CURRENT, Family
from sandbox.world import Json

Step = Callable[[Shop, Json], None]


def moved(family: Family, method: str, path: str) -> tuple[str, str]:
    """Where our version has a call of an older one. Raises Stripe's 404 for a call that the older
    version doesn't have."""
    if family > Family.V2024:
        return method, path
    if (method, path) == ("GET", "/v1/invoices/upcoming"):
        return "POST", "/v1/invoices/create_preview"
    if path == "/v1/invoices/upcoming/lines":
        raise StripeApiError(
            404,
            "The sandbox doesn't play GET /v1/invoices/upcoming/lines. Read the lines of"
            " GET /v1/invoices/upcoming instead.",
            code="sandbox_unsupported",
        )
    if path.startswith("/v1/invoice_payments"):
        raise StripeApiError(404, f"Unrecognized request URL ({method}: {path}).")
    return method, path


def upgrade(shop: Shop, family: Family | None, method: str, path: str, tree: Json) -> None:
    """Say what a form of an older version asks for as our version does, in place; `method` and
    `path` are ours. Without a version (None), as the Stripe CLI asks, every older name is
    understood, and what isn't said has our defaults."""
    oldest = Family.V2024 if family is None else family
    for target in range(oldest + 1, CURRENT.family + 1):
        for known, pattern, step in STEPS[Family(target)]:
            if (
                known == method
                and re.fullmatch(pattern, path)
                and not (family is None and step in DEFAULTS)
            ):
                step(shop, tree)


def _entries(value: Any) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _discounts(shop: Shop, tree: Json) -> None:
    """`coupon` and `promotion_code` became `discounts`."""
    for name in ("coupon", "promotion_code"):
        if name not in tree:
            continue
        value = tree.pop(name)
        if tree.get("discounts"):
            raise invalid(
                f"You may only specify one of these parameters: {name}, discounts.", param=name
            )
        tree["discounts"] = [{name: value}] if value else ""


def _phases(shop: Shop, tree: Json) -> None:
    for phase in _entries(tree.get("phases")):
        _discounts(shop, phase)


def _pricing(shop: Shop, tree: Json) -> None:
    """An invoice item's `price` became `pricing`, and its `unit_amount` a decimal."""
    if price := tree.pop("price", None):
        tree["pricing"] = {"price": price}
    if "unit_amount" in tree:
        tree["unit_amount_decimal"] = tree.pop("unit_amount")


def _lines(shop: Shop, tree: Json) -> None:
    for line in _entries(tree.get("lines")):
        _pricing(shop, line)


_OF_UPCOMING = "subscription_"


def _preview(shop: Shop, tree: Json) -> None:
    """The parameters of an upcoming invoice: those of the subscription became an object."""
    _discounts(shop, tree)
    for name in [name for name in tree if name.startswith(_OF_UPCOMING)]:
        if name != "subscription_details":
            details = tree.setdefault("subscription_details", {})
            details[name.removeprefix(_OF_UPCOMING)] = tree.pop(name)


def _promotion(shop: Shop, tree: Json) -> None:
    """A promotion code's `coupon` became its `promotion`."""
    if "coupon" in tree:
        tree["promotion"] = {"type": "coupon", "coupon": tree.pop("coupon")}


def _iterations(shop: Shop, tree: Json) -> None:
    """A phase's `iterations` of its price became a `duration`."""
    for number, phase in enumerate(_entries(tree.get("phases"))):
        if "iterations" not in phase:
            continue
        times = str(phase.pop("iterations"))
        rhythm = _rhythm(shop, phase)
        if not times.isdigit() or rhythm is None:
            raise invalid(
                f"Invalid integer: {times}",
                param=f"phases[{number}][iterations]",
                code="parameter_invalid_integer",
            )
        phase["duration"] = {
            "interval": rhythm["interval"],
            "interval_count": str(int(times) * int(rhythm["interval_count"])),
        }


def _rhythm(shop: Shop, phase: Json) -> Json | None:
    """How often the first price of a phase is paid."""
    for item in _entries(phase.get("items")):
        price = shop.world.table("price").get(item.get("price") or item.get("plan"))
        data = item.get("price_data") or {}
        found: Json | None = price["recurring"] if price else data.get("recurring")
        return {"interval_count": 1, **found} if found else None
    return None


_CLASSIC = {"type": "classic"}


def _classic(shop: Shop, tree: Json) -> None:
    """Subscriptions were classic where nothing else was said."""
    if "from_subscription" not in tree:
        tree.setdefault("billing_mode", dict(_CLASSIC))


def _classic_session(shop: Shop, tree: Json) -> None:
    if tree.get("mode") == "subscription":
        tree.setdefault("subscription_data", {}).setdefault("billing_mode", dict(_CLASSIC))


def _classic_quote(shop: Shop, tree: Json) -> None:
    tree.setdefault("subscription_data", {}).setdefault("billing_mode", dict(_CLASSIC))


_RENAMED = {old: new for new, old in UI_MODES.items()}


def _ui_mode(shop: Shop, tree: Json) -> None:
    if "ui_mode" in tree:
        tree["ui_mode"] = _RENAMED.get(tree["ui_mode"], tree["ui_mode"])


def _payment_method_types(shop: Shop, tree: Json) -> None:
    if "payment_method_types" in tree:
        tree["allowed_payment_method_types"] = tree.pop("payment_method_types")


def _anchor(shop: Shop, tree: Json) -> None:
    """`now` and `unchanged` became objects."""
    if tree.get("billing_cycle_anchor") in ("now", "unchanged"):
        tree["billing_cycle_anchor"] = {"type": tree["billing_cycle_anchor"]}


def _transfer(shop: Shop, tree: Json) -> None:
    """Bank transfers were named after their accounts."""
    options = (tree.get("payment_method_options") or {}).get("customer_balance") or {}
    transfer = options.get("bank_transfer") or {}
    if str(transfer.get("type", "")).endswith("_bank_account"):
        transfer["type"] = transfer["type"].replace("_bank_account", "_bank_transfer")


DEFAULTS = (_classic, _classic_session, _classic_quote)
"""Steps that say what an older version took for granted."""
_ID = "[^/]+"
STEPS: dict[Family, list[tuple[str, str, Step]]] = {
    Family.BASIL: [
        ("POST", f"/v1/subscriptions(/{_ID})?", _discounts),
        ("POST", f"/v1/subscription_schedules(/{_ID})?", _phases),
        ("POST", f"/v1/invoiceitems(/{_ID})?", _pricing),
        ("POST", f"/v1/invoices/{_ID}/(add|update)_lines", _lines),
        ("POST", f"/v1/invoices/{_ID}/lines/{_ID}", _pricing),
        ("POST", "/v1/invoices/create_preview", _preview),
        ("POST", "/v1/payment_intents", _transfer),
    ],
    Family.CLOVER: [
        ("POST", "/v1/promotion_codes", _promotion),
        ("POST", f"/v1/subscription_schedules(/{_ID})?", _iterations),
        ("POST", "/v1/subscriptions", _classic),
        ("POST", "/v1/subscription_schedules", _classic),
        ("POST", "/v1/checkout/sessions", _classic_session),
        ("POST", "/v1/quotes", _classic_quote),
    ],
    Family.DAHLIA: [("POST", "/v1/checkout/sessions", _ui_mode)],
    Family.ENDIVE: [
        ("POST", f"/v1/payment_intents(/{_ID})?(/confirm)?", _payment_method_types),
        ("POST", f"/v1/setup_intents(/{_ID})?(/confirm)?", _payment_method_types),
        ("POST", "/v1/checkout/sessions", _payment_method_types),
        ("POST", f"/v1/subscriptions/{_ID}", _anchor),
        ("POST", f"/v1/subscriptions/{_ID}/resume", _anchor),
    ],
}
"""The steps forward to each family, from the one before it, by the call that they are about."""
