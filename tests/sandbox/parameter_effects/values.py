"""Values for published parameters: those of its type, and for names that mean something, such as a
customer's, ids of objects that exist."""

import re
from collections.abc import Iterator
from typing import Any

from sandbox.schema import BOOLEANS, INTEGER, NUMBER, Published
from tests.harness import Json

FUTURE = (1_800_014_400 + 40 * 86400, 1_800_014_400 + 3 * 86400)
PAST = 1_800_014_400 - 86400
_BY_NAME: dict[str, tuple[str, ...]] = {
    "customer": ("{customer}", "{other_customer}"),
    "price": ("{price}", "{other_price}", "{once_price}"),
    "plan": ("{other_price}", "{price}"),
    "product": ("{product}", "{other_product}"),
    "coupon": ("{coupon}", "{forever}"),
    "promotion_code": ("{promotion_code}",),
    "payment_method": ("{saved_method}", "pm_card_mastercard", "pm_card_visa"),
    "default_payment_method": ("{saved_method}",),
    "tax_rate": ("{tax_rate}",),
    "tax_rates": ("{tax_rate}",),
    "default_tax_rates": ("{tax_rate}",),
    "shipping_rate": ("{shipping_rate}",),
    "subscription": ("{subscription}",),
    "invoice": ("{invoice}", "{open_invoice}"),
    "charge": ("{charge}",),
    "payment_intent": ("{paid_intent}", "{intent}"),
    "setup_intent": ("{setup_intent}",),
    "test_clock": ("{clock}",),
    "configuration": ("{portal}",),
    "prices": ("{price}", "{other_price}"),
    "source": ("{token}", "tok_mastercard"),
    "token": ("{token}",),
    "currency": ("usd", "eur"),
    "country": ("US", "DE"),
    "entitlement_feature": ("{feature}",),
    "payment_record": ("{record}",),
    "url": ("https://example.com/some", "https://example.com/other"),
    "invoice_item": ("{invoiceitem}",),
    "tax_code": ("{tax_code}",),
    "invoice_line_item": ("{other_line}",),
    "refund": ("{invoice_refund}",),
    "number": ("4242424242424242", "5555555555554444"),
    "api_version": ("2026-03-25.dahlia", "2024-06-20"),
    "query": ("status:'succeeded'", "created>1", "created<1"),
    "amounts": ("32", "45"),
    "enabled_events": ("charge.succeeded", "*"),
}


def key_for(key: str) -> str:
    """A key where a parameter takes any."""
    return "eur" if key.endswith("currency_options") else "word"


_COMPANIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "price_data": (("currency", "usd"), ("product", "{product}"), ("unit_amount", "700")),
    "default_price_data": (("currency", "usd"), ("unit_amount", "700")),
    "shipping_rate_data": (
        ("display_name", "Post"),
        ("fixed_amount[amount]", "400"),
        ("fixed_amount[currency]", "usd"),
    ),
    "card": (("number", "4242424242424242"), ("exp_month", "5"), ("exp_year", "2035")),
}


def companions(key: str, template: str) -> Iterator[tuple[str, str]]:
    """What a call asks for beside a parameter without its types saying so."""
    parts = re.findall(r"[^\[\]]+", key)
    for place, part in enumerate(parts[:-1]):
        above = parts[0] + "".join(f"[{one}]" for one in parts[1 : place + 1])
        following = parts[place + 1]
        for name, value in _COMPANIONS.get(part, ()):
            if part == "card" and (
                template not in _CARDS or place or following not in _OF_CARDS or name == following
            ):
                continue
            if (
                part.endswith("price_data")
                and following in ("unit_amount_decimal", "custom_unit_amount")
                and name == "unit_amount"
            ):
                continue
            if following == "product_data" and name == "product":
                continue
            yield f"{above}[{name}]", value


def described(key: str, template: str) -> tuple[str, str]:
    """The type of payment method whose details a parameter is one of, and the parameter that
    describes the method: empty if that is the whole form."""
    parts = re.findall(r"[^\[\]]+", key)
    if parts[0] == "payment_method_data" and len(parts) > 1 and parts[1] != "type":
        return "sepa_debit" if parts[1] in _COMMON else parts[1], parts[0]
    if template == "/v1/payment_methods" and len(parts) > 1 and parts[0] not in _COMMON:
        return parts[0], ""
    return "", ""


_CARDS = ("/v1/payment_methods", "/v1/tokens")
_OF_CARDS = ("cvc", "exp_month", "exp_year", "name", "networks", "number")
_COMMON = ("billing_details", "metadata", "allow_redisplay", "radar_options")


def candidates(published: Published, key: str, choices: tuple[Json, ...]) -> list[Any]:
    """Values for a parameter, in the order in which they are tried."""
    name = key.replace("]", "").replace("[0", "").split("[")[-1]
    found: list[Any] = []
    for choice in choices:
        found += _of(published, key, name, choice)
    return found or ["abc"]


def _of(published: Published, key: str, name: str, choice: Json) -> list[Any]:
    if choice.get("const") == "":
        return []
    if choice.get("type") == "array":
        inner = published.alternatives(choice["items"])
        return [{"0": one} for one in candidates(published, f"{key}[0]", tuple(inner))]
    if choice.get("type") == "object":
        names = choice.get("properties") or {}
        needed = choice.get("required") or list(names)[:1]
        if not names:
            return [{key_for(key): "abc"}]
        return [
            {
                one: candidates(
                    published, f"{key}[{one}]", tuple(published.alternatives(names[one]))
                )[0]
                for one in needed
            }
        ]
    if choice.get("enum") == BOOLEANS:
        return ["true", "false"]
    if choice.get("enum") and name != "api_version":
        return [one for one in choice["enum"] if one != ""]
    if choice.get("pattern") == INTEGER:
        return _integers(name)
    if choice.get("pattern") == NUMBER:
        return ["12.5", "7"]
    known = list(_BY_NAME.get(name, ()))
    if known and known[0].startswith("{"):
        known.append("none_such")
    return known or _texts(name)


_DATES = (
    "timestamp",
    "_at",
    "_date",
    "date",
    "_end",
    "end",
    "start",
    "_start",
    "anchor",
    "gt",
    "gte",
    "lt",
)


def _integers(name: str) -> list[str]:
    if name.endswith(_DATES) or name in (
        "lte",
        "created",
        "redeem_by",
        "frozen_time",
        "created_after",
        "created_before",
    ):
        return [str(at) for at in (*FUTURE, PAST)]
    if name == "year" or name.endswith("exp_year"):
        return ["2034", "2035"]
    if "month" in name and "exp" in name:
        return ["7", "8"]
    return ["3", "2", "1", "700", "100", "2500"]


def _texts(name: str) -> list[str]:
    if name in ("exp_month", "exp_year") or "created" in name:
        return _integers(name)
    if "email" in name:
        return ["some@example.com"]
    if "url" in name or name == "images":
        return ["https://example.com/some", "https://example.com/other"]
    return ["abc", "12"]
