"""Previews and what then happens, for generated changes of subscriptions: a count that a benchmark
can import, and that a test makes smaller."""

import random
from dataclasses import dataclass, field

from sandbox.clock import do_due
from sandbox.schema import Published
from tests.harness import Json
from tests.sandbox.inside import Inside

DAY = 86400
BEHAVIORS = ("create_prorations", "always_invoice", "none")


@dataclass
class Agreement:
    """How many generated changes were previewed, and those whose invoice came out otherwise."""

    previewed: int = 0
    billed: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Furniture:
    """An account with prices and coupons, to be copied for each change."""

    account: Inside
    prices: list[str] = field(default_factory=list)
    coupons: list[str] = field(default_factory=list)


def furnished(published: Published, seed: int) -> Furniture:
    """Prices by the month and the year, and coupons of all durations."""
    account = Inside.empty(published, chance=seed)
    made = Furniture(account)
    product = account.make("products", name="Course")["id"]
    for interval, amount in (
        *(("month", 1500), ("month", 3333), ("month", 999), ("month", 0)),
        *(("year", 12000), ("year", 34567)),
    ):
        rhythm = {"interval": interval}
        price = account.make(
            "prices", product=product, currency="usd", unit_amount=amount, recurring=rhythm
        )
        made.prices.append(price["id"])
    for given in (
        {"percent_off": 33, "duration": "forever"},
        {"percent_off": 10, "duration": "once"},
        {"amount_off": 700, "currency": "usd", "duration": "forever"},
        {"amount_off": 500, "currency": "usd", "duration": "repeating", "duration_in_months": 3},
    ):
        made.coupons.append(account.make("coupons", **given)["id"])
    return made


def begun(account: Inside, here: Furniture, chance: random.Random) -> Json:
    """A subscription, somewhere in one of its periods."""
    customer = account.make(
        "customers",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    mode = chance.choice(("classic", "flexible"))
    months = here.prices[:4]
    prices = chance.sample(months, chance.choice((1, 1, 2, 3)))
    if chance.random() < 0.2:
        prices = [chance.choice(here.prices[4:])]
    params: Json = {
        "customer": customer["id"],
        "billing_mode": {"type": mode},
        "items": [{"price": price, "quantity": chance.randint(1, 4)} for price in prices],
    }
    if chance.random() < 0.35:
        params["discounts"] = [{"coupon": chance.choice(here.coupons)}]
    if chance.random() < 0.2:
        params["trial_period_days"] = chance.randint(3, 20)
    made = account.make("subscriptions", **params)
    account.shop.world.shift(chance.randint(0, 40 * DAY))
    do_due(account.shop)
    account.shop.world.settle_clock()
    return account.get(f"subscriptions/{made['id']}")


def change_of(here: Furniture, found: Json, chance: random.Random) -> Json:
    """A change of items, or of rhythm, trial or cycle."""
    rows = found["items"]["data"]
    item = chance.choice(rows)
    prices = [price for price in here.prices if price not in [r["price"]["id"] for r in rows]]
    kind = chance.choice(("quantity", "price", "year", "more", "less", "trial", "cycle", "coupon"))
    change: Json = {"proration_behavior": chance.choice(BEHAVIORS)}
    match kind:
        case "quantity":
            change["items"] = [{"id": item["id"], "quantity": chance.randint(0, 6)}]
        case "price":
            change["items"] = [{"id": item["id"], "price": chance.choice(prices)}]
        case "year" if len(rows) == 1:
            every = chance.choice(
                here.prices[4:] if item["plan"]["interval"] == "month" else here.prices[:3]
            )
            change["items"] = [{"id": item["id"], "price": every}]
        case "more":
            change["items"] = [{"price": chance.choice(prices), "quantity": chance.randint(1, 3)}]
        case "less" if len(rows) > 1:
            change["items"] = [{"id": item["id"], "deleted": True}]
        case "trial":
            end = "now" if found["status"] == "trialing" else found["created"] + 90 * DAY
            change["trial_end"] = end
        case "cycle":
            change["billing_cycle_anchor"] = {"type": "now"}
        case _:
            change["discounts"] = [{"coupon": chance.choice(here.coupons)}]
            change["items"] = [{"id": item["id"], "quantity": chance.randint(1, 6)}]
    if chance.random() < 0.2:
        change["proration_date"] = item["current_period_start"] + 1
    return change


def seen(bill: Json) -> Json:
    """What must agree: the sums, and each line's amount."""
    return {
        "total": bill["total"],
        "amount_due": bill["amount_due"],
        "discount": sum(row["amount"] for row in bill["total_discount_amounts"]),
        "lines": sorted(line["amount"] for line in bill["lines"]["data"]),
    }


def tried(account: Inside, found: Json, change: Json) -> tuple[Json | None, Json | None]:
    """What a change is previewed to cost, and what it then costs: at once, or on the next bill."""
    details = {key: value for key, value in change.items() if key != "discounts"}
    more = {key: value for key, value in change.items() if key == "discounts"}
    status, answer = account.ask(
        "POST",
        "invoices/create_preview",
        subscription=found["id"],
        subscription_details=details,
        **more,
    )
    if status not in (200, 404):
        return None, None
    previewed = answer if status == 200 else None
    known = found["latest_invoice"]
    after = account.make(f"subscriptions/{found['id']}", **change)
    rounds = 0
    while after["latest_invoice"] == known and rounds < 4:
        ends = [row["current_period_end"] for row in after["items"]["data"]]
        account.shop.world.shift(max(1, min(ends) - account.shop.world.now() + 1))
        do_due(account.shop)
        account.shop.world.settle_clock()
        after = account.get(f"subscriptions/{found['id']}")
        rounds += 1
    if after["latest_invoice"] == known:
        return previewed, None
    bill = account.get(f"invoices/{after['latest_invoice']}")
    return previewed, bill


def count(published: Published, changes: int, *, seed: int = 1) -> Agreement:
    """Preview so many generated changes and make them; what disagrees is said."""
    chance, result = random.Random(seed), Agreement()
    here = furnished(published, seed)
    while result.previewed < changes:
        account = here.account.fork()
        found = begun(account, here, chance)
        if found["status"] not in ("active", "trialing"):
            continue
        change = change_of(here, found, chance)
        previewed, bill = tried(account, found, change)
        if previewed is None and bill is None:
            continue
        result.previewed += 1
        if bill is not None:
            result.billed += 1
        if previewed is None or bill is None or seen(previewed) != seen(bill):
            said = previewed and seen(previewed), bill and seen(bill)
            result.wrong.append(f"{found['billing_mode']['type']} {change}: {said}")
    return result
