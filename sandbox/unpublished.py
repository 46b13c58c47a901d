"""Keys that Stripe sends, by recorded answers, though its description of the API doesn't name them.

They are put into what is sent, after it has been checked, so that no object in the shop has them.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.shop import Shop
from sandbox.world import Json

KEYS = {
    "card": ("email", "phone", "wallet"),
    "charge": ("destination", "dispute", "order"),
    "invoice": (),
    "payment_intent": ("shared_payment_granted_token",),
    "payment_method": ("shared_payment_granted_token",),
    "subscription": ("plan", "quantity"),
}
"""By kind. The lists inside these objects have a `total_count` besides."""
_LISTS = ("items", "lines", "refunds")


def add(shop: Shop, source: Any) -> None:
    """Add these keys all through what is sent, in place; before lists are
    shortened, so that they can be counted."""
    for kind, node in _described(source):
        if not node.get("deleted"):
            _add(shop, kind, node)


def _add(shop: Shop, kind: str, node: Json) -> None:
    for key in KEYS[kind]:
        node.setdefault(key, None)
    _count(node)
    if kind == "subscription":
        rows = node["items"]["data"]
        if len(rows) == 1:
            node.update(plan=rows[0].get("plan"), quantity=rows[0].get("quantity"))
    elif kind == "charge" and node["disputed"]:
        node["dispute"] = next(
            (
                dispute["id"]
                for dispute in shop.world.table("dispute").values()
                if dispute["charge"] == node["id"]
            ),
            None,
        )


def count(source: Any) -> None:
    """Count the lists that an expansion has added, in place."""
    for _, node in _described(source):
        _count(node)


def _described(source: Any) -> Iterator[tuple[str, Json]]:
    """Every object of these kinds, with its kind."""
    waiting = [source]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            kind = node.get("object")
            if isinstance(kind, str) and kind in KEYS:
                yield kind, node
            waiting += [
                value for value in node.values() if value and isinstance(value, dict | list)
            ]


def _count(node: Json) -> None:
    for name in _LISTS:
        inner = node.get(name)
        if isinstance(inner, dict) and inner.get("object") == "list" and not inner["has_more"]:
            inner.setdefault("total_count", len(inner["data"]))


def event(shop: Shop, source: Json) -> Json:
    """An event as it is sent."""
    inner = shop.world.copy(source["data"]["object"])
    add(shop, inner)
    return {**source, "data": {**source["data"], "object": inner}}
