"""Parameters of earlier API versions, for requests that don't name ours: as the fixtures of the
Stripe command line send them, which name no version at all."""

from collections.abc import Callable

from sandbox.schema import Route
from sandbox.shop import Shop
from sandbox.world import Json


def rewrite(shop: Shop, route: Route, tree: Json) -> None:
    """Say what a decoded form asks for in the words of our version, in place."""
    for method, template, change in _CHANGES:
        if (route.method, route.template) == (method, template):
            change(shop, tree)


def _name_promotion(_: Shop, tree: Json) -> None:
    if "coupon" in tree and "promotion" not in tree:
        tree["promotion"] = {"type": "coupon", "coupon": tree.pop("coupon")}


def _count_phases(shop: Shop, tree: Json) -> None:
    """`iterations` of a price's rhythm become a duration."""
    for phase in tree.get("phases") or []:
        if isinstance(phase, dict) and "iterations" in phase:
            entry = (phase.get("items") or [{}])[0]
            price = shop.find("price", entry.get("price") or entry.get("plan"), param="phases")
            rhythm = price["recurring"] or {"interval": "month", "interval_count": 1}
            count = int(phase.pop("iterations")) * int(rhythm["interval_count"])
            phase["duration"] = {"interval": rhythm["interval"], "interval_count": str(count)}


def _name_transfer(_: Shop, tree: Json) -> None:
    """Bank transfers were named after their accounts."""
    options = (tree.get("payment_method_options") or {}).get("customer_balance") or {}
    transfer = options.get("bank_transfer") or {}
    if str(transfer.get("type", "")).endswith("_bank_account"):
        transfer["type"] = transfer["type"].replace("_bank_account", "_bank_transfer")


_CHANGES: tuple[tuple[str, str, Callable[[Shop, Json], None]], ...] = (
    ("POST", "/v1/promotion_codes", _name_promotion),
    ("POST", "/v1/subscription_schedules", _count_phases),
    ("POST", "/v1/payment_intents", _name_transfer),
)
