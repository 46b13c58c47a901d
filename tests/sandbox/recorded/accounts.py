"""The accounts behind recorded dialogues: what their owners have chosen in the Dashboard.

No call tells, so it is read from all that an account's dialogues show, and the sandbox is set up
with it once, before a dialogue. What a payment then offers is up to the sandbox.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox import configurations
from sandbox.box import Sandbox

Json = dict[str, Any]
_TAG = re.compile(r"\b(?:pi|seti|ch|in|sub|pm|si|price|re|pmc)_\d\w{5}(\w{10})")
"""Stripe's ids name their account by ten of its letters."""


@dataclass(frozen=True)
class Account:
    """What an account shows of its choices; None where it shows nothing: `on` are the payment
    methods of its configuration, `invoiced` those of its invoice template."""

    country: str | None = None
    name: str | None = None
    statement: str | None = None
    on: frozenset[str] = frozenset()
    invoiced: frozenset[str] = frozenset()
    adaptive_pricing: bool = False

    @classmethod
    def of(cls, entries: Iterable[Json]) -> "Account":
        """The account that recorded answers are from."""
        shown = [one for entry in entries for one in objects(entry["body"])]
        payments = {name for one in shown for name in _paying(one)}
        return cls(
            country=_last(one.get("account_country") for one in shown),
            name=_last(_name(one) for one in shown),
            statement=_last(one.get("calculated_statement_descriptor") for one in shown),
            on=_offered(one for one in shown if one.get("payment_method_configuration_details")),
            invoiced=_offered(one for one in shown if one["id"] in payments),
            adaptive_pricing=any(
                (one.get("adaptive_pricing") or {}).get("enabled") for one in shown
            ),
        )

    def set_up(self, box: Sandbox) -> None:
        """Make a sandbox's account this one."""
        shop = box.shop
        settings: Json = {"adaptive_pricing": self.adaptive_pricing}
        if self.country:
            settings["country"] = self.country
        if self.invoiced:
            settings["invoice_payment_methods"] = sorted(self.invoiced)
        shop.set_up(settings)
        if self.name:
            shop.account["settings"]["dashboard"]["display_name"] = self.name
        if self.statement:
            shop.account["settings"]["payments"]["statement_descriptor"] = self.statement
        if self.on:
            shop.save(configurations.choose(configurations.default(shop), self.on))


def accounts(dialogues: dict[str, list[Json]]) -> dict[str, Account]:
    """The account of each dialogue, by all dialogues of the same account."""
    tags = {name: _tag(entries) for name, entries in dialogues.items()}
    entries_of: dict[str, list[Json]] = {}
    for name, entries in dialogues.items():
        entries_of.setdefault(tags[name], []).extend(entries)
    known = {tag: Account.of(entries) for tag, entries in entries_of.items()}
    return {name: known[tag] for name, tag in tags.items()}


def objects(node: Any) -> Iterator[Json]:
    """Every Stripe object in an answer, the expanded ones too."""
    if isinstance(node, dict):
        if isinstance(node.get("object"), str) and "id" in node:
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for entry in node:
            yield from objects(entry)


def _tag(entries: list[Json]) -> str:
    found = (_TAG.search(str(entry["body"])) for entry in entries)
    return next((tag[1] for tag in found if tag), entries[0]["case"])


def _last(values: Iterable[Any]) -> str | None:
    return next(iter([str(value) for value in values if value][-1:]), None)


def _name(shown: Json) -> str | None:
    branding = shown.get("branding_settings") or {}
    name: str | None = shown.get("account_name") or branding.get("display_name")
    return name


def _offered(shown: Iterable[Json]) -> frozenset[str]:
    return frozenset(kind for one in shown for kind in one.get("payment_method_types") or ())


def _paying(shown: Json) -> Iterator[str]:
    """Ids of the payment intents that pay an invoice."""
    if shown["object"] == "invoice_payment":
        rows = [shown]
    elif shown["object"] == "invoice":
        rows = (shown.get("payments") or {}).get("data", [])
    else:
        return
    for row in rows:
        intent = row["payment"].get("payment_intent")
        if intent:
            yield intent["id"] if isinstance(intent, dict) else intent
