"""Many subscribers at once, without events: what existed before anyone listened."""

import time

from sandbox import buying, cards, catalog, checkout, subscriptions
from sandbox.shop import Shop
from sandbox.world import Json

AGE_SECONDS = 60
"""How long ago they bought."""


def subscribers(
    shop: Shop, *, count: int, product: str | None = None, one_off: int = 0, name: str = "Bulk"
) -> Json:
    """Make `count` customers with a running subscription to one product, and `one_off` with a paid
    order each. Answers the ids of product and prices."""
    world = shop.world
    shop.silent = True
    world.settle_clock(time.time() - AGE_SECONDS)
    try:
        if product is None:
            product = catalog.create_product(shop, {"name": name})["id"]
        monthly = catalog.create_price(
            shop,
            {
                "product": product,
                "currency": "usd",
                "unit_amount": 1500,
                "recurring": {"interval": "month"},
            },
        )
        once = catalog.create_price(
            shop, {"product": product, "currency": "usd", "unit_amount": 4900}
        )
        method = cards.payment_method(shop, "pm_card_visa")
        first = _subscription(shop, 0, monthly, method)
        for number in range(1, count):
            _like(shop, first, number, monthly)
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
    made["email"] = f"{made['id'][4:].lower()}@bulk.example"
    return shop.save(made)


def _subscription(shop: Shop, number: int, price: Json, method: Json) -> Json:
    customer = _person(shop, str(number))
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    params = {"customer": customer["id"], "items": [{"price": price["id"]}]}
    return subscriptions.create(shop, params)


def _like(shop: Shop, first: Json, number: int, price: Json) -> None:
    """A subscription like the first one, with its own customer and ids."""
    world = shop.world
    made = world.copy(first)
    made["id"] = world.new_id("sub")
    made["customer"] = _person(shop, str(number))["id"]
    item = made["items"]["data"][0]
    item.update(id=world.new_id("si"), subscription=made["id"], price=price)
    bill = world.copy(world.table("invoice")[first["latest_invoice"]])
    bill.update(id=world.new_id("in"), customer=made["customer"])
    bill["parent"]["subscription_details"]["subscription"] = made["id"]
    line = bill["lines"]["data"][0]
    line.update(id=world.new_id("il"), invoice=bill["id"], subscription=made["id"])
    details = line["parent"]["subscription_item_details"]
    details.update(subscription=made["id"], subscription_item=item["id"])
    made["latest_invoice"] = bill["id"]
    shop.save(bill)
    shop.save(made)
    world.schedule("period_end", made["id"], item["current_period_end"])


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
