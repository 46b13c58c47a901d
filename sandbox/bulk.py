"""Creates many subscribers at once, without events, as if they existed before anyone listened."""

import time

from sandbox import buying, cards, catalog, checkout, numbering, subscriptions
from sandbox.shop import Shop
from sandbox.subscriptions import agenda
from sandbox.world import Json

AGE_SECONDS = 60
"""How long ago the last of them bought."""

WAVE = 100
"""How many of those who came in the course of some time came in the same second."""


def subscribers(
    shop: Shop,
    *,
    count: int,
    product: str | None = None,
    one_off: int = 0,
    name: str = "Bulk",
    within: int = 0,
    interval: str = "month",
) -> Json:
    """Create `count` customers with an active subscription to one product, who came in the course
    of `within` seconds and pay each `interval`, and `one_off` with a paid order each. Returns the
    ids of the product and its prices."""
    world = shop.world
    shop.silent = True
    newest = time.time() - AGE_SECONDS
    world.settle_clock(newest - within)
    try:
        if product is None:
            product = catalog.create_product(shop, {"name": name})["id"]
        monthly = catalog.create_price(
            shop,
            {
                "product": product,
                "currency": "usd",
                "unit_amount": 1500,
                "recurring": {"interval": interval},
            },
        )
        once = catalog.create_price(
            shop, {"product": product, "currency": "usd", "unit_amount": 4900}
        )
        method = cards.payment_method(shop, "pm_card_visa")
        first = _subscription(shop, 0, monthly, method)
        model = first
        for number in range(1, count):
            if within and number % WAVE == 0:
                world.settle_clock(newest - within * (count - number) / count)
                model = _subscription(shop, number, monthly, method)
            else:
                _like(shop, model, number, monthly, method)
        for _ in range(one_off):
            _order(shop, once)
        if not count:
            world.forget("subscription", first["id"])
    finally:
        world.settle_clock()
        shop.silent = False
    return {"product": product, "monthly": monthly["id"], "once": once["id"]}


def _person(shop: Shop, label: str) -> Json:
    made = shop.world.make("customer", "cus", name=f"Bulk {label}", metadata={}, balance=0)
    made["invoice_prefix"] = numbering.prefix_of(made["id"])
    made["email"] = f"{made['id'][4:].lower()}@bulk.example"
    return shop.save(made)


def _subscription(shop: Shop, number: int, price: Json, method: Json) -> Json:
    customer = _person(shop, str(number))
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    params = {"customer": customer["id"], "items": [{"price": price["id"]}]}
    return subscriptions.create(shop, params)


def _like(shop: Shop, first: Json, number: int, price: Json, method: Json) -> None:
    """Copy the first subscription, with its own customer and ids. Parts that are equal for all and
    only ever replaced whole are shared, which saves most of the memory. So is the card, by which
    all of them renew."""
    world = shop.world
    customer = _person(shop, str(number))
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    made = {**first, "id": world.new_id("sub"), "customer": customer["id"]}
    item = {
        **first["items"]["data"][0],
        "id": world.new_id("si"),
        "subscription": made["id"],
        "price": price,
    }
    made["items"] = {
        **first["items"],
        "data": [item],
        "url": f"/v1/subscription_items?subscription={made['id']}",
    }
    bill = _bill_like(shop, first, made, item)
    made["latest_invoice"] = bill["id"]
    shop.save(bill)
    shop.save(made)
    agenda.plan(shop, made)


def _bill_like(shop: Shop, first: Json, made: Json, item: Json) -> Json:
    old = shop.world.table("invoice")[first["latest_invoice"]]
    bill = {**old, "id": shop.world.new_id("in"), "customer": made["customer"]}
    bill["parent"] = {
        **old["parent"],
        "subscription_details": {
            **old["parent"]["subscription_details"],
            "subscription": made["id"],
        },
    }
    line = {
        **old["lines"]["data"][0],
        "id": shop.world.new_id("il"),
        "invoice": bill["id"],
        "subscription": made["id"],
    }
    details = line["parent"]["subscription_item_details"]
    line["parent"] = {
        **line["parent"],
        "subscription_item_details": {
            **details,
            "subscription": made["id"],
            "subscription_item": item["id"],
        },
    }
    url = f"/v1/invoices/{bill['id']}/lines"
    bill["lines"] = {**old["lines"], "data": [line], "url": url}
    return bill


def _order(shop: Shop, price: Json) -> None:
    session = checkout.create(
        shop,
        {
            "mode": "payment",
            "line_items": [{"price": price["id"], "quantity": 1}],
            "success_url": "https://example.com/thanks",
        },
    )
    label = session["id"][-12:].lower()
    buying.pay(shop, session, buying.Buyer(f"{label}@bulk.example", f"Bulk {label}"))
