"""A subscription's items: their prices, quantities and periods."""

from typing import Any

from sandbox import invoice_lines, pricing, taxes
from sandbox.plans import plan_of
from sandbox.shop import Shop, invalid, merge_metadata
from sandbox.world import Json

LIVE = ("incomplete", "trialing", "active", "past_due", "unpaid", "paused")


def rows(subscription: Json) -> list[Json]:
    found: list[Json] = subscription["items"]["data"]
    return found


def has_price(subscription: Json, price_id: str) -> bool:
    """Whether one of the items is of this price."""
    return any(item["price"]["id"] == price_id for item in rows(subscription))


def set_items(shop: Shop, made: Json, wanted: list[Json], *, currency: str | None = None) -> None:
    """Set a new subscription's items. Raises Stripe's 400 if their prices can't be combined."""
    if not wanted:
        raise invalid("Missing required param: items.", param="items", code="parameter_missing")
    prices = [
        resolve_price(shop, entry, where=f"items[{number}][price]")
        for number, entry in enumerate(wanted)
    ]
    made["currency"] = (currency or prices[0]["currency"]).lower()
    _check_currency(shop, made, prices, "items" if currency is None else "currency")
    _check_rhythms(made, prices)
    made["items"] = {
        "object": "list",
        "data": [
            new_item(shop, made, price, entry) for price, entry in zip(prices, wanted, strict=True)
        ],
        "has_more": False,
        "url": f"/v1/subscription_items?subscription={made['id']}",
    }


def _check_currency(shop: Shop, made: Json, prices: list[Json], param: str) -> None:
    for price in prices:
        pricing.option(shop, price, made["currency"], param=param)


def _check_rhythms(made: Json, prices: list[Json]) -> None:
    classic = made["billing_mode"]["type"] == "classic"
    if classic and len({_cycle(price) for price in prices}) > 1:
        raise invalid(
            "All prices on a subscription must have the same `recurring.interval` and"
            " `recurring.interval_count`. Use `billing_mode[type]=flexible` to mix them.",
            param="items",
        )


def new_item(shop: Shop, made: Json, price: Json, entry: Json) -> Json:
    now = shop.world.now()
    item = shop.world.make(
        "subscription_item",
        "si",
        subscription=made["id"],
        price=price,
        plan=plan_of(price),
        quantity=entry.get("quantity", 1),
        metadata=merge_metadata({}, entry.get("metadata")),
        tax_rates=taxes.named(shop, entry.get("tax_rates"), param="tax_rates"),
        current_period_start=now,
        current_period_end=now,
    )
    shop.world.keep(f"debits/{item['id']}", rows=[])
    return item


def change_items(shop: Shop, found: Json, wanted: list[Json]) -> None:
    """Change, add and remove items as an update says. Periods stay unchanged."""
    items = rows(found)
    for number, entry in enumerate(wanted):
        where = f"items[{number}]"
        item = next((i for i in items if i["id"] == entry.get("id")), None)
        if entry.get("id") and item is None:
            raise invalid(
                f"No such subscription item: '{entry['id']}'",
                param=f"{where}[id]",
                code="resource_missing",
            )
        if item and entry.get("deleted"):
            items.remove(item)
        elif item:
            _change(shop, item, entry, where)
        else:
            price = resolve_price(shop, entry, where=f"{where}[price]")
            if any(i["price"]["id"] == price["id"] for i in items):
                raise invalid(
                    f"Cannot add multiple subscription items with the same plan: {price['id']}",
                    param=where,
                )
            added = new_item(shop, found, price, entry)
            added["current_period_end"] = _first_end(shop, found, price)
            items.append(added)
    if not items:
        raise invalid("A subscription must have at least one active plan.", param="items")
    _check_rhythms(found, [item["price"] for item in items])
    _check_currency(shop, found, [item["price"] for item in items], "items")


def _change(shop: Shop, item: Json, entry: Json, where: str) -> None:
    if "price" in entry or "price_data" in entry or "plan" in entry:
        item["price"] = resolve_price(shop, entry, where=f"{where}[price]")
        item["plan"] = plan_of(item["price"])
    item["quantity"] = entry.get("quantity", item["quantity"])
    if "tax_rates" in entry:
        item["tax_rates"] = taxes.named(shop, entry["tax_rates"], param=f"{where}[tax_rates]")
    if "metadata" in entry:
        item["metadata"] = merge_metadata(item["metadata"], entry["metadata"])


def _first_end(shop: Shop, found: Json, price: Json) -> int:
    """When an added item's first period ends: with the others of its interval, or with the first
    full period from the anchor."""
    for item in rows(found):
        if _cycle(item["price"]) == _cycle(price):
            return int(item["current_period_end"])
    return next_end(shop, found, price, shop.world.now())


def next_end(shop: Shop, found: Json, price: Json, start: int) -> int:
    """The end of a price's period that begins at `start`."""
    recurring = price["recurring"]
    return shop.world.period_after(
        start, recurring["interval"], recurring["interval_count"], found["billing_cycle_anchor"]
    )


def _cycle(price: Json) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def cycles(found: Json) -> set[tuple[str, int]]:
    """The intervals at which a subscription bills."""
    return {_cycle(item["price"]) for item in rows(found)}


def resolve_price(shop: Shop, entry: Json, *, where: str = "items[0][price]") -> Json:
    """The recurring price of an entry: an existing one, or one created from `price_data`. A
    schedule's price (`scheduled`) may be archived: it was agreed while it was active."""
    if entry.get("price_data"):
        from sandbox.catalog import create_price

        return create_price(shop, {**entry["price_data"], "active": False})
    given = entry.get("price") or entry.get("plan")
    if not given:
        raise invalid(f"Missing required param: {where}.", param=where, code="parameter_missing")
    price = shop.find("price", given, param=where)
    if not price["active"] and not entry.get("scheduled"):
        raise invalid(
            f"The price specified is inactive. This field only accepts active prices:"
            f" {price['id']}",
            param=where,
        )
    if price["type"] != "recurring":
        raise invalid(
            "The price specified is set to `type=one_time` but this field only accepts prices with"
            " `type=recurring`.",
            param=where,
        )
    return price


def begin_periods(
    shop: Shop,
    made: Json,
    start: int,
    *,
    until: int | None = None,
    only: list[Json] | None = None,
) -> None:
    """Start a period of all items, or `only` some, at `start`; it ends as their prices say, or at
    `end`."""
    for item in rows(made) if only is None else only:
        end = until or next_end(shop, made, item["price"], start)
        item.update(current_period_start=start, current_period_end=end)


def last_end(found: Json) -> int:
    """When the longest current period ends."""
    return max(int(item["current_period_end"]) for item in rows(found))


def first_end(found: Json) -> int:
    """When the first of the current periods ends."""
    return min(int(item["current_period_end"]) for item in rows(found))


def moment(found: Json, given: Any) -> int:
    """A time of an update: a timestamp, or one of Stripe's names for an end."""
    match given:
        case "min_period_end":
            return first_end(found)
        case "max_period_end":
            return last_end(found)
        case "max_billed_until":
            ends = [item.get("billed_until") or item["current_period_end"] for item in rows(found)]
            return int(max(ends))
    return int(given)


def amount_of(shop: Shop, found: Json, item: Json) -> int:
    """What one period of an item costs (minor unit)."""
    quantity = item.get("quantity")
    price, currency = item["price"], found["currency"]
    return pricing.amount(shop, price, 1 if quantity is None else quantity, currency)


def total(shop: Shop, found: Json) -> int:
    """What a period of all items costs, in the minor unit."""
    return sum(amount_of(shop, found, item) for item in rows(found))


def lines(
    shop: Shop, made: Json, *, free: bool = False, only: list[Json] | None = None
) -> list[Json]:
    """Lines for each item's current period and for each period billed in advance, except those
    already billed."""
    made_lines = []
    for item in rows(made) if only is None else only:
        start, end = item["current_period_start"], item["current_period_end"]
        if item.get("billed_until", 0) >= end:
            continue
        until = end if free else max(end, _prebilled(shop, made, item))
        item.update({} if free else {"billed_until": until})
        while start < until:
            amount = 0 if free else amount_of(shop, made, item)
            made_lines.append(
                invoice_lines.subscription_line(
                    shop, made, item, amount=amount, start=start, end=end, free=free
                )
            )
            start, end = end, next_end(shop, made, item["price"], end)
    return made_lines


def unbill(item: Json) -> None:
    """Clear how far an item has been billed, since its period changes."""
    item.pop("billed_until", None)


def _prebilled(shop: Shop, made: Json, item: Json) -> int:
    """How far ahead a billing schedule bills an item."""
    found = 0
    for schedule in made["billing_schedules"]:
        only = [entry["price"] for entry in schedule["applies_to"] or [] if entry["price"]]
        if not only or item["price"]["id"] in only:
            found = max(found, schedule["bill_until"]["computed_timestamp"])
    return found


def set_billing_schedules(shop: Shop, made: Json, wanted: list[Json]) -> None:
    """Bill in advance until a moment, or for some intervals from the anchor."""
    if made["billing_mode"]["type"] != "flexible":
        raise invalid(
            "`billing_schedules` needs `billing_mode[type]=flexible`.", param="billing_schedules"
        )
    schedules = []
    for entry in wanted:
        until = entry.get("bill_until") or {}
        duration = until.get("duration")
        for name in ("duration", "timestamp"):
            if until.get(name) and until["type"] != name:
                raise invalid(
                    f"`bill_until[{name}]` goes with `bill_until[type]={name}`.",
                    param="billing_schedules",
                )
        if duration:
            count = duration.get("interval_count", 1)
            at = shop.world.later(shop.world.now(), duration["interval"], count)
            duration = {"interval": duration["interval"], "interval_count": count}
        else:
            at = int(until.get("timestamp") or last_end(made))
        schedules.append(
            {
                "applies_to": [
                    {"price": None, **applies} for applies in entry.get("applies_to") or []
                ]
                or None,
                "bill_until": {
                    "computed_timestamp": at,
                    "duration": duration,
                    "timestamp": until.get("timestamp"),
                    "type": "duration" if duration else "timestamp",
                },
                "key": entry.get("key") or shop.world.new_id("bs", 8),
            }
        )
    made["billing_schedules"] = schedules
