"""Customers of Stripe's Accounts v2: accounts that buy, which older objects name beside the
customer or instead of it."""

from typing import Any

from sandbox.shop import Shop, missing
from sandbox.world import Json


def open_account(shop: Shop, customer: Json) -> None:
    """Give a new customer an account, where the shop's customers have one."""
    if shop.settings.customer_accounts != "none":
        customer["customer_account"] = shop.world.new_id("acct", 16)


def customer_of(shop: Shop, account: str) -> str:
    """The id of the customer behind an account. Raises Stripe's 400 where there is nobody."""
    for row in shop.world.table("customer").values():
        if row["customer_account"] == account:
            return str(row["id"])
    raise missing("account", account, param="customer_account")


def render(shop: Shop, node: Any) -> None:
    """Name the accounts of customers all through an answer or an event, in place; alone where that
    is how the shop has it and where the object may lack a customer."""
    if shop.settings.customer_accounts == "none":
        return
    if isinstance(node, list):
        for entry in node:
            render(shop, entry)
    elif isinstance(node, dict):
        _name(shop, node)
        for value in node.values():
            render(shop, value)


def _name(shop: Shop, node: Json) -> None:
    kind, customer = node.get("object"), node.get("customer")
    if not isinstance(kind, str) or not isinstance(customer, str) or kind == "list":
        return
    known = shop.world.table("customer").get(customer)
    properties = _properties(shop, kind)
    if known is None or not known["customer_account"] or "customer_account" not in properties:
        return
    node["customer_account"] = known["customer_account"]
    may_lack = any(
        choice.get("type") == "null" for choice in properties["customer"].get("anyOf", [])
    )
    if shop.settings.customer_accounts == "alone" and may_lack:
        node["customer"] = None


def _properties(shop: Shop, kind: str) -> Json:
    published = shop.world.published
    if published.object_validator(kind) is None:
        return {}
    schema = published.resolve(published.object_schema(kind))
    found: Json = schema.get("else", schema).get("properties", {})
    return found
